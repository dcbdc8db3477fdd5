/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_ROOT_INTERNAL_H
#define IGT_BASE_ROOT_INTERNAL_H

/* Shared by the files that access what is below a root: root.c, root_change.c, root_probe.c. */

#include <pthread.h>

#include "root.h"

/* As many studies as are transferred concurrently, and some more; a process has 1,024
 * descriptors. */
#define CACHED_FOLDERS 160

/* An open folder below the root. path "" is the root itself. */
typedef struct igt__root_folder {
  char *path;
  uint64_t hash; /* of path */
  int fd;
  unsigned users;
  uint64_t used_at;
  bool cached;
} igt__root_folder;

struct igt__root {
  char *path;
  int fd;
  pthread_mutex_t lock;
  igt__root_folder *cache[CACHED_FOLDERS];
  /* Of their paths, contiguous: each file causes several searches. */
  uint64_t hashes[CACHED_FOLDERS];
  uint64_t clock;
  bool tells_at_close, no_locks;
  int folds, names; /* -1: not probed yet */
  bool follows;     /* links below the root */
};

/* The folder that contains path's last component, opened or from the cache; *base: that component.
 * make: creates missing folders. */
igt_status igt__root_parent(igt__root *root, const char *path, bool make, igt__root_folder **out,
                            const char **base, igt_error *err);
/* Ends the use of a folder; forget: it may be stale, so the cache drops it. */
void igt__root_release(igt__root *root, igt__root_folder *f, bool forget);

#endif
