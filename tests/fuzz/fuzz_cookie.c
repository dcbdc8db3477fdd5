/* SPDX-License-Identifier: MIT */
/* A Set-Cookie line. The resulting slices lie within it. */
#include "auth/cookie.h"
#include "base/mem.h"
#include "demand.h"

static bool is_inside(const char *line, const char *s, size_t n) {
  return s >= line && s + n <= line + strlen(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *line = igt__strndup((const char *)data, size);
  igt__cookie cookie;

  if (!line)
    return 0;
  if (igt__cookie_parse(line, &cookie) && (cookie.name_len == 0 || cookie.max_age < -1 ||
                                           !is_inside(line, cookie.name, cookie.name_len) ||
                                           !is_inside(line, cookie.value, cookie.value_len)))
    abort();
  if (igt__cookie_find(line, "jwt_signature", &cookie) &&
      (cookie.max_age < -1 || !is_inside(line, cookie.value, cookie.value_len)))
    abort();
  igt__free(line);
  return 0;
}
