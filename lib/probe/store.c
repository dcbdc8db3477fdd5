/* SPDX-License-Identifier: MIT */
/* One request or three to the store, with credentials for a project's prefix. What is uploaded is a
 * part of a multipart upload that is never completed, so no object exists at any time, and the
 * abort, which no cancel reaches, deletes the part. */
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "cloud/credentials.h"
#include "igtcloud/probe.h"
#include "transfer/single/object.h"

#define UPLOAD_MOST ((uint64_t)64 * 1024 * 1024)

typedef struct probe {
  igt_client *client;
  igt__s3 *s3;
  igt__s3_provider *provider;
  char key[1100];
  igt_store_info *out;
} probe;

/* ---- where it is ---- */

static void take_origin(const char *url, char *out, size_t cap) {
  const char *host = strstr(url, "://");
  size_t n = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/") : 0;

  (void)snprintf(out, cap, "%.*s", (int)n, url);
}

static igt_status locate(probe *p, const char *action, const char *prefix, igt_error *err) {
  igt__s3_credentials *c = NULL;
  igt_status status = igt__cloud_credentials(p->client, action, prefix, &c, err);
  igt__buf url;

  if (status != IGT_OK)
    return status;
  igt__buf_init(&url, 4096);
  status = igt__s3_locate(p->s3, c, "", &url, p->out->region, err);
  if (status == IGT_OK)
    take_origin(url.data, p->out->endpoint, sizeof p->out->endpoint);
  igt__str_copy(p->out->bucket, sizeof p->out->bucket, c->bucket);
  p->out->expires = c->expires;
  igt__buf_finish(&url);
  igt__s3_credentials_unref(c);
  return status;
}

/* ---- requests ---- */

static igt_status prepare(probe *p, igt__s3_op op, igt__s3_request *req, igt_error *err) {
  igt_status status = igt__s3_request_init(req, op, err);

  req->provider = p->provider;
  req->key = p->key;
  req->cancel = igt__client_cancel(p->client);
  return status;
}

/* The store responds that there is no such object, or, to an account that may not list, that this
 * is not allowed: either shows that it was reached, and the region is learned. */
static igt_status look(probe *p, igt_error *err) {
  igt__s3_request req;
  igt_status status = prepare(p, IGT__S3_HEAD, &req, err);

  if (status != IGT_OK)
    return status;
  status = igt__s3_perform(p->s3, &req, err);
  igt__s3_request_finish(&req);
  if (status != IGT_E_NOT_FOUND && status != IGT_E_FORBIDDEN)
    return status;
  igt__error_clear(err);
  return IGT_OK;
}

static igt_status create(probe *p, char **id, igt_error *err) {
  igt__s3_request req;
  igt_status status = prepare(p, IGT__S3_CREATE_MULTIPART, &req, err);

  if (status != IGT_OK)
    return status;
  status = igt__s3_perform(p->s3, &req, err);
  if (status == IGT_OK && !(*id = igt__strdup(req.new_upload_id)))
    status = igt__fail_memory(err);
  igt__s3_request_finish(&req);
  return status;
}

static igt_status send(probe *p, const char *id, const void *data, uint64_t n, igt_error *err) {
  igt__s3_request req;
  igt_status status = prepare(p, IGT__S3_UPLOAD_PART, &req, err);
  int64_t begin = igt__mono_us();

  if (status != IGT_OK)
    return status;
  req.upload_id = id;
  req.part_number = 1;
  req.body = data;
  req.body_len = n;
  igt__digest_of(IGT__SHA256, data, n, req.sha256);
  req.has_md5 = true; /* of a store that does not verify SHA-256 */
  igt__digest_of(IGT__MD5, data, n, req.md5);
  status = igt__s3_perform(p->s3, &req, err);
  igt__s3_request_finish(&req);
  if (status == IGT_OK) {
    p->out->uploaded = n;
    p->out->upload_us = (uint64_t)(igt__mono_us() - begin);
  }
  return status;
}

static igt_status abandon(probe *p, const char *id) {
  igt__s3_request req;
  igt_status status = prepare(p, IGT__S3_ABORT_MULTIPART, &req, NULL);

  if (status != IGT_OK)
    return status;
  req.cancel = NULL;
  req.upload_id = id;
  status = igt__s3_perform(p->s3, &req, NULL);
  igt__s3_request_finish(&req);
  return status;
}

static igt_status upload(probe *p, uint64_t n, igt_error *err) {
  char *id = NULL;
  void *data = igt__malloc(n);
  igt_status status = data ? create(p, &id, err) : igt__fail_memory(err);

  if (status == IGT_OK) {
    if (!igt__random(data, n)) /* random bytes do not compress on the way */
      memset(data, 'x', n);
    status = send(p, id, data, n, err);
    p->out->upload_abort = abandon(p, id);
  }
  igt__free(id);
  igt__free(data);
  return status;
}

static igt_status run(probe *p, const char *prefix, uint64_t bytes, igt_error *err) {
  const char *action = bytes ? "PUT" : "GET";
  igt_status status;

  (void)snprintf(p->key, sizeof p->key, "%s.igtcloud-doctor", prefix);
  p->s3 = igt__object_store(p->client);
  p->provider = igt__object_provider(p->client, action, prefix);
  if (!p->s3 || !p->provider)
    return igt__fail_memory(err);
  status = locate(p, action, prefix, err);
  if (status == IGT_OK)
    status = bytes ? upload(p, bytes, err) : look(p, err);
  if (status == IGT_OK) /* the region may have been learned */
    status = locate(p, action, prefix, err);
  return status;
}

igt_status igt_probe_store(igt_client *client, const char *prefix, uint64_t upload_bytes,
                           igt_store_info *out, igt_error *err) {
  igt_store_info own = IGT_STORE_INFO_INIT;
  probe p = {.client = client, .out = &own};
  igt_status status = igt__result_check(out, "igt_store_info", err);

  igt__error_clear(err);
  if (status == IGT_OK && (!client || !prefix || !*prefix || strlen(prefix) > 1024))
    status = igt__fail(err, IGT_E_INVALID, "a client and a prefix are required");
  if (status == IGT_OK && upload_bytes > UPLOAD_MOST)
    status = igt__fail(err, IGT_E_INVALID, "at most 64 MiB can be uploaded as a test");
  if (status != IGT_OK)
    return status;
  status = run(&p, prefix, upload_bytes, err);
  igt__s3_provider_unref(p.provider);
  igt__result_write(out, &own, sizeof own);
  return status;
}

IGT__DEFINE_INIT(igt_store_info)
