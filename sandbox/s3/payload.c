/* SPDX-License-Identifier: MIT */
/* The request's body while it arrives: s3_payload_begin reads what the headers announce (length,
 * digests, checksum, aws-chunked framing), s3_payload_write decodes and hashes each block and
 * passes it on to the operation's file or text, s3_payload_end verifies everything. s3.c calls
 * them. References: "Signature calculations for the Authorization header: transferring payload in
 * multiple chunks" and the same with trailing headers. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

#define MAX_PUT (5ll * 1024 * 1024 * 1024)
#define MAX_TEXT_BODY (4ll * 1024 * 1024)
#define MIN_CHUNK 8192
/* "size;chunk-signature=64 digits" and some space for extensions; and for all trailer lines. */
#define MAX_CHUNK_HEADER 1024u
#define MAX_TRAILER (16u * 1024)

static s3_payload *payload_of(s3_call *call) {
  return &call->payload;
}

/* ---- the headers ---- */

static bool read_mode(s3_call *call) {
  static const struct {
    const char *name;
    bool is_signed, trailer;
  } streams[] = {{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false},
                 {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true},
                 {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true}};
  s3_payload *p = payload_of(call);
  unsigned char ignored[32];
  const char *value = call->content_sha256;
  for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
    if (strcmp(value, streams[i].name) != 0)
      continue;
    p->mode = S3_PAYLOAD_CHUNKS;
    p->chunks_signed = streams[i].is_signed;
    p->has_trailer = streams[i].trailer;
    memcpy(p->last_signature, call->signature, sizeof p->last_signature);
    return true;
  }
  if (strcmp(value, IGT__SIGV4_UNSIGNED) == 0) {
    p->mode = S3_PAYLOAD_UNSIGNED;
    return true;
  }
  if (strlen(value) == 64 && igt__unhex(value, 64, ignored)) {
    p->mode = S3_PAYLOAD_HASHED;
    p->sha256 = value;
    return true;
  }
  s3_fail(call, S3_INVALID_ARGUMENT,
          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a "
          "valid sha256 value.");
  return false;
}

static bool read_length(s3_call *call) {
  s3_payload *p = payload_of(call);
  const char *decoded = sbx_header(call->req, "x-amz-decoded-content-length");

  p->length = call->req->content_length;
  if (p->mode == S3_PAYLOAD_CHUNKS) {
    if (!decoded || !igt__str_to_int64(decoded, &p->length) || p->length < 0)
      p->length = -1;
  }
  if (p->length < 0 && (call->op->body == S3_BODY_OBJECT || p->mode == S3_PAYLOAD_CHUNKS)) {
    s3_fail(call, S3_MISSING_LENGTH, NULL);
    return false;
  }
  if (p->length > (call->op->body == S3_BODY_TEXT ? MAX_TEXT_BODY : MAX_PUT)) {
    if (call->op->body == S3_BODY_TEXT)
      s3_fail(call, S3_MALFORMED_XML, NULL);
    else
      s3_fail(call, S3_ENTITY_TOO_LARGE, NULL);
    return false;
  }
  return true;
}

static bool read_md5(s3_call *call) {
  s3_payload *p = payload_of(call);
  const char *value = sbx_header(call->req, "Content-MD5");
  igt__buf raw;

  if (!value)
    return true;
  igt__buf_init(&raw, 64);
  bool ok = igt__base64_decode(&raw, value, strlen(value)) && raw.len == 16;
  igt__buf_finish(&raw);
  if (!ok) {
    s3_fail(call, S3_INVALID_DIGEST, NULL);
    return false;
  }
  snprintf(p->content_md5, sizeof p->content_md5, "%s", value);
  return true;
}

typedef struct sum_search {
  const s3_checksum *kind;
  const char *value;
  unsigned count;
} sum_search;

static bool find_sum(void *payload, const char *name, const char *value) {
  sum_search *search = payload;
  const s3_checksum *kind = s3_checksum_by_header(name);

  if (kind) {
    search->kind = kind;
    search->value = value;
    search->count++;
  }
  return true;
}

