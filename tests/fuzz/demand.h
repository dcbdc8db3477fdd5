/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_DEMAND_H
#define FUZZ_DEMAND_H

/* What the fuzz targets share. */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays in every build, unlike assert: a target is nothing without it. */
static inline void demand(bool holds) {
  if (!holds)
    abort();
}

#endif
