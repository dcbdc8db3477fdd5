/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SEND_H
#define IGT_TRANSFER_SEND_H

/* One file on its way up: a PUT, or a multipart upload that a later run can take up. Every byte's
 * digest is known before it is signed, so the store checks what arrives. */

#include "transfer/engine/run.h"
#include "transfer/upload/digest.h"

typedef struct igt__send_file {
  igt__group *group;
  igt__s3_provider *provider; /* a reference is taken */
  igt__local local;           /* path is copied */
  const char *key;            /* copied */
  size_t prefix_len;          /* of the key: what the grant is for */
  const char *item_path;      /* below the study; copied */
  bool complete;              /* tell the cloud ($file-upload-completed) when it is stored */
  /* Of an import: what the journal knows the file by in place of its key, which has the import's id
   * in it, and that id. Copied; NULL: no import. */
  const char *import_key, *import_id;
} igt__send_file;

/* Adds it to the group's lane; it reports itself. IGT_E_NO_MEMORY. */
igt_status igt__send_add(const igt__send_file *file, igt_error *err);

#endif
