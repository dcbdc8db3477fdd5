/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_COOKIE_H
#define IGT_AUTH_COOKIE_H

/* One Set-Cookie header, parsed as described in RFC 6265, section 5.2. Nothing is copied: the
 * slices point into the header's text. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct igt__cookie {
  const char *name;
  size_t name_len;
  const char *value;
  size_t value_len;
  int64_t max_age; /* seconds, 0 or more; -1 without a valid Max-Age */
} igt__cookie;

/* The first cookie of the header. False if there is none: no '=' in its first part, or no name. */
bool igt__cookie_parse(const char *header, igt__cookie *out);
/* The cookie of that name, in a header in which a proxy may have joined several by commas. */
bool igt__cookie_find(const char *header, const char *name, igt__cookie *out);
bool igt__cookie_is(const igt__cookie *cookie, const char *name); /* names are case-sensitive */

#endif
