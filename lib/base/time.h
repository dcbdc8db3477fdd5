/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_TIME_H
#define IGT_BASE_TIME_H

#include "igtcloud/field.h"

/* ISO 8601 date-time as in RFC 3339 and as today's servers write it: YYYY-MM-DD, 'T' or ' ',
 * HH:MM:SS, a fraction of any length (truncated to microseconds), then nothing, 'Z' or +HH:MM,
 * -HH:MM, +HHMM. Years 0001 to 9999, valid calendar days only, 23:59:60 rejected. */
bool igt__time_parse(const char *s, igt_time *out);
/* YYYY-MM-DD only, strictly; out is midnight without an offset. */
bool igt__date_parse(const char *s, igt_time *out);
/* An RFC 9110 HTTP-date (IMF-fixdate, RFC 850, asctime). */
bool igt__http_date_parse(const char *s, int64_t *out);
/* "20260131T235959Z" only. */
bool igt__basic_parse(const char *s, int64_t *out);

/* "2019-12-31T23:59:59.123456+00:00": six-digit fraction only if not zero, offset only if known,
 * never 'Z'. sep is 'T' or ' '. out: at least 40 bytes. */
void igt__time_format(const igt_time *t, char sep, char *out, size_t cap);
/* "20260131T235959Z" (SigV4, ISO basic), "Sat, 31 Jan 2026 23:59:59 GMT" (HTTP). */
void igt__time_format_basic(int64_t seconds, char *out, size_t cap); /* years 0000 to 9999 */
void igt__time_format_http(int64_t seconds, char *out, size_t cap);
/* The calendar day of t in its own offset, as days since 1970-01-01. */
int64_t igt__time_day(const igt_time *t);

#endif
