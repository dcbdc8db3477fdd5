/* SPDX-License-Identifier: MIT */
/* Ranges: the Content-Range of a response, and the Range of a request to the sandbox. */
#include "base/mem.h"
#include "demand.h"
#include "s3/internal.h"

int s3_range_parse(const char *text, uint64_t size, uint64_t *from, uint64_t *count);

static void content_range(const char *text) {
  uint64_t first = 0, last = 0, total = 0;

  if (igt__s3_content_range_parse(text, &first, &last, &total))
    demand(first <= last && last < total);
}

static void range(const char *text, uint64_t size) {
  uint64_t from = 0, count = 0;

  if (s3_range_parse(text, size, &from, &count) == 1)
    demand(count > 0 && from < size && count <= size - from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint64_t sizes[] = {0, 1, 1000, 5ull << 40, UINT64_MAX};
  char *text = igt__strndup((const char *)data, size);

  if (!text)
    return 0;
  content_range(text);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    range(text, sizes[i]);
  igt__free(text);
  return 0;
}
