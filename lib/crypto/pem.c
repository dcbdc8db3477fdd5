/* SPDX-License-Identifier: MIT */
/* The textual encoding of keys (RFC 7468), accepted with any line breaks. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define COLUMNS 64 /* RFC 7468, section 2 */

bool igt__pem_body(const char *pem, size_t n, const char **label, igt__buf *body) {
  const char *begin = igt__mem_find(pem, n, BEGIN, strlen(BEGIN));

  if (!begin)
    return false;
  *label = begin + strlen(BEGIN);
  const char *end_of_pem = pem + n;
  const char *from = igt__mem_find(*label, (size_t)(end_of_pem - *label), DASHES, strlen(DASHES));
  if (!from)
    return false;
  from += strlen(DASHES);
  const char *to = igt__mem_find(from, (size_t)(end_of_pem - from), END, strlen(END));
  if (!to)
    return false;
  for (; from < to; from++) {
    if (!strchr(" \t\r\n", *from) || !*from)
      igt__buf_putc(body, *from);
  }
  return !body->failed;
}

bool igt__pem_wrap(const char *pem, size_t n, igt__buf *out) {
  const char *label = NULL;
  igt__buf body;

  igt__buf_init(&body, IGT__MAX_KEY_FILE);
  bool ok = n <= IGT__MAX_KEY_FILE && igt__pem_body(pem, n, &label, &body) && body.len > 0 &&
            !memchr(body.data, '-', body.len) && !memchr(body.data, ':', body.len);
  if (ok) {
    int label_len = (int)(igt__mem_find(label, (size_t)(pem + n - label), DASHES, 5) - label);
    igt__buf_printf(out, BEGIN "%.*s" DASHES "\n", label_len, label);
    for (size_t at = 0; at < body.len; at += COLUMNS) {
      size_t left = body.len - at;
      igt__buf_append(out, body.data + at, left < COLUMNS ? left : COLUMNS);
      igt__buf_putc(out, '\n');
    }
    igt__buf_printf(out, END "%.*s" DASHES "\n", label_len, label);
    ok = !out->failed;
  }
  igt__buf_finish_wipe(&body);
  return ok;
}
