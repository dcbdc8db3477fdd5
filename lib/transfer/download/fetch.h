/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FETCH_H
#define IGT_TRANSFER_FETCH_H

/* Downloads one file: into a hidden partial file, verified, then renamed to its final name. A small
 * file is one GET; a large one is fetched in ranges of one object, identified by its ETag, and the
 * journal records the ranges that are complete. */

#include "base/root.h"
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
  /* Of a manifest: any other object, or content, is refused. NULL: any is fine; "": unknown. */
  const char *etag, *digest;
  bool only_new; /* no local file exists, and the file system may treat two names as one */
  /* It takes the place of another file, of replaced_size bytes. */
  bool replaces;
  uint64_t replaced_size;
} igt__fetch_file;

/* Adds it to the group's queue; it reports its own result. IGT_E_NO_MEMORY. */
igt_status igt__fetch_add(const igt__fetch_file *file, igt_error *err);

/* The result of comparing a local file with its object. */
typedef struct igt__comparison {
  bool same;
  bool known;           /* false: the sizes are equal, and the store has no checksum */
  uint64_t size;        /* of the object */
  char etag[80];        /* of the object */
  char digest[128];     /* of the local content; "" if the sizes differ */
  const char *verified; /* how, as in igt_transfer_item; static */
} igt__comparison;

/* What the store says of an object. */
typedef struct igt__stored {
  bool size_known;
  uint64_t size;
  int64_t modified; /* seconds since 1970; 0: not given */
  char etag[80];    /* without quotes */
  char digest[128]; /* of its content, "sha256:..." in hexadecimal, as igt__check_final writes it;
                       "" if unknown */
} igt__stored;
/* Blocking. Uses file's group, provider and key. */
igt_status igt__fetch_stored(const igt__fetch_file *file, igt__stored *out, igt_error *err);
/* For --checksum and verify. Blocking; queries the store, then reads fd. Uses file's group,
 * provider and key. */
igt_status igt__fetch_compare(const igt__fetch_file *file, int fd, igt__comparison *out,
                              igt_error *err);

#endif
