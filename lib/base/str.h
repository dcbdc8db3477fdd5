/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_STR_H
#define IGT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "quota.h"

/* Inline: comparing the names of headers calls it some hundred times a request. */
static inline char igt__ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool igt__str_eq(const char *a, const char *b);        /* NULL equals NULL only */
bool igt__str_eq_nocase(const char *a, const char *b); /* ASCII; never the locale's */
/* What fits of s, and a NUL. */
void igt__str_copy(char *out, size_t cap, const char *s);
bool igt__str_starts(const char *s, const char *prefix);
bool igt__str_starts_nocase(const char *s, const char *prefix);
bool igt__str_ends(const char *s, const char *suffix);
/* Whole string, decimal, no sign but an optional '-', no space, in range. */
bool igt__str_to_int64(const char *s, int64_t *out);
bool igt__str_to_uint64(const char *s, uint64_t *out);
bool igt__utf8_valid(const char *s, size_t n); /* RFC 3629: no surrogates, no overlong forms */

/* RFC 3986 percent-encoding of everything but unreserved characters; keep_slash leaves '/'. */
bool igt__uri_encode(igt__buf *out, const char *s, size_t n, bool keep_slash);
/* %XX and, with plus_is_space, '+'. False on a bad escape. May produce NUL: look at out->len. */
bool igt__uri_decode(igt__buf *out, const char *s, size_t n, bool plus_is_space);

/* "1.2 MiB", "312 B" into out (at least 16 bytes). */
void igt__format_bytes(uint64_t n, char *out, size_t cap);

/* Shell-style pattern over a '/'-separated path: '*' and '?' do not cross '/', '**' does, [a-z]
 * sets. A pattern without '/' is matched against the last component. ASCII case-sensitive. */
bool igt__glob_match(const char *pattern, const char *path);
/* Whether the pattern matches the path or a folder on its way: a folder's name takes everything
 * below it. With a slash at its end a pattern matches folders alone. */
bool igt__glob_selects(const char *pattern, const char *path);

/* A map from string to pointer, open addressing, insertion-ordered iteration. */
typedef struct igt__map igt__map;
igt__map *igt__map_new(void);
void igt__map_free(igt__map *map); /* the values stay the caller's */
/* Before anything is in it: its keys and tables are of this quota; what does not fit fails as
 * memory does that is not there. */
void igt__map_bound(igt__map *map, igt__quota *quota);
void *igt__map_get(const igt__map *map, const char *key);
bool igt__map_has(const igt__map *map, const char *key);
bool igt__map_set(igt__map *map, const char *key, void *value); /* key is copied; false: memory */
size_t igt__map_count(const igt__map *map);
bool igt__map_at(const igt__map *map, size_t i, const char **key, void **value); /* by insertion */

#endif
