/* SPDX-License-Identifier: MIT */
/* Completes or aborts a multipart upload, blocking. If the response to CompleteMultipartUpload is
 * lost, ListParts shows whether the upload still exists; if it does not, HEAD shows, if we may
 * read, whether the object consists of our parts. The same if the response has the ETag of another
 * object. An abort is repeated until the store no longer
 * lists the upload. Called by send_parts.c at the end of a file, and by uploads.c for unfinished
 * uploads. */
#include "transfer/upload/complete.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cloud/credentials.h"

#define ABORT_TRIES 3

static igt_status perform(const igt__upload_end *end, igt__s3_op op, igt__s3_request *req,
                          igt_error *err) {
  igt_status status = igt__s3_request_init(req, op, err);

  if (status != IGT_OK)
    return status;
  req->provider = end->provider;
  req->key = end->key;
  req->cancel = end->run->cancel;
  req->upload_id = end->upload_id;
  req->parts = end->parts;
  req->part_count = end->part_count;
  return igt__s3_perform(end->run->s3, req, err);
}

/* *by_md5: the store's ETags are digests; those of objects encrypted with a customer's key are
 * not. */
static igt_status complete_once(const igt__upload_end *end, char etag[80], bool *by_md5,
                                igt_error *err) {
  igt__s3_request req;
  igt_status status = perform(end, IGT__S3_COMPLETE_MULTIPART, &req, err);

  if (status == IGT_OK)
    (void)snprintf(etag, 80, "%s", req.etag);
  *by_md5 = !igt__str_starts(req.sse, "aws:");
  igt__s3_request_finish(&req);
  return status;
}

static bool is_code(const igt_error *err, const char *code) {
  return strcmp(err->code, code) == 0;
}

/* *there: the upload still exists and can be completed. */
static igt_status look(const igt__upload_end *end, bool *there, igt_error *err) {
  igt__s3_request req;
  igt_status status = perform(end, IGT__S3_LIST_PARTS, &req, err);

  *there = status == IGT_OK;
  igt__s3_request_finish(&req);
  if (status == IGT_E_NOT_FOUND && is_code(err, "NoSuchUpload"))
    return IGT_OK;
  return status;
}

/* S3: the MD5 of the parts' MD5s, and their number. */
static bool expected_etag(const igt__upload_end *end, char out[80]) {
  igt__digest *whole = igt__digest_new(IGT__MD5);
  unsigned char md5[16];
  bool good = whole != NULL;

  for (unsigned i = 0; i < end->part_count && good; i++) {
    const char *etag = end->parts[i].etag;
    good = strlen(etag) == 32 && igt__unhex(etag, 32, md5);
    if (good)
      igt__digest_update(whole, md5, sizeof md5);
  }
  if (good) {
    igt__digest_final(whole, md5);
    igt__hex(md5, sizeof md5, out);
    (void)snprintf(out + 32, 80 - 32, "-%u", end->part_count);
  }
  igt__digest_free(whole);
  return good;
}

static bool may_read(const igt__upload_end *end) {
  return !igt__is_upload_only(end->run->client, "GET");
}

static igt_status head(const igt__upload_end *end, igt__s3_request *req) {
  igt__upload_end reader = *end;
  char *prefix = igt__strndup(end->key, end->prefix_len);
  igt_status status = IGT_E_NO_MEMORY;

  reader.provider = prefix ? igt__run_provider(end->run, "GET", prefix) : NULL;
  if (reader.provider) {
    status = perform(&reader, IGT__S3_HEAD, req, NULL);
    igt__s3_provider_unref(reader.provider);
  } else {
    memset(req, 0, sizeof *req);
  }
  igt__free(prefix);
  return status;
}

