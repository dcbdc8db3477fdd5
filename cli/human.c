/* SPDX-License-Identifier: MIT */
/* Numbers, times and names in the forms that users read and write: sizes, durations, dates, and
 * globs. The listing, the progress display and the commands that filter use them; the unit test
 * test_human.c has the tables. */
#include "human.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY 86400
#define HALF_A_YEAR (182 * DAY)

size_t next_character(const char *text, unsigned *columns); /* text.c */

/* ---- numbers ---- */

void format_size(unsigned long long n, char *out, size_t cap) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double v = (double)n;
  size_t unit = 0;

  while (v >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
    v /= 1024;
    unit++;
  }
  snprintf(out, cap, unit ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

void format_count(unsigned long long n, char *out, size_t cap) {
  char digits[24];
  size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", n), at = 0;

  for (size_t i = 0; i < len && at + 2 < cap; i++) {
    if (i && (len - i) % 3 == 0)
      out[at++] = ',';
    out[at++] = digits[i];
  }
  out[at] = '\0';
}

bool parse_size(const char *text, uint64_t *bytes) {
  static const char units[] = "kmgtp";
  char *end;
  double v = isdigit((unsigned char)*text) ? strtod(text, &end) : -1;
  const char *unit;

  if (v < 0 || strpbrk(text, "xXeE"))
    return false;
  end += strspn(end, " ");
  if (*end && (unit = strchr(units, tolower((unsigned char)*end))) != NULL) {
    for (const char *u = units; u <= unit; u++)
      v *= 1024;
    end++;
    end += (*end == 'i' && (end[1] == 'B' || end[1] == 'b')) ? 1 : 0;
  }
  end += *end == 'B' || *end == 'b';
  if (*end || v >= 1.8e19)
    return false;
  *bytes = (uint64_t)v;
  return true;
}

/* ---- times ---- */

void format_duration(long long seconds, char *out, size_t cap) {
  if (seconds < 0)
    snprintf(out, cap, "--:--");
  else if (seconds >= 10000LL * DAY)
    snprintf(out, cap, "years");
  else if (seconds >= DAY)
    snprintf(out, cap, "%lldd %02lldh", seconds / DAY, seconds / 3600 % 24);
  else if (seconds >= 3600)
    snprintf(out, cap, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
  else
    snprintf(out, cap, "%lld:%02lld", seconds / 60, seconds % 60);
}

void format_iso(int64_t seconds, char *out, size_t cap) {
  time_t when = (time_t)seconds;
  struct tm tm;

  *out = '\0';
  if (gmtime_r(&when, &tm))
    strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* -1: not two digits. */
static int two_digits(const char *p) {
  return isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1])
             ? (p[0] - '0') * 10 + p[1] - '0'
             : -1;
}

const char *parse_offset(const char *text, int64_t *seconds) {
  int hours, minutes = 0;
  const char *p = text + 1;

  if ((*text != '+' && *text != '-') || (hours = two_digits(p)) < 0)
    return NULL;
  p += 2;
  if (*p == ':' || isdigit((unsigned char)*p)) {
    p += *p == ':';
    if ((minutes = two_digits(p)) < 0)
      return NULL;
    p += 2;
  }
  *seconds = (*text == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return hours < 24 && minutes < 60 ? p : NULL;
}

/* What follows the date and the time: a fraction, and a zone. NULL: something else. */
static const char *read_zone(const char *p, int64_t *offset) {
  *offset = 0;
  if (*p == '.')
    p += 1 + strspn(p + 1, "0123456789");
  if (*p == 'Z' || *p == 'z')
    return p + 1;
  return *p ? parse_offset(p, offset) : p;
}

/* Its fields as they are written, and seconds since 1970. */
static bool read_when(const char *text, struct tm *tm, int64_t *seconds) {
  const char *p;
  int64_t offset;
  struct tm checked;

  memset(tm, 0, sizeof *tm);
  if (strspn(text, "0123456789") != 4 || !(p = strptime(text, "%Y-%m-%d", tm)))
    return false;
  if (*p == 'T' || *p == ' ') {
    const char *time = p + 1;
    if (!(p = strptime(time, "%H:%M:%S", tm)) && !(p = strptime(time, "%H:%M", tm)))
      return false;
  }
  if (!(p = read_zone(p, &offset)) || *p)
    return false;
  checked = *tm;
  *seconds = (int64_t)timegm(&checked) - offset;
  return checked.tm_mday == tm->tm_mday && checked.tm_mon == tm->tm_mon;
}

bool parse_when(const char *text, int64_t *seconds) {
  struct tm tm;

  return read_when(text, &tm, seconds);
}

void format_when(const char *iso, int64_t now, char *out, size_t cap) {
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  struct tm tm;
  int64_t seconds;

  if (!read_when(iso, &tm, &seconds))
    snprintf(out, cap, "%s", iso);
  else if (strlen(iso) > 10 && seconds > now - HALF_A_YEAR && seconds <= now + DAY)
    snprintf(out, cap, "%2d %s %02d:%02d", tm.tm_mday, months[tm.tm_mon], tm.tm_hour, tm.tm_min);
  else
    snprintf(out, cap, "%2d %s %d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
}

/* ---- names ---- */

/* A "[...]" that matches c; *end: behind it. NULL end: it has none, and means itself. */
static bool in_brackets(const char *set, char c, const char **end) {
  const char *p = set + 1;
  bool negated = *p == '!' || *p == '^', found = false;

  p += negated;
  for (const char *first = p; *p && (*p != ']' || p == first); p++) {
    unsigned char low = (unsigned char)*p, high = low;
    if (p[1] == '-' && p[2] && p[2] != ']') {
      high = (unsigned char)p[2];
      p += 2;
    }
    found = found || ((unsigned char)c >= low && (unsigned char)c <= high);
  }
  *end = *p ? p + 1 : NULL;
  return found != negated;
}

/* One character of name, or what stands for it; *next: the rest of the glob. */
static bool matches_one(const char *glob, const char *name, size_t bytes, const char **next) {
  *next = glob + 1;
  if (*glob == '?')
    return true;
  if (*glob == '[') {
    bool found = in_brackets(glob, *name, next);
    if (*next)
      return found && bytes == 1;
    *next = glob + 1;
  } else if (*glob == '\\' && glob[1]) {
    glob++;
    *next = glob + 1;
  }
  if (strncmp(glob, name, bytes) != 0)
    return false;
  *next += bytes - 1;
  return true;
}

bool glob_matches(const char *glob, const char *name) {
  const char *star = NULL, *retry = NULL, *next;
  unsigned columns;

  while (*name) {
    size_t bytes = next_character(name, &columns);
    if (*glob == '*') {
      star = ++glob;
      retry = name;
    } else if (*glob && matches_one(glob, name, bytes, &next)) {
      glob = next;
      name += bytes;
    } else if (star) { /* the star takes one more */
      retry += next_character(retry, &columns);
      name = retry;
      glob = star;
    } else {
      return false;
    }
  }
  return !glob[strspn(glob, "*")];
}

/* Both at a digit: compares the numbers, and moves behind them. */
static int compare_numbers(const char **a, const char **b) {
  const char *x = *a + strspn(*a, "0"), *y = *b + strspn(*b, "0");
  size_t n = strspn(x, "0123456789"), m = strspn(y, "0123456789");

  *a = x + n;
  *b = y + m;
  return n != m ? (n < m ? -1 : 1) : strncmp(x, y, n);
}

static int rank_of(char c) {
  return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 2;
}

int compare_names(const char *a, const char *b) {
  const char *x = a, *y = b;

  while (*x || *y) {
    int order;
    if (isdigit((unsigned char)*x) && isdigit((unsigned char)*y)) {
      order = compare_numbers(&x, &y);
    } else {
      order = rank_of(*x) - rank_of(*y);
      x += *x != '\0';
      y += *y != '\0';
    }
    if (order)
      return order;
  }
  return strcmp(a, b); /* "P01" and "P1" */
}

void shorten(const char *text, size_t columns, bool utf8, char *out, size_t cap) {
  const char *mark = utf8 ? "\xe2\x80\xa6" : "...";
  size_t width = utf8 ? 1 : 3, used = 0, at = 0, fits = 0;
  unsigned w;

  for (const char *p = text; *p;) {
    size_t n = next_character(p, &w);
    if (used + w > columns || at + n + 4 > cap) {
      snprintf(out, cap, "%.*s%s", (int)fits, text, columns < width ? "" : mark);
      return;
    }
    used += w;
    at += n;
    p += n;
    if (used + width <= columns)
      fits = at;
  }
  snprintf(out, cap, "%s", text);
}
