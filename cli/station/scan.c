/* SPDX-License-Identifier: MIT */
/* Finds the folders of studies: INSTITUTE/STUDY, or in a hierarchical tree INSTITUTE/PATIENT/STUDY,
 * where a folder of an institute with a study.json is itself a study. All folders are scanned when
 * the station starts and at each --rescan, since the system does not report changes that other
 * machines make on a file server; in between, the names that it reports are examined. Hidden
 * folders, such as rsync's, those of a NAS, and the station's own are left out. */
#include <errno.h>
#include <string.h>

#include "station/station.h"

#define PATH_SIZE 4096

typedef void (*folder_fn)(station *st, watched *w, const char *path);

static bool is_hierarchical(const station *st) {
  return st->s->folder_structure && strcmp(st->s->folder_structure, "hierarchical") == 0;
}

static bool join(char out[PATH_SIZE], const char *folder, const char *name) {
  int n = snprintf(out, PATH_SIZE, "%s%s%s", folder, *folder ? "/" : "", name);

  return n > 0 && n < PATH_SIZE;
}

/* Where studies go to when they are finished. */
static bool is_ours(const watched *w, const char *path) {
  size_t n = strlen(w->path);
  const char *const ours[] = {w->done, w->failed};

  for (size_t i = 0; i < 2; i++)
    if (strncmp(ours[i], w->path, n) == 0 && ours[i][n] == '/' &&
        strcmp(ours[i] + n + 1, path) == 0)
      return true;
  return false;
}

/* Such as lab/x for --done-folder lab/x/done: what lies there is of other studies. */
static bool contains_ours(const watched *w, const char *path) {
  size_t n = strlen(w->path), m = strlen(path);
  const char *const ours[] = {w->done, w->failed};

  for (size_t i = 0; i < 2; i++)
    if (strncmp(ours[i], w->path, n) == 0 && ours[i][n] == '/' &&
        strncmp(ours[i] + n + 1, path, m) == 0 && ours[i][n + 1 + m] == '/')
      return true;
  return false;
}

/* Hidden, or a folder that a NAS or a system keeps there and uses: it is never a study, and must
 * not be moved to failed. */
static bool is_left_out(const char *name, size_t n) {
  return *name == '.' || tree_is_clutter(name, n);
}

static bool is_folder(const watched *w, const char *path) {
  return S_ISDIR(tree_mode(w->path, path));
}

static bool has_file(const watched *w, const char *path, const char *name) {
  char below[PATH_SIZE];

  return join(below, path, name) && S_ISREG(tree_mode(w->path, below));
}

/* ---- the three levels ---- */

/* Such as its done folder, which would be a study with the files of all its patients. */
static bool is_of_another(station *st, watched *w, const char *path) {
  if (!tree_holds_station(w->path, path))
    return false;
  loose_see(st, w, path);
  return true;
}

static bool is_watched_by_another(station *st, watched *w, const char *path) {
  char below[PATH_SIZE];

  return join(below, path, STATION_FOLDER) && is_folder(w, below) && is_of_another(st, w, path);
}

static void see_study(station *st, watched *w, const char *path) {
  study *s = queue_find(&st->queue, w, path);

  if (contains_ours(w, path))
    return;
  if (queue_find(&st->loose, w, path)) { /* station.c has found that it is of another station */
    if (is_of_another(st, w, path))
      return;
    loose_forget(st, w, path);
  }
  if (!s) {
    s = queue_add(&st->queue, w, path);
    if (!s)
      return;
    store_recall(w, s);
    st->new_work = true;
  }
  s->scan = st->scan;
}

/* The studies in it would be left behind without a word. */
static void cannot_read(watched *w, const char *path, int error) {
  if (!w->read_errno && w->read_reported != error)
    station_log(PRIORITY_WARNING, "watched", NULL,
                "cannot read the folder %s%s%s: %s; what is in it is not uploaded", w->path,
                *path ? "/" : "", path, strerror(error));
  w->read_errno = error;
}

static void each_folder(station *st, watched *w, const char *path, folder_fn fn) {
  char below[PATH_SIZE];
  int fd = tree_open(w->path, path, false), error = fd < 0 ? errno : 0;
  igt__os_dir *dir = fd >= 0 ? igt__os_dir_take(fd) : NULL;
  igt__os_kind kind;
  const char *name;

  if (fd >= 0 && !dir)
    error = errno;
  while (dir && (name = igt__os_dir_next(dir, &kind, &error)) != NULL) {
    os_manager_alive();
    if (is_left_out(name, strlen(name)) || !join(below, path, name) || is_ours(w, below))
      continue;
    if (kind == IGT__OS_FOLDER || (kind == IGT__OS_UNKNOWN && is_folder(w, below)))
      fn(st, w, below);
    else
      loose_see(st, w, below);
  }
  if (dir)
    igt__os_dir_close(dir);
  if (error && error != ENOENT && error != ENOTDIR)
    cannot_read(w, path, error);
}

