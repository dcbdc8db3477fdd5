/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PARTIAL_H
#define IGT_TRANSFER_PARTIAL_H

/* The hidden file beside its destination in which a download grows. */

#include "base/root.h"
#include "journal/journal.h"
#include "transfer/engine/digest.h"

typedef struct igt__partial {
  igt__root *root;
  const char *path; /* below root; borrowed */
  char *name;       /* of the hidden file, below root */
  int fd;           /* -1: not open; exclusive while open */
  bool existed;     /* may contain bytes of an earlier run */
  bool salted;      /* the usual name is taken: no later run will look for this one */
  bool claim;       /* its name, in the journal: the file system has no locks */
  int no_time;      /* why its modification time could not be set; 0: it was, or need not be */
  igt__journal *journal;
  bool known; /* the committed file's times and inode number: */
  igt__local committed;
} igt__partial;

/* Opens and locks it, creating folders. If another process has it locked, or the existing file was
 * not created by igtcloud for this user, a file of another name is created, so two runs in one
 * folder don't disturb each other. journal: borrowed; NULL: none. */
igt_status igt__partial_open(igt__partial *partial, igt__root *root, const char *path,
                             igt__journal *journal, igt_error *err);
/* Checks the result of close, then renames it to the final name. mtime < 0: unchanged. only_new: an
 * existing file is another one: IGT_E_COLLISION. */
igt_status igt__partial_commit(igt__partial *partial, int64_t mtime, bool only_new, igt_error *err);
/* Whether a name without folders is that of a partial file, and whether it is that of this file. */
bool igt__partial_is_name(const char *name);
bool igt__partial_is_of(const char *partial, const char *path);
/* Of one that is of this file: whether no later run looks for it. */
bool igt__partial_is_salted(const char *partial, const char *path);
/* Removes a partial file of path, if it is ours and no process has it locked. Where files cannot be
 * locked it stays. */
bool igt__partial_remove(igt__root *root, const char *partial, const char *path);
/* keep: leave it for a later run; else delete it. */
void igt__partial_close(igt__partial *partial, bool keep);

#endif
