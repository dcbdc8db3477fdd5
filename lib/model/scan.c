/* SPDX-License-Identifier: MIT */
/* A strict JSON scanner (RFC 8259): moves through the text and returns slices of it, builds nothing
 * and allocates nothing. Strings are checked for UTF-8 and escapes, numbers for syntax, nesting for
 * depth; the first problem is kept as a message. Called by decode.c and json.c, and by rewrite.c
 * for text that was checked before. */
#include "model/scan.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"

void igt__scan_init(igt__scan *scan, const char *text, size_t n) {
  *scan = (igt__scan){.begin = text, .at = text, .end = text + n};
}

bool igt__scan_fail(igt__scan *scan, const char *problem) {
  if (!scan->problem)
    scan->problem = problem;
  return false;
}

void igt__scan_space(igt__scan *scan) {
  const char *at = scan->at;

  while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
    at++;
  scan->at = at;
}

char igt__scan_peek(igt__scan *scan) {
  igt__scan_space(scan);
  return scan->at < scan->end ? *scan->at : '\0';
}

bool igt__scan_take(igt__scan *scan, char c) {
  igt__scan_space(scan);
  if (scan->at == scan->end || *scan->at != c)
    return false;
  scan->at++;
  return true;
}

/* ---- strings ---- */

/* at: after the backslash; NULL: not an escape. */
static const char *escape_end(const char *at, const char *end) {
  if (at == end)
    return NULL;
  if (*at != 'u')
    return strchr("\"\\/bfnrt", *at) && *at ? at + 1 : NULL;
  if (end - at < 5)
    return NULL;
  for (int i = 1; i <= 4; i++)
    if (igt__hex_value(at[i]) < 0)
      return NULL;
  return at + 5;
}

/* Bytes of a string that need no check: printable ASCII except '"' and '\'. */
static bool is_plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

bool igt__scan_string(igt__scan *scan, igt__slice *out) {
  bool ascii = true;
  const char *at;

  if (!igt__scan_take(scan, '"'))
    return igt__scan_fail(scan, "a string is expected");
  *out = (igt__slice){.at = scan->at};
  for (at = scan->at; at < scan->end && *at != '"';) {
    unsigned char c = (unsigned char)*at;

    if (is_plain(c)) {
      at++;
    } else if (c >= 0x80) {
      ascii = false;
      at++;
    } else if (c == '\\') {
      out->escaped = true;
      at = escape_end(at + 1, scan->end);
      if (!at)
        return igt__scan_fail(scan, "an invalid escape");
    } else {
      return igt__scan_fail(scan, "a control character in a string");
    }
  }
  if (at >= scan->end)
    return igt__scan_fail(scan, "an unterminated string");
  out->len = (size_t)(at - out->at);
  if (!ascii && !igt__utf8_valid(out->at, out->len))
    return igt__scan_fail(scan, "invalid UTF-8");
  scan->at = at + 1;
  return true;
}

static unsigned hex4(const char *at) {
  unsigned v = 0;

  for (int i = 0; i < 4; i++)
    v = v * 16 + (unsigned)igt__hex_value(at[i]);
  return v;
}

