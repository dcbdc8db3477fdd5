/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PARTIAL_H
#define IGT_TRANSFER_PARTIAL_H

/* The hidden file beside its destination in which a download grows. */

#include "base/path.h"
#include "journal/journal.h"

typedef struct igt__partial {
  igt__root *root;
  const char *path; /* below root; borrowed */
  char *name;       /* of the hidden file, below root */
  int fd;           /* -1: not open; nobody else's while open */
  bool existed;     /* bytes of an earlier run may be in it */
  bool salted;      /* the usual name is another's: nobody will look for this one */
  bool held;        /* its name, in the journal: the file system has no locks */
  int no_time;      /* why its modification time could not be set; 0: it was, or need not be */
  igt__journal *journal;
  int64_t mtime_ns; /* of what was committed; -1: not known */
} igt__partial;

/* Opens and locks it, making folders. Where another process holds it, or a file of its name is not
 * one that igtcloud made for this user, one of another name is made, so two runs in one folder
 * don't hurt each other. journal: borrowed; NULL: none. */
igt_status igt__partial_open(igt__partial *partial, igt__root *root, const char *path,
                             igt__journal *journal, igt_error *err);
/* Looks at close's result, then puts it under the final name. mtime < 0: as it is. only_new: what
 * is there by now is another file, and IGT_E_COLLISION. */
igt_status igt__partial_commit(igt__partial *partial, int64_t mtime, bool only_new, igt_error *err);
/* keep: leave it for a later run; else remove it. */
void igt__partial_close(igt__partial *partial, bool keep);

#endif
