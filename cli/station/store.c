/* SPDX-License-Identifier: MIT */
/* What a station keeps in a watched folder, below .igtcloud-station/: a lock, so that no two
 * stations share the folder, whatever their user and machine, and a log of what must survive a
 * restart:
 *
 *   B attempts crashes path      an upload begins; without a following E or F the station crashed
 *   E attempts crashes path      it ended, and the study waits again
 *   F path                       the study has left the folder
 *   K time files bytes hash path the study was verified and is now at path, in done/
 *   U path                       it was deleted from there
 *   T time uptime boot           the time of the K records, and the uptime (ms) of the machine then
 *
 * That time is no clock's: it counts the seconds that have certainly passed, so that a clock that
 * jumps makes no study old enough for --keep. It began with the wall clock's, goes on with the
 * uptime, and stands still from the end of a station to the next start of the machine. Where a file
 * has no T, an older station wrote the wall clock's: then all studies are as old as the first T.
 *
 * The log is rewritten at the start and when it has grown, and appended to otherwise. It is a hint:
 * without it (on a full disk) attempts are counted anew, and studies in done/ stay there. Uploaded
 * files are not in it, since the library's journal and the cloud know them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

#define FOLDER STATION_FOLDER
#define PATH_MAX_BYTES 8192
/* Studies in done/ that can be deleted by the settings: of older ones the record is given up, so
 * that years without such settings do not fill the memory. */
#define KEPT_MOST 50000
#define REWRITE_AT 4096 /* records, beside those that are needed */
/* Of a damaged line no larger numbers are taken: sums of them do not overflow. */
#define TIME_MOST ((uint64_t)1 << 60)
#define BYTES_MOST (UINT64_MAX / KEPT_MOST)
#define ATTEMPTS_MOST 1000000
#define TIME_AGAIN_MS 3600000 /* so much of it is lost with the power */
#define TIME_WITH_KEPT_MS 60000

typedef struct tried {
  char *path;
  unsigned attempts, crashes;
  bool active;
} tried;

/* ---- in memory ---- */

static bool reserve(void **v, size_t *space, size_t count, size_t size) {
  size_t more = *space ? 2 * *space : 16;
  void *bigger;

  if (count < *space)
    return true;
  bigger = realloc(*v, more * size);
  if (!bigger)
    return false;
  *v = bigger;
  *space = more;
  return true;
}

static tried *find_tried(const watched *w, const char *path) {
  for (size_t i = 0; i < w->tried_count; i++)
    if (strcmp(w->tried[i].path, path) == 0)
      return &((tried *)w->tried)[i];
  return NULL;
}

static void set_tried(watched *w, const char *path, unsigned attempts, unsigned crashes,
                      bool active) {
  tried *t = find_tried(w, path);
  void *v = w->tried;

  if (t) {
    t->attempts = attempts;
    t->crashes = crashes;
    t->active = active;
    return;
  }
  if (!reserve(&v, &w->tried_space, w->tried_count, sizeof *t))
    return;
  w->tried = v;
  t = &w->tried[w->tried_count];
  *t = (tried){strdup(path), attempts, crashes, active};
  w->tried_count += t->path != NULL;
}

static void drop_tried(watched *w, const char *path) {
  tried *t = find_tried(w, path);

  if (!t)
    return;
  free(t->path);
  *t = w->tried[--w->tried_count];
}

/* The others stay in the order of their time. */
static void drop_kept(watched *w, size_t i) {
  w->kept_bytes -= w->kept[i].tree.bytes;
  free(w->kept[i].path);
  memmove(w->kept + i, w->kept + i + 1, (w->kept_count - i - 1) * sizeof *w->kept);
  w->kept_count--;
}

static void add_kept(watched *w, const char *path, int64_t at, const tree_state *state) {
  void *v = w->kept;

  if (w->kept_count >= KEPT_MOST)
    drop_kept(w, 0);
  if (!reserve(&v, &w->kept_space, w->kept_count, sizeof *w->kept))
    return;
  w->kept = v;
  kept *k = &w->kept[w->kept_count];
  *k = (kept){strdup(path), at, *state};
  if (!k->path)
    return;
  w->kept_count++;
  w->kept_bytes += state->bytes;
}

