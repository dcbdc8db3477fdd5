/* SPDX-License-Identifier: MIT */
/* Objects in another S3 (--s3-endpoint): get, open, put, delete and list as signed requests over
 * the library's HTTP client, each blocking until its response is complete. Bodies are buffered in
 * memory or streamed from a file. store/objects.c calls these functions when a backend is set;
 * main.c creates it, after checking that the bucket exists. Credentials for clients are in
 * s3_backend_sts.c. */
#include "store/s3_backend_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "s3/xml.h"

#define MAX_KEYS_FILE (16u * 1024)
/* The REST side only reads whole objects, for previews and archives. */
#define MAX_BODY (256u * 1024 * 1024)

/* ---- one request ---- */

static igt_status add_signature(sbx_s3_backend *backend, backend_request *req,
                                const char *timestamp, const char *hash) {
  igt__sigv4_header headers[4] = {{"Host", backend->host},
                                  {"x-amz-content-sha256", hash},
                                  {"x-amz-date", timestamp},
                                  {"Content-Type", req->content_type}};
  igt__sigv4_request signing = {.method = req->method,
                                .path = req->path,
                                .query = req->query,
                                .headers = headers,
                                .header_count = req->content_type ? 4 : 3,
                                .payload_hash = hash};
  igt__sigv4_key key;
  igt__buf names, scratch, value;
  char signature[65];
  igt_status status = IGT_E_NO_MEMORY;

  igt__buf_init(&names, 1024);
  igt__buf_init(&scratch, 1024 * 1024);
  igt__buf_init(&value, 4096);
  igt__sigv4_key_derive(backend->secret_key, strlen(backend->secret_key), timestamp,
                        backend->region, req->service, &key);
  if (igt__sigv4_signed_headers(headers, signing.header_count, &names)) {
    signing.signed_headers = names.data;
    if (igt__sigv4_sign(&key, &signing, timestamp, backend->region, req->service, &scratch,
                        signature) &&
        igt__sigv4_authorization(backend->access_key, timestamp, backend->region, req->service,
                                 names.data, signature, &value))
      status = igt__http_add_header(&req->http, "Authorization", value.data);
  }
  for (size_t i = 1; i < signing.header_count && status == IGT_OK; i++)
    status = igt__http_add_header(&req->http, headers[i].name, headers[i].value);
  igt__wipe(&key, sizeof key);
  igt__buf_finish(&names);
  igt__buf_finish_wipe(&scratch);
  igt__buf_finish_wipe(&value);
  return status;
}

static void read_error(igt__http_request *http, igt_error *err) {
  igt__s3_error_parse(http->response.data, http->response.len, err);
}

static void hash_body(const backend_request *req, char *hex) {
  unsigned char digest[IGT__DIGEST_MAX];

  if (req->fd >= 0) {
    memcpy(hex, IGT__SIGV4_UNSIGNED, sizeof IGT__SIGV4_UNSIGNED);
    return;
  }
  igt__digest_of(IGT__SHA256, req->body ? req->body : "", (size_t)req->body_len, digest);
  igt__hex(digest, 32, hex);
}

igt_status sbx__s3_backend_send(sbx_s3_backend *backend, backend_request *req, igt_error *err) {
  char timestamp[24], hash[65];
  igt__buf url;
  igt_status status = igt__http_request_init(&req->http, err);

  if (status != IGT_OK)
    return status;
  req->http.method = req->method;
  req->http.operation = "the S3 behind";
  req->http.body = req->body;
  req->http.body_fd = req->fd;
  req->http.body_len = req->body_len;
  req->http.max_body = MAX_BODY;
  req->http.idempotent = true;
  req->http.on_error_response = read_error;
  igt__buf_init(&url, 16 * 1024);
  igt__buf_printf(&url, "%s%s%s%s", backend->origin, req->path, *req->query ? "?" : "", req->query);
  hash_body(req, hash);
  igt__time_format_basic(igt__wall_seconds(), timestamp, sizeof timestamp);
  status = url.failed ? IGT_E_NO_MEMORY : igt__http_set_url(&req->http, url.data);
  if (status == IGT_OK)
    status = add_signature(backend, req, timestamp, hash);
  igt__buf_finish(&url);
  return status == IGT_OK ? igt__http_perform(backend->http, &req->http, err)
                          : igt__fail(err, status, "the request could not be built");
}

