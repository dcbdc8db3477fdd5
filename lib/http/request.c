/* SPDX-License-Identifier: MIT */
/* The life of a request on its loop, and the decisions after each attempt; see the state diagram in
 * internal.h.
 *
 * loop.c accepts a submitted request (igt__request_accept_loop), starts it when a slot is free
 * (_start_loop: prepare, igt__attempt_begin in attempt.c, then curl) and reports the end of the
 * attempt (_ended_loop). A redirect within the origin is followed, a success ends the request; for
 * a failure explain.c writes the message, retry.c gives the retry class, and decide() chooses among
 * giving up, backing off, waiting for credentials, and an immediate retry. hand_back() returns the
 * request to its caller: a stream, a thread that waits in igt__http_perform, or on_done. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/free_list.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/internal.h"

#define MAX_URL (64u * 1024)
#define MAX_REQUEST_HEAD (256u * 1024)
#define MAX_REDIRECTS 5
/* URL, header lines and response headers together: larger ones are rare, and are not kept. */
#define SPARE_BYTES (24u * 1024)

/* ---- creation and destruction ---- */

/* A request takes six allocations; the largest ones are kept. As many as there are connections. */
#define SPARE_MOST 128

static igt__free_list spare = IGT__FREE_LIST_INIT(SPARE_MOST);

static void free_private(struct igt__http_private *priv) {
  igt__buf_finish(&priv->url);
  igt__buf_finish(&priv->head);
  igt__buf_finish(&priv->response_head);
  igt__free(priv->lines);
  igt__free(priv);
}

void igt__requests_trim(void) {
  struct igt__http_private *priv;

  while ((priv = igt__free_list_take(&spare)) != NULL)
    free_private(priv);
}

/* A cleared one; only the memory of the buffers is reused. */
static struct igt__http_private *private_new(void) {
  struct igt__http_private *priv = igt__free_list_take(&spare), old;

  if (!priv) {
    priv = igt__calloc(1, sizeof *priv);
    if (!priv)
      return NULL;
    igt__buf_init(&priv->url, MAX_URL);
    igt__buf_init(&priv->head, MAX_REQUEST_HEAD);
    igt__buf_init(&priv->response_head, 2 * IGT__MAX_HEADER_BYTES);
  } else {
    old.url = priv->url, old.head = priv->head, old.response_head = priv->response_head;
    old.lines = priv->lines, old.line_cap = priv->line_cap;
    memset(priv, 0, sizeof *priv);
    priv->url = old.url, priv->head = old.head, priv->response_head = old.response_head;
    priv->lines = old.lines, priv->line_cap = old.line_cap;
  }
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
  req->priv = private_new();
  if (!req->priv)
    return igt__fail_memory(err);
  req->priv->req = req;
  return IGT_OK;
}

void igt__http_request_finish(igt__http_request *req) {
  struct igt__http_private *priv = req->priv;

  igt__buf_finish_wipe(&req->response); /* may be a sign-in response */
  if (!priv)
    return;
  igt__buf_wipe(&priv->url); /* may be signed */
  igt__buf_wipe(&priv->head);
  igt__buf_wipe(&priv->response_head);
  if (priv->url.cap + priv->head.cap + priv->response_head.cap > SPARE_BYTES ||
      !igt__free_list_give(&spare, priv))
    free_private(priv);
  req->priv = NULL;
}

igt_status igt__http_set_url(igt__http_request *req, const char *url) {
  igt__buf *out = &req->priv->url;

  igt__buf_clear(out);
  if (igt__buf_puts(out, url))
    return IGT_OK;
  return out->too_long ? IGT_E_INVALID : IGT_E_NO_MEMORY;
}

void igt__http_clear_headers(igt__http_request *req) {
  igt__buf_clear(&req->priv->head);
  req->priv->head_count = 0;
}

/* A "token" of RFC 9110 5.6.2. */
static bool is_header_name(const char *name) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  return *name && name[strspn(name, token)] == '\0';
}

static bool is_header_value(const char *value) {
  for (; *value; value++)
    if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
      return false;
  return true;
}

igt_status igt__http_add_header(igt__http_request *req, const char *name, const char *value) {
  struct igt__http_private *priv = req->priv;
  igt__buf *head = &priv->head;

  if (!is_header_name(name) || !is_header_value(value))
    return IGT_E_INVALID;
  /* curl sends an empty header for "Name;". */
  igt__buf_puts(head, name);
  igt__buf_puts(head, *value ? ": " : ";");
  igt__buf_puts(head, value);
  if (igt__buf_putc(head, '\0')) {
    priv->head_count++;
    return IGT_OK;
  }
  return head->too_long ? IGT_E_INVALID : IGT_E_NO_MEMORY;
}

