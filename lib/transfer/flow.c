/* SPDX-License-Identifier: MIT */
/* Two rules let a piece begin. It fits: all pieces in flight together take less than FREE_S at the
 * measured rate, so that on a good line this file never says no. Or fewer than `wide` are in
 * flight: `wide` begins with 1 and is doubled as long as that raises the rate. A single connection
 * from far away does not fill a line, which only the second rule finds out; a line of 1 MB/s is
 * full with one connection, and eight would only make each piece take eight times as long.
 *
 * The rate is the best of the last windows: windows with gaps (a new connection, a file that is
 * completed) say nothing about the line. */
#include "transfer/flow.h"

#include <string.h>

/* Pieces that end this soon cost nothing when they are lost. */
#define FREE_S 0.5
/* As long as nothing is known: no large piece beside another one, but many small ones. */
#define START_BYTES ((uint64_t)2 * 1024 * 1024)
/* Small files wait for responses, not for the line; so their rate says nothing, unless they take
 * seconds. */
#define SMALL_BYTES (1024.0 * 1024)
#define SLOW_S 5.0
#define HEAVY ((uint64_t)1024 * 1024)

#define WINDOW_US 250000
/* Before the first window is over. What proxies take into their buffers at once does not count. */
#define PART_US 5000
#define BURST ((uint64_t)256 * 1024)

/* Another attempt at more pieces begins only when the run could afford to lose one: after this
 * many times what a piece takes, or after PATIENCE_US. */
#define PIECES_BEFORE 3
#define PATIENCE_US 3000000
#define GAIN 1.2
#define MEASURE_US 250000
#define HOLD_US 15000000
#define HOLD_MOST_US 120000000
/* Pieces that are lost within this time are one loss. */
#define TOGETHER_US 1000000

void igt__flow_init(igt__flow *flow, unsigned most, int64_t now_us) {
  memset(flow, 0, sizeof *flow);
  flow->most = most ? most : 1;
  flow->wide = 1;
  flow->hold_us = HOLD_US;
  flow->window_at = now_us;
}

double igt__flow_rate(const igt__flow *flow, int64_t now_us) {
  int64_t passed = now_us - flow->window_at;
  double best = 0;

  for (unsigned i = 0; i < IGT__FLOW_WINDOWS; i++)
    if (flow->recent[i] > best)
      best = flow->recent[i];
  if (passed >= PART_US && flow->window_bytes > BURST) {
    double now = (double)(flow->window_bytes - BURST) * 1e6 / (double)passed;
    if (now > best)
      best = now;
  }
  return best;
}

static double room(const igt__flow *flow, int64_t now_us) {
  double rate = igt__flow_rate(flow, now_us);
  double small = rate * SLOW_S < SMALL_BYTES ? rate * SLOW_S : SMALL_BYTES;

  if (rate <= 0)
    return (double)START_BYTES;
  return rate * FREE_S > small ? rate * FREE_S : small;
}

bool igt__flow_fits(const igt__flow *flow, uint64_t bytes, int64_t now_us) {
  return bytes == 0 || (double)(flow->in_flight + bytes) <= room(flow, now_us);
}

bool igt__flow_has_place(const igt__flow *flow, uint64_t bytes) {
  return (bytes < HEAVY ? flow->running : flow->heavy) < flow->wide;
}

/* ---- more at once, while it helps ---- */