/* ---- objects ---- */

/* A request for one object, or for the bucket if key is NULL. */
static bool send_object(sbx_s3_backend *backend, backend_request *req, const char *key,
                        const char *query) {
  igt_error err = IGT_ERROR_INIT;
  igt__buf path;
  igt_status status = IGT_E_NO_MEMORY;

  igt__buf_init(&path, 8 * 1024);
  igt__buf_printf(&path, "/%s/", backend->bucket);
  if (key)
    igt__uri_encode(&path, key, strlen(key), true);
  req->service = "s3";
  req->path = path.data;
  req->query = query ? query : "";
  if (!path.failed)
    status = sbx__s3_backend_send(backend, req, &err);
  igt__buf_finish(&path);
  if (status != IGT_OK && status != IGT_E_NOT_FOUND)
    fprintf(stderr, "igtcloud-sandbox: %s %s: %s\n", req->method, key ? key : backend->bucket,
            err.text);
  return status == IGT_OK;
}

static bool read_head(const igt__http_request *http, const char *key, sbx_object *out) {
  const char *etag = igt__http_response_header(http, "ETag", 0);
  const char *modified = igt__http_response_header(http, "Last-Modified", 0);

  *out = (sbx_object){.size = (uint64_t)(http->content_length > 0 ? http->content_length : 0)};
  out->key = igt__strdup(key);
  if (etag)
    igt__s3_etag_copy(out->etag, sizeof out->etag, etag);
  if (modified)
    igt__http_date_parse(modified, &out->modified);
  return out->key != NULL;
}

bool sbx_s3_backend_get(sbx_s3_backend *backend, const char *key, sbx_object *out) {
  backend_request req = {.method = "HEAD", .fd = -1};
  bool ok = send_object(backend, &req, key, NULL) && read_head(&req.http, key, out);

  igt__http_request_finish(&req.http);
  return ok;
}

static int to_file(const igt__buf *bytes) {
  char path[] = "/tmp/igtcloud-sandbox-XXXXXX";
  int fd = mkostemp(path, O_CLOEXEC);

  if (fd < 0)
    return -1;
  unlink(path);
  if (igt__fd_write(fd, bytes->data, bytes->len) && lseek(fd, 0, SEEK_SET) == 0)
    return fd;
  close(fd);
  return -1;
}

int sbx_s3_backend_open(sbx_s3_backend *backend, const char *key, sbx_object *out) {
  backend_request req = {.method = "GET", .fd = -1};
  int fd = -1;

  if (send_object(backend, &req, key, NULL) && read_head(&req.http, key, out)) {
    out->size = req.http.response.len;
    fd = to_file(&req.http.response);
    if (fd < 0)
      sbx_object_finish(out);
  }
  igt__http_request_finish(&req.http);
  return fd;
}

bool sbx_s3_backend_put(sbx_s3_backend *backend, int fd, uint64_t size, const sbx_object *object) {
  backend_request req = {.method = "PUT",
                         .fd = size > 0 ? fd : -1,
                         .body_len = size,
                         .content_type = object->content_type};
  bool ok = send_object(backend, &req, object->key, NULL);

  igt__http_request_finish(&req.http);
  return ok;
}

bool sbx_s3_backend_delete(sbx_s3_backend *backend, const char *key) {
  backend_request req = {.method = "DELETE", .fd = -1};
  bool ok = send_object(backend, &req, key, NULL);

  igt__http_request_finish(&req.http);
  return ok;
}

