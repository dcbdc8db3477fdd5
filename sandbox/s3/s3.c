/* SPDX-License-Identifier: MIT */
/* The S3 handler: from a request to its operation. sbx_s3_handler's begin decodes bucket and key,
 * finds the operation by method and query, authenticates (auth.c), checks the account's rights and
 * starts the payload; body feeds payload.c; end runs the operation. The operations are in the other
 * files of this folder. main.c routes here everything that is not REST. */
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_KEY 1024

/* ---- which operation ---- */

/* Parts of S3 that the sandbox does not implement. Without this, "GET key?acl" would return the
 * object. */
static const char *const unsupported[] = {"accelerate",
                                          "acl",
                                          "analytics",
                                          "attributes",
                                          "cors",
                                          "encryption",
                                          "intelligent-tiering",
                                          "inventory",
                                          "legal-hold",
                                          "lifecycle",
                                          "logging",
                                          "metrics",
                                          "notification",
                                          "object-lock",
                                          "ownershipControls",
                                          "policy",
                                          "policyStatus",
                                          "publicAccessBlock",
                                          "replication",
                                          "requestPayment",
                                          "restore",
                                          "retention",
                                          "select",
                                          "session",
                                          "torrent",
                                          "versions",
                                          "website",
                                          "append"};

static bool is_supported(const s3_call *call) {
  if (sbx_header(call->req, "x-amz-tagging"))
    return false;
  for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++)
    if (sbx_query_has(call->req, unsupported[i]))
      return false;
  return true;
}

static bool has(const s3_call *call, const char *name) {
  return sbx_query_has(call->req, name);
}

static const s3_operation *bucket_operation(const s3_call *call) {
  const char *method = call->req->method;

  if (strcmp(method, "GET") == 0) {
    if (has(call, "location"))
      return &s3_get_location;
    if (has(call, "versioning"))
      return &s3_get_versioning;
    if (has(call, "uploads"))
      return &s3_list_uploads;
    const char *type = sbx_query(call->req, "list-type", 0);
    return type && strcmp(type, "2") == 0 ? &s3_list_objects_v2 : &s3_list_objects;
  }
  if (strcmp(method, "HEAD") == 0)
    return &s3_head_bucket;
  if (strcmp(method, "PUT") == 0 && !has(call, "versioning"))
    return &s3_create_bucket;
  return strcmp(method, "POST") == 0 && has(call, "delete") ? &s3_delete_objects : NULL;
}

static const s3_operation *object_operation(const s3_call *call) {
  const char *method = call->req->method;
  bool upload = has(call, "uploadId");

  if (has(call, "tagging"))
    return strcmp(method, "GET") == 0 ? &s3_get_tagging : NULL;
  if (strcmp(method, "GET") == 0)
    return upload ? &s3_list_parts : &s3_get_object;
  if (strcmp(method, "HEAD") == 0)
    return &s3_head_object;
  if (strcmp(method, "PUT") == 0) {
    bool copy = sbx_header(call->req, "x-amz-copy-source");
    if (upload)
      return copy ? &s3_copy_part : &s3_upload_part;
    return copy ? &s3_copy_object : &s3_put_object;
  }
  if (strcmp(method, "POST") == 0)
    return has(call, "uploads") ? &s3_create_upload : upload ? &s3_complete_upload : NULL;
  if (strcmp(method, "DELETE") == 0)
    return upload ? &s3_abort_upload : &s3_delete_object;
  return NULL;
}

static bool find_operation(s3_call *call) {
  if (!is_supported(call)) {
    s3_fail(call, S3_NOT_IMPLEMENTED, NULL);
    return false;
  }
  if (call->key)
    call->op = object_operation(call);
  else if (call->bucket)
    call->op = bucket_operation(call);
  else if (strcmp(call->req->method, "GET") == 0)
    call->op = &s3_list_buckets;
  if (call->op)
    return true;
  s3_fail(call, S3_METHOD_NOT_ALLOWED, NULL);
  return false;
}

