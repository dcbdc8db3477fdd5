/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_WALK_H
#define IGT_BASE_WALK_H

#include "error.h"
#include "os/os.h"
#include "root.h"

/* Walks a folder below a root, depth first, entries sorted by name so that plans are reproducible.
 * Follows links to files and folders where the root does (a loop is an error of that entry). */
typedef enum igt__walk_kind {
  IGT__WALK_FILE,
  IGT__WALK_DIR,       /* before its entries */
  IGT__WALK_LINK,      /* not followed */
  IGT__WALK_SPECIAL,   /* device, socket, fifo */
  IGT__WALK_UNREADABLE /* errno in os_error */
} igt__walk_kind;
typedef struct igt__walk_entry {
  igt__walk_kind kind;
  const char *path; /* relative to the folder that is walked */
  const char *name;
  igt__stat st;
  int os_error;
} igt__walk_entry;
/* 0 continues; 1 (for a DIR) continues without descending; any other value stops the walk. */
typedef int (*igt__walk_fn)(void *payload, const igt__walk_entry *entry);
/* Whether the open folder lists the name, or cannot be read. Some file systems (network shares,
 * FUSE) list a name that they cannot find again: that file is not absent. */
bool igt__folder_lists(int fd, const char *name);
igt_status igt__walk(igt__root *root, const char *folder, igt__walk_fn fn, void *payload,
                     int *ended_with, igt_error *err);

#endif