static void drop_kept_path(watched *w, const char *path) {
  for (size_t i = 0; i < w->kept_count; i++)
    if (strcmp(w->kept[i].path, path) == 0) {
      drop_kept(w, i);
      return;
    }
}

/* ---- lines ---- */

/* Of a copied or moved folder, or of whoever could write the log, other paths: not ours to delete.
 */
static bool is_below_done(const watched *w, const char *path) {
  size_t n = strlen(w->done);

  if (strncmp(w->done, path, n) != 0 || path[n] != '/' || !path[n + 1])
    return false;
  for (const char *p = path + n; p; p = strchr(p + 1, '/'))
    if (strcspn(p + 1, "/") == strspn(p + 1, ".") && strcspn(p + 1, "/") <= 2)
      return false;
  return true;
}

static bool take_kept(watched *w, char *text) {
  tree_state state = {.files = 0};
  uint64_t at;

  if (!state_number(&text, 10, TIME_MOST, &at) ||
      !state_number(&text, 10, BYTES_MOST, &state.files) ||
      !state_number(&text, 10, BYTES_MOST, &state.bytes) ||
      !state_number(&text, 16, UINT64_MAX, &state.hash) || !state_path(text))
    return false;
  if (is_below_done(w, text))
    add_kept(w, text, w->time_known ? (int64_t)at : INT64_MAX, &state);
  return true;
}

static bool take_tried(watched *w, char *text, bool active) {
  uint64_t attempts, crashes;

  if (!state_number(&text, 10, ATTEMPTS_MOST, &attempts) ||
      !state_number(&text, 10, ATTEMPTS_MOST, &crashes) || !state_path(text))
    return false;
  set_tried(w, text, (unsigned)attempts, (unsigned)crashes, active);
  return true;
}

static bool take_time(watched *w, char *text) {
  uint64_t seconds, then, now = (uint64_t)station_real_ms();
  char boot[OS_BOOT_ID];

  if (!state_number(&text, 10, TIME_MOST, &seconds) || !state_number(&text, 10, TIME_MOST, &then))
    return false;
  w->time_s = (int64_t)seconds;
  if (os_boot_id(boot) && strcmp(text, boot) == 0 && then < now)
    w->time_s += (int64_t)(now - then) / 1000;
  w->time_known = true;
  return true;
}

/* False: it is damaged. Records of later versions are no damage. */
static bool take_line(watched *w, char *text) {
  char what = text[0];

  if (!what)
    return true;
  if (text[1] != ' ' || what < 'A' || what > 'Z')
    return false;
  text += 2;
  switch (what) {
  case 'B':
  case 'E':
    return take_tried(w, text, what == 'B');
  case 'F':
  case 'U':
    if (!state_path(text))
      return false;
    if (what == 'F')
      drop_tried(w, text);
    else
      drop_kept_path(w, text);
    return true;
  case 'K':
    return take_kept(w, text);
  case 'T':
    return take_time(w, text);
  default:
    return true;
  }
}

/* A last line without its end was cut off. Paths are names of patients: none is in the log. */
static void read_lines(watched *w, FILE *in) {
  static char text[3 * PATH_MAX_BYTES + 256];
  unsigned long long damaged = 0;
  bool goes_on = false;

  while (fgets(text, sizeof text, in)) {
    size_t n = strlen(text);
    bool begins = !goes_on;
    goes_on = n == 0 || text[n - 1] != '\n';
    if (!goes_on)
      text[n - 1] = '\0';
    if (begins && (goes_on ? !feof(in) : !take_line(w, text)))
      damaged++;
  }
  if (damaged)
    station_log(PRIORITY_WARNING, "state", NULL,
                "%llu damaged %s in %s/" FOLDER "/state: attempts of the studies there are counted "
                "anew, and those in done are not deleted",
                damaged, damaged == 1 ? "line" : "lines", w->path);
}

/* ---- the time of the records ---- */

int64_t store_time(const watched *w) {
  return w->time_s + (station_now() - w->time_ms) / 1000;
}

