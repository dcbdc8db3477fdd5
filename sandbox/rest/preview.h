/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_PREVIEW_H
#define SANDBOX_REST_PREVIEW_H

#include <stdint.h>

#include "base/buf.h"

/* The largest preview's side in samples; each sample becomes 8 by 8 pixels of the picture. */
#define REST_PREVIEW_SIDE 64

/* Writes a grey picture of width by height samples (each at most REST_PREVIEW_SIDE) as baseline
 * JPEG. */
bool rest_preview_jpeg(const uint8_t *samples, unsigned width, unsigned height, igt__buf *out);

#endif
