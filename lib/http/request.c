/* SPDX-License-Identifier: MIT */
/* The life of a request on its loop, and the decisions after each attempt; see the state diagram in
 * request.h.
 *
 * loop.c accepts a submitted request (igt__request_accept), starts it when a slot is free
 * (igt__request_start: prepare, igt__attempt_begin in attempt.c, then curl) and reports the end of
 * the attempt (igt__request_ended). A redirect within the origin is followed, a success ends the
 * request; for a failure explain.c writes the message, retry.c gives the retry class, and decide()
 * chooses among giving up, backing off, waiting for credentials, and an immediate retry.
 * hand_back() returns the request to its caller: a stream, a thread that waits in
 * igt__http_perform, or on_done. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/free_list.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/explain.h"
#include "http/request.h"

#define MAX_REDIRECTS 5
#define PROXY_LOOK_US 10000
/* URL, header lines and response headers together: larger ones are rare, and are not kept. */
#define KEPT_BYTES (24u * 1024)

/* ---- creation and destruction ---- */

/* A request takes six allocations; the largest ones are kept for the next one. As many as there are
 * connections. */
#define FREE_MOST 128

static igt__free_list free_requests = IGT__FREE_LIST_INIT(FREE_MOST);

static void free_private(struct igt__http_private *priv) {
  igt__head_finish(&priv->head);
  igt__buf_finish(&priv->attempt.response.head);
  igt__free(priv);
}

void igt__requests_trim(void) {
  struct igt__http_private *priv;

  while ((priv = igt__free_list_take(&free_requests)) != NULL)
    free_private(priv);
}

/* A cleared one; only the memory of the buffers is reused. */
static struct igt__http_private *private_new(igt__http_request *req) {
  struct igt__http_private *priv = igt__free_list_take(&free_requests);
  igt__buf response_head;
  igt__head head;

  if (priv) {
    head = priv->head;
    response_head = priv->attempt.response.head;
  } else {
    priv = igt__malloc(sizeof *priv);
    if (!priv)
      return NULL;
    igt__head_init(&head);
    igt__buf_init(&response_head, 2 * IGT__MAX_HEADER_BYTES);
  }
  memset(priv, 0, sizeof *priv);
  priv->req = priv->attempt.req = priv->attempt.response.req = req;
  priv->head = head;
  priv->attempt.head = &priv->head;
  priv->attempt.response.head = response_head;
  priv->attempt.response.host = priv->attempt.host;
  priv->attempt.response.err = &priv->attempt.err;
  atomic_init(&priv->abort, false);
  return priv;
}

igt_status igt__http_request_init(igt__http_request *req, igt_error *err) {
  memset(req, 0, sizeof *req);
  req->method = "GET";
  req->operation = "";
  req->body_fd = -1;
  req->content_length = -1;
  req->collect_error_body = true;
  igt__buf_init(&req->response, IGT__MAX_JSON_BODY);
  req->priv = private_new(req);
  return req->priv ? IGT_OK : igt__fail_memory(err);
}

void igt__http_request_finish(igt__http_request *req) {
  struct igt__http_private *priv = req->priv;

  igt__buf_finish_wipe(&req->response); /* may be a sign-in response */
  if (!priv)
    return;
  igt__head_wipe(&priv->head);
  igt__buf_wipe(&priv->attempt.response.head);
  if (igt__head_memory(&priv->head) + priv->attempt.response.head.cap > KEPT_BYTES ||
      !igt__free_list_give(&free_requests, priv))
    free_private(priv);
  req->priv = NULL;
}

igt_status igt__http_set_url(igt__http_request *req, const char *url) {
  return igt__head_set_url(&req->priv->head, url);
}

void igt__http_clear_headers(igt__http_request *req) {
  igt__head_clear_lines(&req->priv->head);
}

igt_status igt__http_add_header(igt__http_request *req, const char *name, const char *value) {
  return igt__head_add(&req->priv->head, name, value);
}

const char *igt__http_response_header(const igt__http_request *req, const char *name, size_t nth) {
  return igt__response_header(&req->priv->attempt.response, name, nth);
}

const char *igt__http_response_head(const igt__http_request *req, size_t *n) {
  const igt__buf *head = &req->priv->attempt.response.head;

  *n = head->len;
  return head->data;
}

struct igt__http_private *igt__request_of(const igt__attempt *attempt) {
  return attempt->req->priv;
}

bool igt__request_is_cancelled(const struct igt__http_private *priv) {
  return igt__cancel_is_set(priv->req->cancel) || atomic_load(&priv->abort);
}

/* ---- entering and leaving the loop ---- */

