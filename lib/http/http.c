/* SPDX-License-Identifier: MIT */
/* The igt__http object: its options, its loops, and the entry points that other layers call.
 *
 * igt__http_new loads libcurl (curl.c), copies the options, finds the trusted certificates
 * (trust.c), reads the proxy variables (proxy.c) and starts the loops (loop.c), dividing the
 * connections among them. igt__http_submit, _resume and _post hand requests and functions to a
 * loop's inbox; request.c takes over from there. igt__http_perform is the blocking form (stream.c
 * has the one with a streamed body). Called by lib/s3 and lib/api, and by the few other places that
 * need a single request (sign-in, upgrade). */
#include "http/http.h"

#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/loop.h"
#include "http/request.h"

#define LOOPS 2
#define LOOPS_MOST 64
#define CONNECT_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 30000
#define RETRIES 5
#define CONNECTIONS 64

static unsigned or_default(unsigned value, unsigned otherwise) {
  return value ? value : otherwise;
}

static igt_status copy_options(igt__http *http, const igt__http_options *options, igt_error *err) {
  igt_status status;

  http->connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS);
  http->idle_timeout_ms = or_default(options->idle_timeout_ms, IDLE_TIMEOUT_MS);
  http->retries = options->retries == UINT_MAX ? 0 : or_default(options->retries, RETRIES);
  http->user_agent = igt__strdup(options->user_agent);
  if (!http->user_agent)
    return igt__fail_memory(err);
  status = igt__trust_find(options->ca_file, &http->trust, err);
  return status ? status
                : igt__proxies_read(options->proxy, options->proxy_source, &http->proxies, err);
}

static igt_status start_loops(igt__http *http, const igt__http_options *options, igt_error *err) {
  unsigned connections = or_default(options->max_connections, CONNECTIONS);
  unsigned n = or_default(options->loops, LOOPS);
  igt_status status = IGT_OK;

  if (n > LOOPS_MOST)
    n = LOOPS_MOST;
  if (n > connections)
    n = connections;
  http->loops = igt__calloc(n, sizeof *http->loops);
  if (!http->loops)
    return igt__fail_memory(err);
  http->loop_count = n;
  for (unsigned i = 0; i < n && !status; i++)
    status = igt__loop_start(http, &http->loops[i], connections / n + (i < connections % n), err);
  return status;
}

igt_status igt__http_new(const igt__http_options *options, igt__http **out, igt_error *err) {
  igt__http *http = igt__calloc(1, sizeof *http);
  igt_status status;

  *out = NULL;
  if (!http)
    return igt__fail_memory(err);
  igt__rate_init(&http->rate, options->bytes_per_second, options->timetable);
  status = igt__curl_load(err);
  if (!status)
    status = copy_options(http, options, err);
  if (!status)
    status = start_loops(http, options, err);
  if (status)
    igt__http_free(http);
  else
    *out = http;
  return status;
}

void igt__http_free(igt__http *http) {
  if (!http)
    return;
  assert(!igt__loop_is_current(http));
  for (unsigned i = 0; i < http->loop_count; i++)
    igt__loop_stop(&http->loops[i]);
  igt__curl_trim();
  igt__requests_trim();
  igt__free(http->loops);
  igt__proxies_finish(&http->proxies);
  igt__rate_finish(&http->rate);
  igt__free(http->user_agent);
  igt__trust_finish(&http->trust);
  igt__free(http);
}

uint64_t igt__http_requests(const igt__http *http) {
  return atomic_load_explicit(&http->requests, memory_order_relaxed);
}

uint64_t igt__http_slow_downs(const igt__http *http) {
  return atomic_load_explicit(&http->slow_downs, memory_order_relaxed);
}

void igt__http_set_slow_line(igt__http *http, bool slow) {
  atomic_store_explicit(&http->slow_line, slow, memory_order_relaxed);
}

void igt__http_patient(igt__http *http, bool begins) {
  if (begins)
    atomic_fetch_add_explicit(&http->patient, 1, memory_order_relaxed);
  else
    atomic_fetch_sub_explicit(&http->patient, 1, memory_order_relaxed);
}

static void assign(igt__http *http, unsigned loop, struct igt__http_private *priv) {
  priv->http = http;
  priv->loop = &http->loops[loop % http->loop_count];
  priv->requests = &priv->loop->requests;
  priv->resumed = false;
}

void igt__http_submit(igt__http *http, unsigned loop, igt__http_request *req) {
  assign(http, loop, req->priv);
  igt__loop_enqueue(req->priv->loop, req->priv);
}

void igt__http_resume(igt__http *http, igt__http_request *req, igt_status status,
                      const igt_error *err) {
  struct igt__http_private *priv = req->priv;

  (void)http;
  priv->resume_status = status;
  if (status && err)
    igt__error_keep(&priv->attempt.err, err);
  priv->resumed = true;
  igt__loop_enqueue(priv->loop, priv);
}

/* ---- functions for a loop ---- */

igt__post *igt__http_post_new(void) {
  return igt__calloc(1, sizeof(igt__post));
}

void igt__http_post_with(igt__http *http, unsigned loop, igt__post *post, unsigned ms,
                         void (*fn)(void *payload), void *payload) {
  /* The caller relies on fn being called, so this must not fail: wait until memory is available. */
  while (!post && (post = igt__http_post_new()) == NULL)
    igt__sleep_us(1000);
  post->fn = fn;
  post->payload = payload;
  post->ms = ms;
  igt__loop_post(&http->loops[loop % http->loop_count], post);
}

void igt__http_post_after(igt__http *http, unsigned loop, unsigned ms, void (*fn)(void *payload),
                          void *payload) {
  igt__http_post_with(http, loop, NULL, ms, fn, payload);
}

/* ---- blocking ---- */

unsigned igt__http_any_loop(const igt__http *http) {
  static _Atomic unsigned turn;

  return atomic_fetch_add(&turn, 1) % http->loop_count;
}

/* Requests that follow one another share a loop, and so a connection: a command begins with some of
 * them, and another connection costs two or three round trips. Concurrent ones take turns. */
static unsigned loop_of_blocking(igt__http *http) {
  unsigned others = atomic_fetch_add_explicit(&http->blocking, 1, memory_order_relaxed);

  return others == 0 ? 0 : igt__http_any_loop(http);
}

void igt__http_submit_blocking(igt__http *http, igt__http_request *req,
                               bool (*is_enough)(const void *payload), const void *payload) {
  assert(!igt__loop_is_current(http));
  assign(http, loop_of_blocking(http), req->priv);
  igt__loop_submit_driving(req->priv->loop, req->priv, is_enough, payload);
}

void igt__http_end_blocking(igt__http *http) {
  atomic_fetch_sub_explicit(&http->blocking, 1, memory_order_relaxed);
}

/* For the thread that drives the loop: only it sets this meanwhile. */
static bool is_complete(const void *completion) {
  return ((const igt__completion *)completion)->done;
}

igt_status igt__http_perform(igt__http *http, igt__http_request *req, igt_error *err) {
  igt__completion completion;
  igt_status status;

  igt__completion_init(&completion);
  req->priv->completion = &completion;
  igt__http_submit_blocking(http, req, is_complete, &completion);
  status = igt__completion_finish(&completion, err);
  igt__http_end_blocking(http);
  req->priv->completion = NULL;
  return status;
}

const char *igt__http_libraries(void) {
  return igt__curl_load(NULL) == IGT_OK ? curl_version() : "";
}
