/* SPDX-License-Identifier: MIT */
/* A writer for baseline JPEG (ITU-T T.81) in which each sample becomes a block of 8 by 8 equal
 * pixels. The cosine transform of such a block is just its mean, so that neither a transform nor a
 * frequency table is needed, and the picture is exact. series.c calls it. */
#include "preview.h"

/* The mean of a block times 8, divided by the quantiser 8, is the sample minus 128. */
#define QUANTISER 8
#define BITS 4 /* length of each code for the size of a difference: 0 to 8 */

typedef struct writer {
  igt__buf *out;
  uint32_t bits;
  unsigned count;
} writer;

/* A byte 255 within the data is followed by 0 (B.1.1.5). */
static void put_bits(writer *w, uint32_t value, unsigned count) {
  w->bits = w->bits << count | value;
  w->count += count;
  while (w->count >= 8) {
    unsigned char byte = (unsigned char)(w->bits >> (w->count - 8) & 0xFF);
    igt__buf_putc(w->out, (char)byte);
    if (byte == 0xFF)
      igt__buf_putc(w->out, 0);
    w->count -= 8;
  }
}

/* The last byte is padded with ones (F.1.2.3). */
static void put_end(writer *w) {
  if (w->count > 0)
    put_bits(w, (1u << (8 - w->count)) - 1, 8 - w->count);
}

static void put_block(writer *w, int difference) {
  unsigned size = 0, magnitude = (unsigned)(difference < 0 ? -difference : difference);

  while (magnitude >> size)
    size++;
  put_bits(w, size, BITS);
  if (size > 0) /* negative values are offset (F.1.2.1.1) */
    put_bits(w, difference < 0 ? (uint32_t)(difference + (1 << size) - 1) : magnitude, size);
  put_bits(w, 0, 1); /* no AC coefficients */
}

static void put(igt__buf *out, const unsigned char *bytes, size_t n) {
  igt__buf_append(out, bytes, n);
}

static void put_head(igt__buf *out, unsigned width, unsigned height) {
  static const unsigned char begin[] = {0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F',
                                        0,    1,    1,    0,    0, 1,  0,   1,   0,   0};
  static const unsigned char quantisers[] = {0xFF, 0xDB, 0, 67, 0};
  /* Four-bit codes for the sizes 0 to 8; the one-bit code 0 for "no frequencies". */
  static const unsigned char codes[] = {0xFF, 0xC4, 0, 28, 0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0,
                                        0,    0,    0, 0,  0,    0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
  static const unsigned char no_codes[] = {0xFF, 0xC4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0,
                                           0,    0,    0, 0,  0,    0, 0, 0, 0, 0, 0};
  static const unsigned char scan[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0};
  const unsigned char frame[] = {0xFF,
                                 0xC0,
                                 0,
                                 11,
                                 8,
                                 (unsigned char)(height >> 8),
                                 (unsigned char)height,
                                 (unsigned char)(width >> 8),
                                 (unsigned char)width,
                                 1,
                                 1,
                                 0x11,
                                 0};

  put(out, begin, sizeof begin);
  put(out, quantisers, sizeof quantisers);
  for (int i = 0; i < 64; i++)
    igt__buf_putc(out, QUANTISER);
  put(out, frame, sizeof frame);
  put(out, codes, sizeof codes);
  put(out, no_codes, sizeof no_codes);
  put(out, scan, sizeof scan);
}

bool rest_preview_jpeg(const uint8_t *samples, unsigned width, unsigned height, igt__buf *out) {
  writer w = {out, 0, 0};
  int last = 0;

  put_head(out, width * 8, height * 8);
  for (unsigned i = 0; i < width * height; i++) {
    int mean = samples[i] - 128;
    put_block(&w, mean - last);
    last = mean;
  }
  put_end(&w);
  put(out, (const unsigned char[]){0xFF, 0xD9}, 2);
  return !out->failed;
}
