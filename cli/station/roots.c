/* SPDX-License-Identifier: MIT */
/* Which folders are watched, and where their studies go. What is moved to done must not be found
 * again as new studies, neither by this station nor by another one: no watched folder is in another
 * one, and done and failed are in none but their own. Of other stations, those that run above a
 * folder are known by their locks; one that watches a folder further down is met by scan.c, which
 * leaves alone what has a station's folder in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

/* ---- apart from each other ---- */

/* Absolute paths: whether below is the folder, or in it. */
static bool contains(const char *folder, const char *below) {
  size_t n = strlen(folder);

  return strncmp(folder, below, n) == 0 && (!below[n] || igt__os_is_separator(below[n]) ||
                                            (n && igt__os_is_separator(folder[n - 1])));
}

/* The done folder of the inner one would be a study of the outer one, with the files of all its
 * patients. */
static bool is_apart(const station *st, const char *real) {
  bool apart = true;

  for (size_t i = 0; apart && i < st->root_count; i++) {
    const char *other = st->roots[i].path;
    apart = !contains(other, real) && !contains(real, other);
    if (!apart)
      complain(
          IGT_E_INVALID,
          "the folders '%s' and '%s' cannot both be watched: they are the same, or one contains "
          "the other",
          other, real);
  }
  return apart;
}

/* In which the folder is; NULL: none. also_itself: or which it is. */
static const char *station_above(const char *folder, bool also_itself) {
  static char above[2 * STATION_PATH];
  size_t n = (size_t)snprintf(above, sizeof above, "%s", folder);
  bool looks = also_itself;

  for (; n > 0 && n < sizeof above; looks = true) {
    if (looks && store_is_locked(above))
      return above;
    while (n > 0 && !igt__os_is_separator(above[n - 1]))
      n--;
    above[n > 0 ? --n : 0] = '\0';
  }
  return NULL;
}

static bool is_free(const char *folder) {
  const char *above = station_above(folder, false);

  if (above)
    complain(IGT_E_LOCKED,
             "another station watches the folder '%s', which contains '%s': watch a folder outside "
             "of it",
             above, folder);
  return !above;
}

/* ---- done and failed ---- */

/* Below the watched folder, unless an option names another place. NULL: errno. */
static char *folder_of(const watched *w, const char *given, const char *name) {
  char *path = NULL;

  if (given && !os_is_relative(given))
    return igt__os_full_path(given);
  if (asprintf(&path, "%s/%s", w->path, given ? given : name) < 0)
    return NULL;
  return path;
}

/* A link that somebody else has planted would lead what is moved out of the folder. */
static bool is_foreign_link(const watched *w, const char *folder) {
  igt__stat here, link;

  if (igt__os_lstat(folder, &link) != 0 || !S_ISLNK(link.st_mode) || link.st_uid == 0 ||
      link.st_uid == igt__os_user() ||
      (igt__os_stat(w->path, &here) == 0 && link.st_uid == here.st_uid))
    return false;
  complain(IGT_E_INVALID,
           "'%s' is a link of another user: studies would be moved to where it leads", folder);
  return true;
}

static bool is_same_disk(const watched *w, const char *folder) {
  igt__stat here, there;

  if (is_foreign_link(w, folder))
    return false;
  if (igt__os_mkdir(folder, 0700) != 0 && errno != EEXIST) {
    complain_io(errno, "cannot create the folder '%s': %s", folder, strerror(errno));
    return false;
  }
  if (igt__os_stat(w->path, &here) != 0 || igt__os_stat(folder, &there) != 0 ||
      !S_ISDIR(there.st_mode)) {
    complain(IGT_E_INVALID, "'%s' is not a folder", folder);
    return false;
  }
  if (here.st_dev == there.st_dev)
    return true;
  complain(IGT_E_INVALID,
           "'%s' is on another file system than '%s': studies are moved there, never copied",
           folder, w->path);
  return false;
}

/* Links in it are followed now and never again. */
static bool resolve(char **folder) {
  char *real = igt__os_real_path(*folder);

  if (!real) {
    complain(IGT_E_IO, "cannot use the folder '%s': %s", *folder, strerror(errno));
    return false;
  }
  free(*folder);
  *folder = real;
  return true;
}

static bool open_targets(watched *w, const settings *s) {
  w->done = folder_of(w, s->done_folder, "done");
  w->failed = folder_of(w, s->failed_folder, "failed");
  if (!w->done || !w->failed) {
    complain(IGT_E_IO, "cannot tell where the studies of '%s' go: %s", w->path, strerror(errno));
    return false;
  }
  return is_same_disk(w, w->done) && is_same_disk(w, w->failed) && resolve(&w->done) &&
         resolve(&w->failed);
}

static bool is_no_target(const char *target, const char *how, const char *folder) {
  complain(IGT_E_INVALID,
           "studies cannot be moved to '%s', which %s '%s': name another folder with --done-folder "
           "or --failed-folder",
           target, how, folder);
  return false;
}

/* Its own folder may have done and failed in it, which scan.c knows. */
static bool is_target(const station *st, const watched *w, const char *target) {
  char own[2 * STATION_PATH];
  const char *above;

  for (size_t i = 0; i < st->root_count; i++) {
    const watched *other = &st->roots[i];
    if (contains(target, other->path))
      return is_no_target(target, "is or contains the watched folder", other->path);
    if (other != w && contains(other->path, target))
      return is_no_target(target, "is in the watched folder", other->path);
  }
  (void)snprintf(own, sizeof own, "%s/" STATION_FOLDER, w->path);
  if (contains(own, target))
    return is_no_target(target, "is in the station's own folder", own);
  above = contains(w->path, target) ? NULL : station_above(target, true);
  return !above || is_no_target(target, "is in a folder that another station watches,", above);
}

/* ---- opening ---- */

static bool open_root(station *st, watched *w, const char *path) {
  char *real = igt__os_real_path(path);
  bool good;

  if (!real) {
    complain(IGT_E_IO, "cannot watch the folder '%s': %s", path, strerror(errno));
    return false;
  }
  /* Twice: nothing is left in a folder that is refused, and of two stations that start at once one
   * sees the other. */
  good = is_apart(st, real) && is_free(real) && store_open(w, real) && is_free(real) &&
         open_targets(w, st->s);
  free(real);
  return good;
}

bool roots_open(station *st) {
  const settings *s = st->s;

  for (size_t i = 0; i < s->folder.count + 1; i++) {
    const char *path = i == 0 ? s->arguments[0] : s->folder.v[i - 1];
    if (i == STATION_ROOTS) {
      usage_error("at most %d folders can be watched", STATION_ROOTS);
      return false;
    }
    if (!open_root(st, &st->roots[i], path))
      return false;
    st->root_count = i + 1;
  }
  for (size_t i = 0; i < st->root_count; i++) {
    watched *w = &st->roots[i];
    if (!is_target(st, w, w->done) || !is_target(st, w, w->failed))
      return false;
  }
  for (size_t i = 0; i < st->root_count; i++) {
    store_read(&st->roots[i]);
    trash_recover(st, &st->roots[i]);
  }
  return true;
}
