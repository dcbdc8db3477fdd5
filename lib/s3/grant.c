/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "s3/internal.h"

/* Renewal begins a tenth of the life before its end: at most 5 min, so that a day's credentials
 * are not renewed hours early; at least 0.2 s, a round trip, and never more than half the life,
 * so that a life of 2 s gives one fetch in 1.8 s and no storm. */
#define AHEAD_PART 10
#define AHEAD_MIN_US 200000
#define AHEAD_MAX_US (300 * INT64_C(1000000))
/* After a fetch ahead of time failed: not again before a quarter of what is left, or 1 s. */
#define AGAIN_MIN_US 1000000

struct igt__s3_grant {
  igt__s3_grant_options options;
  _Atomic int refs;
  pthread_mutex_t lock;
  /* by lock */
  igt__s3_credentials *current; /* NULL: never fetched */
  bool refused;                 /* the store would not take it */
  bool proven;                  /* refusals without a reason are not the fault of current */
  bool fetching;                /* one at a time */
  int64_t due, end;             /* monotonic microseconds, INT64_MAX: not known */
  igt__s3_waiter *first, **last;
};

igt__s3_grant *igt__s3_grant_new(const igt__s3_grant_options *options) {
  igt__s3_grant *grant = igt__calloc(1, sizeof *grant);

  assert(options->fetch && options->defer);
  if (!grant)
    return NULL;
  grant->options = *options;
  grant->refs = 1;
  grant->last = &grant->first;
  pthread_mutex_init(&grant->lock, NULL);
  return grant;
}

igt__s3_grant *igt__s3_grant_ref(igt__s3_grant *grant) {
  if (grant)
    atomic_fetch_add_explicit(&grant->refs, 1, memory_order_relaxed);
  return grant;
}

void igt__s3_grant_unref(igt__s3_grant *grant) {
  if (!grant || atomic_fetch_sub_explicit(&grant->refs, 1, memory_order_acq_rel) > 1)
    return;
  assert(!grant->first && !grant->fetching);
  igt__s3_credentials_unref(grant->current);
  pthread_mutex_destroy(&grant->lock);
  if (grant->options.release)
    grant->options.release(grant->options.payload);
  igt__free(grant);
}

/* Life is measured on the monotonic clock from here on. A life that is over as it begins means
 * that a clock is wrong or `expires` is in another zone: it is ignored, and ExpiredToken tells. */
static void adopt_locked(igt__s3_grant *grant, igt__s3_credentials *c) {
  int64_t now = igt__mono_us();
  int64_t life = c->expires ? c->expires * 1000000 - igt__wall_us() : 0;
  int64_t ahead = life / AHEAD_PART;

  igt__s3_credentials_unref(grant->current);
  grant->current = c;
  grant->refused = grant->proven = false;
  grant->due = grant->end = INT64_MAX;
  if (life <= 0)
    return;
  if (ahead > AHEAD_MAX_US)
    ahead = AHEAD_MAX_US;
  if (ahead < AHEAD_MIN_US)
    ahead = AHEAD_MIN_US;
  if (ahead > life / 2)
    ahead = life / 2;
  grant->due = now + life - ahead;
  grant->end = now + life;
}

/* The old credentials may still live: the next try waits a while. */
static void postpone_locked(igt__s3_grant *grant) {
  int64_t now = igt__mono_us();
  int64_t wait = grant->end == INT64_MAX ? AGAIN_MIN_US : (grant->end - now) / 4;

  grant->due = now + (wait > AGAIN_MIN_US ? wait : AGAIN_MIN_US);
}

/* On a thread that may block. */
static void fetch_task(void *arg) {
  igt__s3_grant *grant = arg;
  igt__s3_credentials *c = NULL;
  igt__s3_waiter *waiter, *next;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = grant->options.fetch(grant->options.payload, &c, &err);

  if (!status && !c)
    status = igt__fail(&err, IGT_E_INTERNAL, "no S3 credentials came, and no error either");
  if (status) {
    igt__s3_credentials_unref(c);
    IGT__INFO(IGT_LOG_S3, "S3 credentials could not be fetched: %s", err.text);
  }
  pthread_mutex_lock(&grant->lock);
  if (status)
    postpone_locked(grant);
  else
    adopt_locked(grant, c);
  grant->fetching = false;
  waiter = grant->first;
  grant->first = NULL;
  grant->last = &grant->first;
  pthread_mutex_unlock(&grant->lock);
  for (; waiter; waiter = next) {
    next = waiter->next; /* done may end the waiter */
    waiter->done(waiter, status, &err);
  }
  igt__s3_grant_unref(grant);
}

static bool is_good_locked(const igt__s3_grant *grant, int64_t now) {
  return grant->current && !grant->refused && now < grant->end;
}

static void begin_fetch(igt__s3_grant *grant) {
  /* Outside the lock: a defer that runs at once is allowed too. */
  grant->options.defer(grant->options.defer_payload, fetch_task, igt__s3_grant_ref(grant));
}

igt__s3_credentials *igt__s3_grant_get(igt__s3_grant *grant, igt__s3_waiter *waiter) {
  igt__s3_credentials *c = NULL;
  int64_t now = igt__mono_us();
  bool fetch;

  pthread_mutex_lock(&grant->lock);
  if (is_good_locked(grant, now)) {
    c = igt__s3_credentials_ref(grant->current);
    fetch = !grant->fetching && now >= grant->due;
  } else {
    waiter->next = NULL;
    *grant->last = waiter;
    grant->last = &waiter->next;
    fetch = !grant->fetching;
  }
  if (fetch)
    grant->fetching = true;
  pthread_mutex_unlock(&grant->lock);
  if (fetch)
    begin_fetch(grant);
  return c;
}

void igt__s3_grant_warm(igt__s3_grant *grant) {
  bool fetch;

  pthread_mutex_lock(&grant->lock);
  fetch = !grant->current && !grant->fetching;
  if (fetch)
    grant->fetching = true;
  pthread_mutex_unlock(&grant->lock);
  if (fetch)
    begin_fetch(grant);
}

igt__s3_credentials *igt__s3_grant_peek(igt__s3_grant *grant) {
  igt__s3_credentials *c;

  pthread_mutex_lock(&grant->lock);
  c = igt__s3_credentials_ref(grant->current);
  pthread_mutex_unlock(&grant->lock);
  return c;
}

void igt__s3_grant_refuse(igt__s3_grant *grant, const igt__s3_credentials *c) {
  pthread_mutex_lock(&grant->lock);
  if (grant->current == c)
    grant->refused = true;
  pthread_mutex_unlock(&grant->lock);
}

void igt__s3_grant_prove(igt__s3_grant *grant, const igt__s3_credentials *c) {
  pthread_mutex_lock(&grant->lock);
  if (grant->current == c)
    grant->proven = true;
  pthread_mutex_unlock(&grant->lock);
}

bool igt__s3_grant_is_proven(igt__s3_grant *grant, const igt__s3_credentials *c) {
  bool proven;

  pthread_mutex_lock(&grant->lock);
  proven = grant->current == c && grant->proven;
  pthread_mutex_unlock(&grant->lock);
  return proven;
}

bool igt__s3_grant_is_due(igt__s3_grant *grant, const igt__s3_credentials *c) {
  bool due;

  pthread_mutex_lock(&grant->lock);
  due = grant->current != c || grant->refused || igt__mono_us() >= grant->due;
  pthread_mutex_unlock(&grant->lock);
  return due;
}
