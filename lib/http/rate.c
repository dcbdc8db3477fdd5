/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "http/internal.h"

#define MILLION 1000000
/* What may gather while nothing moves: enough to be late by a poll, too little to see. */
#define BURST_US 50000

void igt__rate_init(igt__rate *rate, uint64_t limit) {
  atomic_init(&rate->limit, 0);
  pthread_mutex_init(&rate->lock, NULL);
  igt__rate_set(rate, limit);
}

void igt__rate_finish(igt__rate *rate) {
  pthread_mutex_destroy(&rate->lock);
}

void igt__rate_set(igt__rate *rate, uint64_t limit) {
  if (limit > INT64_MAX / (120 * (int64_t)MILLION)) /* no network is that fast */
    limit = 0;
  pthread_mutex_lock(&rate->lock);
  for (int i = 0; i < IGT__WAYS; i++) {
    rate->way[i].tokens = 0;
    rate->way[i].at = igt__mono_us();
  }
  atomic_store(&rate->limit, limit);
  pthread_mutex_unlock(&rate->lock);
}

static void refill_locked(igt__rate *rate, igt__way way, int64_t limit, int64_t now) {
  int64_t passed = now - rate->way[way].at, most = limit * BURST_US;

  if (passed <= 0)
    return;
  if (passed > 60 * (int64_t)MILLION)
    passed = 60 * (int64_t)MILLION;
  rate->way[way].tokens += limit * passed;
  if (rate->way[way].tokens > most)
    rate->way[way].tokens = most;
  rate->way[way].at = now;
}

int64_t igt__rate_take(igt__rate *rate, igt__way way, size_t n, int64_t now) {
  int64_t limit, wait = 0;

  if (atomic_load_explicit(&rate->limit, memory_order_relaxed) == 0)
    return 0;
  pthread_mutex_lock(&rate->lock);
  limit = (int64_t)atomic_load(&rate->limit);
  if (limit > 0) {
    refill_locked(rate, way, limit, now);
    if (rate->way[way].tokens < 0)
      wait = -rate->way[way].tokens / limit + 1;
    else
      rate->way[way].tokens -= (int64_t)n * MILLION;
  }
  pthread_mutex_unlock(&rate->lock);
  return wait;
}
