/* SPDX-License-Identifier: MIT */
/* The life of a request: it gets credentials from its provider, is signed (sign.c) and submitted to
 * lib/http, which retries transient failures by itself. When it is done, response.c has decided
 * whether something was learned from the response (a region, the clock, expired credentials) with
 * which an immediate retry can succeed; on_done then starts over with the same request. Otherwise
 * the caller's on_done is called, once, on the loop's thread. lib/transfer submits all object
 * requests here; igt__s3_perform is the blocking form. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/free_list.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "s3/internal.h"

/* How often a request is retried for each reason. Credentials: a lifetime of 2 s can end again
 * while a request backs off; a store that rejects new ones five times will not accept any. */
static const unsigned char most_retries[IGT__S3_AGAIN_COUNT] = {
    [IGT__S3_AGAIN_CREDENTIALS] = 5, [IGT__S3_AGAIN_REGION] = 2,    [IGT__S3_AGAIN_REDIRECT] = 2,
    [IGT__S3_AGAIN_CLOCK] = 2,       [IGT__S3_AGAIN_CHECKSUMS] = 1, [IGT__S3_AGAIN_COMPLETE] = 4,
    [IGT__S3_AGAIN_DAMAGED] = 2};

static const struct {
  const char *method, *name;
  bool idempotent;
} ops[] = {
    [IGT__S3_GET] = {"GET", "GetObject", true},
    [IGT__S3_HEAD] = {"HEAD", "HeadObject", true},
    [IGT__S3_PUT] = {"PUT", "PutObject", true},
    [IGT__S3_CREATE_MULTIPART] = {"POST", "CreateMultipartUpload", true},
    [IGT__S3_UPLOAD_PART] = {"PUT", "UploadPart", true},
    [IGT__S3_COMPLETE_MULTIPART] = {"POST", "CompleteMultipartUpload", false},
    [IGT__S3_ABORT_MULTIPART] = {"DELETE", "AbortMultipartUpload", true},
    [IGT__S3_LIST_PARTS] = {"GET", "ListParts", true},
    [IGT__S3_LIST_OBJECTS] = {"GET", "ListObjectsV2", true},
};

/* As in lib/http/request.c. */
#define FREE_MOST 128
#define KEPT_SCRATCH (16u * 1024) /* header lines and errors that need more are rare */

static igt__free_list free_requests = IGT__FREE_LIST_INIT(FREE_MOST);

static void free_private(struct igt__s3_request_private *priv) {
  igt__buf_finish(&priv->complete);
  igt__buf_finish(&priv->url);
  igt__buf_finish(&priv->query);
  igt__buf_finish(&priv->scratch);
  igt__buf_finish(&priv->names);
  igt__buf_finish(&priv->value);
  igt__free(priv->post);
  igt__free(priv);
}

void igt__s3_requests_trim(void) {
  struct igt__s3_request_private *priv;

  while ((priv = igt__free_list_take(&free_requests)) != NULL)
    free_private(priv);
}

static struct igt__s3_request_private *private_new(void) {
  struct igt__s3_request_private *priv = igt__calloc(1, sizeof *priv);

  if (!priv || !(priv->post = igt__http_post_new())) {
    igt__free(priv);
    return NULL;
  }
  igt__buf_init(&priv->complete, 4u * 1024 * 1024); /* 10,000 parts of 250 bytes */
  igt__buf_init(&priv->url, 16 * 1024);
  igt__buf_init(&priv->query, 16 * 1024);
  igt__buf_init(&priv->scratch, IGT__MAX_ERROR_BODY + 4 * IGT__MAX_TOKEN);
  igt__buf_init(&priv->names, 1024);
  igt__buf_init(&priv->value, 4096);
  return priv;
}

/* Resets it to its initial state but keeps the memory of its buffers. */
static void renew(struct igt__s3_request_private *priv) {
  struct igt__s3_request_private old = *priv;

  memset(priv, 0, sizeof *priv);
  priv->complete = old.complete, priv->post = old.post;
  priv->url = old.url, priv->query = old.query, priv->scratch = old.scratch;
  priv->names = old.names, priv->value = old.value;
}

igt_status igt__s3_request_init(igt__s3_request *req, igt__s3_op op, igt_error *err) {
  struct igt__s3_request_private *priv = igt__free_list_take(&free_requests);
  igt_status status;

  memset(req, 0, sizeof *req);
  req->op = op;
  req->body_fd = -1;
  if (priv)
    renew(priv);
  else if (!(priv = private_new()))
    return igt__fail_memory(err);
  status = igt__http_request_init(&req->http, err);
  if (status) {
    free_private(priv);
    return status;
  }
  priv->req = req;
  req->priv = priv;
  return IGT_OK;
}

static void forget_lists(igt__s3_request *req) {
  for (size_t i = 0; i < req->object_count; i++)
    igt__free(req->objects[i].key);
  igt__free(req->objects);
  igt__free(req->listed);
  req->objects = NULL;
  req->listed = NULL;
  req->object_count = req->listed_count = 0;
}

