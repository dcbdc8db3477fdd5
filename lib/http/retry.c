/* SPDX-License-Identifier: MIT */
/* Which failures are retried, when, how many of them, and how many requests run concurrently.
 *
 * igt__retry_class derives the class of a failure from one table. igt__retry_delay_us gives the
 * back-off. igt__http_host holds two limits per loop and host: the retry budget
 * (igt__retry_budget_*) and the concurrency window (igt__window_*). request.c calls all of them
 * after each attempt; it also decides whether a request may be retried at all. lib/s3 and
 * lib/transfer use the table and the delays for retries of their own. */
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "http/internal.h"
#include "http/retry.h"

#define BASE_US 500000
#define MOST_US 20000000
/* During an outage back-offs are at most 4 s, so that a link is used soon after it returns. */
#define OUTAGE_STEPS 4
#define CANCEL_POLL_US 100000
#define BUDGET 500
#define COST_TRANSIENT 10
#define COST_THROTTLED 5

/* ---- the table ---- */

/* The server's own code is more specific than its HTTP status: S3 returns 400 for an expired token
 * and 403 for a wrong clock. */
static const struct {
  const char *code;
  igt__retry retry;
} codes[] = {
    {"InternalError", IGT__RETRY_TRANSIENT},
    {"OperationAborted", IGT__RETRY_TRANSIENT},
    {"RequestTimeout", IGT__RETRY_TRANSIENT},
    {"RequestTimeoutException", IGT__RETRY_TRANSIENT},
    /* The server received other bytes than we signed: corrupted in transit, so a resend will
     * succeed. */
    {"BadDigest", IGT__RETRY_TRANSIENT},
    {"IncompleteBody", IGT__RETRY_TRANSIENT},
    {"XAmzContentChecksumMismatch", IGT__RETRY_TRANSIENT},
    {"XAmzContentSHA256Mismatch", IGT__RETRY_TRANSIENT},
    {"BandwidthLimitExceeded", IGT__RETRY_THROTTLED},
    {"RequestLimitExceeded", IGT__RETRY_THROTTLED},
    {"RequestThrottled", IGT__RETRY_THROTTLED},
    {"ServiceUnavailable", IGT__RETRY_THROTTLED},
    {"SlowDown", IGT__RETRY_THROTTLED},
    {"Throttling", IGT__RETRY_THROTTLED},
    {"ThrottlingException", IGT__RETRY_THROTTLED},
    {"TooManyRequests", IGT__RETRY_THROTTLED},
    {"ExpiredToken", IGT__RETRY_CREDENTIALS},
    {"ExpiredTokenException", IGT__RETRY_CREDENTIALS},
    {"RequestExpired", IGT__RETRY_CREDENTIALS},
    {"RequestTimeTooSkewed", IGT__RETRY_CREDENTIALS},
    {"TokenRefreshRequired", IGT__RETRY_CREDENTIALS},
};

static bool class_of_code(const char *code, igt__retry *out) {
  if (!code[0])
    return false;
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (strcmp(code, codes[i].code) == 0) {
      *out = codes[i].retry;
      return true;
    }
  return false;
}

static igt__retry class_of_http(int http_status) {
  switch (http_status) {
  case 401:
    return IGT__RETRY_CREDENTIALS;
  case 408: /* the server waited for us: a slow link, not an invalid request */
  case 500:
  case 502:
  case 504:
    return IGT__RETRY_TRANSIENT;
  case 429:
  case 503:
    return IGT__RETRY_THROTTLED;
  default:
    return IGT__RETRY_NEVER;
  }
}

static igt__retry class_of_status(igt_status status) {
  switch ((int)status) {
  case IGT_E_RESOLVE: /* resolvers fail along with the links of hospitals */
  case IGT_E_CONNECT:
  case IGT_E_TIMEOUT:
  case IGT_E_PROXY:
  case IGT_E_NETWORK:
  case IGT_E_SERVER:
    return IGT__RETRY_TRANSIENT;
  case IGT_E_THROTTLED:
    return IGT__RETRY_THROTTLED;
  case IGT_E_EXPIRED:
  case IGT_E_UNAUTHORIZED:
    return IGT__RETRY_CREDENTIALS;
  default: /* an untrusted certificate stays untrusted; the rest concerns the request or this
              machine */
    return IGT__RETRY_NEVER;
  }
}

igt__retry igt__retry_class(const igt_error *err) {
  igt__retry retry = IGT__RETRY_NEVER;

  if (err->status == IGT_OK || err->status == IGT_E_CANCELLED)
    return IGT__RETRY_NEVER;
  if (class_of_code(err->code, &retry))
    return retry;
  if (err->http_status >= 400)
    return class_of_http(err->http_status);
  return class_of_status(err->status);
}

/* ---- back-off ---- */

int64_t igt__outage_delay_us(unsigned n) {
  return igt__retry_delay_us(n < OUTAGE_STEPS ? n : OUTAGE_STEPS, -1);
}

int64_t igt__retry_delay_us(unsigned n, int retry_after) {
  int64_t most = n > 6 ? MOST_US : (int64_t)BASE_US << (n ? n - 1 : 0);
  int64_t delay, floor;

  if (most > MOST_US)
    most = MOST_US;
  delay = (int64_t)(igt__jitter() % (uint64_t)(most + 1));
  if (retry_after > IGT__RETRY_AFTER_MAX)
    retry_after = IGT__RETRY_AFTER_MAX;
  floor = (int64_t)retry_after * 1000000;
  return delay > floor ? delay : floor;
}