const char *igt__http_response_header(const igt__http_request *req, const char *name, size_t nth) {
  const igt__buf *head = &req->priv->response_head;
  const char *p = head->data, *end = head->data + head->len;

  while (p < end) {
    const char *value = p + strlen(p) + 1;
    if (igt__str_eq_nocase(p, name) && nth-- == 0)
      return value;
    p = value + strlen(value) + 1;
  }
  return NULL;
}

const char *igt__http_response_head(const igt__http_request *req, size_t *n) {
  *n = req->priv->response_head.len;
  return req->priv->response_head.data;
}

bool igt__request_is_cancelled(const struct igt__http_private *priv) {
  return igt__cancel_is_set(priv->req->cancel) || atomic_load(&priv->abort);
}

/* ---- entering and leaving the loop ---- */

static void link_all(igt__loop *loop, struct igt__http_private *priv) {
  priv->all_next = loop->all;
  priv->all_prev = &loop->all;
  if (loop->all)
    loop->all->all_prev = &priv->all_next;
  loop->all = priv;
  if (priv->req->cancel || priv->stream)
    loop->cancellable++;
}

static void unlink_all(igt__loop *loop, struct igt__http_private *priv) {
  *priv->all_prev = priv->all_next;
  if (priv->all_next)
    priv->all_next->all_prev = priv->all_prev;
  if (priv->req->cancel || priv->stream)
    loop->cancellable--;
}

static void make_ready(struct igt__http_private *priv) {
  priv->state = IGT__HTTP_READY;
  igt__queue_add(&priv->loop->ready, priv);
}

/* Makes parked requests of the host ready, as many as its window allows. */
static void unpark(igt__http_host *host_state) {
  for (unsigned n = igt__window_free(host_state); n > 0 && host_state->parked.first; n--) {
    struct igt__http_private *priv = igt__queue_take(&host_state->parked);
    priv->parked = false;
    make_ready(priv);
  }
}

static void leave_ready(struct igt__http_private *priv) {
  (void)igt__queue_remove(priv->parked ? &priv->host_state->parked : &priv->loop->ready, priv);
  priv->parked = false;
}

/* The host's window is full. The request is prepared again, with a new date, when its turn
 * comes. */
static void park(struct igt__http_private *priv) {
  priv->state = IGT__HTTP_READY;
  priv->parked = true;
  priv->req->attempts--;
  igt__queue_add(&priv->host_state->parked, priv);
}

static void leave_paused(struct igt__http_private *priv) {
  struct igt__http_private **at = &priv->loop->paused;

  while (*at && *at != priv)
    at = &(*at)->pause_next;
  if (*at)
    *at = priv->pause_next;
  priv->paused = 0;
}

static void release_slot(struct igt__http_private *priv) {
  igt__loop *loop = priv->loop;
  igt__slot *slot = priv->slot;

  if (!slot)
    return;
  leave_paused(priv);
  curl_multi_remove_handle(loop->multi, slot->easy);
  slot->priv = NULL;
  slot->next = loop->free_slots;
  loop->free_slots = slot;
  loop->running--;
  priv->slot = NULL;
  if (priv->host_state) {
    priv->host_state->running--;
    unpark(priv->host_state);
  }
}

/* Returns the request to its caller; it may be freed when this returns. */
static void hand_back(struct igt__http_private *priv, igt_status status) {
  static const igt_error fine = IGT_ERROR_INIT;
  igt__http_request *req = priv->req;
  igt_error err;

  unlink_all(priv->loop, priv);
  igt__timer_clear(&priv->deadline);
  priv->state = IGT__HTTP_IDLE;
  if (status) {
    err = priv->err;
    err.status = status;
    igt__error_redact(&err);
  }
  if (priv->stream) {
    igt__stream_done_loop(priv->stream, status, status ? &err : &fine);
  } else if (priv->completion) {
    igt__completion_set(priv->completion, status, status ? &err : NULL);
  } else if (req->on_done) {
    req->on_done(req, status, status ? &err : &fine);
  }
}

static void name_operation(struct igt__http_private *priv) {
  igt_error *err = &priv->err;

  if (!err->operation[0])
    snprintf(err->operation, sizeof err->operation, "%s", priv->req->operation);
}