bool igt__upload_is_stored(const igt__upload_end *end, char etag[80]) {
  char expected[80];
  igt__s3_request req;
  bool stored;

  if (!may_read(end) || !expected_etag(end, expected))
    return false;
  stored = head(end, &req) == IGT_OK && (!req.size_known || req.object_size == end->size) &&
           igt__str_eq_nocase(req.etag, expected);
  if (stored)
    (void)snprintf(etag, 80, "%s", req.etag);
  igt__s3_request_finish(&req);
  return stored;
}

/* The code has the file sent again. */
static igt_status fail_other_object(igt_error *err) {
  (void)igt__fail(err, IGT_E_NOT_FOUND,
                  "the upload was completed, but the stored object is not the one that was sent");
  if (err)
    igt__str_copy(err->code, sizeof err->code, "NoSuchUpload");
  return IGT_E_NOT_FOUND;
}

/* An upload that is gone after our own request was completed: nothing else ends it but another run
 * on the same file. Verify with HEAD if we may read. */
static igt_status believe(const igt__upload_end *end, char etag[80], igt_error *err) {
  char expected[80];

  if (may_read(end) && expected_etag(end, expected))
    return igt__upload_is_stored(end, etag) ? IGT_OK : fail_other_object(err);
  if (expected_etag(end, expected))
    igt__str_copy(etag, sizeof expected, expected);
  return IGT_OK;
}

/* "MD5-N": what S3 states for an object in parts. Other forms are a store's own, and tell nothing.
 */
static bool is_of_parts(const char *etag) {
  const char *digits = etag + 32;

  return strlen(etag) > 33 && strspn(etag, "0123456789abcdefABCDEF") == 32 && *digits == '-' &&
         strspn(digits + 1, "0123456789") == strlen(digits + 1);
}

/* Each part was verified when it was sent; the ETag shows whether the store put these together. */
static bool is_other_object(const igt__upload_end *end, const char *etag) {
  char expected[80];

  return is_of_parts(etag) && expected_etag(end, expected) && !igt__str_eq_nocase(etag, expected);
}

igt_status igt__upload_complete(const igt__upload_end *end, char etag[80], igt_error *err) {
  bool there = false, by_md5 = false;

  for (unsigned n = 1;; n++) {
    igt_error looked = IGT_ERROR_INIT;
    igt_status status = complete_once(end, etag, &by_md5, err);
    if (status == IGT_OK && by_md5 && is_other_object(end, etag))
      return igt__upload_is_stored(end, etag) ? IGT_OK : fail_other_object(err);
    if (status == IGT_E_NOT_FOUND && is_code(err, "NoSuchUpload"))
      return believe(end, etag, err);
    if (status == IGT_OK || !is_code(err, "CompletionUnclear") ||
        !igt__retry_wait(end->run->http, n, err->retry_after, end->run->cancel))
      return status;
    if (look(end, &there, &looked) != IGT_OK) {
      igt__error_append(err, "; the outcome could not be determined: %s", looked.text);
      return status;
    }
    if (!there)
      return believe(end, etag, err);
  }
}

/* lib/s3 treats a missing upload as success. */
static igt_status abort_once(const igt__upload_end *end, igt_error *err) {
  igt__s3_request req;
  igt_status status = perform(end, IGT__S3_ABORT_MULTIPART, &req, err);

  igt__s3_request_finish(&req);
  return status;
}

/* S3: a part in transit may be stored after the upload was aborted, which then has to be requested
 * again. */
igt_status igt__upload_abort(const igt__upload_end *end, igt_error *err) {
  igt_error mine = IGT_ERROR_INIT;

  for (int n = 0; n < ABORT_TRIES; n++) {
    igt_error looked = IGT_ERROR_INIT;
    bool there = false;
    igt_status status = abort_once(end, &mine);
    if (status != IGT_OK) {
      if (err)
        igt__error_copy(err, &mine);
      return status;
    }
    /* Without permission to list parts, trust the store. */
    if (look(end, &there, &looked) != IGT_OK || !there)
      return IGT_OK;
  }
  return igt__fail(err, IGT_E_CONFLICT,
                   "the store reports that it aborted the upload, but still has it");
}