/* The checksum given by a header or announced for the trailer. */
static bool read_checksum(s3_call *call) {
  s3_payload *p = payload_of(call);
  const char *trailer = sbx_header(call->req, "x-amz-trailer");
  const char *algorithm = sbx_header(call->req, "x-amz-sdk-checksum-algorithm");
  unsigned char raw[IGT__DIGEST_MAX];
  sum_search search = {0};

  if (call->op->foreign_checksum)
    return true;
  sbx_headers_each(call->req, find_sum, &search);
  if (search.count > 1 || (search.count == 1 && trailer && s3_checksum_by_header(trailer))) {
    s3_fail(call, S3_INVALID_REQUEST,
            "Expecting a single x-amz-checksum- header. Multiple "
            "checksum Types are not allowed.");
    return false;
  }
  if (search.count == 1 && !s3_checksum_decode(search.kind, search.value, raw)) {
    s3_fail(call, S3_INVALID_REQUEST, "Value for %s header is invalid.", search.kind->header);
    return false;
  }
  p->checksum = search.kind;
  if (search.kind)
    snprintf(p->checksum_value, sizeof p->checksum_value, "%s", search.value);
  if (trailer && !(p->checksum = s3_checksum_by_header(trailer))) {
    s3_fail(call, S3_INVALID_REQUEST,
            "The value specified in the x-amz-trailer header is not "
            "supported");
    return false;
  }
  if (algorithm && p->checksum && s3_checksum_by_name(algorithm) != p->checksum) {
    s3_fail(call, S3_INVALID_REQUEST, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    return false;
  }
  return true;
}

static bool make_digest(igt__digest **out, bool wanted, igt__digest_alg alg) {
  if (wanted)
    *out = igt__digest_new(alg);
  return !wanted || *out;
}

/* Clients that send both headers send the same digest twice: it is computed once. */
static bool is_same_digest(const s3_payload *p) {
  return p->mode == S3_PAYLOAD_HASHED && p->checksum && p->checksum->alg == IGT__SHA256;
}

static bool make_digests(s3_call *call) {
  s3_payload *p = payload_of(call);
  bool object = call->op->body == S3_BODY_OBJECT;

  /* S3 adds a CRC64NVME to each object whose client sent no checksum (since December 2024); not to
   * parts here, so that there are also objects with only an ETag. */
  p->own_sum = call->op == &s3_put_object && !p->checksum;
  if (make_digest(&p->md5, object || p->content_md5[0], IGT__MD5) &&
      make_digest(&p->whole, p->mode == S3_PAYLOAD_HASHED, IGT__SHA256) &&
      make_digest(&p->chunk, p->mode == S3_PAYLOAD_CHUNKS && p->chunks_signed, IGT__SHA256) &&
      make_digest(&p->sum, (p->checksum && !is_same_digest(p)) || p->own_sum,
                  p->checksum ? p->checksum->alg : IGT__CRC64NVME))
    return true;
  s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

bool s3_payload_begin(s3_call *call) {
  s3_payload *p = payload_of(call);

  igt__buf_init(&p->line, MAX_TRAILER);
  igt__buf_init(&call->text, (size_t)MAX_TEXT_BODY);
  return read_mode(call) && read_length(call) && read_md5(call) && read_checksum(call) &&
         make_digests(call);
}

void s3_payload_finish(s3_payload *p) {
  igt__digest_free(p->md5);
  igt__digest_free(p->whole);
  igt__digest_free(p->chunk);
  igt__digest_free(p->sum);
  igt__buf_finish(&p->line);
}

/* ---- decoded bytes ---- */

static bool fail_storage(s3_call *call) {
  if (errno == ENOSPC || errno == EDQUOT)
    s3_fail(call, S3_INTERNAL, "The sandbox's disk is full.");
  else
    s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

/* Hashes decoded bytes and passes them on. */
static bool take(s3_call *call, const char *data, size_t n) {
  s3_payload *p = payload_of(call);

  p->size += n;
  if (p->length >= 0 && p->size > (uint64_t)p->length) {
    s3_fail(call, S3_INCOMPLETE_BODY, NULL);
    return false;
  }
  if (p->md5)
    igt__digest_update(p->md5, data, n);
  if (p->whole)
    igt__digest_update(p->whole, data, n);
  if (p->chunk)
    igt__digest_update(p->chunk, data, n);
  if (p->sum)
    igt__digest_update(p->sum, data, n);
  if (call->op->body == S3_BODY_TEXT && !igt__buf_append(&call->text, data, n)) {
    s3_fail(call, S3_MALFORMED_XML, NULL);
    return false;
  }
  if (call->in && !sbx_incoming_write(call->in, data, n))
    return fail_storage(call);
  return true;
}

/* ---- aws-chunked ---- */

static bool fail_chunk(s3_call *call) {
  s3_fail(call, S3_INVALID_REQUEST, "The body is not well-formed aws-chunked.");
  return false;
}

/* Verifies the signature of one chunk, or of the trailer, which covers the previous signature. */
static bool check_chain(s3_call *call, const char *kind, const unsigned char *digest,
                        const char *signature) {
  s3_payload *p = payload_of(call);
  unsigned char mac[32];
  char hex[65];
  igt__buf text;

  igt__hex(digest, 32, hex);
  igt__buf_init(&text, 1024);
  /* Only a chunk's string to sign contains the digest of its (never used) headers. */
  bool is_chunk = strcmp(kind, "PAYLOAD") == 0;
  bool ok = igt__buf_printf(
      &text, IGT__SIGV4_ALGORITHM "-%s\n%s\n%.8s/" SBX_REGION "/s3/aws4_request\n%s\n%s%s%s", kind,
      call->timestamp, call->timestamp, p->last_signature, is_chunk ? IGT__SIGV4_EMPTY_HASH : "",
      is_chunk ? "\n" : "", hex);
  igt__hmac_sha256(call->signing_key.bytes, sizeof call->signing_key.bytes, text.data, text.len,
                   mac);
  igt__buf_finish(&text);
  igt__hex(mac, sizeof mac, p->last_signature);
  if (ok && strlen(signature) == 64 && igt__equal_constant_time(p->last_signature, signature, 64))
    return true;
  s3_fail_with(call, S3_SIGNATURE, "SignatureProvided", signature, NULL);
  return false;
}

static bool end_of_chunk(s3_call *call) {
  s3_payload *p = payload_of(call);
  unsigned char digest[32];

  if (!p->chunks_signed)
    return true;
  igt__digest_final(p->chunk, digest);
  return check_chain(call, "PAYLOAD", digest, p->chunk_signature);
}

/* "10000;chunk-signature=…" */
static bool read_chunk_header(s3_call *call) {
  s3_payload *p = payload_of(call);
  char *line = p->line.data, *end = line;
  static const char name[] = ";chunk-signature=";
  size_t digits = strspn(line, "0123456789abcdefABCDEF");

  if (digits == 0 || digits > 15)
    return fail_chunk(call);
  p->chunk_size = p->chunk_left = strtoull(line, &end, 16);
  p->chunk_signature[0] = '\0';
  if (p->chunks_signed) {
    if (!igt__str_starts(end, name) || strlen(end + sizeof name - 1) != 64)
      return fail_chunk(call);
    snprintf(p->chunk_signature, sizeof p->chunk_signature, "%s", end + sizeof name - 1);
  } else if (*end) {
    return fail_chunk(call);
  }
  if (p->chunk_size > 0 && p->small_chunk) {
    s3_fail(call, S3_CHUNK_SIZE, NULL);
    return false;
  }
  p->small_chunk = p->chunk_size < MIN_CHUNK;
  igt__buf_clear(&p->line);
  p->state = p->chunk_size > 0 ? S3_CHUNK_DATA : S3_CHUNK_TRAILER;
  return p->chunk_size > 0 || end_of_chunk(call);
}

/* Consumes bytes up to and including the end of a line. *whole: the line is in p->line, without its
 * end. */
static size_t take_line(s3_payload *p, const char *data, size_t n, bool *whole) {
  const char *end = memchr(data, '\n', n);
  size_t used = end ? (size_t)(end - data) + 1 : n;

  igt__buf_append(&p->line, data, end ? used - 1 : used);
  *whole = end != NULL;
  if (*whole && p->line.len > 0 && p->line.data[p->line.len - 1] == '\r')
    p->line.data[--p->line.len] = '\0';
  return used;
}

static size_t take_chunk_data(s3_call *call, const char *data, size_t n, bool *ok) {
  s3_payload *p = payload_of(call);
  size_t used = n < p->chunk_left ? n : (size_t)p->chunk_left;

  *ok = take(call, data, used);
  p->chunk_left -= used;
  if (*ok && p->chunk_left == 0) {
    p->state = S3_CHUNK_END;
    *ok = end_of_chunk(call);
  }
  return used;
}

/* One step of the decoder; returns the number of bytes consumed. */
static size_t decode(s3_call *call, const char *data, size_t n, bool *ok) {
  s3_payload *p = payload_of(call);
  bool whole = false;
  size_t used = n;

  switch (p->state) {
  case S3_CHUNK_HEADER:
    used = take_line(p, data, n, &whole);
    *ok = p->line.len <= MAX_CHUNK_HEADER && !p->line.failed ? !whole || read_chunk_header(call)
                                                             : fail_chunk(call);
    break;
  case S3_CHUNK_DATA:
    used = take_chunk_data(call, data, n, ok);
    break;
  case S3_CHUNK_END:
    used = take_line(p, data, n, &whole);
    if (p->line.len > 1 || (whole && p->line.len > 0))
      *ok = fail_chunk(call);
    else if (whole)
      p->state = S3_CHUNK_HEADER;
    if (whole)
      igt__buf_clear(&p->line);
    break;
  case S3_CHUNK_TRAILER:
    *ok = igt__buf_append(&p->line, data, n) || fail_chunk(call);
    break;
  }
  return used;
}

bool s3_payload_write(s3_call *call, const char *data, size_t n) {
  bool ok = true;

  if (call->payload.mode != S3_PAYLOAD_CHUNKS)
    return take(call, data, n);
  while (ok && n > 0) {
    size_t used = decode(call, data, n, &ok);
    data += used;
    n -= used;
  }
  return ok;
}

/* ---- the trailer ---- */

static bool fail_trailer(s3_call *call) {
  s3_fail(call, S3_MALFORMED_TRAILER, NULL);
  return false;
}

static char *trim(char *text) {
  text += strspn(text, " \t");
  for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]); n--)
    text[n - 1] = '\0';
  return text;
}

