/* SPDX-License-Identifier: MIT */
/* Parses and formats dates without the C library's calendar, time zones and locale: the ISO 8601 of
 * the API and of S3's XML (lib/model, lib/s3), HTTP dates (lib/http), and the basic format of SigV4
 * (lib/s3). Days are counted with the usual civil-calendar arithmetic (days_from_civil and its
 * inverse); small scanners (digits, literal) parse each format strictly. */
#include "time.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#define DAY 86400

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Years start in March, so that
 * the leap day is the last one. */
static int64_t days_from_civil(int year, int month, int day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

  return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t m = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
  *month = (int)(m < 10 ? m + 3 : m - 9);
  *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static bool valid_date(int year, int month, int day) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

  if (year < 1 || month < 1 || month > 12 || day < 1)
    return false;
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= lengths[month - 1] + (month == 2 && leap);
}

/* Parses exactly n digits at *s, and advances. */
static bool digits(const char **s, int n, int *out) {
  int v = 0;

  for (int i = 0; i < n; i++) {
    char c = (*s)[i];
    if (c < '0' || c > '9')
      return false;
    v = v * 10 + (c - '0');
  }
  *s += n;
  *out = v;
  return true;
}

static bool literal(const char **s, char c) {
  if (**s != c)
    return false;
  (*s)++;
  return true;
}

static bool parse_date(const char **s, int64_t *days) {
  int year, month, day;

  if (!digits(s, 4, &year) || !literal(s, '-') || !digits(s, 2, &month) || !literal(s, '-') ||
      !digits(s, 2, &day) || !valid_date(year, month, day))
    return false;
  *days = days_from_civil(year, month, day);
  return true;
}

static bool parse_clock(const char **s, int *seconds) {
  int hour, minute, second;

  if (!digits(s, 2, &hour) || !literal(s, ':') || !digits(s, 2, &minute) || !literal(s, ':') ||
      !digits(s, 2, &second) || hour > 23 || minute > 59 || second > 59)
    return false;
  *seconds = hour * 3600 + minute * 60 + second;
  return true;
}

static bool parse_fraction(const char **s, int32_t *microseconds) {
  *microseconds = 0;
  if (**s != '.')
    return true;
  (*s)++;
  int n = 0;
  for (; **s >= '0' && **s <= '9'; (*s)++, n++) {
    if (n < 6)
      *microseconds = *microseconds * 10 + (**s - '0');
  }
  for (int i = n; i < 6; i++)
    *microseconds *= 10;
  return n > 0;
}