void igt__s3_request_finish(igt__s3_request *req) {
  struct igt__s3_request_private *priv = req->priv;

  forget_lists(req);
  igt__free(req->new_upload_id);
  req->new_upload_id = NULL;
  if (!priv)
    return;
  igt__http_request_finish(&req->http);
  igt__s3_credentials_unref(priv->used);
  igt__buf_wipe(&priv->scratch); /* it contained the session token */
  igt__buf_wipe(&priv->value);
  igt__buf_clear(&priv->url);
  igt__buf_clear(&priv->query);
  igt__buf_clear(&priv->names);
  if (!priv->post || priv->complete.cap || priv->scratch.cap > KEPT_SCRATCH ||
      !igt__free_list_give(&free_requests, priv))
    free_private(priv);
  req->priv = NULL;
}

/* ---- blocking ---- */

static void report(igt__s3_request *req, igt_status status, const igt_error *err) {
  igt__completion *completion = req->priv->completion;

  if (completion)
    igt__completion_set(completion, status, err);
  else
    req->on_done(req, status, err);
}

igt_status igt__s3_perform(igt__s3 *s3, igt__s3_request *req, igt_error *err) {
  igt__completion completion;
  igt_status status;

  igt__completion_init(&completion);
  req->priv->completion = &completion;
  igt__s3_submit(s3, 0, req);
  status = igt__completion_finish(&completion, err);
  req->priv->completion = NULL;
  return status;
}

/* ---- submit ---- */

static void report_error(void *payload) {
  struct igt__s3_request_private *priv = payload;
  igt_error err = priv->err;

  report(priv->req, err.status, &err);
}

/* on_done must run on the loop's thread, whatever thread found the failure. */
static void fail_on_loop(struct igt__s3_request_private *priv) {
  igt__post *post = priv->post;

  priv->post = NULL;
  snprintf(priv->err.operation, sizeof priv->err.operation, "%s", priv->req->http.operation);
  igt__http_post_with(priv->s3->http, priv->loop, post, 0, report_error, priv);
}

static void on_credentials(igt__s3_waiter *waiter, igt_status status, const igt_error *err) {
  struct igt__s3_request_private *priv = (struct igt__s3_request_private *)waiter;

  if (!status) {
    igt__http_submit(priv->s3->http, priv->loop, &priv->req->http);
    return;
  }
  igt__error_keep(&priv->err, err);
  priv->err.status = status;
  fail_on_loop(priv);
}

static void begin(void *payload) {
  struct igt__s3_request_private *priv = payload;
  igt__s3_credentials *c = igt__s3_provider_get(priv->req->provider, &priv->waiter);

  if (!c)
    return; /* on_credentials continues */
  igt__s3_credentials_unref(c);
  igt__http_submit(priv->s3->http, priv->loop, &priv->req->http);
}

/* 500 ms * 2^n with full jitter, like the back-off of lib/http. */
static unsigned pause_ms(unsigned n) {
  return (unsigned)(igt__jitter() % (500u << n));
}

static bool send_again(igt__s3_request *req) {
  struct igt__s3_request_private *priv = req->priv;
  igt__s3_again again = priv->again;

  priv->again = IGT__S3_AGAIN_NO;
  if (again == IGT__S3_AGAIN_NO || igt__cancel_is_set(req->cancel) ||
      priv->repeats[again] >= most_retries[again])
    return false;
  priv->repeats[again]++;
  forget_lists(req);
  igt__buf_clear(&priv->scratch);
  if (again == IGT__S3_AGAIN_COMPLETE)
    igt__http_post_after(priv->s3->http, priv->loop, pause_ms(priv->repeats[again]), begin, priv);
  else
    begin(priv);
  return true;
}

static void on_http_done(igt__http_request *http, igt_status status, const igt_error *error) {
  igt__s3_request *req = http->payload;
  struct igt__s3_request_private *priv = req->priv;
  igt_error err = IGT_ERROR_INIT;

  if (status && error)
    igt__error_keep(&err, error);
  status = igt__s3_conclude(req, status, &err);
  if (status && status != IGT_E_CANCELLED && send_again(req))
    return;
  if (status && !err.operation[0])
    snprintf(err.operation, sizeof err.operation, "%s", http->operation);
  if (status && !err.request_id[0]) {
    const char *id = igt__http_response_header(http, "x-amz-request-id", 0);
    snprintf(err.request_id, sizeof err.request_id, "%s", id ? id : "");
  }
  igt__buf_clear(&priv->scratch);
  igt__error_redact(&err);
  report(req, status, &err);
}

/* Leaves the retry to the caller. */
static void leave_to_caller(igt__s3_request *req, igt__retry *retry) {
  if (!req->once || (*retry != IGT__RETRY_TRANSIENT && *retry != IGT__RETRY_THROTTLED))
    return;
  req->broke = true;
  *retry = IGT__RETRY_NEVER;
}

