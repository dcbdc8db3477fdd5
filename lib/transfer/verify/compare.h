/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_COMPARE_H
#define IGT_TRANSFER_COMPARE_H

/* Verifies one file of a tree: reads it and compares it with what the store knows of its object.
 * Nothing is transferred or written. */

#include "base/root.h"
#include "transfer/engine/run.h"

typedef struct igt__compare_file {
  igt__group *group;
  igt__s3_provider *provider; /* GET; a reference is taken */
  igt__pool *readers;         /* borrowed: threads that query the store and read */
  igt__root *root;            /* borrowed */
  const char *path;           /* below root; copied, as the next two */
  const char *key;
  const char *item_path; /* below the study, as the cloud has it */
  uint64_t size;         /* of the local file */
  uint64_t listed;       /* by the cloud, of the object */
  bool is_upload_only;   /* the store will not be asked; the cloud's list and the journal are */
} igt__compare_file;

/* Adds it to the group's queue; it reports its own result. IGT_E_NO_MEMORY. */
igt_status igt__compare_add(const igt__compare_file *file, igt_error *err);

#endif