static void start_time(watched *w) {
  if (!w->time_known)
    w->time_s = station_wall();
  w->time_ms = station_now();
  for (size_t i = 0; i < w->kept_count; i++)
    if (w->kept[i].at > w->time_s)
      w->kept[i].at = w->time_s;
}

static void put_time(watched *w, FILE *out) {
  char boot[OS_BOOT_ID];

  fprintf(out, "T %" PRId64 " %" PRId64 " %s\n", store_time(w), station_real_ms(),
          os_boot_id(boot) ? boot : "-");
  w->time_put = station_now();
}

static void put_kept(FILE *out, const kept *k) {
  fprintf(out, "K %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIx64 " ", k->at, k->tree.files,
          k->tree.bytes, k->tree.hash);
  state_put_path(out, k->path);
}

static void put_all(watched *w, FILE *out) {
  put_time(w, out); /* before the records that it is for */
  for (size_t i = 0; i < w->tried_count; i++) {
    fprintf(out, "%c %u %u ", w->tried[i].active ? 'B' : 'E', w->tried[i].attempts,
            w->tried[i].crashes);
    state_put_path(out, w->tried[i].path);
  }
  for (size_t i = 0; i < w->kept_count; i++)
    put_kept(out, &w->kept[i]);
}

/* ---- the file ---- */

static int open_own(const watched *w, const char *name, int flags) {
  char path[PATH_MAX_BYTES];

  (void)snprintf(path, sizeof path, "%s/" FOLDER "/%s", w->path, name);
  return igt__os_open(path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
}

static void log_failed(watched *w) {
  if (!w->log_failed)
    station_log(PRIORITY_WARNING, "state", NULL, "cannot write to %s/" FOLDER "/state: %s", w->path,
                strerror(errno));
  w->log_failed = true;
}

/* Windows replaces no open file. */
static int replace(watched *w, const char *from, const char *to) {
  if (w->log)
    fclose(w->log);
  w->log = NULL;
  return igt__os_rename(from, to);
}

/* A new file replaces the old one once it is on the disk. Where that fails, the old one goes on. */
static void try_rewrite(watched *w) {
  char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];
  FILE *out;

  (void)snprintf(from, sizeof from, "%s/" FOLDER "/state.new", w->path);
  (void)igt__os_unlink(from); /* of a killed station, or planted */
  out = os_stream(open_own(w, "state.new", O_WRONLY | O_CREAT | O_EXCL), "w");
  if (!out) {
    log_failed(w);
    return;
  }
  put_all(w, out);
  (void)snprintf(to, sizeof to, "%s/" FOLDER "/state", w->path);
  if (!os_sync_stream(out) || ferror(out) || replace(w, from, to) != 0) {
    log_failed(w);
    fclose(out);
    return;
  }
  w->log = out;
  w->log_failed = false;
  w->records = 0;
}

static void rewrite_log(watched *w) {
  try_rewrite(w);
  if (w->log)
    return;
  w->log = os_stream(open_own(w, "state", O_WRONLY | O_APPEND | O_CREAT), "a");
  if (w->log)
    putc('\n', w->log); /* its last line may have been cut off */
}

/* After a record was written. Those that are lost, because a disk is full, are in memory:
 * store_tick writes them again. */
static void end_record(watched *w) {
  if (!w->log || fflush(w->log) != 0 || ferror(w->log)) {
    log_failed(w);
    if (w->log)
      clearerr(w->log);
  }
  if (++w->records > REWRITE_AT + w->kept_count + w->tried_count)
    rewrite_log(w);
}

/* s NULL: without its numbers. */
static void write_record(watched *w, char what, const char *path, const study *s) {
  if (w->log) {
    fprintf(w->log, "%c ", what);
    if (s)
      fprintf(w->log, "%u %u ", s->attempts, s->crashes);
    state_put_path(w->log, path);
  }
  end_record(w);
}

/* ---- opening ---- */

