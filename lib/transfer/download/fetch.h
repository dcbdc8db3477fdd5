/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FETCH_H
#define IGT_TRANSFER_FETCH_H

/* One file on its way down: into a hidden partial file, verified, then under its final name. Small
 * files are one GET; large ones ranges of one object, told by its ETag, and the ranges that are
 * there are remembered in the journal. */

#include "base/path.h"
#include "transfer/engine/run.h"

typedef struct igt__fetch_file {
  igt__group *group;
  igt__s3_provider *provider; /* a reference is taken */
  igt__root *root;            /* borrowed */
  const char *key;            /* copied, as the next three */
  const char *path;           /* below root */
  const char *item_path;      /* below the study, for reports */
  uint64_t size;              /* as listed */
  bool keep_date;             /* local time = the object's */
  bool only_new;              /* nothing is there, and two names may be one file here */
} igt__fetch_file;

/* Adds it to the group's lane; it reports itself. IGT_E_NO_MEMORY. */
igt_status igt__fetch_add(const igt__fetch_file *file, igt_error *err);

/* What a local file is, compared with its object. */
typedef struct igt__comparison {
  bool same;
  bool known;       /* false: the sizes are equal, and the store holds nothing else that tells */
  uint64_t size;    /* of the object */
  char etag[80];    /* of the object */
  char digest[128]; /* of the local content; "" where the sizes told */
  const char *verified; /* by what, as in igt_transfer_item; static */
} igt__comparison;

/* What the store says of the object's size. Blocking. False: it does not say. Of file: group,
 * grant, key. */
bool igt__fetch_stored_size(const igt__fetch_file *file, uint64_t *size);
/* --checksum, verify. Blocking; asks the store, then reads fd. Of file: group, grant, key. */
igt_status igt__fetch_compare(const igt__fetch_file *file, int fd, igt__comparison *out,
                              igt_error *err);

#endif
