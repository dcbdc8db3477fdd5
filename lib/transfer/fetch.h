/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FETCH_H
#define IGT_TRANSFER_FETCH_H

/* One file on its way down: into a hidden partial file, verified, then under its final name. Small
 * files are one GET; large ones ranges of one object, told by its ETag, and the ranges that are
 * there are remembered in the journal. */

#include "base/path.h"
#include "transfer/run.h"

typedef struct igt__fetch_file {
  igt__group *group;
  igt__s3_grant *grant;  /* a reference is taken */
  igt__root *root;       /* borrowed */
  const char *key;       /* copied, as the next three */
  const char *path;      /* below root */
  const char *item_path; /* below the study, for reports */
  uint64_t size;         /* as listed */
  bool keep_date;        /* local time = the object's */
} igt__fetch_file;

/* Adds it to the group's lane; it reports itself. IGT_E_NO_MEMORY. */
igt_status igt__fetch_add(const igt__fetch_file *file, igt_error *err);

/* --checksum: whether the content of fd is that of the object. Blocking. *same is false when
 * nothing tells. Of file: group, grant and key. */
igt_status igt__fetch_compare(const igt__fetch_file *file, int fd, bool *same, igt_error *err);

#endif
