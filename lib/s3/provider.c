/* SPDX-License-Identifier: MIT */
/* A credentials provider: the temporary credentials of one action and prefix, shared by all
 * requests that need them. A request takes the current credentials, or queues as a waiter while a
 * fetch runs on a thread that may block; at most one fetch runs at a time, and its outcome goes to
 * all waiters. Lifetimes are measured with the monotonic clock from the moment of receipt.
 * request.c gets credentials here for each attempt and reports those that the store rejected. */
#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "s3/internal.h"

/* Renewal starts a tenth of the lifetime before expiry: at most 5 min, so that credentials of a day
 * are not renewed hours early; at least 0.2 s, one round trip, and never more than half the
 * lifetime, so that a lifetime of 2 s causes one fetch every 1.8 s and no storm. */
#define AHEAD_PART 10
#define AHEAD_MIN_US 200000
#define AHEAD_MAX_US (300 * INT64_C(1000000))
/* After an early fetch failed: the next one after a quarter of the remaining time, at least 1 s. */
#define AGAIN_MIN_US 1000000
#define CANCEL_POLL_MS 100

struct igt__s3_provider {
  igt__s3_provider_options options;
  _Atomic int refs;
  pthread_mutex_t lock;
  /* protected by lock */
  igt__s3_credentials *current; /* NULL: never fetched */
  bool refused;                 /* the store rejected it */
  bool proven;                  /* rejections without a reason are not caused by current */
  bool fetching;                /* one at a time */
  int64_t due, end;             /* monotonic microseconds, INT64_MAX: not known */
  IGT__QUEUE(igt__s3_waiter) waiters;
};

igt__s3_provider *igt__s3_provider_new(const igt__s3_provider_options *options) {
  igt__s3_provider *provider = igt__calloc(1, sizeof *provider);

  assert(options->fetch && options->defer);
  if (!provider)
    return NULL;
  provider->options = *options;
  provider->refs = 1;
  igt__queue_init(&provider->waiters);
  pthread_mutex_init(&provider->lock, NULL);
  return provider;
}

igt__s3_provider *igt__s3_provider_ref(igt__s3_provider *provider) {
  if (provider)
    atomic_fetch_add_explicit(&provider->refs, 1, memory_order_relaxed);
  return provider;
}

void igt__s3_provider_unref(igt__s3_provider *provider) {
  if (!provider || atomic_fetch_sub_explicit(&provider->refs, 1, memory_order_acq_rel) > 1)
    return;
  assert(!provider->waiters.first && !provider->fetching);
  igt__s3_credentials_unref(provider->current);
  pthread_mutex_destroy(&provider->lock);
  if (provider->options.release)
    provider->options.release(provider->options.payload);
  igt__free(provider);
}

/* From here on the lifetime is measured with the monotonic clock. A lifetime that has already ended
 * on receipt means that a clock is wrong or that `expires` is in another time zone: it is ignored,
 * and an ExpiredToken will show the real end. */
static void adopt_locked(igt__s3_provider *provider, igt__s3_credentials *c) {
  int64_t now = igt__mono_us();
  int64_t life = c->expires ? c->expires * 1000000 - igt__wall_us() : 0;
  int64_t ahead = life / AHEAD_PART;

  igt__s3_credentials_unref(provider->current);
  provider->current = c;
  provider->refused = provider->proven = false;
  provider->due = provider->end = INT64_MAX;
  if (life <= 0)
    return;
  if (ahead > AHEAD_MAX_US)
    ahead = AHEAD_MAX_US;
  if (ahead < AHEAD_MIN_US)
    ahead = AHEAD_MIN_US;
  if (ahead > life / 2)
    ahead = life / 2;
  provider->due = now + life - ahead;
  provider->end = now + life;
}

/* The old credentials may still be valid: the next attempt waits for a while. */
static void postpone_locked(igt__s3_provider *provider) {
  int64_t now = igt__mono_us();
  int64_t wait = provider->end == INT64_MAX ? AGAIN_MIN_US : (provider->end - now) / 4;

  provider->due = now + (wait > AGAIN_MIN_US ? wait : AGAIN_MIN_US);
}

/* Runs on a thread that may block. */
static void fetch_task(void *arg) {
  igt__s3_provider *provider = arg;
  igt__s3_credentials *c = NULL;
  igt__s3_waiter *waiter, *next;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = provider->options.fetch(provider->options.payload, &c, &err);

  if (!status && !c)
    status =
        igt__fail(&err, IGT_E_INTERNAL, "no S3 credentials were returned, and no error either");
  if (status) {
    igt__s3_credentials_unref(c);
    IGT__INFO(IGT_LOG_S3, "S3 credentials could not be fetched: %s", err.text);
  }
  pthread_mutex_lock(&provider->lock);
  if (status)
    postpone_locked(provider);
  else
    adopt_locked(provider, c);
  provider->fetching = false;
  waiter = igt__queue_take_all(&provider->waiters);
  pthread_mutex_unlock(&provider->lock);
  for (; waiter; waiter = next) {
    next = waiter->next; /* done may free the waiter */
    waiter->done(waiter, status, &err);
  }
  igt__s3_provider_unref(provider);
}

