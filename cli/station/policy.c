/* SPDX-License-Identifier: MIT */
/* What happens to a study in the end. One that was verified is moved to done/ or deleted, one that
 * failed for good is moved to failed/ with a .reason file beside it. Both are renames within a file
 * system, so a study is always either here or there. Whoever still writes to a study does not
 * notice a rename: so it is looked at again behind it, and comes back if something was written
 * meanwhile. A deletion, too, begins with a rename, to .igtcloud-station/deleting/DEPTH.NUMBER,
 * from where an interrupted one comes back at the next start, to be verified again. DEPTH is the
 * number of folders in the study's path, so that two studies of one name are never merged.
 *
 * Of done/, only studies that this station has verified and moved there are ever deleted (--quota,
 * --keep, --min-free), and only while they are as they were. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <unistd.h>

#include "station/station.h"

#define PATH_SIZE 8192
#define TRASH ".igtcloud-station/deleting"
#define SUFFIXES 1000
#define AGAIN_MS 60000

/* ---- moving ---- */

/* The folders above the last component. */
static bool make_parents(const char *path) {
  char folder[PATH_SIZE];

  (void)snprintf(folder, sizeof folder, "%s", path);
  for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
      return false;
    *slash = '/';
  }
  return true;
}

/* A study of the same name may have been there before: "NAME.2". out: where it is now. */
static bool move_to(const study *s, const char *folder, char out[PATH_SIZE]) {
  char from[PATH_SIZE];

  (void)snprintf(from, sizeof from, "%s/%s", s->in->path, s->path);
  for (int i = 1; i < SUFFIXES; i++) {
    int n = i == 1 ? snprintf(out, PATH_SIZE, "%s/%s", folder, s->path)
                   : snprintf(out, PATH_SIZE, "%s/%s.%d", folder, s->path, i);
    if (n >= PATH_SIZE) {
      errno = ENAMETOOLONG;
      return false;
    }
    if (!make_parents(out))
      return false;
    if (os_rename_new(from, out) == 0)
      return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return false;
  }
  return false;
}

static int depth_of(const char *path) {
  int depth = 1;

  for (; *path; path++)
    depth += *path == '/';
  return depth;
}