/* Returns the request to its caller; it may be freed when this returns. */
static void hand_back(struct igt__http_private *priv, igt_status status) {
  static const igt_error fine = IGT_ERROR_INIT;
  igt__http_request *req = priv->req;
  igt_error err;

  igt__requests_unlink(priv->requests, priv);
  igt__timer_clear(&priv->deadline);
  priv->state = IGT__HTTP_IDLE;
  if (status) {
    err = priv->attempt.err;
    err.status = status;
    igt__error_redact(&err);
  }
  if (priv->spool) {
    igt__spool_end(priv->spool, status, status ? &err : &fine);
  } else if (priv->completion) {
    igt__completion_set(priv->completion, status, status ? &err : NULL);
  } else if (req->on_done) {
    req->on_done(req, status, status ? &err : &fine);
  }
}

static void name_operation(struct igt__http_private *priv) {
  igt_error *err = &priv->attempt.err;

  if (!err->operation[0])
    snprintf(err->operation, sizeof err->operation, "%s", priv->req->operation);
}

void igt__request_end(struct igt__http_private *priv, igt_status status) {
  switch (priv->state) {
  case IGT__HTTP_READY:
    igt__requests_leave(priv);
    break;
  case IGT__HTTP_WAITING:
    igt__timer_clear(&priv->timer);
    break;
  case IGT__HTTP_RUNNING:
    igt__requests_release_slot(priv);
    break;
  case IGT__HTTP_IDLE:
  case IGT__HTTP_RESTING:
    break;
  }
  if (status == IGT_E_CANCELLED)
    igt__fail(&priv->attempt.err, status, "cancelled");
  if (status)
    name_operation(priv);
  hand_back(priv, status);
}

static void on_deadline(igt__timer *timer) {
  struct igt__http_private *priv =
      (struct igt__http_private *)((char *)timer - offsetof(struct igt__http_private, deadline));

  igt__fail(&priv->attempt.err, IGT_E_TIMEOUT,
            "%s%sthe response was not complete within the call's time limit", priv->attempt.host,
            *priv->attempt.host ? ": " : "");
  priv->attempt.err.retryable = priv->req->idempotent || !priv->attempt.sent;
  igt__request_end(priv, IGT_E_TIMEOUT);
}

/* Between two attempts of a call it may have passed already. */
static void set_deadline(struct igt__http_private *priv) {
  priv->deadline.fn = on_deadline;
  if (priv->req->deadline_us)
    igt__timer_set(&priv->requests->timers, &priv->deadline, priv->req->deadline_us);
}

void igt__request_accept(struct igt__http_private *priv) {
  priv->attempt.http = priv->http;
  priv->attempt.pauses = &priv->requests->pauses;
  priv->attempt.response.spool = priv->spool;
  igt__error_clear(&priv->attempt.err);
  igt__response_reset(&priv->attempt.response);
  priv->req->attempts = 0;
  priv->retries_done = priv->redirects = 0;
  priv->kept_before = priv->req->kept;
  priv->progress_at = igt__mono_us();
  priv->taken = 0;
  priv->host_state = NULL;
  priv->parked = false;
  priv->attempt.response.delivered = priv->renewed = priv->resumed = false;
  igt__requests_link(priv->requests, priv);
  igt__requests_make_ready(priv);
  set_deadline(priv);
  if (priv->requests->stopping || igt__request_is_cancelled(priv))
    igt__request_end(priv, IGT_E_CANCELLED);
}

/* ---- after an attempt ---- */

/* The server states that it did nothing: it rejected the request, or is too busy. */
static bool is_refusal(int http_status) {
  return (http_status >= 400 && http_status < 500) || http_status == 503;
}

/* An attempt that made progress costs nothing: over a link that is cut every few seconds the
 * transfer still completes. */
static bool made_progress(struct igt__http_private *priv) {
  if (priv->req->kept < priv->kept_before + IGT__PROGRESS_LEAST)
    return false;
  priv->kept_before = priv->req->kept;
  priv->progress_at = igt__mono_us();
  priv->retries_done = 0;
  priv->renewed = false;
  igt__retry_budget_give(priv->host_state, &priv->taken);
  return true;
}

/* No response at all, and not for long yet: while a link is down attempts fail within
 * milliseconds. */
static bool is_outage(const struct igt__http_private *priv) {
  const igt__http *http = priv->http;
  bool patient =
      priv->req->patient || (atomic_load_explicit(&http->patient, memory_order_relaxed) &&
                             atomic_load_explicit(&http->responded, memory_order_relaxed));

  return patient && priv->attempt.err.http_status == 0 && !priv->attempt.response.begun &&
         igt__mono_us() - priv->progress_at < igt__http_patience_us(http);
}

