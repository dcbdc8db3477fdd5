/* SPDX-License-Identifier: MIT */
/* Two rules allow a part to start. It fits: all parts in flight together take less than FREE_S at
 * the measured rate, so that on a good line this file never refuses. Or few are in flight: two, as
 * long as they finish within EASY_S, and more (`wide`) as long as that raises the rate. A single
 * connection with a long round trip does not fill a line, which only the second rule detects; a
 * line of 1 MB/s is full with two, and eight would only make each part take four times as long.
 *
 * The rate is the best of the last windows: windows with gaps (a new connection, the completion of
 * a file) say nothing about the line. */
#include "transfer/engine/flow.h"

#include <string.h>

/* Parts that finish this soon cost nothing if they are lost. */
#define FREE_S 0.5
/* While nothing is known: no two large parts concurrently, but many small ones. */
#define START_BYTES ((uint64_t)2 * 1024 * 1024)
/* Small files wait for responses, not for the line; so their rate says nothing, unless they take
 * seconds. */
#define SMALL_BYTES (1024.0 * 1024)
#define SLOW_S 5.0
#define HEAVY ((uint64_t)1024 * 1024)

/* Two concurrent parts need no proof, as long as nothing speaks against them: a single connection
 * pauses between its parts. They must still finish within this time, so a second large one waits
 * until the first one's bytes have shown a rate: some round trips, on a good line milliseconds. */
#define EASY 2
#define EASY_S 12.0

#define WINDOW_US 250000
/* Before the first window has passed. */
#define PART_US 5000
/* The start of each large part, which buffers in transit absorb, does not count: a proxy on a fast
 * network before a slow line would make each new connection look like a gain. */
#define BURST ((uint64_t)256 * 1024)

/* Another attempt at more parts starts only when the run could afford to lose one: after this many
 * times the duration of a part, or after PATIENCE_US. */
#define PARTS_BEFORE 3
#define PATIENCE_US 3000000
/* Without a gain each part would take this long: only on a line that has been stable for a while.
 */
#define RISK_US 10e6
#define STABLE_US 30000000
#define GAIN 1.2
/* A rate that was this many times higher a moment ago. */
#define GAP 4
#define SETTLE_US 250000
#define MEASURE_US 400000
#define HOLD_US 15000000
#define HOLD_MOST_US 120000000
/* Parts that are lost within this time count as one loss. */
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
  if (passed >= PART_US) {
    double now = (double)flow->window_bytes * 1e6 / (double)passed;
    if (now > best)
      best = now;
  }
  return best;
}

static double capacity(const igt__flow *flow, int64_t now_us) {
  double rate = igt__flow_rate(flow, now_us);
  double small = rate * SLOW_S < SMALL_BYTES ? rate * SLOW_S : SMALL_BYTES;

  if (rate <= 0)
    return (double)START_BYTES;
  return rate * FREE_S > small ? rate * FREE_S : small;
}

bool igt__flow_fits(const igt__flow *flow, uint64_t bytes, int64_t now_us) {
  return bytes == 0 || (double)(flow->in_flight + bytes) <= capacity(flow, now_us);
}

bool igt__flow_has_place(const igt__flow *flow, uint64_t bytes, int64_t now_us) {
  unsigned n = bytes < HEAVY ? flow->running : flow->heavy;
  double rate = igt__flow_rate(flow, now_us);

  return n < flow->wide ||
         (n < EASY && !flow->alone &&
          (rate > 0 ? (double)(flow->in_flight + bytes) <= rate * EASY_S : bytes < HEAVY));
}

/* ---- more parts, while that helps ---- */

