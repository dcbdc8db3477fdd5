/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_SCAN_H
#define IGT_MODEL_SCAN_H

/* Reads JSON text from front to back, strictly by RFC 8259, without building anything. The first
 * byte of a value determines its type in JSON, so callers peek at it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/json.h"

typedef struct igt__scan {
  const char *begin;
  const char *at;
  const char *end;     /* need not be NUL-terminated */
  unsigned depth;      /* arrays and objects that are open */
  const char *problem; /* the problem, as a message for users; set by the first failure */
  bool too_deep;
  bool extended; /* accept NaN, Infinity and -Infinity, as Python's json module writes them */
} igt__scan;

/* A string's bytes between its quotes, unchanged. */
typedef struct igt__slice {
  const char *at;
  size_t len;
  bool escaped; /* has escapes: unescape it before use */
} igt__slice;

void igt__scan_init(igt__scan *scan, const char *text, size_t n);
void igt__scan_space(igt__scan *scan);
/* The next byte after white space; '\0' at the end. */
char igt__scan_peek(igt__scan *scan);
/* True, and moves past it, if c is the next byte after white space. */
bool igt__scan_take(igt__scan *scan, char c);
bool igt__scan_fail(igt__scan *scan, const char *problem); /* false */

/* These expect their value after white space; false: scan->problem. */
bool igt__scan_string(igt__scan *scan, igt__slice *out);
bool igt__scan_number(igt__scan *scan, igt__slice *out, bool *is_integer);
bool igt__scan_word(igt__scan *scan, const char *word); /* true, false, null */
bool igt__scan_skip(igt__scan *scan);                   /* a value of any kind */

/* Arrays and objects: after _open, read one member each time _more returns true; when it returns
 * false, check scan->problem. first is the caller's variable, initially true. */
bool igt__scan_open(igt__scan *scan, char bracket);
bool igt__scan_more(igt__scan *scan, char closing, bool *first);
bool igt__scan_key(igt__scan *scan, igt__slice *key); /* with its colon */

/* An integer, including one written as 5.0 or 1e3; false if it is not an integer or does not fit
 * (number.c). */
bool igt__slice_to_int64(const igt__slice *number, int64_t *out);
/* Decodes escapes and adds a NUL; a lone surrogate becomes U+FFFD. out has space for len + 1. */
size_t igt__slice_unescape(const igt__slice *string, char *out);

/* Writes JSON text that was already checked in the given style, `depth` levels deep. */
bool igt__scan_rewrite(igt__buf *out, const char *text, size_t n, igt__json_style style,
                       unsigned depth);
/* Writes UTF-8 as a JSON string. */
bool igt__json_write_string(igt__buf *out, const char *s, size_t n, igt__json_style style);

#endif