static bool on_http_retry(igt__http_request *http, const igt_error *err, igt__retry *retry) {
  igt__s3_request *req = http->payload;
  const struct igt__s3_request_private *priv = req->priv;

  /* on_done starts the retries that this layer makes itself. */
  if (priv->again != IGT__S3_AGAIN_NO && priv->repeats[priv->again] < most_retries[priv->again])
    *retry = IGT__RETRY_NEVER;
  /* A lost response leaves an upload that nobody knows: one of these is enough. */
  if (req->op == IGT__S3_CREATE_MULTIPART && http->attempts > 1 && *retry == IGT__RETRY_TRANSIENT &&
      err->status != IGT_E_CONNECT && err->status != IGT_E_RESOLVE &&
      (!err->http_status || err->http_status == 500))
    *retry = IGT__RETRY_NEVER;
  leave_to_caller(req, retry);
  return false;
}

static void on_http_progress(igt__http_request *http, uint64_t up, uint64_t down) {
  igt__s3_request *req = http->payload;

  req->on_progress(req, up, down);
}

static void reset_response(igt__s3_request *req) {
  forget_lists(req);
  req->http_status = 0;
  req->content_length = -1;
  req->object_size = 0;
  req->size_known = false;
  req->last_modified = 0;
  req->parts_count = req->next_marker = 0;
  req->truncated = req->unverified = req->broke = req->is_weak = false;
  req->etag[0] = req->checksum_alg[0] = req->checksum[0] = req->sse[0] = '\0';
  igt__free(req->new_upload_id);
  req->new_upload_id = NULL;
}

static void set_body(igt__s3_request *req) {
  igt__http_request *http = &req->http;

  http->body = req->body;
  http->body_fd = req->body_fd;
  http->body_offset = req->body_offset;
  http->body_len = req->body_len;
  if (req->op == IGT__S3_COMPLETE_MULTIPART) {
    http->body = req->priv->complete.data;
    http->body_fd = -1;
    http->body_offset = 0;
    http->body_len = req->priv->complete.len;
  }
}

static void set_http(igt__s3_request *req) {
  igt__http_request *http = &req->http;

  http->method = ops[req->op].method;
  http->operation = ops[req->op].name;
  http->patient = true;
  http->idempotent = ops[req->op].idempotent;
  http->redirects_are_responses = true; /* a 301 names the bucket's region in its document */
  http->cancel = req->cancel;
  http->payload = req;
  http->prepare = igt__s3_prepare;
  http->on_headers = igt__s3_on_headers;
  http->on_data = req->op == IGT__S3_GET && req->on_data ? igt__s3_on_data : NULL;
  http->on_restart = igt__s3_on_restart;
  http->on_error_response = igt__s3_on_error_response;
  http->on_retry = on_http_retry;
  http->on_done = on_http_done;
  http->on_progress = req->on_progress ? on_http_progress : NULL;
  if (req->op != IGT__S3_GET)
    http->max_body = IGT__MAX_XML_BODY;
  set_body(req);
}

static igt_status check_request(const igt__s3_request *req, igt_error *err) {
  bool part = req->op == IGT__S3_UPLOAD_PART;
  bool upload = part || req->op == IGT__S3_COMPLETE_MULTIPART ||
                req->op == IGT__S3_ABORT_MULTIPART || req->op == IGT__S3_LIST_PARTS;

  if (!req->provider || (req->op != IGT__S3_LIST_OBJECTS && (!req->key || !*req->key)))
    return igt__fail(err, IGT_E_INVALID, "an S3 request needs credentials and a key");
  if (upload && (!req->upload_id || !*req->upload_id))
    return igt__fail(err, IGT_E_INVALID, "an S3 request needs the upload's id");
  if ((part && req->part_number == 0) || req->part_number > IGT__S3_MAX_PARTS)
    return igt__fail(err, IGT_E_INVALID, "an S3 part is numbered from 1 to %d", IGT__S3_MAX_PARTS);
  if (req->ranged && req->first > req->last)
    return igt__fail(err, IGT_E_INVALID, "an S3 range ends before it starts");
  return IGT_OK;
}

void igt__s3_submit(igt__s3 *s3, unsigned loop, igt__s3_request *req) {
  struct igt__s3_request_private *priv = req->priv;

  priv->s3 = s3;
  priv->loop = loop;
  priv->waiter.done = on_credentials;
  priv->again = IGT__S3_AGAIN_NO;
  priv->redirect[0] = '\0';
  priv->without_checksums = false;
  priv->taken = 0;
  req->http.kept = 0;
  memset(priv->repeats, 0, sizeof priv->repeats);
  igt__buf_clear(&priv->scratch);
  igt__buf_clear(&priv->complete);
  reset_response(req);
  if (req->op == IGT__S3_COMPLETE_MULTIPART)
    igt__s3_complete_encode(req->parts, req->part_count, !atomic_load(&s3->no_checksums),
                            &priv->complete);
  set_http(req);
  if (check_request(req, &priv->err)) {
    fail_on_loop(priv);
  } else if (priv->complete.failed) {
    igt__fail_memory(&priv->err);
    fail_on_loop(priv);
  } else {
    begin(priv);
  }
}
