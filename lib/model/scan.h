/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_SCAN_H
#define IGT_MODEL_SCAN_H

/* Reading JSON text from front to back, strictly by RFC 8259, without building anything. What a
 * value is, a caller tells from its first byte, as that decides it in JSON. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/json.h"

typedef struct igt__scan {
  const char *begin;
  const char *at;
  const char *end;     /* no NUL needed behind it */
  unsigned depth;      /* arrays and objects that are open */
  const char *problem; /* what is wrong, for people; set by the first failure */
  bool too_deep;
  bool extended; /* NaN, Infinity and -Infinity are values, as Python's json writes them */
} igt__scan;

/* A string's bytes between its quotes, as they stand. */
typedef struct igt__slice {
  const char *at;
  size_t len;
  bool escaped; /* has escapes: unescape it before use */
} igt__slice;

void igt__scan_init(igt__scan *scan, const char *text, size_t n);
void igt__scan_space(igt__scan *scan);
/* The byte that comes next behind space; '\0' at the end. */
char igt__scan_peek(igt__scan *scan);
/* True and past it when c comes next behind space. */
bool igt__scan_take(igt__scan *scan, char c);
bool igt__scan_fail(igt__scan *scan, const char *problem); /* false */

/* These expect their value behind space; false: scan->problem. */
bool igt__scan_string(igt__scan *scan, igt__slice *out);
bool igt__scan_number(igt__scan *scan, igt__slice *out, bool *is_integer);
bool igt__scan_word(igt__scan *scan, const char *word); /* true, false, null */
bool igt__scan_skip(igt__scan *scan);                   /* a value of any kind */

/* Arrays and objects: after _open, for each member until _more says false (then look at
 * scan->problem): read it. first is the caller's, true at first. */
bool igt__scan_open(igt__scan *scan, char bracket);
bool igt__scan_more(igt__scan *scan, char closing, bool *first);
bool igt__scan_key(igt__scan *scan, igt__slice *key); /* with its colon */

/* An integer, including one written as 5.0 or 1e3; false if it is not an integer or does not fit
 * (number.c). */
bool igt__slice_to_int64(const igt__slice *number, int64_t *out);
/* Escapes undone, NUL behind it; a lone surrogate becomes U+FFFD. out has room for len + 1. */
size_t igt__slice_unescape(const igt__slice *string, char *out);

/* Writes JSON text that was checked anew: in that style, `depth` levels deep. */
bool igt__scan_rewrite(igt__buf *out, const char *text, size_t n, igt__json_style style,
                       unsigned depth);
/* A JSON string of UTF-8. */
bool igt__json_write_string(igt__buf *out, const char *s, size_t n, igt__json_style style);

#endif