static void see_patient(station *st, watched *w, const char *path) {
  if (has_file(w, path, "study.json")) {
    see_study(st, w, path);
    return;
  }
  if (is_watched_by_another(st, w, path))
    return;
  (void)watch_add(st->watch, w, path);
  each_folder(st, w, path, see_study);
}

/* LOCAL/files are the project's own, which a station does not upload. */
static bool is_project_files(const char *path) {
  return strcmp(path, "files") == 0;
}

static bool is_wanted(const station *st, const char *institute) {
  return !is_project_files(institute) && (!st->institute || strcmp(st->institute, "*") == 0 ||
                                          strcmp(st->institute, institute) == 0);
}

static void see_institute(station *st, watched *w, const char *path) {
  if (is_project_files(path))
    each_folder(st, w, path, loose_see);
  if (!is_wanted(st, path) || is_watched_by_another(st, w, path))
    return;
  (void)watch_add(st->watch, w, path);
  each_folder(st, w, path, is_hierarchical(st) ? see_patient : see_study);
}

/* ---- everything ---- */

/* What was not seen is gone, unless it is in a transfer, which will find out. */
static void drop_unseen(station *st) {
  for (size_t i = st->queue.count; i > 0; i--) {
    study *s = st->queue.v[i - 1];
    if (s->scan == st->scan || s->state == STUDY_ACTIVE || is_folder(s->in, s->path))
      continue;
    store_forget(s->in, s->path);
    queue_remove(&st->queue, s);
  }
}

void scan_all(station *st) {
  st->scan++;
  for (size_t i = 0; i < st->root_count; i++) {
    watched *w = &st->roots[i];
    w->read_errno = 0;
    (void)watch_add(st->watch, w, "");
    each_folder(st, w, "", see_institute);
    w->read_reported = w->read_errno;
  }
  drop_unseen(st);
  loose_drop_unseen(st);
  st->dirty = true;
}

/* ---- one name ---- */

static size_t depth_of(const char *path) {
  size_t depth = *path != '\0';

  for (; *path; path++)
    depth += *path == '/';
  return depth;
}

static void see_gone(station *st, watched *w, const char *path) {
  study *s = queue_find(&st->queue, w, path);

  if (!s || s->state == STUDY_ACTIVE)
    return;
  store_forget(w, path);
  queue_remove(&st->queue, s);
}

/* Something that is not a folder appeared, or anything vanished. */
static void see_file(station *st, watched *w, const char *path) {
  const char *slash = strrchr(path, '/');

  see_gone(st, w, path);
  if (!tree_mode(w->path, path))
    loose_forget(st, w, path);
  else if (is_hierarchical(st) && slash && strcmp(slash + 1, "study.json") == 0)
    st->scan_soon = true; /* the folder is a study, not a patient */
  else
    loose_see(st, w, path);
}

/* Some systems report everything below a watched folder: whether this one was meant. */
static bool is_watched(const station *st, const watched *w, const char *folder) {
  size_t depth = 0, last = is_hierarchical(st) ? 2 : 1;
  char above[PATH_SIZE];

  for (const char *p = folder, *end; *p; p = end + (*end == '/')) {
    end = p + strcspn(p, "/");
    (void)snprintf(above, sizeof above, "%.*s", (int)(end - folder), folder);
    if (is_left_out(p, (size_t)(end - p)) || ++depth > last || is_ours(w, above) ||
        (depth == 1 && !is_wanted(st, above)))
      return false;
  }
  return depth < 2 || !has_file(w, folder, "study.json");
}

void scan_name(void *payload, watched *w, const char *folder, const char *name) {
  station *st = payload;
  size_t depth = depth_of(folder), last = is_hierarchical(st) ? 2 : 1;
  char path[PATH_SIZE];

  if (!is_watched(st, w, folder))
    return;
  st->dirty = true;
  if (is_left_out(name, strlen(name)) || !join(path, folder, name) || is_ours(w, path))
    return;
  if (!is_folder(w, path))
    see_file(st, w, path);
  else if (depth == 0)
    see_institute(st, w, path);
  else if (depth < last)
    see_patient(st, w, path);
  else
    see_study(st, w, path);
}
