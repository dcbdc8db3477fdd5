/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PACE_H
#define IGT_TRANSFER_PACE_H

/* How many pieces in flight serve best: more while more helps, fewer when the store asks for it. */

#include <stdbool.h>
#include <stdint.h>

typedef struct igt__pace {
  unsigned slots; /* in flight now, at most */
  unsigned least, most;
  /* the window that is measured */
  int64_t began_us;
  uint64_t parts, bytes;
  bool idle; /* fewer were in flight than might have been: it says nothing */
  /* what is known */
  unsigned before; /* slots of the window before, which `rate` belongs to; 0: none */
  double rate;
  bool starting;      /* more has helped each time */
  int64_t hold_until; /* no growth before */
  int64_t slowed_at;
  /* for the log: slots over time, from the first piece to the last */
  int64_t first_us, last_us; /* first_us 0: none yet */
  double slots_us;
} igt__pace;

/* Begins with `slots`, goes up to `most`. */
void igt__pace_init(igt__pace *pace, unsigned slots, unsigned most, int64_t now_us);
/* A piece begins. */
void igt__pace_begin(igt__pace *pace, int64_t now_us);
/* A piece ended that moved so many bytes; waiting: others are ready to take its place. */
void igt__pace_part(igt__pace *pace, uint64_t bytes, bool waiting, int64_t now_us);
/* The store said SlowDown, or did not answer in time. */
void igt__pace_slow_down(igt__pace *pace, int64_t now_us);
/* Slots on average, from the first piece to the last that ended; 0: there was none. */
double igt__pace_average(const igt__pace *pace);

#endif