static int64_t longer(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* New connections are made and get up to speed first. */
static void measure_anew(igt__flow *flow, int64_t now_us) {
  flow->mark_at = now_us + 2 * flow->lag_us;
  flow->mark_bytes = 0;
}

static void hold(igt__flow *flow, int64_t now_us) {
  flow->wide_before = 0;
  flow->hold_until = now_us + flow->hold_us;
  flow->hold_us = flow->hold_us * 2 < HOLD_MOST_US ? flow->hold_us * 2 : HOLD_MOST_US;
}

/* As many run by one of the two rules; more may still run from better times. */
static unsigned allowed(const igt__flow *flow, int64_t now_us) {
  double each = flow->running ? (double)flow->in_flight / (double)flow->running : 1;
  double fit = room(flow, now_us) / each;

  return fit > flow->wide ? fit < flow->most ? (unsigned)fit : flow->most : flow->wide;
}

/* A piece that is lost then is a small share of what was moved. */
static bool may_try(const igt__flow *flow, double rate, int64_t now_us) {
  double each = flow->running ? (double)flow->in_flight / (double)flow->running : 0;
  double alone_us = rate > 0 ? each * 1e6 / rate : PATIENCE_US;
  int64_t passed = now_us - flow->began_at;

  return now_us >= flow->hold_until && flow->wide < flow->most &&
         flow->running <= allowed(flow, now_us) &&
         (passed >= PATIENCE_US || (double)passed >= PIECES_BEFORE * alone_us);
}

static void widen(igt__flow *flow, double rate, int64_t now_us) {
  unsigned base = allowed(flow, now_us);

  flow->proved = rate;
  flow->rate_before = rate;
  flow->wide_before = base;
  flow->wide = base * 2 < flow->most ? base * 2 : flow->most;
  measure_anew(flow, now_us);
}

static void decide(igt__flow *flow, double rate, int64_t now_us) {
  flow->mark_at = now_us;
  flow->mark_bytes = 0;
  if (flow->wide_before && rate < flow->rate_before * GAIN) {
    flow->wide = flow->wide_before;
    hold(flow, now_us);
  } else if (flow->wide_before && flow->wide < flow->most) {
    flow->hold_us = HOLD_US;
    widen(flow, rate, now_us);
  } else if (flow->wide_before) {
    hold(flow, now_us);
  } else if (rate < flow->proved / 2 && flow->wide > 1) { /* the line is not what it was */
    flow->wide /= 2;
    flow->proved /= 2;
  } else if (may_try(flow, rate, now_us)) {
    widen(flow, rate, now_us);
  }
}

static void count_mark(igt__flow *flow, uint64_t bytes, int64_t now_us) {
  int64_t passed = now_us - flow->mark_at;

  if (passed <= 0 || !flow->waiting)
    return;
  flow->mark_bytes += bytes;
  if (passed >= longer(MEASURE_US, 4 * flow->lag_us))
    decide(flow, (double)flow->mark_bytes * 1e6 / (double)passed, now_us);
}

void igt__flow_refused(igt__flow *flow, int64_t now_us) {
  if (!flow->waiting)
    measure_anew(flow, now_us);
  flow->waiting = true;
}

void igt__flow_lost(igt__flow *flow, int64_t now_us) {
  bool again = flow->lost_at && now_us - flow->lost_at < TOGETHER_US;

  flow->lost_at = now_us;
  if (again)
    return;
  flow->wide = flow->wide_before ? flow->wide_before : flow->wide;
  flow->wide = flow->wide > 1 ? flow->wide / 2 : 1;
  hold(flow, now_us);
}

/* ---- what moves ---- */

static void begin_window(igt__flow *flow, int64_t now_us) {
  flow->window_at = now_us;
  flow->window_bytes = 0;
}

void igt__flow_begin(igt__flow *flow, uint64_t bytes, int64_t now_us) {
  if (bytes == 0)
    return;
  if (!flow->began_at)
    flow->began_at = now_us;
  if (!flow->lag_us)
    flow->last_at = now_us;
  if (flow->running == 0)
    begin_window(flow, now_us);
  flow->running++;
  flow->heavy += bytes >= HEAVY;
  flow->in_flight += bytes;
}

void igt__flow_moved(igt__flow *flow, uint64_t bytes, int64_t now_us) {
  int64_t passed = now_us - flow->window_at;

  if (flow->began_at && !flow->lag_us && bytes > 0)
    flow->lag_us = longer(now_us - flow->last_at, 1);
  flow->window_bytes += bytes;
  if (passed >= WINDOW_US) {
    if (flow->window_bytes > 0)
      flow->recent[flow->windows++ % IGT__FLOW_WINDOWS] =
          (double)flow->window_bytes * 1e6 / (double)passed;
    begin_window(flow, now_us);
  }
  count_mark(flow, bytes, now_us);
}

void igt__flow_end(igt__flow *flow, uint64_t bytes, int64_t now_us) {
  igt__flow_moved(flow, 0, now_us);
  if (bytes == 0)
    return;
  flow->running--;
  flow->heavy -= bytes >= HEAVY;
  flow->in_flight -= bytes;
}
