/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_LEFTOVERS_H
#define IGT_TRANSFER_LEFTOVERS_H

/* Partial files that no later run would continue: beside files that are complete (of two runs in
 * one folder, one was killed, and the other one completed the file), and those under an
 * unpredictable name. */

#include "base/root.h"
#include "base/str.h"
#include "journal/journal.h"

/* The partial files in the folders that were looked at; zeroed first. For one thread. */
typedef struct igt__leftovers {
  igt__map *folders; /* that were read */
  char **v;          /* paths below the root */
  size_t count;
} igt__leftovers;
void igt__leftovers_finish(igt__leftovers *leftovers);

/* Removes what is left of a file that is complete: ours, and locked by no process. journal: its row
 * of the file goes, too; NULL: none. */
void igt__leftovers_remove(igt__leftovers *leftovers, igt__root *root, igt__journal *journal,
                           const char *path);
/* The same of a file that is about to be fetched: all but what that continues. */
void igt__leftovers_remove_salted(igt__leftovers *leftovers, igt__root *root, const char *path);

#endif