/* Into a new folder, in which it keeps its name. */
static bool move_to_trash(const study *s, char out[PATH_SIZE]) {
  char folder[PATH_SIZE];

  for (int i = 1; i < SUFFIXES; i++) {
    (void)snprintf(folder, sizeof folder, "%s/" TRASH "/%d.%d", s->in->path, depth_of(s->path), i);
    if (!make_parents(folder))
      return false;
    if (mkdir(folder, 0700) != 0) {
      if (errno != EEXIST)
        return false;
      continue;
    }
    if (move_to(s, folder, out))
      return true;
    int error = errno;
    (void)rmdir(folder);
    errno = error;
    return false;
  }
  return false;
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What `from` contains, where `to` has nothing of that name; folders of `depth` levels are merged.
 * False: something stays. */
static bool bring_back(const char *from, const char *to, int depth) {
  char a[PATH_SIZE], b[PATH_SIZE];
  DIR *dir = opendir(from);
  bool all = dir != NULL;
  struct dirent *e;

  while (dir && (e = readdir(dir)) != NULL) {
    if (is_dots(e->d_name))
      continue;
    if (snprintf(a, sizeof a, "%s/%s", from, e->d_name) >= PATH_SIZE ||
        snprintf(b, sizeof b, "%s/%s", to, e->d_name) >= PATH_SIZE)
      all = false;
    else if (os_rename_new(a, b) != 0)
      all = errno == EEXIST && depth > 1 && bring_back(a, b, depth - 1) && all;
  }
  if (dir)
    closedir(dir);
  return rmdir(from) == 0 && all;
}

void policy_recover(const watched *w) {
  char trash[PATH_SIZE], folder[PATH_SIZE];
  DIR *dir;
  struct dirent *e;

  (void)snprintf(trash, sizeof trash, "%s/" TRASH, w->path);
  dir = opendir(trash);
  while (dir && (e = readdir(dir)) != NULL) {
    int depth = is_dots(e->d_name) ? 0 : (int)strtol(e->d_name, NULL, 10);
    if (depth < 1 || snprintf(folder, sizeof folder, "%s/%s", trash, e->d_name) >= PATH_SIZE)
      continue;
    if (bring_back(folder, w->path, depth))
      station_log(
          LOG_NOTICE, "recovered", NULL,
          "the station stopped while deleting a study: what is left of it in %s is examined again",
          folder);
    else
      station_log(LOG_ERR, "stuck", NULL,
                  "%s contains a study whose deletion was interrupted, and cannot be moved back: "
                  "move it to %s yourself",
                  folder, w->path);
  }
  if (dir)
    closedir(dir);
}

static void move_back(const study *s, const char *from) {
  char to[PATH_SIZE];

  (void)snprintf(to, sizeof to, "%s/%s", s->in->path, s->path);
  if (os_rename_new(from, to) != 0)
    station_log(LOG_ERR, "stuck", s,
                "%s was written to while it was moved, and cannot be moved "
                "back from %s: %s: move it back yourself",
                s->path, from, strerror(errno));
}

static bool cannot_move(study *s, const char *what) {
  char text[512];

  (void)snprintf(text, sizeof text, "cannot be %s: %s", what, strerror(errno));
  if (!s->why || strcmp(s->why, text) != 0)
    station_log(LOG_ERR, "stuck", s, "%s %s; it stays where it is, and this is tried again",
                s->path, text);
  study_because(s, IGT_E_IO, text);
  s->due = station_now() + AGAIN_MS;
  return false;
}

/* Something was written: it has to become quiet again. */
static bool settle_again(station *st, study *s, const char *why) {
  station_log(LOG_INFO, "changed", s, "%s %s: waiting until it is quiet again", s->path, why);
  s->state = STUDY_SETTLING;
  s->due = station_now();
  s->since = 0;
  st->dirty = true;
  return false;
}

static void leave(station *st, study *s) {
  store_forget(s->in, s->path);
  queue_remove(&st->queue, s);
  st->dirty = true;
}

/* ---- a study that was verified ---- */

static void split(const char *path, char folder[PATH_SIZE], const char **name) {
  (void)snprintf(folder, PATH_SIZE, "%s", path);
  *strrchr(folder, '/') = '\0';
  *name = strrchr(path, '/') + 1;
}

static void report_done(station *st, study *s) {
  char size[32];

  format_size(s->print.bytes, size, sizeof size);
  study_because(s, IGT_OK, NULL);
  st->totals.uploaded++;
  st->totals.uploaded_bytes += s->print.bytes;
  st->totals.last_success = station_wall();
  station_log(LOG_INFO, "uploaded", s, "uploaded %s: %llu %s (%s), verified and %s", s->path,
              (unsigned long long)s->print.files, s->print.files == 1 ? "file" : "files", size,
              st->config.delete_done ? "deleted" : "moved to done");
  hook_event(st, "uploaded", s, NULL);
}

/* Nothing that was not compared with the cloud may go with it. Who has a file open is asked first:
 * behind a rename nobody can open another. */
static bool is_same_study(const char *folder, const char *name, const study *s) {
  tree_print print;

  return !tree_is_written(folder, name) && tree_look(folder, name, &print) &&
         tree_same(&print, &s->print);
}

/* Its folder in the trash is empty then. */
static void delete_now(const study *s, const char *folder, const char *name) {
  char above[PATH_SIZE];

  (void)snprintf(above, sizeof above, "%s", folder);
  if (!tree_remove(folder, name)) {
    station_log(LOG_WARNING, "stuck", s, "cannot delete all of %s/%s: %s", folder, name,
                strerror(errno));
    return;
  }
  for (int i = depth_of(s->path); i > 0 && rmdir(above) == 0; i--)
    *strrchr(above, '/') = '\0';
}

bool policy_finish(station *st, study *s) {
  watched *w = s->in;
  char now[PATH_SIZE], folder[PATH_SIZE];
  const char *name;
  tree_print print;

  if (!tree_look(w->path, s->path, &print))
    return errno == ENOENT ? (leave(st, s), false) : cannot_move(s, "read");
  if (!tree_same(&print, &s->print) || tree_is_written(w->path, s->path))
    return settle_again(st, s, "was written to during its upload");
  if (st->config.delete_done ? !move_to_trash(s, now) : !move_to(s, w->done, now))
    return cannot_move(s, st->config.delete_done ? "deleted" : "moved to done");
  split(now, folder, &name);
  if (!is_same_study(folder, name, s)) {
    move_back(s, now);
    return settle_again(st, s, "was written to while it was moved");
  }
  if (st->config.delete_done)
    delete_now(s, folder, name);
  else
    store_keep(w, now, station_wall(), &s->print);
  report_done(st, s);
  leave(st, s);
  return true;
}

/* ---- a study that failed ---- */

/* Back where it was, a study of an institute that does not exist would fail again. */
static void write_advice(FILE *out, const station *st, const study *s) {
  const char *below = strchr(s->path, '/');
  bool misplaced = s->status == IGT_E_NOT_FOUND && st->found.institutes && below &&
                   !station_has_institute(st, s->path);

  fprintf(out, "What to do: %s\n%s/",
          misplaced ? "move the folder below that of an institute of the project, to"
                    : "correct this, then move the folder back to",
          s->in->path);
  if (misplaced)
    fputs("INSTITUTE", out);
  put_safe(out, misplaced ? below : s->path, true);
}

static bool write_reason(const station *st, const study *s, const char *now) {
  const char *why = s->why && *s->why ? s->why : igt_status_text(s->status);
  char path[PATH_SIZE], when[32];
  FILE *out;
  int fd;

  if (snprintf(path, sizeof path, "%s.reason", now) >= PATH_SIZE)
    return false;
  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  out = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!out) {
    if (fd >= 0)
      close(fd);
    return false;
  }
  put_safe(out, s->path, true);
  fprintf(out, " was not uploaded%s to the project '%s' (%s).\n\nWhy: ",
          s->moved || *s->study_id ? " completely" : "", st->project,
          igt_client_domain(st->line->client));
  put_safe(out, why, true);
  fprintf(out, "%s\n\nWhen: %s", strchr(".?!", why[strlen(why) - 1]) ? "" : ".",
          station_time(station_wall(), when));
  if (s->attempts)
    fprintf(out, ", after %u %s", s->attempts, s->attempts == 1 ? "attempt" : "attempts");
  fputs(".\n\n", out);
  write_advice(out, st, s);
  fputs("\nThe station uploads it again. This file can be deleted.\n", out);
  return fclose(out) == 0;
}