static bool parse_offset(const char **s, igt_time *out) {
  out->has_offset = true;
  if (literal(s, 'Z') || literal(s, 'z'))
    return true;
  bool west = **s == '-';
  if (!west && **s != '+') {
    out->has_offset = false;
    return true;
  }
  (*s)++;
  int hours, minutes;
  if (!digits(s, 2, &hours))
    return false;
  literal(s, ':');
  if (!digits(s, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  int offset = hours * 60 + minutes;
  out->offset = (int16_t)(west ? -offset : offset);
  return true;
}

bool igt__time_parse(const char *s, igt_time *out) {
  igt_time t = {0};
  int64_t days;
  int seconds;

  if (!s || !parse_date(&s, &days) || !(literal(&s, 'T') || literal(&s, 't') || literal(&s, ' ')))
    return false;
  if (!parse_clock(&s, &seconds) || !parse_fraction(&s, &t.microseconds) || !parse_offset(&s, &t))
    return false;
  if (*s)
    return false;
  t.seconds = days * DAY + seconds - t.offset * 60;
  *out = t;
  return true;
}

bool igt__date_parse(const char *s, igt_time *out) {
  int64_t days;

  if (!s || !parse_date(&s, &days) || *s)
    return false;
  *out = (igt_time){.seconds = days * DAY};
  return true;
}

static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

static bool parse_month(const char **s, int *month) {
  for (int i = 0; i < 12; i++) {
    if (strncmp(*s, month_names[i], 3) == 0) {
      *s += 3;
      *month = i + 1;
      return true;
    }
  }
  return false;
}

static bool http_result(int year, int month, int day, int seconds, int64_t *out) {
  if (!valid_date(year, month, day))
    return false;
  *out = days_from_civil(year, month, day) * DAY + seconds;
  return true;
}

/* "06 Nov 1994 08:49:37 GMT", after "Sun, ". */
static bool parse_imf(const char *s, int64_t *out) {
  int day, month, year, seconds;

  return digits(&s, 2, &day) && literal(&s, ' ') && parse_month(&s, &month) && literal(&s, ' ') &&
         digits(&s, 4, &year) && literal(&s, ' ') && parse_clock(&s, &seconds) &&
         strcmp(s, " GMT") == 0 && http_result(year, month, day, seconds, out);
}

/* "06-Nov-94 08:49:37 GMT", after "Sunday, ". Two-digit years: RFC 9110 5.6.7 asks for the century
 * that is not more than 50 years ahead; 70 is where every server's clock starts. */
static bool parse_rfc850(const char *s, int64_t *out) {
  int day, month, year, seconds;

  return digits(&s, 2, &day) && literal(&s, '-') && parse_month(&s, &month) && literal(&s, '-') &&
         digits(&s, 2, &year) && literal(&s, ' ') && parse_clock(&s, &seconds) &&
         strcmp(s, " GMT") == 0 &&
         http_result(year + (year < 70 ? 2000 : 1900), month, day, seconds, out);
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(const char *s, int64_t *out) {
  int day, month, year, seconds;

  if (strlen(s) < 4)
    return false;
  s += 4;
  if (!parse_month(&s, &month) || !literal(&s, ' '))
    return false;
  bool one_digit = literal(&s, ' ');
  return digits(&s, one_digit ? 1 : 2, &day) && literal(&s, ' ') && parse_clock(&s, &seconds) &&
         literal(&s, ' ') && digits(&s, 4, &year) && !*s &&
         http_result(year, month, day, seconds, out);
}

bool igt__http_date_parse(const char *s, int64_t *out) {
  if (!s)
    return false;
  const char *comma = strstr(s, ", ");
  if (!comma)
    return parse_asctime(s, out);
  return parse_imf(comma + 2, out) || parse_rfc850(comma + 2, out);
}

bool igt__basic_parse(const char *s, int64_t *out) {
  int year, month, day, hour, minute, second;

  return s && digits(&s, 4, &year) && digits(&s, 2, &month) && digits(&s, 2, &day) &&
         literal(&s, 'T') && digits(&s, 2, &hour) && digits(&s, 2, &minute) &&
         digits(&s, 2, &second) && literal(&s, 'Z') && !*s && hour < 24 && minute < 60 &&
         second < 60 && http_result(year, month, day, hour * 3600 + minute * 60 + second, out);
}

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

typedef struct broken_down {
  int year, month, day, hour, minute, second;
  int64_t days;
} broken_down;

static broken_down break_down(int64_t seconds) {
  broken_down b;

  b.days = floor_div(seconds, DAY);
  int rest = (int)(seconds - b.days * DAY);
  civil_from_days(b.days, &b.year, &b.month, &b.day);
  b.hour = rest / 3600;
  b.minute = rest / 60 % 60;
  b.second = rest % 60;
  return b;
}

void igt__time_format(const igt_time *t, char sep, char *out, size_t cap) {
  broken_down b = break_down(t->seconds + t->offset * 60);
  char fraction[16] = "", offset[16] = "";

  if (t->microseconds)
    snprintf(fraction, sizeof fraction, ".%06d", (int)t->microseconds);
  int minutes = t->offset < 0 ? -t->offset : t->offset;
  if (t->has_offset)
    snprintf(offset, sizeof offset, "%c%02d:%02d", t->offset < 0 ? '-' : '+', minutes / 60,
             minutes % 60);
  snprintf(out, cap, "%04d-%02d-%02d%c%02d:%02d:%02d%s%s", b.year, b.month, b.day, sep, b.hour,
           b.minute, b.second, fraction, offset);
}

/* Writes n digits to out. printf would account for half the time of the callers, which format a
 * date for each response and each signature. */
static void put_digits(char *out, int n, int value) {
  while (n-- > 0) {
    out[n] = (char)('0' + value % 10);
    value /= 10;
  }
}

static void put_text(char *out, size_t cap, const char *text, size_t n) {
  if (cap == 0)
    return;
  n = n < cap ? n : cap - 1;
  memcpy(out, text, n);
  out[n] = '\0';
}

void igt__time_format_basic(int64_t seconds, char *out, size_t cap) {
  char text[] = "yyyymmddThhmmssZ";
  broken_down b = break_down(seconds);

  put_digits(text, 4, b.year);
  put_digits(text + 4, 2, b.month);
  put_digits(text + 6, 2, b.day);
  put_digits(text + 9, 2, b.hour);
  put_digits(text + 11, 2, b.minute);
  put_digits(text + 13, 2, b.second);
  put_text(out, cap, text, sizeof text - 1);
}

void igt__time_format_http(int64_t seconds, char *out, size_t cap) {
  char text[] = "Www, dd Mmm yyyy hh:mm:ss GMT";
  broken_down b = break_down(seconds);
  int64_t weekday = b.days - floor_div(b.days, 7) * 7;

  memcpy(text, day_names[weekday], 3);
  put_digits(text + 5, 2, b.day);
  memcpy(text + 8, month_names[b.month - 1], 3);
  put_digits(text + 12, 4, b.year);
  put_digits(text + 17, 2, b.hour);
  put_digits(text + 20, 2, b.minute);
  put_digits(text + 23, 2, b.second);
  put_text(out, cap, text, sizeof text - 1);
}

int64_t igt__time_day(const igt_time *t) {
  return floor_div(t->seconds + t->offset * 60, DAY);
}
