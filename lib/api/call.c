/* SPDX-License-Identifier: MIT */
/* Runs a described operation (model/operation.h): request.c builds the request, the session
 * authorizes it, and the response is decoded as a whole, streamed as a list element by element, or
 * written as a file. A 401 renews the session and retries once. lib/http retries what failed before
 * any byte was handed on; a response that breaks off later is requested again here, and the bytes
 * already handed on are compared by length and CRC and skipped. Called by the generated functions
 * of igtcloud/operations.h. */
#include "api/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/request.h"
#include "api/response.h"
#include "auth/response.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "crypto/crc.h"

#define READ_SIZE (128u * 1024)

/* A call in progress: the request, which may be sent twice, and what is done with the response. */
typedef struct igt__running {
  igt_client *client;
  const igt__call *call;
  igt__buf url;
  igt__buf body;
  unsigned generation; /* of the token that was sent */
  int64_t deadline_us; /* of all attempts; 0: none */
  igt_status (*run)(struct igt__running *running, igt__http_request *req, igt_error *err);

  /* For a response that is handed on while it arrives: length and CRC of what was handed on, to
   * verify that another attempt returns the same response. */
  uint64_t taken, again;
  uint64_t taken_crc, again_crc;
  bool broke;                     /* in the middle */
  int64_t began_us, caught_up_us; /* of this attempt; caught up with what was handed on; 0: not */

  igt_model **out;    /* for a whole response */
  igt__element_fn fn; /* for a list */
  struct igt__element_call *list;
  igt_write_fn write; /* for a file */
  void *payload;
} igt__running;

static igt_status run_whole(igt__running *running, igt__http_request *req, igt_error *err);

/* ---- sending ---- */

static igt_status prepare(igt__running *running, igt__http_request *req, igt_error *err) {
  igt_status status =
      igt__call_prepare(running->call, running->client, &running->url, &running->body, req, err);

  if (running->call->timeout_ms && !running->deadline_us)
    running->deadline_us = igt__mono_us() + (int64_t)running->call->timeout_ms * 1000;
  req->deadline_us = running->deadline_us;
  if (status == IGT_OK && !running->call->operation->open)
    status = igt__session_authorize(igt__client_session(running->client), req, &running->generation,
                                    err);
  return status;
}

/* The response may have contained credentials. */
static void finish_request(igt__http_request *req) {
  if (req->response.len > 0)
    igt__wipe(req->response.data, req->response.len);
  igt__http_request_finish(req);
}

static igt_status attempt(igt__running *running, igt_error *err) {
  igt__http_request req;
  igt_status status = igt__http_request_init(&req, err);

  if (status != IGT_OK)
    return status;
  status = prepare(running, &req, err);
  if (status == IGT_OK)
    status = running->run(running, &req, err);
  finish_request(&req);
  return status;
}

/* The session may have ended on the server early: renews it once; a second 401 is an error. */
static igt_status attempt_twice(igt__running *running, igt_error *err) {
  igt__session *session = igt__client_session(running->client);
  igt_status status = attempt(running, err);

  if (status != IGT_E_UNAUTHORIZED || running->call->operation->open)
    return status;
  IGT__DEBUG(IGT_LOG_API, "%s: status 401, renewing the session", running->call->operation->id);
  status = igt__session_renew(session, running->generation, err);
  return status == IGT_OK ? attempt(running, err) : status;
}

/* Whether the attempt that has just ended spent most of its time on bytes that were known. */
static bool is_too_slow(const igt__running *running) {
  int64_t now = igt__mono_us(), caught_up = running->caught_up_us ? running->caught_up_us : now;

  return caught_up - running->began_us > now - caught_up;
}

/* lib/http retries requests whose response nobody has seen yet. A response that broke off in the
 * middle is requested again here, and continues where it broke off. */