static bool is_good_locked(const igt__s3_provider *provider, int64_t now) {
  return provider->current && !provider->refused && now < provider->end;
}

static void begin_fetch(igt__s3_provider *provider) {
  /* Outside the lock: defer may also run the task immediately. */
  provider->options.defer(provider->options.defer_payload, fetch_task,
                          igt__s3_provider_ref(provider));
}

igt__s3_credentials *igt__s3_provider_get(igt__s3_provider *provider, igt__s3_waiter *waiter) {
  igt__s3_credentials *c = NULL;
  int64_t now = igt__mono_us();
  bool fetch;

  pthread_mutex_lock(&provider->lock);
  if (is_good_locked(provider, now)) {
    c = igt__s3_credentials_ref(provider->current);
    fetch = !provider->fetching && now >= provider->due;
  } else {
    igt__queue_add(&provider->waiters, waiter);
    fetch = !provider->fetching;
  }
  if (fetch)
    provider->fetching = true;
  pthread_mutex_unlock(&provider->lock);
  if (fetch)
    begin_fetch(provider);
  return c;
}

typedef struct waiting {
  igt__s3_waiter waiter; /* must be first */
  igt__completion completion;
} waiting;

static void on_fetched(igt__s3_waiter *waiter, igt_status status, const igt_error *err) {
  igt__completion_set(&((waiting *)waiter)->completion, status, err);
}

/* False: it was taken from the queue, and is about to be called. */
static bool leave(igt__s3_provider *provider, igt__s3_waiter *waiter) {
  bool left;

  pthread_mutex_lock(&provider->lock);
  left = igt__queue_remove(&provider->waiters, waiter);
  pthread_mutex_unlock(&provider->lock);
  return left;
}

igt_status igt__s3_provider_wait(igt__s3_provider *provider, igt__cancel *cancel, igt_error *err) {
  waiting w = {.waiter.done = on_fetched};
  igt__s3_credentials *c;
  igt_error cancelled = IGT_ERROR_INIT;

  igt__completion_init(&w.completion);
  c = igt__s3_provider_get(provider, &w.waiter);
  if (c)
    igt__completion_set(&w.completion, IGT_OK, NULL);
  igt__s3_credentials_unref(c);
  while (!igt__completion_wait_for(&w.completion, CANCEL_POLL_MS))
    if (igt__cancel_is_set(cancel) && leave(provider, &w.waiter))
      igt__completion_set(&w.completion,
                          igt__fail(&cancelled, IGT_E_CANCELLED,
                                    "cancelled while waiting for S3 "
                                    "credentials"),
                          &cancelled);
  return igt__completion_finish(&w.completion, err);
}

void igt__s3_provider_warm(igt__s3_provider *provider) {
  bool fetch;

  pthread_mutex_lock(&provider->lock);
  fetch = !provider->current && !provider->fetching;
  if (fetch)
    provider->fetching = true;
  pthread_mutex_unlock(&provider->lock);
  if (fetch)
    begin_fetch(provider);
}

igt__s3_credentials *igt__s3_provider_peek(igt__s3_provider *provider) {
  igt__s3_credentials *c;

  pthread_mutex_lock(&provider->lock);
  c = igt__s3_credentials_ref(provider->current);
  pthread_mutex_unlock(&provider->lock);
  return c;
}

void igt__s3_provider_refuse(igt__s3_provider *provider, const igt__s3_credentials *c) {
  pthread_mutex_lock(&provider->lock);
  if (provider->current == c)
    provider->refused = true;
  pthread_mutex_unlock(&provider->lock);
}

void igt__s3_provider_prove(igt__s3_provider *provider, const igt__s3_credentials *c) {
  pthread_mutex_lock(&provider->lock);
  if (provider->current == c)
    provider->proven = true;
  pthread_mutex_unlock(&provider->lock);
}

bool igt__s3_provider_is_proven(igt__s3_provider *provider, const igt__s3_credentials *c) {
  bool proven;

  pthread_mutex_lock(&provider->lock);
  proven = provider->current == c && provider->proven;
  pthread_mutex_unlock(&provider->lock);
  return proven;
}

bool igt__s3_provider_is_due(igt__s3_provider *provider, const igt__s3_credentials *c) {
  bool due;

  pthread_mutex_lock(&provider->lock);
  due = provider->current != c || provider->refused || igt__mono_us() >= provider->due;
  pthread_mutex_unlock(&provider->lock);
  return due;
}
