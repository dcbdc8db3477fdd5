/* SPDX-License-Identifier: MIT */
/* Dates from servers and users, and Retry-After. What is parsed can be written and parsed again as
 * the same moment. */
#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"
#include "demand.h"
#include "http/retry.h"

static bool same(const igt_time *a, const igt_time *b) {
  return a->seconds == b->seconds && a->microseconds == b->microseconds && a->offset == b->offset &&
         a->has_offset == b->has_offset;
}

static void iso(const char *text) {
  igt_time first = {0}, second = {0};
  char out[40];

  if (igt__time_parse(text, &first)) {
    for (const char *sep = "T "; *sep; sep++) {
      igt__time_format(&first, *sep, out, sizeof out);
      demand(igt__time_parse(out, &second) && same(&first, &second));
    }
    (void)igt__time_day(&first);
  }
  if (igt__date_parse(text, &first))
    demand(strlen(text) == 10 && first.microseconds == 0);
}

static void http(const char *text) {
  int64_t first = 0, second = 0;
  char out[64];
  int after;

  if (igt__http_date_parse(text, &first)) {
    igt__time_format_http(first, out, sizeof out);
    demand(igt__http_date_parse(out, &second) && first == second);
    igt__time_format_basic(first, out, sizeof out);
    demand(strlen(out) == 16);
  }
  after = igt__retry_after(text, 1770000000);
  demand(after >= -1);
  if (after >= 0)
    demand(igt__retry_delay_us(1, after) <= (int64_t)IGT__RETRY_AFTER_MAX * 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = igt__strndup((const char *)data, size);

  if (!text)
    return 0;
  iso(text);
  http(text);
  igt__free(text);
  return 0;
}