static bool make_folder(const watched *w) {
  char path[PATH_MAX_BYTES];
  igt__stat st;

  (void)snprintf(path, sizeof path, "%s/" FOLDER, w->path);
  if (igt__os_mkdir(path, 0700) != 0 && errno != EEXIST) {
    complain_io(errno, "cannot keep the station's state in '%s': %s", path, strerror(errno));
    return false;
  }
  if (igt__os_lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
    return true;
  complain(IGT_E_INVALID, "'%s' is not a folder; the station keeps its state there", path);
  return false;
}

/* Of the open file, so that it also holds on a file server. */
static bool lock_folder(watched *w) {
  w->lock = open_own(w, "lock", O_RDWR | O_CREAT);
  if (w->lock < 0) {
    complain_io(errno, "cannot lock the folder '%s': %s", w->path, strerror(errno));
    return false;
  }
  if (igt__os_lock_byte(w->lock, 0, false) == 0)
    return true;
  if (errno == EAGAIN || errno == EACCES)
    complain(IGT_E_LOCKED, "another station watches the folder '%s'", w->path);
  else
    complain_io(errno, "cannot lock the folder '%s': %s", w->path, strerror(errno));
  igt__os_close(w->lock);
  w->lock = -1;
  return false;
}

bool store_open(watched *w, const char *path) {
  *w = (watched){.lock = -1, .path = strdup(path)};
  if (!w->path) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    return false;
  }
  return make_folder(w) && lock_folder(w);
}

void store_read(watched *w) {
  FILE *in = os_stream(open_own(w, "state", O_RDONLY), "r");

  if (in) {
    read_lines(w, in);
    fclose(in);
  }
  start_time(w);
  rewrite_log(w);
}

bool store_is_locked(const char *folder) {
  char path[PATH_MAX_BYTES];
  int fd;
  bool locked;

  (void)snprintf(path, sizeof path, "%s/" FOLDER "/lock", folder);
  fd = igt__os_open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
  locked = fd >= 0 && igt__os_byte_is_locked(fd, 0);
  if (fd >= 0)
    igt__os_close(fd);
  return locked;
}

static void write_time(watched *w) {
  if (w->log)
    put_time(w, w->log);
  end_record(w);
}

void store_tick(watched *w) {
  if (w->log_failed)
    rewrite_log(w);
  if (station_now() - w->time_put >= TIME_AGAIN_MS)
    write_time(w);
}

void store_close(watched *w) {
  if (w->log) {
    write_time(w);
    if (w->log)
      fclose(w->log);
  }
  if (w->lock >= 0)
    igt__os_close(w->lock);
  for (size_t i = 0; i < w->tried_count; i++)
    free(w->tried[i].path);
  for (size_t i = 0; i < w->kept_count; i++)
    free(w->kept[i].path);
  free(w->tried);
  free(w->kept);
  free(w->path);
  free(w->done);
  free(w->failed);
  *w = (watched){.lock = -1};
}

/* ---- events ---- */

void store_begin(watched *w, const study *s) {
  set_tried(w, s->path, s->attempts, s->crashes, true);
  write_record(w, 'B', s->path, s);
}

void store_end(watched *w, const study *s) {
  bool known = s->attempts || s->crashes;

  if (known)
    set_tried(w, s->path, s->attempts, s->crashes, false);
  else
    drop_tried(w, s->path);
  write_record(w, known ? 'E' : 'F', s->path, known ? s : NULL);
}

void store_forget(watched *w, const char *path) {
  if (!find_tried(w, path))
    return;
  drop_tried(w, path);
  write_record(w, 'F', path, NULL);
}

void store_keep(watched *w, const char *path, const tree_state *state) {
  int64_t at = store_time(w);

  drop_kept_path(w, path);
  add_kept(w, path, at, state);
  if (w->log && station_now() - w->time_put >= TIME_WITH_KEPT_MS)
    put_time(w, w->log); /* the record's time is not after it */
  if (w->log)
    put_kept(w->log, &(kept){.path = (char *)(uintptr_t)path, .at = at, .tree = *state});
  end_record(w);
}

void store_unkeep(watched *w, size_t i) {
  char *path = strdup(w->kept[i].path);

  drop_kept(w, i);
  if (path)
    write_record(w, 'U', path, NULL);
  free(path);
}

void store_recall(const watched *w, study *s) {
  const tried *t = find_tried(w, s->path);

  if (!t)
    return;
  s->attempts = t->attempts;
  s->crashes = t->crashes + t->active;
}
