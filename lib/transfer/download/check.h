/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CHECK_H
#define IGT_TRANSFER_CHECK_H

/* Verifies content against what the store knows of it, in this order: a checksum of the whole
 * object (x-amz-checksum-*), a checksum of checksums (SHA-256 of a multipart upload), an ETag that
 * is an MD5, an ETag that is the MD5 of the parts' MD5s. Without any of these the content's SHA-256
 * is computed and the file is not reported as verified.
 *
 * ETags: AWS S3 API reference, "Object": the MD5 of the content unless multipart or encrypted with
 * SSE-C or SSE-KMS. Checksums: S3 user guide, "Checking object integrity". */

#include <stdint.h>

#include "crypto/crypto.h"

typedef struct igt__check {
  igt__digest *digest;
  igt__digest *whole; /* over the parts' digests */
  igt__digest_alg alg;
  bool by_parts, known;
  bool guessed;       /* part_size */
  unsigned parts;     /* as counted by the store */
  uint64_t part_size; /* set before the first byte when by_parts */
  uint64_t in_part;
  unsigned parts_done;
  bool part_open;
  char expected[2 * IGT__DIGEST_MAX + 1]; /* hex; "" if the store's value is not a digest */
  const char *verified;                   /* "sha256", "md5", "etag-parts", ... or "" */
} igt__check;

/* The store's metadata of the object; strings may be "". */
typedef struct igt__check_facts {
  const char *etag;         /* without quotes */
  const char *checksum_alg; /* "sha256", ... */
  const char *checksum;     /* base64, perhaps with "-N" */
  const char *sse;          /* x-amz-server-side-encryption */
} igt__check_facts;

igt_status igt__check_init(igt__check *check, const igt__check_facts *facts, igt_error *err);
/* True: the size of the first part must be requested and stored in part_size. 0 means unknown: then
 * the file is not reported as verified. */
bool igt__check_needs_part_size(const igt__check *check);
igt_status igt__check_set_part_size(igt__check *check, uint64_t part_size, igt_error *err);
/* For a store that does not report part sizes: guesses the most common size that fits the object's
 * size and part count. False: none fits. If the content does not match, the guess may be wrong:
 * then the file is not reported as verified, and known is false after _final. */
bool igt__check_guess_part_size(igt__check *check, uint64_t object_size);
/* After igt__check_final found the guess to be wrong: whether there is another one, for which all
 * bytes have to be read again. */
bool igt__check_guess_again(igt__check *check, uint64_t object_size);
void igt__check_update(igt__check *check, const void *data, size_t n);
void igt__check_reset(igt__check *check);
/* digest: "sha256:…" or the like, at least 80 bytes. IGT_E_CHECKSUM when the content differs. */
igt_status igt__check_final(igt__check *check, char *digest, size_t cap, igt_error *err);
/* What the store has promised, in the same form: "" if it knows no digest, or not where its parts
 * begin. */
void igt__check_text(const igt__check *check, char *digest, size_t cap);
void igt__check_finish(igt__check *check);

#endif
