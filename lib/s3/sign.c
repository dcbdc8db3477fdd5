/* SPDX-License-Identifier: MIT */
/* URL and headers of one attempt. Each attempt is signed anew, with its own date, the most recent
 * credentials, and the region that is known by then. igt__s3_prepare collects the headers that the
 * operation needs (type, range, conditions, checksums, session token), signs them with sigv4.c and
 * hands them to lib/http, which calls it before each attempt. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "s3/internal.h"

#define MAX_HEADERS 16

/* The headers of one request; their values are members of this struct or borrowed. */
typedef struct headers {
  igt__sigv4_header list[MAX_HEADERS];
  size_t count;
  char host[300];
  char date[20];
  char payload[65];
  char md5[32]; /* base64 */
  char range[64];
  char if_match[96];
} headers;

static void add(headers *h, const char *name, const char *value) {
  h->list[h->count].name = name;
  h->list[h->count++].value = value;
}

static bool has_body(const igt__s3_request *req) {
  return req->op == IGT__S3_PUT || req->op == IGT__S3_UPLOAD_PART;
}

static bool reads_object(const igt__s3_request *req) {
  return req->op == IGT__S3_GET || req->op == IGT__S3_HEAD;
}

static bool wants_checksums(const igt__s3_request *req) {
  return !req->priv->without_checksums && !atomic_load(&req->priv->s3->no_checksums);
}

static void put_base64(char *out, size_t cap, const unsigned char *data, size_t n) {
  igt__buf text;

  igt__buf_init(&text, cap - 1);
  igt__base64_encode(&text, data, n);
  snprintf(out, cap, "%s", text.data);
  igt__buf_finish(&text);
}

static void add_digests(headers *h, const igt__s3_request *req) {
  struct igt__s3_request_private *priv = req->priv;

  igt__hex(req->sha256, sizeof req->sha256, h->payload);
  if (req->has_md5) {
    put_base64(h->md5, sizeof h->md5, req->md5, sizeof req->md5);
    add(h, "Content-MD5", h->md5);
  }
  if (wants_checksums(req)) {
    put_base64(priv->sent_sha256, sizeof priv->sent_sha256, req->sha256, sizeof req->sha256);
    add(h, "x-amz-checksum-sha256", priv->sent_sha256);
    priv->sent_checksums = true;
  }
}

static void add_reading(headers *h, const igt__s3_request *req) {
  uint64_t first = req->first, last = req->last;
  bool rest = igt__s3_rest(req, &first, &last);
  const char *etag = rest && !req->if_match ? req->priv->object_etag : req->if_match;

  if (req->ranged || rest) {
    snprintf(h->range, sizeof h->range, "bytes=%llu-%llu", (unsigned long long)first,
             (unsigned long long)last);
    add(h, "Range", h->range);
  }
  if (etag) {
    snprintf(h->if_match, sizeof h->if_match, "\"%s\"", etag);
    add(h, "If-Match", h->if_match);
  }
  if (wants_checksums(req)) {
    add(h, "x-amz-checksum-mode", "ENABLED");
    req->priv->sent_checksums = true;
  }
}

static void add_of_op(headers *h, igt__s3_request *req) {
  igt__str_copy(h->payload, sizeof h->payload, IGT__SIGV4_EMPTY_HASH);
  req->priv->sent_checksums = false;
  req->priv->sent_sha256[0] = '\0';
  if (has_body(req))
    add_digests(h, req);
  if (reads_object(req))
    add_reading(h, req);
  if (req->op == IGT__S3_PUT || req->op == IGT__S3_CREATE_MULTIPART)
    add(h, "x-amz-server-side-encryption", "AES256");
  if (req->op == IGT__S3_CREATE_MULTIPART) {
    /* The type that S3 gives an object whose PUT names none; curl would send that of a form. */
    add(h, "Content-Type", "binary/octet-stream");
    if (wants_checksums(req)) {
      add(h, "x-amz-checksum-algorithm", "SHA256");
      req->priv->sent_checksums = true;
    }
  }
  if (req->op == IGT__S3_COMPLETE_MULTIPART) {
    unsigned char digest[32];
    igt__digest_of(IGT__SHA256, req->priv->complete.data, req->priv->complete.len, digest);
    igt__hex(digest, sizeof digest, h->payload);
    add(h, "Content-Type", "application/xml");
  }
}

static void put_param(igt__buf *query, const char *name, const char *value) {
  igt__buf_printf(query, "%s%s=", query->len ? "&" : "", name);
  igt__uri_encode(query, value, strlen(value), false);
}

static void put_number(igt__buf *query, const char *name, unsigned value) {
  igt__buf_printf(query, "%s%s=%u", query->len ? "&" : "", name, value);
}