static igt_status attempt_surely(igt__running *running, igt_error *err) {
  const igt__operation *operation = running->call->operation;
  igt_status status = attempt_twice(running, err);

  int64_t progress_at = igt__mono_us();
  uint64_t kept = running->taken;
  unsigned n = 0, attempts = 1;

  while (status != IGT_OK && running->broke && operation->idempotent) {
    if (igt__retry_class(err) != IGT__RETRY_TRANSIENT)
      break;
    /* An attempt that got further than all earlier ones does not count as failed. */
    n = running->taken > kept ? 1 : n + 1;
    if (running->taken > kept)
      progress_at = igt__mono_us();
    kept = running->taken;
    IGT__DEBUG(IGT_LOG_API, "%s: the response broke off after %llu bytes; retrying: %s",
               operation->id, (unsigned long long)running->taken, err->text);
    if (running->call->too_slow && attempts > 1 && is_too_slow(running)) {
      *running->call->too_slow = true;
      break;
    }
    if (!igt__retry_wait_until(igt__client_http(running->client), n, -1, running->deadline_us,
                               igt__client_cancel(running->client))) {
      igt__retry_gave_up(err, n, progress_at);
      break;
    }
    igt__error_clear(err);
    running->broke = false;
    status = attempt_twice(running, err);
    attempts++;
  }
  return status;
}

static igt_status name_operation(const igt__running *running, igt_status status, igt_error *err) {
  if (err && status != IGT_OK && !err->operation[0])
    snprintf(err->operation, sizeof err->operation, "%s", running->call->operation->id);
  return status;
}

static igt_status start(igt__running *running, igt_error *err) {
  igt_error own = IGT_ERROR_INIT;
  igt_status status;

  igt__error_clear(err);
  igt__buf_init(&running->url, IGT__MAX_CALL_URL);
  igt__buf_init(&running->body, IGT__MAX_JSON_BODY);
  if (!running->client ||
      (running->run != run_whole && !running->out && !running->fn && !running->write))
    status = igt__fail(err, IGT_E_INVALID, "%s: no %s was given", running->call->operation->id,
                       running->client ? "callback" : "client");
  else
    status = igt__call_url(running->call, igt__client_origin(running->client), &running->url, err);
  if (status == IGT_OK)
    status = igt__call_body(running->call, &running->body, err);
  if (status == IGT_OK && running->call->raw &&
      !igt__buf_append(&running->body, running->call->raw, running->call->raw_len))
    status = running->body.too_long ? igt__fail(err, IGT_E_LIMIT, "the body is too large")
                                    : igt__fail_memory(err);
  if (status == IGT_OK)
    status = attempt_surely(running, err ? err : &own);
  igt__buf_finish_wipe(&running->body); /* it may contain a password */
  igt__buf_finish(&running->url);
  return name_operation(running, status, err);
}

/* ---- whole responses ---- */

static igt_status run_whole(igt__running *running, igt__http_request *req, igt_error *err) {
  const igt__operation *operation = running->call->operation;
  igt_status status;

  if (operation->response)
    req->max_body = igt__type_max_body(operation->response);
  status = igt__http_perform(igt__client_http(running->client), req, err);
  igt__client_note_date(running->client, req->server_date);
  if (status == IGT_OK && (!running->out || !operation->response))
    return igt__response_expect_success(req, err);
  if (status != IGT_OK)
    return status;
  if (operation->response != &igt__raw_type)
    status = igt__response_expect_json(req, err);
  if (status != IGT_OK)
    return status;
  status = igt__model_decode(operation->response, req->response.data, req->response.len,
                             operation->id, running->out, err);
  if (status != IGT_OK && err)
    err->http_status = req->http_status;
  return status;
}

/* ---- responses that are handed on while they arrive ---- */

/* Skips n bytes that were handed on before, once they have proved to be the same. */
static igt_status take_again(igt__running *running, const char *data, size_t n, igt_error *err) {
  running->again_crc = igt__crc_update(IGT__CRC64NVME, running->again_crc, data, n);
  running->again += n;
  if (n > 0 && (running->again < running->taken || running->again_crc == running->taken_crc))
    return IGT_OK;
  running->broke = false;
  return igt__fail(err, IGT_E_NETWORK,
                   "%s: the response broke off, and a retry returned a different one",
                   running->call->operation->id);
}

