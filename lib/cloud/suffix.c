/* SPDX-License-Identifier: MIT */
#include "cloud/suffix.h"

#include <string.h>

#include "base/str.h"
#include "crypto/crypto.h"

#define SHORT 8
#define LONG 64
#define SAFE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* An id with characters that a folder name should not contain is represented by its digest. */
static void text_of_id(const char *id, bool is_long, char out[LONG + 1]) {
  size_t n = strlen(id), most = is_long ? LONG : SHORT;
  unsigned char digest[IGT__DIGEST_MAX];

  if (n > 0 && n <= LONG && strspn(id, SAFE) == n) {
    n = n > most ? most : n;
    memcpy(out, id, n);
    out[n] = '\0';
    return;
  }
  igt__digest_of(IGT__SHA256, id, n, digest);
  igt__hex(digest, most / 2, out);
}

bool igt__suffix_put(igt__buf *out, const char *id, bool is_long) {
  char text[LONG + 1];

  text_of_id(id, is_long, text);
  return igt__buf_printf(out, " (%s)", text);
}

bool igt__suffix_is(const char *name, const char *plain, const char *id) {
  size_t n = strlen(plain), m;
  char text[LONG + 1];

  if (strncmp(name, plain, n) != 0 || !igt__str_starts(name + n, " (") || !igt__str_ends(name, ")"))
    return false;
  name += n + 2;
  m = strlen(name) - 1;
  for (int is_long = 0; is_long < 2; is_long++) {
    text_of_id(id, is_long, text);
    if (strlen(text) == m && memcmp(text, name, m) == 0)
      return true;
  }
  return false;
}

size_t igt__suffix_at(const char *name) {
  const char *open = NULL;

  if (!igt__str_ends(name, ")"))
    return 0;
  for (const char *p = strstr(name, " ("); p; p = strstr(p + 1, " ("))
    open = p;
  return open && open[2] != ')' ? (size_t)(open - name) : 0;
}