static void put_query(igt__buf *query, const igt__s3_request *req) {
  switch (req->op) {
  case IGT__S3_GET:
  case IGT__S3_HEAD:
    if (req->part_number)
      put_number(query, "partNumber", req->part_number);
    break;
  case IGT__S3_PUT:
    break;
  case IGT__S3_CREATE_MULTIPART:
    igt__buf_puts(query, "uploads=");
    break;
  case IGT__S3_UPLOAD_PART:
    put_number(query, "partNumber", req->part_number);
    put_param(query, "uploadId", req->upload_id);
    break;
  case IGT__S3_LIST_PARTS:
    if (req->marker)
      put_number(query, "part-number-marker", req->marker);
    put_param(query, "uploadId", req->upload_id);
    break;
  case IGT__S3_COMPLETE_MULTIPART:
  case IGT__S3_ABORT_MULTIPART:
    put_param(query, "uploadId", req->upload_id);
    break;
  case IGT__S3_LIST_OBJECTS:
    igt__buf_puts(query, "list-type=2&encoding-type=url");
    if (req->prefix)
      put_param(query, "prefix", req->prefix);
    if (req->after)
      put_param(query, "start-after", req->after);
    break;
  }
}

/* Where the path starts in scheme://host/path. */
static const char *path_of(const char *url) {
  return strchr(strstr(url, "://") + 3, '/');
}

static igt_status put_url(igt__s3_request *req, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;
  const char *key = req->op == IGT__S3_LIST_OBJECTS ? "" : req->key;
  igt_status status;

  igt__buf_clear(&priv->url);
  igt__buf_clear(&priv->query);
  status = igt__s3_locate(priv->s3, priv->used, key, &priv->url, priv->used_region, err);
  if (status)
    return status;
  if (priv->redirect[0]) {
    igt__buf_clear(&priv->scratch);
    igt__buf_printf(&priv->scratch, "%s%s", priv->redirect, path_of(priv->url.data));
    igt__buf_clear(&priv->url);
    igt__buf_append(&priv->url, priv->scratch.data, priv->scratch.len);
  }
  put_query(&priv->query, req);
  if (priv->url.failed || priv->query.failed || priv->scratch.failed)
    return igt__fail_memory(err);
  return IGT_OK;
}

static igt_status sign(igt__s3_request *req, const headers *h, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;
  igt__sigv4_key key;
  char signature[65];
  bool ok;
  igt__sigv4_request to_sign = {.method = req->http.method,
                                .path = path_of(priv->url.data),
                                .query = priv->query.data,
                                .headers = h->list,
                                .header_count = h->count,
                                .payload_hash = h->payload};

  igt__buf_clear(&priv->names);
  igt__buf_clear(&priv->value);
  igt__s3_signing_key(priv->used, h->date, priv->used_region, &key);
  ok = igt__sigv4_signed_headers(h->list, h->count, &priv->names);
  to_sign.signed_headers = priv->names.data;
  ok = ok &&
       igt__sigv4_sign(&key, &to_sign, h->date, priv->used_region, "s3", &priv->scratch,
                       signature) &&
       igt__sigv4_authorization(igt__secret_text(priv->used->access_key), h->date,
                                priv->used_region, "s3", priv->names.data, signature, &priv->value);
  igt__wipe(&key, sizeof key);
  igt__buf_clear(&priv->scratch);
  return ok ? IGT_OK : igt__fail_memory(err);
}

static igt_status hand_over(igt__s3_request *req, const headers *h, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;
  igt_status status = IGT_OK;

  if (priv->query.len > 0)
    igt__buf_printf(&priv->url, "?%s", priv->query.data);
  if (priv->url.failed)
    return igt__fail_memory(err);
  status = igt__http_set_url(&req->http, priv->url.data);
  igt__http_clear_headers(&req->http);
  for (size_t i = 1; i < h->count && !status; i++) /* 0 is Host: curl sends it */
    status = igt__http_add_header(&req->http, h->list[i].name, h->list[i].value);
  if (!status)
    status = igt__http_add_header(&req->http, "Authorization", priv->value.data);
  if (status == IGT_E_INVALID)
    return igt__fail(err, IGT_E_INVALID, "S3 credentials or names contain control characters");
  return status ? igt__fail(err, status, "%s", igt_status_text(status)) : IGT_OK;
}

igt_status igt__s3_prepare(igt__http_request *http, igt_error *err) {
  igt__s3_request *req = http->payload;
  struct igt__s3_request_private *priv = req->priv;
  headers h = {.count = 0};
  igt_status status;

  igt__s3_credentials_unref(priv->used);
  priv->used = igt__s3_provider_peek(req->provider);
  status = put_url(req, err);
  if (status)
    return status;
  const char *authority = strstr(priv->url.data, "://") + 3;
  snprintf(h.host, sizeof h.host, "%.*s", (int)(path_of(priv->url.data) - authority), authority);
  priv->used_offset = igt__s3_clock_offset(priv->s3);
  igt__time_format_basic(igt__wall_seconds() + priv->used_offset, h.date, sizeof h.date);
  add(&h, "Host", h.host);
  add_of_op(&h, req);
  add(&h, "x-amz-content-sha256", h.payload);
  add(&h, "x-amz-date", h.date);
  if (igt__secret_len(priv->used->session_token) > 0)
    add(&h, "x-amz-security-token", igt__secret_text(priv->used->session_token));
  status = sign(req, &h, err);
  return status ? status : hand_over(req, &h, err);
}