void policy_fail(station *st, study *s) {
  char now[PATH_SIZE];

  if (!move_to(s, s->in->failed, now)) {
    (void)cannot_move(s, "moved to failed");
    if (s->state != STUDY_SETTLING) /* it was not sent */
      s->state = STUDY_READY;
    return;
  }
  st->totals.failed++;
  station_log(LOG_ERR, "failed", s, "%s failed: %s", s->path, s->why ? s->why : "");
  if (!write_reason(st, s, now))
    station_log(LOG_WARNING, "failed", s, "cannot write %s.reason: %s", now, strerror(errno));
  hook_event(st, "failed", s, NULL);
  leave(st, s);
}

/* ---- the disk ---- */

uint64_t policy_free_bytes(const watched *w) {
  struct statvfs fs;

  return statvfs(w->path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

/* The oldest, which is the first. */
static void delete_kept(station *st, watched *w) {
  char folder[PATH_SIZE];
  const kept *k = &w->kept[0];
  const char *name;
  tree_print print;

  split(k->path, folder, &name);
  if (!tree_look(folder, name, &print)) {
    store_unkeep(w, 0); /* somebody else has deleted it */
    return;
  }
  if (!tree_same(&print, &k->print)) {
    station_log(LOG_NOTICE, "kept", NULL, "%s was changed after its upload, and is not deleted",
                k->path);
  } else if (tree_remove(folder, name)) {
    station_log(LOG_INFO, "deleted", NULL, "deleted %s, which was uploaded and verified", k->path);
    st->totals.deleted++;
    (void)rmdir(folder); /* of an institute or a patient, once it is empty */
  } else {
    station_log(LOG_ERR, "stuck", NULL, "cannot delete %s: %s", k->path, strerror(errno));
  }
  store_unkeep(w, 0);
}

static bool has_to_go(const station *st, const watched *w) {
  const station_config *c = &st->config;

  return (c->keep_s && w->kept[0].at + c->keep_s < station_wall()) ||
         (c->quota && w->kept_bytes > c->quota) ||
         (c->min_free && policy_free_bytes(w) < c->min_free);
}

void policy_tidy(station *st) {
  bool low = false;

  for (size_t i = 0; i < st->root_count; i++) {
    watched *w = &st->roots[i];
    while (w->kept_count && has_to_go(st, w)) {
      delete_kept(st, w);
      notify_alive();
    }
    low |= st->config.min_free && policy_free_bytes(w) < st->config.min_free;
  }
  if (low && !st->disk_warned) {
    station_log(LOG_ERR, "disk-low", NULL,
                "the disk of the watched folder has less free space than --min-free, and done has "
                "nothing more to delete");
    hook_event(st, "disk-low", NULL, NULL);
  }
  st->disk_warned = low;
}