void igt__request_end_loop(struct igt__http_private *priv, igt_status status) {
  switch (priv->state) {
  case IGT__HTTP_READY:
    leave_ready(priv);
    break;
  case IGT__HTTP_WAITING:
    igt__timer_clear(&priv->timer);
    break;
  case IGT__HTTP_RUNNING:
    release_slot(priv);
    break;
  case IGT__HTTP_IDLE:
  case IGT__HTTP_RESTING:
    break;
  }
  if (status == IGT_E_CANCELLED)
    igt__fail(&priv->err, status, "cancelled");
  if (status)
    name_operation(priv);
  hand_back(priv, status);
}

static void on_deadline(igt__timer *timer) {
  struct igt__http_private *priv =
      (struct igt__http_private *)((char *)timer - offsetof(struct igt__http_private, deadline));

  igt__fail(&priv->err, IGT_E_TIMEOUT,
            "%s%sthe response was not complete within the call's time limit", priv->host,
            *priv->host ? ": " : "");
  priv->err.retryable = priv->req->idempotent || !priv->sent;
  igt__request_end_loop(priv, IGT_E_TIMEOUT);
}

/* Between two attempts of a call it may have passed already. */
static void set_deadline(struct igt__http_private *priv) {
  priv->deadline.fn = on_deadline;
  if (priv->req->deadline_us)
    igt__timer_set_loop(priv->loop, &priv->deadline, priv->req->deadline_us);
}

void igt__request_accept_loop(struct igt__http_private *priv) {
  igt__error_clear(&priv->err);
  igt__response_reset(priv);
  priv->req->attempts = 0;
  priv->retries_done = priv->redirects = 0;
  priv->kept_before = priv->req->kept;
  priv->progress_at = igt__mono_us();
  priv->taken = 0;
  priv->host_state = NULL;
  priv->parked = false;
  priv->delivered = priv->renewed = priv->resumed = false;
  link_all(priv->loop, priv);
  make_ready(priv);
  set_deadline(priv);
  if (priv->loop->stopping || igt__request_is_cancelled(priv))
    igt__request_end_loop(priv, IGT_E_CANCELLED);
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

  return patient && priv->err.http_status == 0 && !priv->responding &&
         igt__mono_us() - priv->progress_at < igt__http_patience_us(http);
}

/* Whether a retry cannot execute the request twice. */
static bool may_retry(const struct igt__http_private *priv, igt__retry retry) {
  if (priv->stream && igt__stream_is_open(priv->stream))
    return false;
  switch (retry) {
  case IGT__RETRY_NEVER:
    return false;
  case IGT__RETRY_CREDENTIALS: /* refused, so not executed */
    return !priv->renewed && priv->req->on_retry;
  case IGT__RETRY_TRANSIENT:
  case IGT__RETRY_THROTTLED:
    return (priv->progressed || priv->retries_done < priv->http->retries || is_outage(priv)) &&
           (priv->req->idempotent || !priv->sent || is_refusal(priv->err.http_status));
  }
  return false;
}

static void on_backed_off(igt__timer *timer) {
  struct igt__http_private *priv =
      (struct igt__http_private *)((char *)timer - offsetof(struct igt__http_private, timer));

  make_ready(priv);
}

static void back_off(struct igt__http_private *priv) {
  unsigned n = priv->retries_done ? priv->retries_done : 1;
  int64_t delay =
      is_outage(priv) ? igt__outage_delay_us(n) : igt__retry_delay_us(n, priv->err.retry_after);

  IGT__DEBUG(IGT_LOG_HTTP, "%s: %s; retrying in %lld ms (attempt %u)", priv->req->operation,
             priv->err.text, (long long)delay / 1000, priv->req->attempts + 1);
  priv->state = IGT__HTTP_WAITING;
  priv->timer.fn = on_backed_off;
  igt__timer_set_loop(priv->loop, &priv->timer, igt__mono_us() + delay);
}

static void say_attempts(struct igt__http_private *priv) {
  double s = (double)(igt__mono_us() - priv->progress_at) / 1e6;

  if (priv->retries_done > 0)
    igt__error_prefix(&priv->err, "gave up after %u attempts without progress in %.*f s",
                      priv->retries_done + 1, s < 10 ? 1 : 0, s);
}

