/* SPDX-License-Identifier: MIT */
/* Deletes studies in a way that the next start can finish. Without its study.json, the rest of a
 * study would be uploaded to another one, and in done/ it would look like one that was changed. So
 * nothing is deleted where it lies: it is renamed first, within .igtcloud-station/deleting/.
 *
 *   whole.DEPTH.N/INSTITUTE/STUDY  out of the watched folder, to be checked there: the next start
 *                                  moves it back. DEPTH is the number of folders in the path, so
 *                                  that two studies of the same name are never merged
 *   verified.N                     from here on it is only deleted, and the next start goes on
 *   DEPTH.N                        of older stations, which deleted there: nobody knows whether it
 *                                  is whole, so it stays, and each start says what to do */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

#define TRASH STATION_FOLDER "/deleting"
#define WHOLE "whole."
#define VERIFIED "verified."
#define SUFFIXES 1000

static int depth_of(const char *path) {
  int depth = 1;

  for (; *path; path++)
    depth += *path == '/';
  return depth;
}

/* ---- deleting ---- */

bool trash_take(const study *s, char out[TRASH_PATH]) {
  for (int i = 1; i < SUFFIXES; i++) {
    int n = snprintf(out, TRASH_PATH, TRASH "/" WHOLE "%d.%d", depth_of(s->path), i);
    int taken = tree_open(s->in->path, out, false);
    if (taken >= 0) {
      igt__os_close(taken);
      continue;
    }
    n = snprintf(out + n, TRASH_PATH - (size_t)n, "/%s", s->path);
    if (tree_rename(s->in->path, s->path, s->in->path, out))
      return true;
    int error = errno;
    trash_leave(s, out);
    errno = error;
    return false;
  }
  errno = EEXIST;
  return false;
}

void trash_leave(const study *s, const char *path) {
  tree_remove_empty(s->in->path, path, depth_of(s->path));
}

bool trash_seal(const watched *w, const char *root, const char *path, char out[TRASH_PATH]) {
  for (int i = 1; i < SUFFIXES; i++) {
    (void)snprintf(out, TRASH_PATH, TRASH "/" VERIFIED "%d", i);
    if (tree_rename(root, path, w->path, out))
      return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return false;
  }
  return false;
}

bool trash_seal_taken(const watched *w, const char *path, char out[TRASH_PATH]) {
  size_t n = strlen(TRASH "/");
  char folder[TRASH_PATH];

  n += strcspn(path + n, "/");
  (void)snprintf(folder, sizeof folder, "%.*s", (int)n, path);
  return trash_seal(w, w->path, folder, out);
}

void trash_delete(const watched *w, const char *sealed) {
  if (!tree_remove(w->path, sealed))
    station_log(PRIORITY_WARNING, "stuck", NULL,
                "cannot delete all of %s/%s, a verified study: %s; the next start tries again",
                w->path, sealed, strerror(errno));
}

/* ---- what an earlier station left ---- */

/* What the folder `name` contains, where `to` has nothing of that name; folders of `depth` levels
 * are merged. False: something stays. */
static bool bring_back(int above, const char *name, int to, int depth) {
  int fd = tree_step(above, name, false), into, error = 0;
  igt__os_dir *dir = fd >= 0 ? igt__os_dir_take(fd) : NULL;
  bool all = dir != NULL;
  const char *e;

  while (dir && (e = igt__os_dir_next(dir, NULL, &error)) != NULL) {
    if (igt__os_rename_new(fd, e, to, e) == 0)
      continue;
    into = errno == EEXIST && depth > 1 ? tree_step(to, e, false) : -1;
    all = into >= 0 && bring_back(fd, e, into, depth - 1) && all;
    if (into >= 0)
      igt__os_close(into);
  }
  if (dir)
    igt__os_dir_close(dir);
  return igt__os_rmdirat(above, name) == 0 && all;
}

static void recover_whole(const watched *w, int trash, const char *name, int to) {
  int depth = (int)strtol(name + strlen(WHOLE), NULL, 10);

  if (depth >= 1 && bring_back(trash, name, to, depth))
    station_log(PRIORITY_NOTICE, "recovered", NULL,
                "the station stopped before it deleted a study: moved it back from %s/" TRASH
                "/%s to %s, where it is verified again",
                w->path, name, w->path);
  else
    station_log(PRIORITY_ERROR, "stuck", NULL,
                "%s/" TRASH "/%s contains a study whose deletion was interrupted, and cannot be "
                "moved back: move it to %s yourself",
                w->path, name, w->path);
}

/* The rest of a study that was checked before its deletion began. */
static void delete_rest(const watched *w, const char *name) {
  char path[TRASH_PATH];

  (void)snprintf(path, sizeof path, TRASH "/%s", name);
  if (tree_remove(w->path, path))
    station_log(PRIORITY_NOTICE, "recovered", NULL,
                "deleted the rest of a verified study, whose deletion was interrupted");
  else
    station_log(PRIORITY_WARNING, "stuck", NULL,
                "cannot delete all of %s/%s, the rest of a verified study: %s", w->path, path,
                strerror(errno));
}

static void name_old(const station *st, const watched *w, const char *name) {
  char path[TRASH_PATH];
  tree_state state;

  (void)snprintf(path, sizeof path, TRASH "/%s", name);
  if (tree_look(w->path, path, &state) && state.files + state.others == 0 &&
      tree_remove(w->path, path))
    return;
  station_log(PRIORITY_WARNING, "stuck", NULL,
              "%s/%s contains a study that an older version began to delete, perhaps only a part "
              "of it: compare it with the cloud (igtcloud verify '%s/%s' '%s'), then delete it",
              w->path, path, w->path, path, st->project);
}

void trash_recover(const station *st, const watched *w) {
  int to = tree_open(w->path, "", false), trash = tree_open(w->path, TRASH, false), error;
  igt__os_dir *dir = trash >= 0 ? igt__os_dir_open(trash) : NULL;
  const char *name;

  while (dir && (name = igt__os_dir_next(dir, NULL, &error)) != NULL) {
    if (strncmp(name, WHOLE, strlen(WHOLE)) == 0)
      recover_whole(w, trash, name, to);
    else if (strncmp(name, VERIFIED, strlen(VERIFIED)) == 0)
      delete_rest(w, name);
    else if (*name >= '1' && *name <= '9')
      name_old(st, w, name);
  }
  if (dir)
    igt__os_dir_close(dir);
  if (trash >= 0)
    igt__os_close(trash);
  if (to >= 0)
    igt__os_close(to);
}
