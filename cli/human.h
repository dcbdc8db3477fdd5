/* SPDX-License-Identifier: MIT */
#ifndef CLI_HUMAN_H
#define CLI_HUMAN_H

/* human.c: numbers, times and names in the forms that users read and write. Nothing here depends on
 * the program's state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1.5 GiB" */
void format_size(unsigned long long n, char *out, size_t cap);
/* "12,345" */
void format_count(unsigned long long n, char *out, size_t cap);
/* Seconds: "0:07", "1:02:03", from a day on "2d 03h"; negative: "--:--". */
void format_duration(long long seconds, char *out, size_t cap);
/* A time of the cloud (ISO 8601) as `ls -l` shows files: "15 Jan 10:15" within half a year of now,
 * else "15 Jan 2024". Unchanged if it is not a time. The cloud's own zone is kept. */
void format_when(const char *iso, int64_t now, char *out, size_t cap);
/* "2024-01-15T10:15:00Z" of seconds since 1970. */
void format_iso(int64_t seconds, char *out, size_t cap);

/* "10G", "1.5 MiB", "500k", "12": bytes, in powers of 1024. */
bool parse_size(const char *text, uint64_t *bytes);
/* "2024-01-15", or with a time "2024-01-15T10:15[:00][Z|+02:00]"; without a zone UTC. Seconds since
 * 1970. */
bool parse_when(const char *text, int64_t *seconds);
/* "+02:00", "+0200" or "+02": seconds east of UTC. Returns what follows; NULL: not an offset. */
const char *parse_offset(const char *text, int64_t *seconds);

/* '*', '?', "[a-z]", "[!a-z]" and '\', as the shell has them; nothing is special about '/' and '.'.
 */
bool glob_matches(const char *glob, const char *name);

/* For sorting: runs of digits compare as numbers ("P2" before "P10"), and '/' comes first, so that
 * what is below a name follows it. 0 for equal names alone. */
int compare_names(const char *a, const char *b);

/* What is left of a text that does not fit into so many columns: its end is replaced by "…" or, if
 * the locale is not UTF-8, "...". */
void shorten(const char *text, size_t columns, bool utf8, char *out, size_t cap);

#endif
