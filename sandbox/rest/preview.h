/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_PREVIEW_H
#define SANDBOX_REST_PREVIEW_H

#include <stdint.h>

#include "base/buf.h"

/* The sides of the largest preview, in samples; each becomes 8 by 8 pixels of the picture. */
#define REST_PREVIEW_SIDE 64

/* A grey picture of width by height samples (each at most REST_PREVIEW_SIDE) as baseline JPEG. */
bool rest_preview_jpeg(const uint8_t *samples, unsigned width, unsigned height, igt__buf *out);

#endif