static void give_up(struct igt__http_private *priv, igt__retry retry) {
  igt_error *err = &priv->err;
  bool lost = priv->sent && !priv->req->idempotent && !is_refusal(err->http_status);

  /* A request that may have been executed must be looked up, not retried. */
  err->retryable = (retry == IGT__RETRY_TRANSIENT || retry == IGT__RETRY_THROTTLED) && !lost;
  say_attempts(priv);
  igt__request_end_loop(priv, err->status);
}

static bool may_spend(struct igt__http_private *priv, igt__retry retry) {
  if (priv->progressed || is_outage(priv)) /* in an outage there is no server to spare */
    return true;
  return igt__retry_budget_take(priv->host_state, retry, &priv->taken);
}

/* Decides what follows an attempt that failed with priv->err, whose retry class is `retry`. The
 * slot is already released. */
static void decide(struct igt__http_private *priv, igt__retry retry) {
  igt__http_request *req = priv->req;
  igt__retry asked = retry;
  bool rest = false;

  name_operation(priv);
  priv->progressed = made_progress(priv);
  priv->state = IGT__HTTP_IDLE;
  if (retry == IGT__RETRY_THROTTLED || priv->err.status == IGT_E_TIMEOUT)
    atomic_fetch_add_explicit(&priv->http->slow_downs, 1, memory_order_relaxed);
  if (priv->loop->stopping || !may_retry(priv, retry)) {
    give_up(priv, retry);
    return;
  }
  if (req->on_retry)
    rest = req->on_retry(req, &priv->err, &retry);
  if (!rest && !may_retry(priv, retry)) {
    give_up(priv, retry == IGT__RETRY_NEVER ? asked : retry);
  } else if (rest || retry == IGT__RETRY_CREDENTIALS) {
    priv->renewed = true;
    if (rest)
      priv->state = IGT__HTTP_RESTING;
    else
      make_ready(priv);
  } else if (may_spend(priv, retry)) {
    priv->retries_done += !priv->progressed;
    back_off(priv);
  } else {
    igt__error_append(&priv->err, "; too many requests to this host fail");
    give_up(priv, retry);
  }
}

void igt__request_resume_loop(struct igt__http_private *priv) {
  priv->resumed = false;
  if (priv->state != IGT__HTTP_RESTING)
    return;
  if (priv->loop->stopping || igt__request_is_cancelled(priv))
    igt__request_end_loop(priv, IGT_E_CANCELLED);
  else if (priv->resume_status)
    igt__request_end_loop(priv, priv->resume_status);
  else
    make_ready(priv);
}

/* ---- an attempt ---- */

static void fail_start(struct igt__http_private *priv, igt_status status) {
  priv->err.status = status;
  if (!priv->err.text[0])
    igt__fail(&priv->err, status, "the request could not be built: %s", igt_status_text(status));
  decide(priv, igt__retry_class(&priv->err));
}

static igt_status prepare(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;
  igt_status status = IGT_OK;

  priv->sent = false;
  igt__error_clear(&priv->err);
  if (priv->delivered && req->on_restart && !priv->stream)
    status = req->on_restart(req, &priv->err);
  if (status)
    return status;
  priv->delivered = false;
  /* A redirect within the origin uses its own URL with the existing headers. */
  if (req->prepare && priv->redirects == 0)
    status = req->prepare(req, &priv->err);
  return status;
}

static void give_back(igt__loop *loop, igt__slot *slot) {
  slot->next = loop->free_slots;
  loop->free_slots = slot;
}

void igt__request_start_loop(struct igt__http_private *priv, igt__slot *slot) {
  igt__loop *loop = priv->loop;
  igt_status status;

  leave_ready(priv);
  priv->state = IGT__HTTP_IDLE;
  priv->req->attempts++;
  status = prepare(priv);
  if (!status)
    status = igt__attempt_begin(priv, slot, &priv->err);
  priv->host_state = status ? NULL : igt__http_host_of(&loop->host_states, priv->origin.host);
  if (priv->host_state && igt__window_free(priv->host_state) == 0) {
    give_back(loop, slot);
    park(priv);
    return;
  }
  if (!status && curl_multi_add_handle(loop->multi, slot->easy) != CURLM_OK)
    status = igt__fail_memory(&priv->err);
  if (status) {
    give_back(loop, slot);
    fail_start(priv, status);
    return;
  }
  slot->priv = priv;
  priv->slot = slot;
  priv->state = IGT__HTTP_RUNNING;
  loop->running++;
  if (priv->host_state)
    priv->host_state->running++;
}