int64_t igt__http_patience_us(const igt__http *http) {
  int64_t by_retries = (int64_t)http->retries * IGT__OUTAGE_PER_RETRY_S * 1000000;
  int64_t by_timeout = (int64_t)http->idle_timeout_ms * IGT__OUTAGE_TIMEOUTS * 1000;

  return by_retries < by_timeout ? by_retries : by_timeout;
}

unsigned igt__http_retries(const igt__http *http) {
  return http->retries;
}

unsigned igt__retry_delay_ms(unsigned n, const igt_error *err) {
  int64_t us =
      err->http_status ? igt__retry_delay_us(n, err->retry_after) : igt__outage_delay_us(n);

  return (unsigned)(us / 1000);
}

bool igt__retry_wait(const igt__http *http, unsigned n, int retry_after, igt__cancel *cancel) {
  return igt__retry_wait_until(http, n, retry_after, 0, cancel);
}

bool igt__retry_wait_until(const igt__http *http, unsigned n, int retry_after, int64_t deadline_us,
                           igt__cancel *cancel) {
  int64_t until = igt__mono_us() + igt__retry_delay_us(n, retry_after);

  if (deadline_us && until >= deadline_us)
    return false;
  for (;;) {
    int64_t left = until - igt__mono_us();
    if (n > http->retries || igt__cancel_is_set(cancel))
      return false;
    if (left <= 0)
      return true;
    igt__sleep_us(left < CANCEL_POLL_US ? left : CANCEL_POLL_US);
  }
}

void igt__retry_gave_up(igt_error *err, unsigned attempts, int64_t progress_at_us) {
  static const char mark[] = "gave up after ";
  double s = (double)(igt__mono_us() - progress_at_us) / 1e6;

  if (attempts > 1 && err && strncmp(err->text, mark, sizeof mark - 1) != 0)
    igt__error_prefix(err, "%s%u attempts without progress in %.*f s", mark, attempts,
                      s < 10 ? 1 : 0, s);
}

int igt__retry_after(const char *value, int64_t server_date) {
  int64_t n = -1;

  if (!value)
    return -1;
  if (!igt__str_to_int64(value, &n)) {
    if (!igt__http_date_parse(value, &n))
      return -1;
    n -= server_date ? server_date : igt__wall_seconds();
    if (n < 0)
      n = 0;
  }
  return n < 0 ? -1 : n > INT32_MAX ? INT32_MAX : (int)n;
}

/* ---- retry budget ---- */

igt__http_host *igt__http_host_of(igt__http_host **list, const char *host) {
  igt__http_host *host_state;

  for (host_state = *list; host_state; host_state = host_state->next)
    if (strcmp(host_state->host, host) == 0)
      return host_state;
  host_state = igt__malloc(sizeof *host_state + strlen(host) + 1);
  if (!host_state)
    return NULL;
  memset(host_state, 0, sizeof *host_state);
  memcpy(host_state->host, host, strlen(host) + 1);
  igt__queue_init(&host_state->parked);
  host_state->tokens = BUDGET;
  host_state->next = *list;
  *list = host_state;
  return host_state;
}

void igt__http_hosts_free(igt__http_host *list) {
  while (list) {
    igt__http_host *next = list->next;
    igt__free(list);
    list = next;
  }
}

bool igt__retry_budget_take(igt__http_host *host_state, igt__retry retry, int *taken) {
  int cost = retry == IGT__RETRY_THROTTLED ? COST_THROTTLED : COST_TRANSIENT;

  if (!host_state)
    return true;
  if (host_state->tokens < cost)
    return false;
  host_state->tokens -= cost;
  *taken = cost;
  return true;
}

void igt__retry_budget_give(igt__http_host *host_state, int *taken) {
  if (!host_state)
    return;
  host_state->tokens += *taken ? *taken : 1;
  if (host_state->tokens > BUDGET)
    host_state->tokens = BUDGET;
  *taken = 0;
}

/* ---- concurrency window ---- */

void igt__window_throttled(igt__http_host *host_state, int64_t began_at) {
  double now = host_state ? (double)host_state->running : 0;

  /* A burst of refusals is one signal, however many requests it hits. */
  if (!host_state || began_at <= host_state->lowered_at)
    return;
  if (host_state->most > 0 && host_state->most < now)
    now = host_state->most;
  host_state->most = now > 2 ? now / 2 : 1;
  host_state->lowered_at = igt__mono_us();
}

void igt__window_succeeded(igt__http_host *host_state, int64_t began_at, size_t slots) {
  if (!host_state || host_state->most <= 0 || began_at <= host_state->lowered_at)
    return;
  host_state->most += 1 / host_state->most;
  if (host_state->most >= (double)slots)
    host_state->most = 0;
}

unsigned igt__window_free(const igt__http_host *host_state) {
  unsigned most = (unsigned)host_state->most;

  if (host_state->most <= 0)
    return UINT_MAX;
  return most > host_state->running ? most - host_state->running : 0;
}