static char *put_utf8(char *out, unsigned c) {
  if (c < 0x80) {
    *out++ = (char)c;
  } else if (c < 0x800) {
    *out++ = (char)(0xC0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out++ = (char)(0xE0 | c >> 12);
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  } else {
    *out++ = (char)(0xF0 | c >> 18);
    *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  }
  return out;
}

/* at: the four digits of an escape; *next: after what was read (RFC 8259, section 7). */
static unsigned escaped_char(const char *at, const char *end, const char **next) {
  unsigned high = hex4(at), low;

  *next = at + 4;
  if (high < 0xD800 || high > 0xDFFF)
    return high;
  if (high > 0xDBFF || end - at < 10 || at[4] != '\\' || at[5] != 'u')
    return 0xFFFD;
  low = hex4(at + 6);
  if (low < 0xDC00 || low > 0xDFFF)
    return 0xFFFD;
  *next = at + 10;
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

size_t igt__slice_unescape(const igt__slice *string, char *out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *at = string->at, *end = at + string->len;
  char *begin = out;

  while (at < end) {
    const char *backslash = string->escaped ? memchr(at, '\\', (size_t)(end - at)) : NULL;
    size_t n = (size_t)((backslash ? backslash : end) - at);

    memcpy(out, at, n);
    out += n;
    at += n;
    if (at < end && at[1] == 'u') {
      unsigned c = escaped_char(at + 2, end, &at);

      out = put_utf8(out, c);
    } else if (at < end) {
      *out++ = to[strchr(from, at[1]) - from];
      at += 2;
    }
  }
  *out = '\0';
  return (size_t)(out - begin);
}

/* ---- numbers and words ---- */

static const char *digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* The end of a number by RFC 8259, section 6; NULL if it is not one. */
static const char *number_end(const char *at, const char *end, bool *is_integer) {
  const char *begin;

  *is_integer = true;
  if (at < end && *at == '-')
    at++;
  begin = at;
  at = digits(at, end);
  if (at == begin || (*begin == '0' && at - begin > 1))
    return NULL;
  if (at < end && *at == '.') {
    *is_integer = false;
    begin = ++at;
    at = digits(at, end);
    if (at == begin)
      return NULL;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    *is_integer = false;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
      at++;
    begin = at;
    at = digits(at, end);
    if (at == begin)
      return NULL;
  }
  return at;
}

bool igt__scan_number(igt__scan *scan, igt__slice *out, bool *is_integer) {
  const char *end;

  igt__scan_space(scan);
  end = number_end(scan->at, scan->end, is_integer);
  if (!end)
    return igt__scan_fail(scan, "a number is expected");
  *out = (igt__slice){.at = scan->at, .len = (size_t)(end - scan->at)};
  scan->at = end;
  return true;
}

bool igt__scan_word(igt__scan *scan, const char *word) {
  size_t n = strlen(word);

  igt__scan_space(scan);
  if ((size_t)(scan->end - scan->at) < n || memcmp(scan->at, word, n) != 0)
    return igt__scan_fail(scan, "a value is expected");
  scan->at += n;
  return true;
}

/* ---- arrays and objects ---- */

bool igt__scan_open(igt__scan *scan, char bracket) {
  if (!igt__scan_take(scan, bracket))
    return igt__scan_fail(scan, bracket == '[' ? "an array is expected" : "an object is expected");
  if (++scan->depth > (scan->extended ? IGT__MAX_JSON_FILE_DEPTH : IGT__MAX_JSON_DEPTH)) {
    scan->too_deep = true;
    return igt__scan_fail(scan, "values are nested too deeply");
  }
  return true;
}

bool igt__scan_more(igt__scan *scan, char closing, bool *first) {
  if (scan->problem)
    return false;
  if (igt__scan_take(scan, closing)) {
    scan->depth--;
    return false;
  }
  if (!*first && !igt__scan_take(scan, ','))
    return igt__scan_fail(scan, "a comma or a closing bracket is expected");
  *first = false;
  return true;
}

bool igt__scan_key(igt__scan *scan, igt__slice *key) {
  if (!igt__scan_string(scan, key))
    return false;
  return igt__scan_take(scan, ':') || igt__scan_fail(scan, "a colon is expected");
}

static bool skip_many(igt__scan *scan, char bracket) {
  igt__slice key;
  bool first = true;

  if (!igt__scan_open(scan, bracket))
    return false;
  while (igt__scan_more(scan, bracket == '[' ? ']' : '}', &first))
    if ((bracket == '{' && !igt__scan_key(scan, &key)) || !igt__scan_skip(scan))
      return false;
  return !scan->problem;
}

static bool skip_number(igt__scan *scan, char c) {
  igt__slice slice;
  bool is_integer;

  if (scan->extended && c == '-' && scan->end - scan->at > 1 && scan->at[1] == 'I')
    return igt__scan_word(scan, "-Infinity");
  if (scan->extended && (c == 'N' || c == 'I'))
    return igt__scan_word(scan, c == 'N' ? "NaN" : "Infinity");
  if (c == '-' || (c >= '0' && c <= '9'))
    return igt__scan_number(scan, &slice, &is_integer);
  return igt__scan_fail(scan, "a value is expected");
}

/* Recursive through skip_many, to a depth of IGT__MAX_JSON_DEPTH, or _FILE_DEPTH. */
bool igt__scan_skip(igt__scan *scan) {
  char c = igt__scan_peek(scan);
  igt__slice slice;

  switch (c) {
  case '{':
  case '[':
    return skip_many(scan, c);
  case '"':
    return igt__scan_string(scan, &slice);
  case 't':
    return igt__scan_word(scan, "true");
  case 'f':
    return igt__scan_word(scan, "false");
  case 'n':
    return igt__scan_word(scan, "null");
  case '\0':
    return igt__scan_fail(scan, "a value is missing");
  default:
    return skip_number(scan, c);
  }
}
