/* SPDX-License-Identifier: MIT */
/* inotify: which names appear and vanish in a folder. */
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "os/os.h"

#define EVENTS                                                                                     \
  (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |           \
   IN_ONLYDIR | IN_EXCL_UNLINK | IN_DONT_FOLLOW)

os_source os_watch_open(void) {
  return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int os_watch_add(os_source watch, const char *root, const char *folder) {
  char path[PATH_MAX];

  (void)snprintf(path, sizeof path, "%s%s%s", root, *folder ? "/" : "", folder);
  return inotify_add_watch((int)watch, path, EVENTS);
}

static bool take_event(const struct inotify_event *e, os_watch_fn fn, void *payload) {
  if (e->mask & IN_Q_OVERFLOW)
    return true;
  if (e->mask & IN_IGNORED)
    fn(payload, e->wd, NULL);
  if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
    return true;
  if (e->len)
    fn(payload, e->wd, e->name);
  return false;
}

bool os_watch_read(os_source watch, os_watch_fn fn, void *payload) {
  _Alignas(struct inotify_event) char buffer[16 * 1024];
  bool all = false;
  ssize_t n;

  while ((n = read((int)watch, buffer, sizeof buffer)) > 0)
    for (ssize_t at = 0; at < n;) {
      const struct inotify_event *e = (const struct inotify_event *)(const void *)(buffer + at);
      all |= take_event(e, fn, payload);
      at += (ssize_t)(sizeof *e + e->len);
    }
  return all;
}

void os_watch_close(os_source watch) {
  (void)close((int)watch);
}
