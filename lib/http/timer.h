/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_TIMER_H
#define IGT_HTTP_TIMER_H

/* The timers of a loop; on its thread only. */

#include <stdint.h>

typedef struct igt__timer igt__timer;

typedef struct igt__timers {
  igt__timer *first; /* sorted by due */
} igt__timers;

/* Owned by the struct that embeds it. */
struct igt__timer {
  igt__timer *next, **prev; /* prev NULL: not set */
  int64_t due;              /* igt__mono_us */
  void (*fn)(igt__timer *timer);
};

/* Calls timer->fn once, at due; replaces an earlier due time. */
void igt__timer_set(igt__timers *timers, igt__timer *timer, int64_t due);
void igt__timer_clear(igt__timer *timer); /* no effect on a timer that is not set */

#endif
