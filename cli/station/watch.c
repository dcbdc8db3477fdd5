/* SPDX-License-Identifier: MIT */
/* inotify: which names appear and vanish in the watched folders, down to the level of studies. What
 * happens inside a study is seen by tree.c, so that ten thousand waiting studies need no watches of
 * their own. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "station/station.h"

#define EVENTS                                                                                     \
  (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |           \
   IN_ONLYDIR | IN_EXCL_UNLINK | IN_DONT_FOLLOW)

/* The folders by inotify's numbers, which count up from 1. */
static struct {
  watched *in;
  char *folder;
} * watches;
static size_t watch_space;

int watch_open(void) {
  return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

static bool keep(int number, watched *w, const char *folder) {
  size_t i = (size_t)number;

  if (i >= watch_space) {
    size_t space = i + 64;
    void *more = realloc(watches, space * sizeof *watches);
    if (!more)
      return false;
    watches = more;
    memset(watches + watch_space, 0, (space - watch_space) * sizeof *watches);
    watch_space = space;
  }
  if (watches[i].folder && watches[i].in == w && strcmp(watches[i].folder, folder) == 0)
    return true;
  free(watches[i].folder);
  watches[i].in = w;
  watches[i].folder = strdup(folder);
  return watches[i].folder != NULL;
}

bool watch_add(int fd, watched *w, const char *folder) {
  char path[PATH_MAX];
  int number;

  if (fd < 0)
    return false;
  (void)snprintf(path, sizeof path, "%s%s%s", w->path, *folder ? "/" : "", folder);
  number = inotify_add_watch(fd, path, EVENTS);
  return number >= 0 && keep(number, w, folder);
}

/* True: the folder itself has gone or moved, or events were lost. */
static bool take_event(const struct inotify_event *e, watch_fn fn, void *payload) {
  size_t i = (size_t)e->wd;

  if (e->mask & IN_Q_OVERFLOW)
    return true;
  if (e->wd < 0 || i >= watch_space || !watches[i].folder)
    return false;
  if (e->mask & IN_IGNORED) {
    free(watches[i].folder);
    watches[i].folder = NULL;
    return true;
  }
  if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
    return true;
  if (e->len)
    fn(payload, watches[i].in, watches[i].folder, e->name);
  return false;
}

bool watch_read(int fd, watch_fn fn, void *payload) {
  _Alignas(struct inotify_event) char buffer[16 * 1024];
  bool all = false;
  ssize_t n;

  while ((n = read(fd, buffer, sizeof buffer)) > 0)
    for (ssize_t at = 0; at < n;) {
      const struct inotify_event *e = (const struct inotify_event *)(const void *)(buffer + at);
      all |= take_event(e, fn, payload);
      at += (ssize_t)(sizeof *e + e->len);
    }
  return all;
}

void watch_close(int fd) {
  for (size_t i = 0; i < watch_space; i++)
    free(watches[i].folder);
  free(watches);
  watches = NULL;
  watch_space = 0;
  if (fd >= 0)
    close(fd);
}