/* ---- which object ---- */

/* NULL: an invalid escape, a NUL, or not UTF-8. */
static const char *decode(s3_call *call, const char *s, size_t n) {
  igt__buf plain;
  const char *out = NULL;

  igt__buf_init(&plain, n + 1);
  if (igt__uri_decode(&plain, s, n, false) && strlen(plain.data) == plain.len &&
      igt__utf8_valid(plain.data, plain.len))
    out = igt__arena_strdup(call->arena, plain.data);
  igt__buf_finish(&plain);
  return out;
}

static bool find_place(s3_call *call) {
  const char *path = call->req->path;

  if (*path != '/') {
    s3_fail(call, S3_INVALID_URI, NULL);
    return false;
  }
  size_t n = strcspn(path + 1, "/");
  const char *key = path[1 + n] ? path + 1 + n + 1 : "";
  if (n > 0)
    call->bucket = decode(call, path + 1, n);
  if (*key)
    call->key = decode(call, key, strlen(key));
  if ((n > 0 && !call->bucket) || (*key && !call->key) || (n == 0 && *key)) {
    s3_fail(call, S3_INVALID_URI, NULL);
    return false;
  }
  if (call->key && strlen(call->key) > MAX_KEY) {
    s3_fail(call, S3_KEY_TOO_LONG, NULL);
    return false;
  }
  return true;
}

/* Checked after the signature, so that strangers cannot find out what exists. */
static bool check_place(s3_call *call) {
  if (call->bucket && strcmp(call->bucket, SBX_BUCKET) != 0) {
    s3_fail(call, S3_NO_SUCH_BUCKET, NULL);
    return false;
  }
  /* Operations on a bucket check the names that they use themselves, if any. */
  bool listing = call->op == &s3_list_objects || call->op == &s3_list_objects_v2;
  if (listing || s3_allowed(call, call->op->right, SBX_BUCKET, call->key ? call->key : ""))
    return true;
  s3_fail(call, S3_ACCESS_DENIED, NULL);
  return false;
}

/* ---- the handler ---- */

/* "x-amz-request-id": 16 hex digits; identifies a request in the clients' logs. */
static void make_id(s3_call *call) {
  static atomic_uint_fast64_t counter;

  snprintf(call->id, sizeof call->id, "%016llX",
           (unsigned long long)(atomic_fetch_add(&counter, 1) + 1));
}

static void begin(void *server, sbx_request *req) {
  s3_call *call = igt__calloc(1, sizeof *call);

  if (!call) {
    sbx_respond(req, 500, NULL, NULL, 0);
    return;
  }
  req->state = call;
  call->server = server;
  call->req = req;
  igt__buf_init(&call->text, 0);
  igt__buf_init(&call->payload.line, 0);
  make_id(call);
  sbx_add_header(req, "x-amz-request-id", call->id);
  call->arena = igt__arena_new(0);
  if (!call->arena) {
    s3_fail(call, S3_INTERNAL, NULL);
    return;
  }
  if (find_place(call) && s3_authenticate(call) && find_operation(call) && check_place(call) &&
      s3_payload_begin(call) && call->op->begin)
    call->op->begin(call);
}

static bool body(void *server, sbx_request *req, const char *data, size_t n) {
  (void)server;
  return s3_payload_write(req->state, data, n);
}

static void end(void *server, sbx_request *req) {
  s3_call *call = req->state;

  (void)server;
  if (s3_payload_end(call))
    call->op->run(call);
}

static void done(void *server, sbx_request *req) {
  s3_call *call = req->state;

  (void)server;
  if (!call)
    return;
  sbx_incoming_discard(call->in);
  sbx_upload_finish(&call->upload);
  s3_payload_finish(&call->payload);
  igt__buf_finish(&call->text);
  igt__arena_free(call->arena);
  igt__wipe(call, sizeof *call);
  igt__free(call);
}

const sbx_handler sbx_s3_handler = {begin, body, end, done};
