/* SPDX-License-Identifier: MIT */
/* Writes JSON text that was already checked in another style (compact, indented, or Python's ASCII
 * form) without building values: scan.c finds the tokens, and strings and numbers are copied or
 * re-escaped. Called by encode.c for JSON fields and unknown fields, and by decode.c to store them
 * as compact text. */
#include <string.h>

#include "model/scan.h"

/* ---- strings ---- */

/* One character of valid UTF-8 at s; *n: its length. */
static unsigned utf8_char(const char *s, size_t *n) {
  unsigned char c = (unsigned char)*s;
  unsigned v;

  *n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  v = *n == 1 ? c : c & (0xFFu >> (*n + 1));
  for (size_t i = 1; i < *n; i++)
    v = v << 6 | ((unsigned char)s[i] & 0x3Fu);
  return v;
}

static void write_u(igt__buf *out, unsigned c) {
  if (c > 0xFFFF)
    igt__buf_printf(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10),
                    0xDC00 + ((c - 0x10000) & 0x3FF));
  else
    igt__buf_printf(out, "\\u%04x", c);
}

static void write_special(igt__buf *out, unsigned c) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *found = c && c < 0x80 ? strchr(from, (int)c) : NULL;

  if (!found) {
    write_u(out, c);
    return;
  }
  igt__buf_putc(out, '\\');
  igt__buf_putc(out, to[found - from]);
}

/* How much of s can be written unchanged. Python escapes DEL in its ASCII form, too. */
static size_t plain_length(const char *s, size_t n, igt__json_style style) {
  size_t i;

  for (i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];

    if (c < 0x20 || c == '"' || c == '\\' || (c >= 0x7F && style == IGT__JSON_INDENT4))
      break;
  }
  return i;
}

bool igt__json_write_string(igt__buf *out, const char *s, size_t n, igt__json_style style) {
  igt__buf_putc(out, '"');
  while (n > 0) {
    size_t plain = plain_length(s, n, style), used = 0;

    igt__buf_append(out, s, plain);
    if (plain < n)
      write_special(out, utf8_char(s + plain, &used));
    s += plain + used;
    n -= plain + used;
  }
  igt__buf_putc(out, '"');
  return !out->failed;
}

/* ---- whole values ---- */

static bool rewrite_string(igt__buf *out, igt__scan *scan, igt__json_style style) {
  igt__slice string;
  igt__buf plain;

  if (!igt__scan_string(scan, &string))
    return false;
  if (!string.escaped)
    return igt__json_write_string(out, string.at, string.len, style);
  igt__buf_init(&plain, string.len + 1);
  if (igt__buf_reserve(&plain, string.len + 1)) {
    size_t n = igt__slice_unescape(&string, plain.data);

    igt__json_write_string(out, plain.data, n, style);
  } else {
    out->failed = true;
  }
  igt__buf_finish(&plain);
  return !out->failed;
}

static void new_line(igt__buf *out, igt__json_style style, unsigned depth) {
  if (style != IGT__JSON_INDENT4)
    return;
  igt__buf_putc(out, '\n');
  for (unsigned i = 0; i < depth; i++)
    igt__buf_puts(out, "    ");
}

static bool rewrite_value(igt__buf *out, igt__scan *scan, igt__json_style style, unsigned depth);

static bool rewrite_many(igt__buf *out, igt__scan *scan, igt__json_style style, unsigned depth) {
  char bracket = *scan->at, closing = bracket == '[' ? ']' : '}';
  bool first = true, any = false;

  if (!igt__scan_open(scan, bracket))
    return false;
  igt__buf_putc(out, bracket);
  while (igt__scan_more(scan, closing, &first)) {
    if (any)
      igt__buf_putc(out, ',');
    any = true;
    new_line(out, style, depth + 1);
    if (bracket == '{') {
      if (!rewrite_string(out, scan, style) || !igt__scan_take(scan, ':'))
        return false;
      igt__buf_puts(out, style == IGT__JSON_INDENT4 ? ": " : ":");
    }
    if (!rewrite_value(out, scan, style, depth + 1))
      return false;
  }
  if (any)
    new_line(out, style, depth);
  return igt__buf_putc(out, closing) && !scan->problem;
}

static bool rewrite_value(igt__buf *out, igt__scan *scan, igt__json_style style, unsigned depth) {
  char c = igt__scan_peek(scan);
  const char *begin = scan->at;

  if (c == '"')
    return rewrite_string(out, scan, style);
  if (c == '[' || c == '{')
    return rewrite_many(out, scan, style, depth);
  return igt__scan_skip(scan) && igt__buf_append(out, begin, (size_t)(scan->at - begin));
}

bool igt__scan_rewrite(igt__buf *out, const char *text, size_t n, igt__json_style style,
                       unsigned depth) {
  igt__scan scan;

  igt__scan_init(&scan, text, n);
  return rewrite_value(out, &scan, style, depth);
}
