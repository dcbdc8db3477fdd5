/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "upgrade/upgrade.h"

#define MOST_DIGITS 9

static const char *read_part(const char *p, unsigned *out) {
  size_t n = strspn(p, "0123456789");

  if (n == 0 || n > MOST_DIGITS || (n > 1 && *p == '0'))
    return NULL;
  *out = 0;
  for (size_t i = 0; i < n; i++)
    *out = *out * 10 + (unsigned)(p[i] - '0');
  return p + n;
}

bool igt__release_parse(const char *text, igt__release *out) {
  const char *p = text + (*text == 'v');

  for (int i = 0; i < 3; i++) {
    if (i > 0 && *p++ != '.')
      return false;
    p = read_part(p, &out->part[i]);
    if (!p)
      return false;
  }
  return *p == '\0';
}

int igt__release_compare(const igt__release *a, const igt__release *b) {
  for (int i = 0; i < 3; i++)
    if (a->part[i] != b->part[i])
      return a->part[i] < b->part[i] ? -1 : 1;
  return 0;
}

void igt__release_text(const igt__release *release, char out[48]) {
  snprintf(out, 48, "%u.%u.%u", release->part[0], release->part[1], release->part[2]);
}

bool igt__release_of_tag(const char *url, igt__release *out) {
  static const char tag[] = "/tag/v";
  const char *last = strrchr(url, '/');

  return last && last - url >= 4 && strncmp(last - 4, tag, sizeof tag - 1) == 0 &&
         igt__release_parse(last + 1, out);
}
