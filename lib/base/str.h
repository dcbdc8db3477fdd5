/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_STR_H
#define IGT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "quota.h"

/* Inline: comparing header names calls it hundreds of times a request. */
static inline char igt__ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The value of a hexadecimal digit of either case; -1: not one. */
static inline int igt__hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = igt__ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool igt__str_eq(const char *a, const char *b);        /* NULL equals only NULL */
bool igt__str_eq_nocase(const char *a, const char *b); /* ASCII, independent of the locale */
/* Copies as much of s as fits, and a NUL. */
void igt__str_copy(char *out, size_t cap, const char *s);
bool igt__str_starts(const char *s, const char *prefix);
bool igt__str_starts_nocase(const char *s, const char *prefix);
bool igt__str_ends(const char *s, const char *suffix);
/* The whole string: decimal, no sign but '-', no space, in range. */
bool igt__str_to_int64(const char *s, int64_t *out);
bool igt__str_to_uint64(const char *s, uint64_t *out);
bool igt__utf8_valid(const char *s, size_t n); /* RFC 3629: no surrogates, no overlong forms */

/* RFC 3986 percent-encoding of all but unreserved characters; keep_slash leaves '/' as it is. */
bool igt__uri_encode(igt__buf *out, const char *s, size_t n, bool keep_slash);
/* %XX and, with plus_is_space, '+'. False on an invalid escape. May produce NUL: use out->len. */
bool igt__uri_decode(igt__buf *out, const char *s, size_t n, bool plus_is_space);

/* "1.2 MiB", "312 B" into out (at least 16 bytes). */
void igt__format_bytes(uint64_t n, char *out, size_t cap);

/* Shell-style pattern for a '/'-separated path: '*' and '?' do not match '/', '**' does, [a-z]
 * sets. A pattern without '/' is matched against the last component. Case-sensitive. */
bool igt__glob_match(const char *pattern, const char *path);
/* Whether the pattern matches the path or one of its parent folders: a folder's name selects
 * everything below it. A pattern with a trailing slash matches folders only. */
bool igt__glob_selects(const char *pattern, const char *path);

/* A map from string to pointer, open addressing, insertion-ordered iteration. */
typedef struct igt__map igt__map;
igt__map *igt__map_new(void);
void igt__map_free(igt__map *map); /* does not free the values */
/* Call while the map is empty: keys and tables count against this quota; an allocation beyond it
 * fails like one without memory. */
void igt__map_bound(igt__map *map, igt__quota *quota);
void *igt__map_get(const igt__map *map, const char *key);
bool igt__map_has(const igt__map *map, const char *key);
bool igt__map_set(igt__map *map, const char *key, void *value); /* copies key; false: no memory */
size_t igt__map_count(const igt__map *map);
/* The i-th entry in insertion order. */
bool igt__map_at(const igt__map *map, size_t i, const char **key, void **value);

#endif