/* Whether a retry cannot execute the request twice. */
static bool may_retry(const struct igt__http_private *priv, igt__retry retry) {
  if (priv->spool && igt__spool_is_open(priv->spool))
    return false;
  switch (retry) {
  case IGT__RETRY_NEVER:
    return false;
  case IGT__RETRY_CREDENTIALS: /* refused, so not executed */
    return !priv->renewed && priv->req->on_retry;
  case IGT__RETRY_TRANSIENT:
  case IGT__RETRY_THROTTLED:
    return (priv->progressed || priv->retries_done < priv->http->retries || is_outage(priv)) &&
           (priv->req->idempotent || !priv->attempt.sent ||
            is_refusal(priv->attempt.err.http_status));
  }
  return false;
}

static void on_backed_off(igt__timer *timer) {
  struct igt__http_private *priv =
      (struct igt__http_private *)((char *)timer - offsetof(struct igt__http_private, timer));

  igt__requests_make_ready(priv);
}

static void back_off(struct igt__http_private *priv) {
  unsigned n = priv->retries_done ? priv->retries_done : 1;
  int64_t delay = is_outage(priv) ? igt__outage_delay_us(n)
                                  : igt__retry_delay_us(n, priv->attempt.err.retry_after);

  IGT__DEBUG(IGT_LOG_HTTP, "%s: %s; retrying in %lld ms (attempt %u)", priv->req->operation,
             priv->attempt.err.text, (long long)delay / 1000, priv->req->attempts + 1);
  priv->state = IGT__HTTP_WAITING;
  priv->timer.fn = on_backed_off;
  igt__timer_set(&priv->requests->timers, &priv->timer, igt__mono_us() + delay);
}

static void give_up(struct igt__http_private *priv, igt__retry retry) {
  igt_error *err = &priv->attempt.err;
  bool lost = priv->attempt.sent && !priv->req->idempotent && !is_refusal(err->http_status);

  /* A request that may have been executed must be looked up, not retried. */
  err->retryable = (retry == IGT__RETRY_TRANSIENT || retry == IGT__RETRY_THROTTLED) && !lost;
  igt__retry_gave_up(err, priv->retries_done + 1, priv->progress_at);
  igt__request_end(priv, err->status);
}

static bool may_spend(struct igt__http_private *priv, igt__retry retry) {
  if (priv->progressed || is_outage(priv)) /* in an outage there is no server to spare */
    return true;
  return igt__retry_budget_take(priv->host_state, retry, &priv->taken);
}

/* Decides what follows an attempt that failed with priv->attempt.err, whose retry class is `retry`.
 * The slot is already released. */
static void decide(struct igt__http_private *priv, igt__retry retry) {
  igt__http_request *req = priv->req;
  igt__retry asked = retry;
  bool rest = false;

  name_operation(priv);
  priv->progressed = made_progress(priv);
  priv->state = IGT__HTTP_IDLE;
  if (retry == IGT__RETRY_THROTTLED || priv->attempt.err.status == IGT_E_TIMEOUT)
    atomic_fetch_add_explicit(&priv->http->slow_downs, 1, memory_order_relaxed);
  if (priv->requests->stopping || !may_retry(priv, retry)) {
    give_up(priv, retry);
    return;
  }
  if (req->on_retry)
    rest = req->on_retry(req, &priv->attempt.err, &retry);
  if (!rest && !may_retry(priv, retry)) {
    give_up(priv, retry == IGT__RETRY_NEVER ? asked : retry);
  } else if (rest || retry == IGT__RETRY_CREDENTIALS) {
    priv->renewed = true;
    if (rest)
      priv->state = IGT__HTTP_RESTING;
    else
      igt__requests_make_ready(priv);
  } else if (may_spend(priv, retry)) {
    priv->retries_done += !priv->progressed;
    back_off(priv);
  } else {
    igt__error_append(&priv->attempt.err, "; too many requests to this host fail");
    give_up(priv, retry);
  }
}

void igt__request_resume(struct igt__http_private *priv) {
  priv->resumed = false;
  if (priv->state != IGT__HTTP_RESTING)
    return;
  if (priv->requests->stopping || igt__request_is_cancelled(priv))
    igt__request_end(priv, IGT_E_CANCELLED);
  else if (priv->resume_status)
    igt__request_end(priv, priv->resume_status);
  else
    igt__requests_make_ready(priv);
}

/* ---- an attempt ---- */

static void fail_start(struct igt__http_private *priv, igt_status status) {
  priv->attempt.err.status = status;
  if (!priv->attempt.err.text[0])
    igt__fail(&priv->attempt.err, status, "the request could not be built: %s",
              igt_status_text(status));
  decide(priv, igt__retry_class(&priv->attempt.err));
}

static igt_status prepare(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;
  igt_status status = IGT_OK;

  priv->attempt.sent = false;
  igt__error_clear(&priv->attempt.err);
  if (priv->attempt.response.delivered && req->on_restart && !priv->spool)
    status = req->on_restart(req, &priv->attempt.err);
  if (status)
    return status;
  priv->attempt.response.delivered = false;
  /* A redirect within the origin uses its own URL with the existing headers. */
  if (req->prepare && priv->redirects == 0)
    status = req->prepare(req, &priv->attempt.err);
  return status;
}

