/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_COMPLETE_H
#define IGT_TRANSFER_COMPLETE_H

/* Completes or aborts a multipart upload. If the response to CompleteMultipartUpload is lost, the
 * outcome is looked up: either the upload still exists, then the request is retried, or it is gone
 * and the object exists. */

#include "transfer/engine/run.h"

typedef struct igt__upload_end {
  igt__run *run;
  igt__s3_provider *provider; /* PUT; borrowed, as all */
  const char *key;
  size_t prefix_len; /* of the key: what credentials to read it are requested for */
  const char *upload_id;
  const igt__s3_part *parts;
  unsigned part_count;
  uint64_t size;
} igt__upload_end;

/* Blocking. IGT_E_NOT_FOUND with code NoSuchUpload: the upload ended without creating the object.
 */
igt_status igt__upload_complete(const igt__upload_end *end, char etag[80], igt_error *err);

/* Aborts it: the store deletes its parts. Aborting a missing upload is a success. Blocking;
 * verifies with the store that it is gone, if permitted. */
igt_status igt__upload_abort(const igt__upload_end *end, igt_error *err);

/* Whether the object consists of these parts, according to the store. False also if unknown:
 * without permission to read, or if the store's ETags are not MD5s. */
bool igt__upload_is_stored(const igt__upload_end *end, char etag[80]);

#endif