static bool take_trailing_sum(s3_call *call, const char *name, const char *value) {
  s3_payload *p = payload_of(call);
  unsigned char raw[IGT__DIGEST_MAX];

  if (!p->checksum || p->checksum_value[0] || s3_checksum_by_header(name) != p->checksum)
    return fail_trailer(call);
  if (!s3_checksum_decode(p->checksum, value, raw)) {
    s3_fail(call, S3_INVALID_REQUEST, "Value for %s trailing header is invalid.",
            p->checksum->header);
    return false;
  }
  snprintf(p->checksum_value, sizeof p->checksum_value, "%s", value);
  return true;
}

/* Lines "name:value"; canonical receives those that are signed. */
static bool read_trailer_lines(s3_call *call, igt__buf *canonical, const char **signature) {
  char *rest = call->payload.line.data;

  for (char *line; (line = strsep(&rest, "\n"));) {
    line = trim(line);
    if (!*line)
      continue;
    char *colon = strchr(line, ':');
    if (!colon)
      return fail_trailer(call);
    *colon = '\0';
    char *value = trim(colon + 1);
    if (igt__str_eq_nocase(line, "x-amz-trailer-signature")) {
      *signature = value;
      continue;
    }
    for (char *p = line; *p; p++)
      *p = igt__ascii_lower(*p);
    igt__buf_printf(canonical, "%s:%s\n", line, value);
    if (!take_trailing_sum(call, line, value))
      return false;
  }
  return true;
}

