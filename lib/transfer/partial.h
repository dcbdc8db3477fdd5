/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PARTIAL_H
#define IGT_TRANSFER_PARTIAL_H

/* The hidden file beside its destination in which a download grows. */

#include "base/path.h"

typedef struct igt__partial {
  igt__root *root;
  const char *path; /* below root; borrowed */
  char *name;       /* of the hidden file, below root */
  int fd;           /* -1: not open; locked while open */
  bool existed;     /* bytes of an earlier run may be in it */
  bool salted;      /* another process has the usual name: nobody will look for this one */
  int64_t mtime_ns; /* of what was committed; -1: not known */
} igt__partial;

/* Opens and locks it, making folders. Where another process holds it, one of another name is made,
 * so two runs in one folder don't hurt each other. */
igt_status igt__partial_open(igt__partial *partial, igt__root *root, const char *path,
                             igt_error *err);
/* Looks at close's result, then puts it under the final name. mtime < 0: as it is. only_new: what
 * is there by now is another file, and IGT_E_COLLISION. */
igt_status igt__partial_commit(igt__partial *partial, int64_t mtime, bool only_new, igt_error *err);
/* keep: leave it for a later run; else remove it. */
void igt__partial_close(igt__partial *partial, bool keep);

#endif