/* Like igt__http_read, after the bytes that an earlier attempt handed on. */
static igt_status read_on(igt__running *running, igt__http_stream *response, char *data, size_t cap,
                          size_t *n, igt_error *err) {
  for (;;) {
    uint64_t left = running->taken - running->again;
    igt_status status = igt__http_read(response, data, cap, n, err);
    size_t old = *n < left ? *n : (size_t)left;

    running->broke = status != IGT_OK;
    if (status == IGT_OK && left > 0)
      status = take_again(running, data, old, err);
    if (status != IGT_OK)
      return status;
    if (running->again == running->taken && !running->caught_up_us)
      running->caught_up_us = igt__mono_us();
    *n -= old;
    memmove(data, data + old, *n);
    if (*n == 0 && old > 0)
      continue;
    running->taken_crc = igt__crc_update(IGT__CRC64NVME, running->taken_crc, data, *n);
    running->taken += *n;
    running->again = running->taken;
    return IGT_OK;
  }
}

static igt_status open_response(igt__running *running, igt__http_request *req, uint64_t max_bytes,
                                igt__http_stream **out, igt_error *err) {
  igt_status status;

  running->again = running->again_crc = 0;
  running->began_us = igt__mono_us();
  running->caught_up_us = 0;
  status = igt__http_open(igt__client_http(running->client), req, max_bytes, out, err);
  if (status == IGT_OK)
    igt__client_note_date(running->client, req->server_date);
  return status;
}

/* ---- lists ---- */

/* Distinguishes the program's own failure from ours. */
typedef struct igt__element_call {
  igt__running *running;
  igt__model_stream *stream;
  bool ended;
} igt__element_call;

static igt_status on_element(void *payload, const char *list, igt_model *element) {
  igt__element_call *each = payload;
  igt_status status = each->running->fn(each->running->payload, list, element);

  each->ended = status != IGT_OK;
  return status;
}

static igt_status read_list(igt__running *running, igt__http_stream *response, igt_error *err) {
  igt__model_stream *stream = running->list->stream;

  for (;;) {
    size_t cap = 0, n = 0;
    char *space = igt__model_stream_space(stream, &cap);
    igt_status status =
        space ? read_on(running, response, space, cap, &n, err) : igt__fail_memory(err);

    if (status == IGT_OK && n == 0)
      return igt__model_stream_end(stream, err);
    if (status == IGT_OK)
      status = igt__model_stream_filled(stream, n, err);
    if (status != IGT_OK)
      return status;
  }
}

static igt_status run_list(igt__running *running, igt__http_request *req, igt_error *err) {
  uint64_t most = running->out ? IGT__MAX_JSON_LIST : IGT__MAX_LIST_BODY;
  igt__http_stream *response = NULL;
  igt_status status = open_response(running, req, most, &response, err);

  if (status == IGT_OK)
    status = igt__response_expect_json(req, err);
  if (status == IGT_OK)
    status = read_list(running, response, err);
  if (running->list->ended && status == IGT_E_NO_MEMORY)
    igt__fail_memory(err);
  else if (running->list->ended)
    igt__fail(err, status, "%s: stopped by the callback", running->call->operation->id);
  else if (status != IGT_OK && err && err->http_status == 0)
    err->http_status = req->http_status;
  igt__http_close(response);
  return status;
}

igt_status igt__call_each(igt_client *client, const igt__call *call, igt__element_fn fn,
                          void *payload, igt_error *err) {
  igt__element_call each = {NULL, NULL, false};
  igt__running running = {
      .client = client, .call = call, .run = run_list, .fn = fn, .payload = payload, .list = &each};
  igt_status status;

  each.running = &running;
  status = igt__model_stream_new(call->operation->response, call->operation->id, on_element, &each,
                                 &each.stream, err);
  if (status == IGT_OK)
    status = start(&running, err);
  igt__model_stream_free(each.stream);
  return status;
}

