/* SPDX-License-Identifier: MIT */
/* String functions that do not depend on the locale: comparison, numbers, UTF-8 validation,
 * percent-encoding, sizes for messages, and the glob patterns of --include and --exclude
 * (match_path). Used by all layers; the map that str.h also declares is in map.c. */
#include "str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

bool igt__str_eq(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

bool igt__str_eq_nocase(const char *a, const char *b) {
  if (!a || !b)
    return a == b;
  return strlen(a) == strlen(b) && igt__str_starts_nocase(a, b);
}

void igt__str_copy(char *out, size_t cap, const char *s) {
  size_t n = strnlen(s, cap - 1);

  memcpy(out, s, n);
  out[n] = '\0';
}

bool igt__str_starts(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool igt__str_starts_nocase(const char *s, const char *prefix) {
  for (; *prefix; s++, prefix++) {
    if (igt__ascii_lower(*s) != igt__ascii_lower(*prefix))
      return false;
  }
  return true;
}

bool igt__str_ends(const char *s, const char *suffix) {
  size_t n = strlen(s), m = strlen(suffix);

  return m <= n && memcmp(s + n - m, suffix, m) == 0;
}

static bool only_digits(const char *s) {
  if (!*s)
    return false;
  for (; *s; s++) {
    if (*s < '0' || *s > '9')
      return false;
  }
  return true;
}

bool igt__str_to_int64(const char *s, int64_t *out) {
  if (!s || !only_digits(*s == '-' ? s + 1 : s))
    return false;
  errno = 0;
  long long v = strtoll(s, NULL, 10);
  if (errno)
    return false;
  *out = v;
  return true;
}

bool igt__str_to_uint64(const char *s, uint64_t *out) {
  if (!s || !only_digits(s))
    return false;
  errno = 0;
  unsigned long long v = strtoull(s, NULL, 10);
  if (errno)
    return false;
  *out = v;
  return true;
}

/* The length of the sequence at s, 0 if invalid (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *s, size_t n) {
  if (s[0] < 0x80)
    return 1;
  size_t len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
               : s[0] >= 0xe0 && s[0] <= 0xef ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
  if (len == 0 || len > n)
    return 0;
  for (size_t i = 1; i < len; i++) {
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  }
  bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
  bool surrogate = s[0] == 0xed && s[1] > 0x9f;
  bool too_high = s[0] == 0xf4 && s[1] > 0x8f;
  return overlong || surrogate || too_high ? 0 : len;
}

bool igt__utf8_valid(const char *s, size_t n) {
  for (size_t i = 0; i < n;) {
    size_t len = utf8_sequence((const unsigned char *)s + i, n - i);
    if (len == 0)
      return false;
    i += len;
  }
  return true;
}

static bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/* Most characters need no encoding: runs of them are appended at once. */
bool igt__uri_encode(igt__buf *out, const char *s, size_t n, bool keep_slash) {
  static const char digits[] = "0123456789ABCDEF";
  size_t run = 0;

  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (is_unreserved(c) || (keep_slash && c == '/'))
      continue;
    char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
    igt__buf_append(out, s + run, i - run);
    igt__buf_append(out, escape, sizeof escape);
    run = i + 1;
  }
  return run == n ? !out->failed : igt__buf_append(out, s + run, n - run);
}

bool igt__uri_decode(igt__buf *out, const char *s, size_t n, bool plus_is_space) {
  size_t run = 0;

  for (size_t i = 0; i < n; i++) {
    char c = s[i];
    size_t used = 1;
    if (c == '%') {
      int high = i + 2 < n ? igt__hex_value(s[i + 1]) : -1;
      int low = i + 2 < n ? igt__hex_value(s[i + 2]) : -1;
      if (high < 0 || low < 0)
        return false;
      c = (char)(high * 16 + low);
      used = 3;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    } else {
      continue;
    }
    igt__buf_append(out, s + run, i - run);
    igt__buf_putc(out, c);
    i += used - 1;
    run = i + 1;
  }
  return run == n ? !out->failed : igt__buf_append(out, s + run, n - run);
}

void igt__format_bytes(uint64_t n, char *out, size_t cap) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double v = (double)n;
  size_t unit = 0;

  while (v >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
    v /= 1024;
    unit++;
  }
  if (unit == 0)
    snprintf(out, cap, "%" PRIu64 " B", n);
  else
    snprintf(out, cap, "%.1f %s", v, units[unit]);
}

