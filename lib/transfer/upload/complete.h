/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_COMPLETE_H
#define IGT_TRANSFER_COMPLETE_H

/* The end of a multipart upload. An answer to CompleteMultipartUpload that was lost is looked up:
 * the upload is still there, then it is asked for again; or it has gone, and the object is. */

#include "transfer/engine/run.h"

typedef struct igt__upload_end {
  igt__run *run;
  igt__s3_provider *provider; /* PUT; borrowed, as all */
  const char *key;
  size_t prefix_len; /* of the key: what credentials to look at it are asked for */
  const char *upload_id;
  const igt__s3_part *parts;
  unsigned part_count;
  uint64_t size;
} igt__upload_end;

/* Blocking. IGT_E_NOT_FOUND with code NoSuchUpload: the upload ended otherwise, and its object is
 * not there. */
igt_status igt__upload_complete(const igt__upload_end *end, char etag[80], igt_error *err);

/* Ends it without an object: the store forgets its parts. One that the store does not have is a
 * success. Blocking; asks the store whether it is gone, where it may. */
igt_status igt__upload_abort(const igt__upload_end *end, igt_error *err);

/* Whether the object is what these parts make; asks the store. False also when it can't be known:
 * who may not read, or a store whose ETags are no MD5s. */
bool igt__upload_is_stored(const igt__upload_end *end, char etag[80]);

#endif