/* A list that is wanted as a whole: its JSON text is never entirely in memory. */
static igt_status run_collected(igt_client *client, const igt__call *call, igt_model **out,
                                igt_error *err) {
  igt__element_call each = {NULL, NULL, false};
  igt__running running = {
      .client = client, .call = call, .run = run_list, .out = out, .list = &each};
  igt_status status;

  status = igt__model_stream_new_whole(call->operation->response, call->operation->id, &each.stream,
                                       err);
  if (status == IGT_OK)
    status = start(&running, err);
  if (status == IGT_OK)
    status = igt__model_stream_take(each.stream, out, err);
  igt__model_stream_free(each.stream);
  return name_operation(&running, status, err);
}

igt_status igt__call_run(igt_client *client, const igt__call *call, igt_model **out,
                         igt_error *err) {
  igt__running running = {.client = client, .call = call, .run = run_whole, .out = out};
  const igt_type *response = call->operation->response;

  if (out)
    *out = NULL;
  if (out && response && response->kind == IGT__TYPE_LIST)
    return run_collected(client, call, out, err);
  return start(&running, err);
}

/* ---- files ---- */

igt_status igt_write_fd(void *payload, const void *data, size_t n) {
  const char *next = data;

  while (n > 0) {
    ssize_t done = igt__os_write_foreign(*(const int *)payload, next, n);

    if (done < 0 && errno == EINTR)
      continue;
    if (done == 0)
      errno = ENOSPC;
    if (done <= 0)
      return igt__status_from_errno(errno);
    next += done;
    n -= (size_t)done;
  }
  return IGT_OK;
}

static igt_status hand_out(const igt__running *running, const void *data, size_t n,
                           igt_error *err) {
  const char *operation = running->call->operation->id;
  igt_status status = running->write(running->payload, data, n);

  if (status == IGT_OK)
    return IGT_OK;
  if (running->write == igt_write_fd)
    return igt__fail_errno(err, errno, "%s: the response could not be written", operation);
  return igt__fail(err, status, "%s: stopped by the callback", operation);
}

static igt_status read_file(igt__running *running, igt__http_stream *response, igt_error *err) {
  char *block = igt__malloc(READ_SIZE);
  igt_status status = block ? IGT_OK : igt__fail_memory(err);
  size_t n = 1;

  while (status == IGT_OK && n > 0) {
    status = read_on(running, response, block, READ_SIZE, &n, err);
    if (status == IGT_OK && n > 0)
      status = hand_out(running, block, n, err);
  }
  igt__free(block);
  return status;
}

/* Replaces that of an attempt before, unless the program has seen part of its body. */
static igt_status take_response(const igt__running *running, const igt__http_request *req,
                                igt_error *err) {
  igt_response **out = running->call->response;

  if (!out || req->http_status == 0 || (running->taken > 0 && *out))
    return IGT_OK;
  igt_response_free(*out);
  *out = igt__response_new(req);
  return *out ? IGT_OK : igt__fail_memory(err);
}

static igt_status run_file(igt__running *running, igt__http_request *req, igt_error *err) {
  igt__http_stream *response = NULL;
  igt_status status, taken;

  req->compressed =
      running->call->response != NULL; /* archives and images are compressed already */
  status = open_response(running, req, UINT64_MAX, &response, err);
  taken = take_response(running, req, status == IGT_OK ? err : NULL);
  if (status == IGT_OK)
    status = taken;
  if (status == IGT_OK)
    status = read_file(running, response, err);
  igt__http_close(response);
  return status;
}

igt_status igt__call_file(igt_client *client, const igt__call *call, igt_write_fn write,
                          void *payload, igt_error *err) {
  igt__running running = {
      .client = client, .call = call, .run = run_file, .write = write, .payload = payload};

  return start(&running, err);
}