static bool end_of_chunks(s3_call *call) {
  s3_payload *p = payload_of(call);
  const char *signature = "";
  unsigned char digest[32];
  igt__buf canonical;
  bool ok = false;

  if (p->state != S3_CHUNK_TRAILER) {
    s3_fail(call, S3_INCOMPLETE_BODY, NULL);
    return false;
  }
  igt__buf_init(&canonical, 2 * MAX_TRAILER);
  if (!read_trailer_lines(call, &canonical, &signature))
    goto out;
  if (p->has_trailer ? p->checksum && !p->checksum_value[0] : canonical.len > 0) {
    fail_trailer(call);
    goto out;
  }
  igt__digest_of(IGT__SHA256, canonical.data, canonical.len, digest);
  ok = !(p->chunks_signed && p->has_trailer) || check_chain(call, "TRAILER", digest, signature);

out:
  igt__buf_finish(&canonical);
  return ok;
}

/* ---- the end ---- */

static bool compare_sum(s3_call *call, const unsigned char *digest) {
  const s3_payload *p = payload_of(call);
  char text[64];

  s3_base64(digest, igt__digest_size(p->checksum->alg), text, sizeof text);
  if (strcmp(text, p->checksum_value) == 0)
    return true;
  s3_fail(call, S3_BAD_DIGEST, "The %s you specified did not match the calculated checksum.",
          p->checksum->name);
  return false;
}

