/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_DEMAND_H
#define FUZZ_DEMAND_H

/* What the fuzz targets share. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Active in every build, unlike assert: a target is useless without it. */
#define demand(holds) demand_at(holds, #holds, __FILE__, __LINE__)

static inline void demand_at(bool holds, const char *what, const char *file, int line) {
  if (holds)
    return;
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  abort();
}

#endif