/* Lists one page; *more: another page follows. */
static bool each_page(sbx_s3_backend *backend, const char *prefix, char **after,
                      bool (*fn)(void *payload, const sbx_object *object), void *payload,
                      bool *more) {
  backend_request req = {.method = "GET", .fd = -1};
  igt__s3_request page = {.op = IGT__S3_LIST_OBJECTS};
  igt__buf query;
  bool ok;

  igt__buf_init(&query, 16 * 1024);
  igt__buf_puts(&query, "list-type=2&prefix=");
  igt__uri_encode(&query, prefix, strlen(prefix), false);
  igt__buf_puts(&query, "&start-after=");
  igt__uri_encode(&query, *after, strlen(*after), false);
  ok = !query.failed && send_object(backend, &req, NULL, query.data) &&
       igt__s3_objects_parse(req.http.response.data, req.http.response.len, &page, NULL) == IGT_OK;
  *more = ok && page.truncated && page.object_count > 0;
  for (size_t i = 0; ok && i < page.object_count; i++) {
    const igt__s3_object *o = &page.objects[i];
    sbx_object object = {.key = o->key, .size = o->size, .modified = o->last_modified};
    snprintf(object.etag, sizeof object.etag, "%s", o->etag);
    if (!fn(payload, &object)) {
      *more = false;
      break;
    }
  }
  if (*more) {
    igt__free(*after);
    *after = igt__strdup(page.objects[page.object_count - 1].key);
    ok = *after != NULL;
  }
  igt__s3_request_finish(&page);
  igt__http_request_finish(&req.http);
  igt__buf_finish(&query);
  return ok;
}

bool sbx_s3_backend_each(sbx_s3_backend *backend, const char *prefix, const char *after,
                         bool (*fn)(void *payload, const sbx_object *object), void *payload) {
  char *at = igt__strdup(after);
  bool more = at != NULL, ok = more;

  while (ok && more)
    ok = each_page(backend, prefix, &at, fn, payload, &more);
  igt__free(at);
  return ok;
}

/* ---- setup ---- */

static bool read_keys(sbx_s3_backend *backend, const char *path, igt_error *err) {
  char *text = NULL;
  size_t n = 0;
  igt__json *doc = NULL;
  const char *access, *secret;
  bool ok = igt__file_read(path, MAX_KEYS_FILE, &text, &n, err) == IGT_OK &&
            igt__json_parse(text, n, path, &doc, err) == IGT_OK;

  access = igt__json_get_str(doc, "accessKey");
  secret = igt__json_get_str(doc, "secretKey");
  if (ok && (!access || !secret || strlen(access) >= sizeof backend->access_key ||
             strlen(secret) >= sizeof backend->secret_key)) {
    igt__fail(err, IGT_E_PARSE, "%s needs accessKey and secretKey", path);
    ok = false;
  }
  if (ok) {
    igt__str_copy(backend->access_key, sizeof backend->access_key, access);
    igt__str_copy(backend->secret_key, sizeof backend->secret_key, secret);
  }
  igt__json_free_wipe(doc);
  if (text)
    igt__wipe(text, n);
  igt__free(text);
  return ok;
}

static bool has_bucket(sbx_s3_backend *backend, igt_error *err) {
  char path[80];
  backend_request req = {.method = "HEAD", .service = "s3", .path = path, .query = "", .fd = -1};

  snprintf(path, sizeof path, "/%s/", backend->bucket);
  bool ok = sbx__s3_backend_send(backend, &req, err) == IGT_OK;
  igt__http_request_finish(&req.http);
  return ok;
}

sbx_s3_backend *sbx_s3_backend_new(const sbx_s3_backend_options *options, char *error,
                                   size_t error_cap) {
  const igt__http_options http = {.user_agent = "igtcloud-sandbox"};
  sbx_s3_backend *backend = igt__calloc(1, sizeof *backend);
  igt_error err = IGT_ERROR_INIT;
  igt__url url;
  bool ok = backend && igt__url_parse(options->endpoint, "--s3-endpoint", &url, &err) == IGT_OK;

  if (ok) {
    igt__url_origin(&url, backend->origin, sizeof backend->origin);
    snprintf(backend->host, sizeof backend->host, "%s", strstr(backend->origin, "://") + 3);
    snprintf(backend->region, sizeof backend->region, "%s", options->region);
    snprintf(backend->bucket, sizeof backend->bucket, "%s", options->bucket);
    snprintf(backend->role, sizeof backend->role, "%s", options->role);
    ok = read_keys(backend, options->keys, &err) &&
         igt__http_new(&http, &backend->http, &err) == IGT_OK && has_bucket(backend, &err);
  }
  if (ok)
    return backend;
  snprintf(error, error_cap, "the S3 behind: %s", backend ? err.text : "out of memory");
  sbx_s3_backend_free(backend);
  return NULL;
}

void sbx_s3_backend_free(sbx_s3_backend *backend) {
  if (!backend)
    return;
  igt__http_free(backend->http);
  igt__wipe(backend, sizeof *backend);
  igt__free(backend);
}
