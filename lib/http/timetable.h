/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_TIMETABLE_H
#define IGT_HTTP_TIMETABLE_H

/* Rates over a day, in local time. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define IGT__SPANS_MAX 24

typedef struct igt__span {
  unsigned from, to; /* minutes of the day; to < from: past midnight */
  uint64_t rate;     /* bytes per second; 0: unlimited */
} igt__span;

/* The first matching span applies; without one there is no limit. */
typedef struct igt__timetable {
  size_t count;
  igt__span spans[IGT__SPANS_MAX];
} igt__timetable;

/* "20M" (always), or "HH:MM-HH:MM RATE" and "RATE" (the rest of the day), separated by commas.
 * RATE: bytes per second with k, M, G, T (powers of 1,024), or "off". IGT_E_INVALID otherwise. */
igt_status igt__timetable_parse(const char *text, igt__timetable *out, igt_error *err);
/* The rate at wall_us; *next_us: look again after this many microseconds, at most a minute. */
uint64_t igt__timetable_rate(const igt__timetable *table, int64_t wall_us, int64_t *next_us);

#endif
