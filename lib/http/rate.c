/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "http/internal.h"

#define MILLION 1000000
/* Tokens that accumulate while idle: enough to cover one late poll, too few to be noticed. */
#define BURST_US 50000

void igt__rate_init(igt__rate *rate, uint64_t limit, const igt__timetable *table) {
  atomic_init(&rate->limit, 0);
  atomic_init(&rate->check_at, INT64_MAX);
  pthread_mutex_init(&rate->lock, NULL);
  rate->table = (igt__timetable){.count = 0};
  igt__rate_set(rate, limit);
  if (table && table->count) {
    rate->table = *table;
    atomic_store(&rate->check_at, INT64_MIN);
    (void)igt__rate_limit(rate, igt__mono_us());
  }
}

void igt__rate_finish(igt__rate *rate) {
  pthread_mutex_destroy(&rate->lock);
}

static void set_locked(igt__rate *rate, uint64_t limit, int64_t now) {
  if (limit > INT64_MAX / (120 * (int64_t)MILLION)) /* no network is that fast */
    limit = 0;
  for (int i = 0; i < IGT__DIRECTIONS; i++) {
    rate->direction[i].tokens = 0;
    rate->direction[i].at = now;
  }
  atomic_store(&rate->limit, limit);
}

void igt__rate_set(igt__rate *rate, uint64_t limit) {
  pthread_mutex_lock(&rate->lock);
  set_locked(rate, limit, igt__mono_us());
  atomic_store(&rate->check_at, INT64_MAX);
  pthread_mutex_unlock(&rate->lock);
}

/* Applies the rate that the timetable gives for the current time. */
static void look_up(igt__rate *rate, int64_t now) {
  int64_t next;
  uint64_t limit;

  pthread_mutex_lock(&rate->lock);
  if (now >= atomic_load(&rate->check_at)) {
    limit = igt__timetable_rate(&rate->table, igt__wall_us(), &next);
    if (limit != atomic_load(&rate->limit))
      set_locked(rate, limit, now);
    atomic_store(&rate->check_at, now + next);
  }
  pthread_mutex_unlock(&rate->lock);
}

uint64_t igt__rate_limit(igt__rate *rate, int64_t now) {
  if (now >= atomic_load_explicit(&rate->check_at, memory_order_relaxed))
    look_up(rate, now);
  return atomic_load_explicit(&rate->limit, memory_order_relaxed);
}

static void refill_locked(igt__rate *rate, igt__direction direction, int64_t limit, int64_t now) {
  int64_t passed = now - rate->direction[direction].at, most = limit * BURST_US;

  if (passed <= 0)
    return;
  if (passed > 60 * (int64_t)MILLION)
    passed = 60 * (int64_t)MILLION;
  rate->direction[direction].tokens += limit * passed;
  if (rate->direction[direction].tokens > most)
    rate->direction[direction].tokens = most;
  rate->direction[direction].at = now;
}

int64_t igt__rate_take(igt__rate *rate, igt__direction direction, size_t n, int64_t now) {
  int64_t limit, wait = 0, change;

  if (igt__rate_limit(rate, now) == 0)
    return 0;
  pthread_mutex_lock(&rate->lock);
  limit = (int64_t)atomic_load(&rate->limit);
  if (limit > 0) {
    refill_locked(rate, direction, limit, now);
    if (rate->direction[direction].tokens < 0)
      wait = -rate->direction[direction].tokens / limit + 1;
    else
      rate->direction[direction].tokens -= (int64_t)n * MILLION;
  }
  change = atomic_load(&rate->check_at);
  if (wait > 0 && change > now && wait > change - now)
    wait = change - now; /* the rate may change then, which cancels the debt */
  pthread_mutex_unlock(&rate->lock);
  return wait;
}
