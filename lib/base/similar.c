/* SPDX-License-Identifier: MIT */
/* How similar two names are, for "did you mean": the edit distance of their case-folded NFC forms.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/unicode.h"
#include "igtcloud/name.h"

#define NAME_MAX_COMPARED 128

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* The edit distance: bytes inserted, deleted, replaced, or two swapped. */
static size_t edits(const char *a, size_t n, const char *b, size_t m) {
  size_t rows[3][NAME_MAX_COMPARED + 1], *before = rows[0], *last = rows[1], *now = rows[2];

  for (size_t k = 0; k <= m; k++)
    last[k] = k;
  for (size_t i = 1; i <= n; i++) {
    size_t *oldest = before;
    now[0] = i;
    for (size_t k = 1; k <= m; k++) {
      now[k] = least(least(last[k], now[k - 1]) + 1, last[k - 1] + (a[i - 1] != b[k - 1]));
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
        now[k] = least(now[k], before[k - 2] + 1);
    }
    before = last;
    last = now;
    now = oldest;
  }
  return last[m];
}

/* In lower case, without surrounding blanks. */
static char *normal(const char *name) {
  char *folded = igt__nfc_fold(name), *begin = folded;
  size_t n;

  while (begin && *begin == ' ')
    begin++;
  n = begin ? strlen(begin) : 0;
  while (n > 0 && begin[n - 1] == ' ')
    n--;
  begin = begin ? igt__strndup(begin, n) : NULL;
  igt__free(folded);
  return begin;
}

size_t igt_name_distance(const char *wanted, const char *name) {
  char *a = normal(wanted), *b = normal(name);
  size_t n = a ? strlen(a) : 0, m = b ? strlen(b) : 0, d = SIZE_MAX;

  if (n > 0 && m > 0 && n <= NAME_MAX_COMPARED && m <= NAME_MAX_COMPARED) {
    d = edits(a, n, b, m);
    if (d > 1 + least(n, m) / 4)
      d = SIZE_MAX;
  }
  igt__free(a);
  igt__free(b);
  return d;
}
