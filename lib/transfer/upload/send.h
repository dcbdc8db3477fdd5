/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SEND_H
#define IGT_TRANSFER_SEND_H

/* Uploads one file: a PUT, or a multipart upload that a later run can resume. Every byte's digest
 * is known before the request is signed, so the store checks what arrives. */

#include "transfer/engine/digest.h"
#include "transfer/engine/run.h"
#include "transfer/upload/notifier.h"

/* What all files of an upload share beside the run. Finished after the run, whose threads use it.
 */
typedef struct igt__sender {
  igt__notifier notifier;
  const char *project; /* its name, for lists of unfinished uploads; borrowed; NULL: unknown */
} igt__sender;

void igt__sender_init(igt__sender *sender, igt__run *run);
void igt__sender_finish(igt__sender *sender);

typedef struct igt__send_file {
  igt__sender *sender; /* borrowed */
  igt__group *group;
  igt__s3_provider *provider; /* a reference is taken */
  igt__local local;           /* path is copied */
  const char *key;            /* copied */
  size_t prefix_len;          /* of the key: what the credentials are for */
  const char *item_path;      /* below the study; copied */
  bool complete;              /* notify the cloud ($file-upload-completed) when it is stored */
  bool replaces;              /* the cloud has a file of this key, of replaced_size bytes */
  uint64_t replaced_size;
  /* Of an import: the journal's name for the file instead of its key, which contains the import's
   * id, and that id. Copied; NULL: not an import. */
  const char *import_key, *import_id;
} igt__send_file;

/* Adds it to the group's queue; it reports its own result. IGT_E_NO_MEMORY. */
igt_status igt__send_add(const igt__send_file *file, igt_error *err);

#endif