static bool follow(struct igt__http_private *priv) {
  const char *method = priv->req->method;
  const char *found = NULL;
  char *url = NULL;
  igt__url to;
  bool ok;

  if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) ||
      priv->redirects >= MAX_REDIRECTS)
    return false;
  curl_easy_getinfo(priv->slot->easy, CURLINFO_REDIRECT_URL, &found);
  url = found ? igt__strndup(found, strcspn(found, "#")) : NULL;
  ok = url && igt__url_origin_of(url, &to, NULL) == IGT_OK &&
       igt__url_same_origin(&to, &priv->origin) && igt__http_set_url(priv->req, url) == IGT_OK;
  igt__free(url);
  priv->redirects += ok;
  return ok;
}

/* A response >= 200 after the whole body was sent acknowledges it. */
static void note_rest(struct igt__http_private *priv, CURLcode code) {
  igt__http_request *req = priv->req;

  if (!code && req->on_progress && req->body_len > priv->notification &&
      req->bytes_sent == req->body_len)
    req->on_progress(req, req->body_len - priv->notification, 0);
}

static void note_sent(struct igt__http_private *priv, CURLcode code) {
  igt__http_request *req = priv->req;
  curl_off_t sent = 0;

  if (!priv->whole_body)
    note_rest(priv, code);
  if (!priv->whole_body ||
      curl_easy_getinfo(priv->slot->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK || sent <= 0)
    return;
  req->bytes_sent = (uint64_t)sent < req->body_len ? (uint64_t)sent : req->body_len;
  if (req->on_progress && req->bytes_sent > 0)
    req->on_progress(req, req->bytes_sent, 0);
}

static void log_attempt(const struct igt__http_private *priv, CURLcode code) {
  IGT__DEBUG(IGT_LOG_HTTP, "%s %s: %d%s%s after %lld ms, attempt %u", priv->req->operation,
             priv->host, priv->req->http_status, code ? ", " : "",
             code ? curl_easy_strerror(code) : "",
             (long long)(igt__mono_us() - priv->began_at) / 1000, priv->req->attempts);
}

static void succeed(struct igt__http_private *priv) {
  igt__retry_budget_give(priv->host_state, &priv->taken);
  igt__window_succeeded(priv->host_state, priv->began_at, priv->loop->slot_count);
  release_slot(priv);
  priv->state = IGT__HTTP_IDLE;
  igt__request_end_loop(priv, IGT_OK);
}

/* More of a body than fits into the socket buffers of a listener: something acknowledged it. */
#define TAKEN (256u * 1024)

/* Proxies and firewalls that are out of connections do not send SlowDown: they refuse connections,
 * or reset those they accepted. A new connection without any response is such a sign; a reused one
 * may have been closed for its age, or by a broken link. */
static bool is_refused(const struct igt__http_private *priv, CURLcode code) {
  long made = 0;

  switch ((int)code) {
  case CURLE_COULDNT_CONNECT:
    return true;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_GOT_NOTHING:
    return priv->down == 0 && priv->notification < TAKEN &&
           curl_easy_getinfo(priv->slot->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK &&
           made > 0;
  default:
    return false;
  }
}

void igt__request_ended_loop(struct igt__http_private *priv, CURLcode code) {
  igt__retry retry;
  bool error = priv->responding && igt__response_is_error(priv) && !priv->err.status;

  /* To curl, a connection that ends within the headers is a success. */
  if (!code && !priv->responding)
    code = CURLE_RECV_ERROR;
  if (priv->responding && !atomic_load_explicit(&priv->http->responded, memory_order_relaxed))
    atomic_store_explicit(&priv->http->responded, true, memory_order_relaxed);
  log_attempt(priv, code);
  note_sent(priv, code);
  if (error && igt__response_is_redirect(priv) && follow(priv)) {
    release_slot(priv);
    priv->req->attempts--; /* counts as one attempt, across redirects */
    make_ready(priv);
    return;
  }
  if (error)
    igt__explain_response(priv);
  else if (code)
    igt__explain_curl(priv, code);
  else {
    succeed(priv);
    return;
  }
  retry = igt__retry_class(&priv->err);
  if (retry == IGT__RETRY_TRANSIENT && !error && is_refused(priv, code))
    retry = IGT__RETRY_THROTTLED;
  if (retry == IGT__RETRY_THROTTLED)
    igt__window_throttled(priv->host_state, priv->began_at);
  release_slot(priv);
  priv->redirects = 0;
  decide(priv, retry);
}