/* ---- patterns ---- */

/* Matches c against the set that starts after '['; *end points after ']'. NULL end: not a set. */
static bool match_set(const char *set, char c, const char **end) {
  bool negated = *set == '!' || *set == '^', found = false;
  const char *p = set + negated;

  *end = NULL;
  for (bool first = true; *p && (first || *p != ']'); first = false, p++) {
    if (p[1] == '-' && p[2] && p[2] != ']') {
      found |= (unsigned char)c >= (unsigned char)p[0] && (unsigned char)c <= (unsigned char)p[2];
      p += 2;
    } else {
      found |= *p == c;
    }
  }
  if (*p == ']')
    *end = p + 1;
  return found != negated;
}

/* Matches one pattern element against one byte; *next points after the element. */
static bool match_one(const char *pattern, char c, const char **next) {
  *next = pattern + 1;
  if (*pattern == '?')
    return c != '/';
  if (*pattern == '[') {
    const char *end;
    bool found = match_set(pattern + 1, c, &end);
    if (end) {
      *next = end;
      return found && c != '/';
    }
  }
  if (*pattern == '\\' && pattern[1]) {
    *next = pattern + 2;
    return pattern[1] == c;
  }
  return *pattern == c;
}

/* Where a '**' that started at s may end next; NULL: nowhere. */
static const char *next_start(const char *s, bool whole_folders) {
  if (!whole_folders)
    return s + 1;
  const char *slash = strchr(s, '/');
  return slash ? slash + 1 : NULL;
}

/* Iterative, with one backtracking point each for '*' and '**': no input takes more than quadratic
 * time for either. */
static bool match_path(const char *p, const char *s) {
  const char *star = NULL, *star_s = NULL, *deep = NULL, *deep_s = NULL;
  bool whole_folders = false; /* the last '**' was followed by '/' */

  for (;;) {
    if (*p == '*') {
      bool crosses = p[1] == '*';
      p += crosses ? 2 : 1;
      if (crosses) {
        whole_folders = *p == '/'; /* possibly no folder at all */
        p += whole_folders;
        deep = p, deep_s = s;
        star = NULL;
      } else {
        star = p, star_s = s;
      }
      continue;
    }
    const char *next;
    if (*s && *p && match_one(p, *s, &next)) {
      p = next;
      s++;
      continue;
    }
    if (!*s && !*p)
      return true;
    if (star && *star_s && *star_s != '/') {
      p = star;
      s = ++star_s;
    } else if (deep && *deep_s) {
      deep_s = next_start(deep_s, whole_folders);
      if (!deep_s)
        return false;
      p = deep;
      s = deep_s;
      star = NULL;
    } else {
      return false;
    }
  }
}

bool igt__glob_match(const char *pattern, const char *path) {
  if (!strchr(pattern, '/')) {
    const char *slash = strrchr(path, '/');
    return match_path(pattern, slash ? slash + 1 : path);
  }
  return match_path(pattern[0] == '/' ? pattern + 1 : pattern, path);
}

bool igt__glob_selects(const char *pattern, const char *path) {
  char folder_pattern[IGT__MAX_PATH + 1], folder[IGT__MAX_PATH + 1];
  size_t n;

  while (pattern[0] == '.' && pattern[1] == '/')
    pattern += 2;
  n = strlen(pattern);
  bool folders_only = n > 1 && pattern[n - 1] == '/';
  if (!folders_only && igt__glob_match(pattern, path))
    return true;
  while (n > 1 && pattern[n - 1] == '/')
    n--;
  if (n >= sizeof folder_pattern || strlen(path) >= sizeof folder)
    return false;
  (void)snprintf(folder_pattern, sizeof folder_pattern, "%.*s", (int)n, pattern);
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (igt__glob_match(folder_pattern, folder))
      return true;
  }
  return false;
}