static bool check_sha256(s3_call *call) {
  unsigned char digest[32];
  char hex[65];

  igt__digest_final(call->payload.whole, digest);
  igt__hex(digest, sizeof digest, hex);
  if (igt__str_eq_nocase(hex, call->payload.sha256))
    return !is_same_digest(&call->payload) || compare_sum(call, digest);
  s3_fail_with(call, S3_SHA256_MISMATCH, "S3ComputedContentSHA256", hex, NULL);
  return false;
}

static bool check_md5(s3_call *call) {
  s3_payload *p = payload_of(call);
  char text[32];

  igt__digest_final(p->md5, p->md5_value);
  s3_base64(p->md5_value, sizeof p->md5_value, text, sizeof text);
  if (!p->content_md5[0] || strcmp(text, p->content_md5) == 0)
    return true;
  s3_fail_with(call, S3_BAD_DIGEST, "CalculatedDigest", text,
               "The Content-MD5 you specified did not match what we received.");
  return false;
}

static bool check_sum(s3_call *call) {
  s3_payload *p = payload_of(call);
  unsigned char digest[IGT__DIGEST_MAX];

  igt__digest_final(p->sum, digest);
  if (!p->own_sum)
    return compare_sum(call, digest);
  p->checksum = s3_checksum_by_name(S3_OWN_CHECKSUM);
  s3_base64(digest, igt__digest_size(p->checksum->alg), p->checksum_value,
            sizeof p->checksum_value);
  return true;
}

bool s3_payload_end(s3_call *call) {
  s3_payload *p = payload_of(call);

  if (p->mode == S3_PAYLOAD_CHUNKS && !end_of_chunks(call))
    return false;
  if (p->length >= 0 && p->size != (uint64_t)p->length) {
    s3_fail(call, S3_INCOMPLETE_BODY, NULL);
    return false;
  }
  return (!p->whole || check_sha256(call)) && (!p->md5 || check_md5(call)) &&
         (!p->sum || check_sum(call));
}

void s3_add_checksum_header(s3_call *call) {
  const s3_payload *p = &call->payload;

  if (p->checksum)
    sbx_add_header(call->req, p->checksum->header, p->checksum_value);
}