/* The system is being asked for the proxy. */
static void wait_for_proxy(struct igt__http_private *priv) {
  priv->req->attempts--;
  priv->state = IGT__HTTP_WAITING;
  priv->timer.fn = on_backed_off;
  igt__timer_set(&priv->requests->timers, &priv->timer, igt__mono_us() + PROXY_LOOK_US);
}

void igt__request_start(struct igt__http_private *priv, igt__slot *slot) {
  igt__attempt *attempt = &priv->attempt;
  igt_status status;

  igt__requests_leave(priv);
  priv->state = IGT__HTTP_IDLE;
  priv->req->attempts++;
  status = prepare(priv);
  if (!status && attempt->http->proxies.by_system && !igt__proxy_is_known(priv->head.url.data)) {
    wait_for_proxy(priv); /* it is prepared again, too */
    return;
  }
  if (!status)
    status = igt__attempt_begin(attempt, slot, &attempt->err);
  priv->host_state =
      status ? NULL : igt__http_host_of(&priv->requests->hosts, attempt->origin.host);
  if (priv->host_state && igt__window_free(priv->host_state) == 0) {
    priv->req->attempts--; /* it is prepared again, with a new date, when its turn comes */
    igt__requests_park(priv);
    return;
  }
  if (!status && !igt__requests_take_slot(priv, slot))
    status = igt__fail_memory(&attempt->err);
  if (status)
    fail_start(priv, status);
  else
    priv->state = IGT__HTTP_RUNNING;
}

static bool follow(struct igt__http_private *priv) {
  const char *found = NULL;
  char *url = NULL;
  igt__url to;
  bool ok;

  if (!igt__may_follow(priv->req->method) || priv->redirects >= MAX_REDIRECTS)
    return false;
  curl_easy_getinfo(priv->attempt.slot->easy, CURLINFO_REDIRECT_URL, &found);
  url = found ? igt__strndup(found, strcspn(found, "#")) : NULL;
  ok = url && igt__url_origin_of(url, &to, NULL) == IGT_OK &&
       igt__url_same_origin(&to, &priv->attempt.origin) &&
       igt__http_set_url(priv->req, url) == IGT_OK;
  igt__free(url);
  priv->redirects += ok;
  return ok;
}

static void log_attempt(const struct igt__http_private *priv, CURLcode code) {
  IGT__DEBUG(IGT_LOG_HTTP, "%s %s: %d%s%s after %lld ms, attempt %u", priv->req->operation,
             priv->attempt.host, priv->req->http_status, code ? ", " : "",
             code ? curl_easy_strerror(code) : "",
             (long long)(igt__mono_us() - priv->attempt.began_at) / 1000, priv->req->attempts);
}

static void succeed(struct igt__http_private *priv) {
  igt__retry_budget_give(priv->host_state, &priv->taken);
  igt__window_succeeded(priv->host_state, priv->attempt.began_at, priv->requests->slot_count);
  igt__requests_release_slot(priv);
  priv->state = IGT__HTTP_IDLE;
  igt__request_end(priv, IGT_OK);
}

void igt__request_ended(struct igt__http_private *priv, CURLcode code) {
  igt__retry retry;
  bool error = priv->attempt.response.begun && igt__response_is_error(&priv->attempt.response) &&
               !priv->attempt.err.status;

  /* To curl, a connection that ends within the headers is a success. */
  if (!code && !priv->attempt.response.begun)
    code = CURLE_RECV_ERROR;
  if (priv->attempt.response.begun &&
      !atomic_load_explicit(&priv->http->responded, memory_order_relaxed))
    atomic_store_explicit(&priv->http->responded, true, memory_order_relaxed);
  log_attempt(priv, code);
  igt__attempt_note_sent(&priv->attempt, code);
  if (error && igt__response_is_redirect(&priv->attempt.response) && follow(priv)) {
    igt__requests_release_slot(priv);
    priv->req->attempts--; /* counts as one attempt, across redirects */
    igt__requests_make_ready(priv);
    return;
  }
  if (error)
    igt__explain_response(&priv->attempt, priv->redirects);
  else if (code)
    igt__explain_curl(&priv->attempt, code);
  else {
    succeed(priv);
    return;
  }
  retry = igt__retry_class(&priv->attempt.err);
  if (retry == IGT__RETRY_TRANSIENT && !error && igt__attempt_was_refused(&priv->attempt, code))
    retry = IGT__RETRY_THROTTLED;
  if (retry == IGT__RETRY_THROTTLED)
    igt__window_throttled(priv->host_state, priv->attempt.began_at);
  igt__requests_release_slot(priv);
  priv->redirects = 0;
  decide(priv, retry);
}