static int64_t longer(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* New connections first have to be made and get up to speed. */
static void measure_anew(igt__flow *flow, int64_t now_us) {
  flow->mark_at = now_us + longer(SETTLE_US, 2 * flow->lag_us);
  flow->mark_bytes = 0;
}

static void hold(igt__flow *flow, int64_t now_us) {
  flow->wide_before = 0;
  flow->hold_until = now_us + flow->hold_us;
  flow->hold_us = flow->hold_us * 2 < HOLD_MOST_US ? flow->hold_us * 2 : HOLD_MOST_US;
}

/* As many as the two rules allow; more may still run from better times. */
static unsigned allowed(const igt__flow *flow, int64_t now_us) {
  double each = flow->running ? (double)flow->in_flight / (double)flow->running : 1;
  double fit = capacity(flow, now_us) / each;
  unsigned least = flow->wide < EASY && !flow->alone ? EASY : flow->wide;

  if (fit >= flow->most)
    return flow->most;
  return fit > least ? (unsigned)fit : least;
}

/* A part that is lost then is a small share of the transferred bytes. Nothing is tried after a gap,
 * such as the wait for a response while the last bytes are in buffers: compared with that, whatever
 * follows would be a gain. */
static bool may_try(const igt__flow *flow, double rate, int64_t now_us) {
  double each = flow->running ? (double)flow->in_flight / (double)flow->running : 0;
  int64_t passed = now_us - flow->began_at;
  int64_t since = now_us - (flow->lost_at ? flow->lost_at : flow->began_at);
  double alone_us, together_us;

  if (rate <= 0 || rate * GAP < igt__flow_rate(flow, now_us))
    return false;
  alone_us = each * 1e6 / rate;
  together_us = alone_us * allowed(flow, now_us);
  if (2 * together_us > RISK_US && (since < STABLE_US || (double)since < 3 * together_us))
    return false;
  return now_us >= flow->hold_until && flow->wide < flow->most &&
         flow->running <= allowed(flow, now_us) &&
         (passed >= PATIENCE_US || (double)passed >= PARTS_BEFORE * alone_us);
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
  } else if (rate < flow->proved / 2 && flow->wide > 1) { /* the line has changed */
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

/* None finished before the line was cut: fewer; or two, if a single one did not finish (small
 * windows and late acknowledgements affect a lone connection most). */
static void narrow(igt__flow *flow) {
  unsigned n = flow->wide_before ? flow->wide_before : flow->wide;

  if (flow->heavy <= 1) {
    flow->alone = false;
    flow->wide = EASY;
  } else {
    flow->wide = n > 2 ? n / 2 : 1;
    flow->alone = flow->wide == 1 && flow->heavy <= EASY;
  }
  flow->wide_before = 0;
}

void igt__flow_lost(igt__flow *flow, int64_t now_us) {
  bool again = flow->lost_at && now_us - flow->lost_at < TOGETHER_US;

  flow->losing++;
  flow->lost_at = now_us;
  flow->since_loss = 0;
  if (again)
    return;
  if (flow->ended_well == 0)
    narrow(flow);
  flow->ended_well = 0;
  hold(flow, now_us);
}

void igt__flow_go_alone(igt__flow *flow) {
  if (flow->wide == 1)
    flow->alone = true;
}

/* ---- bytes moved ---- */

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
  flow->burst = (flow->running > 1 ? flow->burst : 0) + (bytes >= HEAVY ? BURST : 0);
  flow->in_flight += bytes;
}

static uint64_t take_burst(igt__flow *flow, uint64_t bytes) {
  uint64_t n = bytes < flow->burst ? bytes : flow->burst;

  flow->burst -= n;
  return n;
}

void igt__flow_moved(igt__flow *flow, uint64_t bytes, int64_t now_us) {
  int64_t passed = now_us - flow->window_at;

  if (flow->began_at && !flow->lag_us && bytes > 0)
    flow->lag_us = longer(now_us - flow->last_at, 1);
  flow->since_loss += bytes;
  bytes -= take_burst(flow, bytes);
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
  if (flow->losing)
    flow->losing--;
  else
    flow->ended_well += bytes >= HEAVY && flow->since_loss >= HEAVY;
  flow->running--;
  flow->heavy -= bytes >= HEAVY;
  flow->in_flight -= bytes;
}
