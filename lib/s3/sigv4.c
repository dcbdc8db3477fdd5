/* SPDX-License-Identifier: MIT */
/* AWS Signature Version 4 as in "Authenticating Requests (AWS Signature Version 4)" of the Amazon
 * S3 API Reference. The functions follow the steps of its sections "Signature Calculations for the
 * Authorization Header" (canonical request, string to sign, signing key, signature) and
 * "Authenticating Requests: Using Query Parameters" (igt__sigv4_presign_query). sign.c signs with
 * them; the sandbox verifies with the same functions.
 *
 * The document's example "GET Object", for the key AKIAIOSFODNN7EXAMPLE. The canonical request is
 * the method, the path, the query (empty here), a line for each signed header, an empty line, the
 * names of the signed headers, and the SHA-256 of the (empty) body:
 *
 *   GET
 *   /test.txt
 *
 *   host:examplebucket.s3.amazonaws.com
 *   range:bytes=0-9
 *   x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
 *   x-amz-date:20130524T000000Z
 *
 *   host;range;x-amz-content-sha256;x-amz-date
 *   e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
 *
 * The string to sign contains the SHA-256 of that text. Its HMAC with the key of that day, region
 * and service, in hex, is the signature f0e8bdb8...036bdb41:
 *
 *   AWS4-HMAC-SHA256
 *   20130524T000000Z
 *   20130524/us-east-1/s3/aws4_request
 *   7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972 */
#include "s3/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"

/* More parameters than any S3 request has: limits what a client can make the sandbox sort. */
#define MAX_PARAMS 128

void igt__sigv4_key_derive(const char *secret, size_t secret_len, const char *date,
                           const char *region, const char *service, igt__sigv4_key *out) {
  unsigned char step[32];
  char first[256];
  char *start = first;
  size_t start_len = 4 + secret_len;

  if (start_len > sizeof first)
    start = igt__malloc(start_len);
  if (start) {
    memcpy(start, "AWS4", 4);
    memcpy(start + 4, secret, secret_len);
    igt__hmac_sha256(start, start_len, date, strnlen(date, 8), step);
    igt__wipe(start, start_len);
  } else {
    memset(step, 0, sizeof step); /* no memory: results in a signature that no server accepts */
  }
  if (start != first)
    igt__free(start);
  igt__hmac_sha256(step, sizeof step, region, strlen(region), out->bytes);
  igt__hmac_sha256(out->bytes, sizeof out->bytes, service, strlen(service), step);
  igt__hmac_sha256(step, sizeof step, "aws4_request", 12, out->bytes);
  igt__wipe(step, sizeof step);
}

/* ---- query ---- */

typedef struct param {
  const char *name; /* in canonical encoding, in the scratch buffer */
  const char *value;
} param;

static int compare_params(const void *a, const void *b) {
  const param *x = a, *y = b;
  int order = strcmp(x->name, y->name);

  return order ? order : strcmp(x->value, y->value);
}

/* Clients differ in what they escape: decoding and encoding again gives the canonical form,
 * UriEncode() of the document. */
static bool recode(igt__buf *out, igt__buf *plain, const char *s, size_t n) {
  igt__buf_clear(plain);
  if (!igt__uri_decode(plain, s, n, true)) {
    igt__buf_clear(plain);
    if (!igt__buf_append(plain, s, n)) /* an invalid escape: keep its bytes */
      return false;
  }
  return igt__uri_encode(out, plain->data, plain->len, false) && igt__buf_append(out, "", 1);
}

static bool is_signature(const char *name, size_t n) {
  return n == 15 && memcmp(name, "X-Amz-Signature", 15) == 0;
}

