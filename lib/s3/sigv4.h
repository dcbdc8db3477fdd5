/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_SIGV4_H
#define IGT_S3_SIGV4_H

/* AWS Signature Version 4 for S3: pure functions, the same for a client that signs and a server
 * that verifies. Reference: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3
 * API Reference. S3's rules differ from those of other services: the path is not normalised and not
 * encoded a second time, and x-amz-content-sha256 is always present. sigv4.c shows a worked
 * example. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define IGT__SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
/* x-amz-content-sha256 of a request without a body, and of one whose body is not signed. */
#define IGT__SIGV4_EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define IGT__SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

typedef struct igt__sigv4_header {
  const char *name; /* in any case */
  const char *value;
} igt__sigv4_header;

/* A request as it is sent. */
typedef struct igt__sigv4_request {
  const char *method;
  const char *path;  /* percent-encoded, as sent; "" counts as "/" */
  const char *query; /* without '?', as sent; NULL or "": none. X-Amz-Signature is left out */
  const igt__sigv4_header *headers; /* in the order in which they are sent */
  size_t header_count;
  /* "host;x-amz-date": lower case and sorted, as in Authorization. A name without a header is
   * signed as empty; a verifier rejects that itself where it matters. */
  const char *signed_headers;
  const char *payload_hash; /* lower-case hex, or IGT__SIGV4_UNSIGNED */
} igt__sigv4_request;

/* The key that signs all requests of one secret, day, region and service: four HMACs. */
typedef struct igt__sigv4_key {
  unsigned char bytes[32];
} igt__sigv4_key;

/* Only the first 8 characters of date are used, so an ISO 8601 basic timestamp will do. */
void igt__sigv4_key_derive(const char *secret, size_t secret_len, const char *date,
                           const char *region, const char *service, igt__sigv4_key *out);

/* Lower-case names of the headers, sorted, each once, joined by ';'. */
bool igt__sigv4_signed_headers(const igt__sigv4_header *headers, size_t n, igt__buf *out);

/* False: out of memory, or past the buffer's maximum. */
bool igt__sigv4_canonical_request(const igt__sigv4_request *req, igt__buf *out);
bool igt__sigv4_string_to_sign(const char *timestamp, const char *region, const char *service,
                               const char *canonical, size_t n, igt__buf *out);
/* All steps: signature is 64 hex digits and a NUL. scratch is cleared and used, so it can be kept
 * for the next call. */
bool igt__sigv4_sign(const igt__sigv4_key *key, const igt__sigv4_request *req,
                     const char *timestamp, const char *region, const char *service,
                     igt__buf *scratch, char signature[65]);

/* The value of the Authorization header. */
bool igt__sigv4_authorization(const char *access_key, const char *timestamp, const char *region,
                              const char *service, const char *signed_headers,
                              const char *signature, igt__buf *out);

/* The query string of a presigned URL: `query` (may be NULL) and the X-Amz-* parameters, without
 * X-Amz-Signature: sign this with payload_hash IGT__SIGV4_UNSIGNED, then append
 * "&X-Amz-Signature=" and the signature. session_token: NULL for none. */
bool igt__sigv4_presign_query(const char *query, const char *access_key, const char *session_token,
                              const char *timestamp, const char *region, const char *service,
                              unsigned expires_seconds, const char *signed_headers, igt__buf *out);

#endif
