/* SPDX-License-Identifier: MIT */
/* Set-Cookie headers (RFC 6265, section 5.2): splits a header into the cookie's name, value and
 * attributes, of which only Max-Age matters here. Some proxies join several Set-Cookie headers by
 * commas, so igt__cookie_find also finds where the next cookie starts. Called by login.c for the
 * session's cookies; nothing is copied. */
#include "auth/cookie.h"

#include <string.h>

#include "base/str.h"

/* Longer lifetimes than this (ten years) are cut so that arithmetic on them cannot overflow. */
#define MAX_AGE_CAP (10LL * 366 * 24 * 3600)

typedef struct slice {
  const char *s;
  size_t n;
} slice;

static bool is_space(char c) {
  return c == ' ' || c == '\t';
}

static slice trim(const char *s, size_t n) {
  while (n > 0 && is_space(s[0])) {
    s++;
    n--;
  }
  while (n > 0 && is_space(s[n - 1]))
    n--;
  return (slice){s, n};
}

/* Splits the text up to `end`, a ';' or the end of the header, at its first '='. */
static bool split(const char *s, const char *end, slice *name, slice *value) {
  const char *eq = memchr(s, '=', (size_t)(end - s));

  *name = trim(s, (size_t)((eq ? eq : end) - s));
  *value = eq ? trim(eq + 1, (size_t)(end - eq - 1)) : (slice){end, 0};
  return eq != NULL;
}

/* RFC 6265, section 5.2.2: digits with an optional '-'; with anything else the attribute is
 * ignored. */
static bool parse_max_age(slice text, int64_t *out) {
  bool negative = text.n > 0 && text.s[0] == '-';
  int64_t seconds = 0;

  if (text.n == (negative ? 1u : 0u))
    return false;
  for (size_t i = negative ? 1 : 0; i < text.n; i++) {
    if (text.s[i] < '0' || text.s[i] > '9')
      return false;
    if (seconds < MAX_AGE_CAP)
      seconds = seconds * 10 + (text.s[i] - '0');
  }
  if (seconds > MAX_AGE_CAP)
    seconds = MAX_AGE_CAP;
  *out = negative ? 0 : seconds;
  return true;
}

static bool equal_nocase(slice text, const char *word) {
  if (text.n != strlen(word))
    return false;
  for (size_t i = 0; i < text.n; i++)
    if (igt__ascii_lower(text.s[i]) != word[i])
      return false;
  return true;
}

/* "name=" where the name is a token: that starts a cookie, and never continues a date. */
static bool begins_cookie(const char *s, const char *end) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const char *at;

  while (s < end && is_space(*s))
    s++;
  for (at = s; at < end && memchr(token, *at, sizeof token - 1);)
    at++;
  return at > s && at < end && *at == '=';
}

/* The end of the line's first cookie: some proxies join Set-Cookie headers by commas, and a date
 * contains a comma, too. */
static const char *find_end(const char *line, const char *end) {
  const char *comma = line;

  while ((comma = memchr(comma, ',', (size_t)(end - comma))) != NULL) {
    if (begins_cookie(comma + 1, end))
      return comma;
    comma++;
  }
  return end;
}

static const char *find_semicolon(const char *s, const char *end) {
  const char *at = memchr(s, ';', (size_t)(end - s));

  return at ? at : end;
}

static bool parse(const char *line, const char *line_end, igt__cookie *out) {
  const char *end = find_semicolon(line, line_end);
  slice name, value;

  if (!split(line, end, &name, &value) || name.n == 0)
    return false;
  /* Some servers quote values; a JWT never contains quotes itself. */
  if (value.n >= 2 && value.s[0] == '"' && value.s[value.n - 1] == '"')
    value = (slice){value.s + 1, value.n - 2};
  *out = (igt__cookie){name.s, name.n, value.s, value.n, -1};
  while (end < line_end) {
    const char *s = end + 1;

    end = find_semicolon(s, line_end);
    split(s, end, &name, &value);
    if (equal_nocase(name, "max-age"))
      parse_max_age(value, &out->max_age);
  }
  return true;
}

bool igt__cookie_parse(const char *header, igt__cookie *out) {
  return parse(header, find_end(header, header + strlen(header)), out);
}

bool igt__cookie_find(const char *header, const char *name, igt__cookie *out) {
  const char *end = header + strlen(header), *at = header;

  for (;;) {
    const char *next = find_end(at, end);

    if (parse(at, next, out) && igt__cookie_is(out, name))
      return true;
    if (next == end)
      return false;
    at = next + 1;
  }
}

bool igt__cookie_is(const igt__cookie *cookie, const char *name) {
  return cookie->name_len == strlen(name) && memcmp(cookie->name, name, cookie->name_len) == 0;
}
