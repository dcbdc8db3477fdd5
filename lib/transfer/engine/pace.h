/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PACE_H
#define IGT_TRANSFER_PACE_H

/* Adapts the number of requests in flight: more while that helps, fewer when the store throttles.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct igt__pace {
  unsigned slots; /* in flight now, at most */
  unsigned least, most;
  /* the current measuring window */
  int64_t began_us;
  uint64_t parts, bytes;
  bool idle; /* fewer were in flight than allowed: ignore the window */
  /* results */
  unsigned before; /* slots of the previous window, to which `rate` belongs; 0: none */
  double rate;
  bool starting;      /* more has helped each time */
  int64_t hold_until; /* no growth before */
  int64_t slowed_at;
  /* for the log: slots over time, from the first request to the last */
  int64_t first_us, last_us; /* first_us 0: none yet */
  double slots_us;
} igt__pace;

/* Starts with `slots`, goes up to `most`. */
void igt__pace_init(igt__pace *pace, unsigned slots, unsigned most, int64_t now_us);
/* A request starts. */
void igt__pace_begin(igt__pace *pace, int64_t now_us);
/* A request ended that moved so many bytes; waiting: others are ready to take its place. */
void igt__pace_part(igt__pace *pace, uint64_t bytes, bool waiting, int64_t now_us);
/* The store responded SlowDown, or not in time. */
void igt__pace_slow_down(igt__pace *pace, int64_t now_us);
/* The average number of slots, from the first request to the end of the last; 0: none. */
double igt__pace_average(const igt__pace *pace);

#endif