/* Appends each parameter to encoded, as "name NUL value NUL". */
static bool encode_params(const char *query, igt__buf *encoded, size_t *count) {
  igt__buf plain;
  bool ok = true;
  size_t n = 0;

  igt__buf_init(&plain, strlen(query) + 1);
  for (const char *p = query; ok && *p;) {
    size_t len = strcspn(p, "&");
    size_t name_len = strcspn(p, "=&");
    const char *value = name_len < len ? p + name_len + 1 : p + len;
    if (len > 0 && !is_signature(p, name_len))
      ok = n++ < MAX_PARAMS && recode(encoded, &plain, p, name_len) &&
           recode(encoded, &plain, value, (size_t)(p + len - value));
    p += len;
    p += *p == '&';
  }
  igt__buf_finish_wipe(&plain);
  *count = n;
  return ok;
}

static bool put_query(igt__buf *out, const char *query) {
  param params[MAX_PARAMS];
  igt__buf encoded;
  size_t count = 0;
  bool ok;

  if (!query || !*query)
    return true;
  igt__buf_init(&encoded, 3 * strlen(query) + 2 * MAX_PARAMS + 2);
  ok = encode_params(query, &encoded, &count);
  const char *p = encoded.data;
  for (size_t i = 0; ok && i < count; i++) {
    params[i].name = p;
    params[i].value = p + strlen(p) + 1;
    p = params[i].value + strlen(params[i].value) + 1;
  }
  if (ok)
    qsort(params, count, sizeof *params, compare_params);
  for (size_t i = 0; ok && i < count; i++)
    ok = (i == 0 || igt__buf_putc(out, '&')) && igt__buf_puts(out, params[i].name) &&
         igt__buf_putc(out, '=') && igt__buf_puts(out, params[i].value);
  igt__buf_finish_wipe(&encoded);
  return ok;
}

/* ---- headers ---- */

static bool name_is(const char *header, const char *name, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (igt__ascii_lower(header[i]) != igt__ascii_lower(name[i])) /* stops at header's NUL too */
      return false;
  return header[n] == '\0';
}

/* Trim() of the document: without surrounding spaces, and with inner runs of spaces as one. */
static bool put_trimmed(igt__buf *out, const char *value) {
  static const char space[] = " \t";
  bool any = false, ok = true;

  while (ok && *(value += strspn(value, space))) {
    size_t n = strcspn(value, space);
    ok = (!any || igt__buf_putc(out, ' ')) && igt__buf_append(out, value, n);
    value += n;
    any = true;
  }
  return ok;
}

static bool put_lower(igt__buf *out, const char *name, size_t n) {
  size_t at = out->len;

  if (!igt__buf_append(out, name, n))
    return false;
  for (char *c = out->data + at; n > 0; n--, c++)
    *c = igt__ascii_lower(*c);
  return true;
}

static bool put_header(igt__buf *out, const igt__sigv4_request *req, const char *name, size_t n) {
  bool ok, first = true;

  ok = put_lower(out, name, n) && igt__buf_putc(out, ':');
  for (size_t i = 0; ok && i < req->header_count; i++) {
    if (!name_is(req->headers[i].name, name, n))
      continue;
    ok = (first || igt__buf_putc(out, ',')) && put_trimmed(out, req->headers[i].value);
    first = false;
  }
  return ok && igt__buf_putc(out, '\n');
}

static bool put_headers(igt__buf *out, const igt__sigv4_request *req) {
  bool ok = true;

  for (const char *p = req->signed_headers; ok && *p;) {
    size_t n = strcspn(p, ";");
    ok = put_header(out, req, p, n);
    p += n;
    p += *p == ';';
  }
  return ok;
}

static bool name_less(const char *a, const char *b) {
  for (; *a && igt__ascii_lower(*a) == igt__ascii_lower(*b); a++, b++)
    ;
  return (unsigned char)igt__ascii_lower(*a) < (unsigned char)igt__ascii_lower(*b);
}

bool igt__sigv4_signed_headers(const igt__sigv4_header *headers, size_t n, igt__buf *out) {
  const char *last = NULL;

  /* Selection sort: a request signs about ten headers. */
  for (;;) {
    const char *next = NULL;
    for (size_t i = 0; i < n; i++) {
      const char *name = headers[i].name;
      if ((!last || name_less(last, name)) && (!next || name_less(name, next)))
        next = name;
    }
    if (!next)
      return !out->failed;
    if (last)
      igt__buf_putc(out, ';');
    put_lower(out, next, strlen(next));
    last = next;
  }
}

