/* SPDX-License-Identifier: MIT */
/* Adapts the number of requests in flight. Completed requests and their bytes are counted in
 * windows of at least WINDOW_US; at the end of a window in which all slots were in use, the rate is
 * compared with that of the previous number of slots. The number doubles while that raises the
 * rate, returns to the smaller one when it does not, and is lowered when the store throttles.
 * Called by sched.c under its lock. */
#include "transfer/engine/pace.h"

#include <string.h>

/* Long enough to smooth the bursts in which responses arrive, short enough to matter for a project
 * of some thousand files. */
#define WINDOW_US 250000
/* Each slot has been used a few times: what a window started with and ended in matters little. */
#define TURNS 3
/* Until more slots first fail to help: with a long round trip a run of 2,000 small files takes two
 * seconds, and one step of the usual length would be half of that. */
#define FIRST_WINDOW_US 50000
#define FIRST_TURNS 1
/* A request counts as this many bytes: about what a connection could have moved while it waited for
 * the response, so that small and large files are measured by one number. */
#define PART_BYTES 65536
/* Less than this is noise, and not worth the connections. */
#define GAIN 1.10
#define HOLD_US 15000000
/* After a SlowDown. Further ones of requests already in flight add no information. */
#define SLOW_HOLD_US 10000000
#define SLOW_AGAIN_US 1000000
#define LEAST 2

static void begin_window(igt__pace *pace, int64_t now) {
  pace->began_us = now;
  pace->parts = 0;
  pace->bytes = 0;
  pace->idle = false;
}

void igt__pace_init(igt__pace *pace, unsigned slots, unsigned most, int64_t now_us) {
  memset(pace, 0, sizeof *pace);
  pace->most = most ? most : 1;
  pace->slots = slots < pace->most ? slots : pace->most;
  pace->least = pace->slots < LEAST ? pace->slots : LEAST;
  pace->slowed_at = INT64_MIN / 2;
  pace->starting = true;
  begin_window(pace, now_us);
}

static void grow(igt__pace *pace, double rate) {
  pace->before = pace->slots;
  pace->rate = rate;
  pace->slots = pace->slots * 2 < pace->most ? pace->slots * 2 : pace->most;
}

static void hold(igt__pace *pace, int64_t now) {
  pace->before = 0;
  pace->starting = false;
  pace->hold_until = now + HOLD_US;
}

/* Doubles while that gives a tenth more; else goes back to the smaller number that was as good. */
static void decide(igt__pace *pace, double rate, int64_t now) {
  if (pace->before && pace->before < pace->slots && rate < pace->rate * GAIN) {
    pace->slots = pace->before;
    hold(pace, now);
  } else if (pace->slots < pace->most) {
    grow(pace, rate);
  } else {
    hold(pace, now);
  }
}

static bool window_is_over(const igt__pace *pace, int64_t now) {
  int64_t least_us = pace->starting ? FIRST_WINDOW_US : WINDOW_US;
  uint64_t turns = pace->starting ? FIRST_TURNS : TURNS;

  return now - pace->began_us >= least_us && pace->parts >= turns * pace->slots;
}

void igt__pace_begin(igt__pace *pace, int64_t now_us) {
  if (!pace->first_us)
    pace->first_us = pace->last_us = now_us;
}

/* Accounts the time with the present number of slots before it changes. */
static void count_slots(igt__pace *pace, int64_t now_us) {
  if (pace->first_us && now_us > pace->last_us) {
    pace->slots_us += (double)pace->slots * (double)(now_us - pace->last_us);
    pace->last_us = now_us;
  }
}

double igt__pace_average(const igt__pace *pace) {
  int64_t passed = pace->last_us - pace->first_us;

  return passed > 0 ? pace->slots_us / (double)passed : 0;
}

void igt__pace_part(igt__pace *pace, uint64_t bytes, bool waiting, int64_t now_us) {
  int64_t passed = now_us - pace->began_us;

  count_slots(pace, now_us);
  pace->parts++;
  pace->bytes += bytes;
  pace->idle = pace->idle || !waiting;
  if (!window_is_over(pace, now_us))
    return;
  if (!pace->idle && now_us >= pace->hold_until)
    decide(pace, (double)(pace->bytes + pace->parts * PART_BYTES) / (double)passed, now_us);
  begin_window(pace, now_us);
}

void igt__pace_slow_down(igt__pace *pace, int64_t now_us) {
  count_slots(pace, now_us);
  pace->hold_until = now_us + SLOW_HOLD_US;
  pace->before = 0;
  pace->starting = false;
  if (now_us - pace->slowed_at < SLOW_AGAIN_US)
    return;
  pace->slowed_at = now_us;
  pace->slots = pace->slots / 2 > pace->least ? pace->slots / 2 : pace->least;
  begin_window(pace, now_us);
}
