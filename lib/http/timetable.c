/* SPDX-License-Identifier: MIT */
/* Rate limits that depend on the time of day: "08:00-18:00 20M, off".
 *
 * igt__timetable_parse reads an option's text (called by lib/api/client.c); igt__timetable_rate
 * returns the rate for a time and when to look again (called by rate.c). The first entry whose
 * hours include the current minute applies; if none does there is no limit. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "http/timetable.h"

#define DAY (24 * 60)

/* ---- parsing ---- */

static const char *skip_space(const char *s) {
  return s + strspn(s, " \t");
}

/* "7:30", "07:30", "24:00" as minutes; NULL: not a time. */
static const char *read_time(const char *s, unsigned *minutes) {
  unsigned value[2] = {0, 0};

  for (int i = 0; i < 2; i++) {
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > 2 || (i == 1 && n != 2))
      return NULL;
    while (n-- > 0)
      value[i] = value[i] * 10 + (unsigned)(*s++ - '0');
    if (i == 0 && *s++ != ':')
      return NULL;
  }
  *minutes = value[0] * 60 + value[1];
  return value[1] < 60 && *minutes <= DAY ? s : NULL;
}

static double unit_of(char c) {
  static const char units[] = "kmgt";
  const char *unit = c ? strchr(units, igt__ascii_lower(c)) : NULL;
  double factor = 1;

  for (const char *u = units; unit && u <= unit; u++)
    factor *= 1024;
  return factor;
}

/* "20M", "1.5G", "500k", plain bytes, or "off". */
static const char *read_rate(const char *s, uint64_t *rate) {
  char *end;
  double value;

  if (igt__str_starts_nocase(s, "off")) {
    *rate = 0;
    return s + 3;
  }
  if (*s < '0' || *s > '9') /* strtod would accept "nan", signs and spaces */
    return NULL;
  value = strtod(s, &end);
  if (unit_of(*end) > 1)
    value *= unit_of(*end++);
  if (!(value >= 1) || value > 1e15)
    return NULL;
  *rate = (uint64_t)value;
  return end;
}

static const char *read_span(const char *s, igt__span *span) {
  const char *colon = strchr(s, ':');

  span->from = 0;
  span->to = DAY;
  if (colon && colon < s + strcspn(s, ",")) {
    if (!(s = read_time(s, &span->from)) || *(s = skip_space(s)) != '-' ||
        !(s = read_time(skip_space(s + 1), &span->to)) || span->from == span->to ||
        (*s != ' ' && *s != '\t'))
      return NULL;
  }
  s = read_rate(skip_space(s), &span->rate);
  return s ? skip_space(s) : NULL;
}

igt_status igt__timetable_parse(const char *text, igt__timetable *out, igt_error *err) {
  const char *s = skip_space(text);

  *out = (igt__timetable){.count = 0};
  for (;;) {
    if (out->count == IGT__SPANS_MAX)
      return igt__fail(err, IGT_E_INVALID, "a timetable has at most %d entries", IGT__SPANS_MAX);
    if (!(s = read_span(s, &out->spans[out->count])))
      break;
    out->count++;
    if (!*s)
      return IGT_OK;
    if (*s != ',')
      break;
    s = skip_space(s + 1);
  }
  return igt__fail(
      err, IGT_E_INVALID,
      "'%s' is neither a rate such as 20M nor a timetable such as '08:00-18:00 20M, off'", text);
}

/* ---- lookup ---- */

static bool holds(const igt__span *span, unsigned minute) {
  if (span->from < span->to)
    return minute >= span->from && minute < span->to;
  return minute >= span->from || minute < span->to; /* past midnight */
}

uint64_t igt__timetable_rate(const igt__timetable *table, int64_t wall_us, int64_t *next_us) {
  time_t seconds = (time_t)(wall_us / 1000000);
  struct tm local = {0};

  localtime_r(&seconds, &local);
  /* At each full minute, so that a changed clock or daylight saving time is noticed. */
  *next_us = (60 - (local.tm_sec < 60 ? local.tm_sec : 59)) * (int64_t)1000000 - wall_us % 1000000;
  for (size_t i = 0; i < table->count; i++)
    if (holds(&table->spans[i], (unsigned)(local.tm_hour * 60 + local.tm_min)))
      return table->spans[i].rate;
  return 0;
}