/* ---- canonical request, string to sign, signature ---- */

bool igt__sigv4_canonical_request(const igt__sigv4_request *req, igt__buf *out) {
  return igt__buf_puts(out, req->method) && igt__buf_putc(out, '\n') &&
         igt__buf_puts(out, *req->path ? req->path : "/") && igt__buf_putc(out, '\n') &&
         put_query(out, req->query) && igt__buf_putc(out, '\n') && put_headers(out, req) &&
         igt__buf_putc(out, '\n') && igt__buf_puts(out, req->signed_headers) &&
         igt__buf_putc(out, '\n') && igt__buf_puts(out, req->payload_hash);
}

bool igt__sigv4_string_to_sign(const char *timestamp, const char *region, const char *service,
                               const char *canonical, size_t n, igt__buf *out) {
  unsigned char digest[32];
  char hex[65];

  igt__digest_of(IGT__SHA256, canonical, n, digest);
  igt__hex(digest, sizeof digest, hex);
  return igt__buf_printf(out, IGT__SIGV4_ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", timestamp,
                         timestamp, region, service, hex);
}

bool igt__sigv4_sign(const igt__sigv4_key *key, const igt__sigv4_request *req,
                     const char *timestamp, const char *region, const char *service,
                     igt__buf *scratch, char signature[65]) {
  unsigned char mac[32];
  size_t canonical_len;

  igt__buf_clear(scratch);
  if (!igt__sigv4_canonical_request(req, scratch))
    return false;
  canonical_len = scratch->len;
  /* The canonical request is hashed before the string to sign is appended to it. */
  if (!igt__sigv4_string_to_sign(timestamp, region, service, scratch->data, canonical_len, scratch))
    return false;
  igt__hmac_sha256(key->bytes, sizeof key->bytes, scratch->data + canonical_len,
                   scratch->len - canonical_len, mac);
  igt__hex(mac, sizeof mac, signature);
  return true;
}

bool igt__sigv4_authorization(const char *access_key, const char *timestamp, const char *region,
                              const char *service, const char *signed_headers,
                              const char *signature, igt__buf *out) {
  return igt__buf_printf(out,
                         IGT__SIGV4_ALGORITHM
                         " Credential=%s/%.8s/%s/%s/aws4_request,SignedHeaders=%s,Signature=%s",
                         access_key, timestamp, region, service, signed_headers, signature);
}

static bool put_param(igt__buf *out, const char *name, const char *value) {
  return (out->len == 0 || igt__buf_putc(out, '&')) && igt__buf_puts(out, name) &&
         igt__buf_putc(out, '=') && igt__uri_encode(out, value, strlen(value), false);
}

bool igt__sigv4_presign_query(const char *query, const char *access_key, const char *session_token,
                              const char *timestamp, const char *region, const char *service,
                              unsigned expires_seconds, const char *signed_headers, igt__buf *out) {
  char expires[16];
  igt__buf credential;
  bool ok;

  snprintf(expires, sizeof expires, "%u", expires_seconds);
  igt__buf_init(&credential, 1024);
  ok = igt__buf_printf(&credential, "%s/%.8s/%s/%s/aws4_request", access_key, timestamp, region,
                       service) &&
       igt__buf_puts(out, query ? query : "") &&
       put_param(out, "X-Amz-Algorithm", IGT__SIGV4_ALGORITHM) &&
       put_param(out, "X-Amz-Credential", credential.data) &&
       put_param(out, "X-Amz-Date", timestamp) && put_param(out, "X-Amz-Expires", expires) &&
       (!session_token || put_param(out, "X-Amz-Security-Token", session_token)) &&
       put_param(out, "X-Amz-SignedHeaders", signed_headers);
  igt__buf_finish(&credential);
  return ok;
}
