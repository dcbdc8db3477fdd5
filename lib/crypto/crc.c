/* SPDX-License-Identifier: MIT */
/* The three CRCs of S3: CRC-32 (IEEE), CRC-32C and CRC-64/NVME. Their tables are built once, on
 * first use; igt__crc_update processes eight bytes at a time with them, and leaves long inputs to
 * crc_fold.c if the processor has carry-less multiplication. Called by digest.c for the store's
 * checksums and by api/call.c. */
#include "crc.h"

#include <pthread.h>
#include <string.h>

/* All three are reflected, start with all ones and are inverted at the end; they differ in
 * polynomial and width. Eight bytes are processed at a time ("slicing by 8", Kounavis and Berry
 * 2005), or sixty-four if the processor multiplies polynomials. */
typedef struct crc_table {
  uint64_t polynomial; /* reflected */
  uint64_t ones;       /* the width, all bits set */
  igt__crc_keys keys;
  uint64_t slice[8][256];
} crc_table;

static crc_table crc32_table = {.polynomial = 0xedb88320u, .ones = 0xffffffffu};
static crc_table crc32c_table = {.polynomial = 0x82f63b78u, .ones = 0xffffffffu};
static crc_table crc64_table = {.polynomial = 0x9a6c9329ac4bc9b5u, .ones = UINT64_MAX};

static void fill(crc_table *t) {
  for (unsigned i = 0; i < 256; i++) {
    uint64_t c = i;
    for (int bit = 0; bit < 8; bit++)
      c = c & 1 ? (c >> 1) ^ t->polynomial : c >> 1;
    t->slice[0][i] = c;
  }
  for (unsigned i = 0; i < 256; i++) {
    for (int k = 1; k < 8; k++) {
      uint64_t c = t->slice[k - 1][i];
      t->slice[k][i] = t->slice[0][c & 255] ^ (c >> 8);
    }
  }
}

/* x^n modulo the polynomial, reflected in 64 bits. */
static uint64_t power(const crc_table *t, unsigned n) {
  uint64_t c = t->ones & ~(t->ones >> 1); /* 1 */

  while (n-- > 0)
    c = c & 1 ? (c >> 1) ^ t->polynomial : c >> 1;
  return t->ones == UINT64_MAX ? c : c << 32;
}

/* The product of two reflected factors is shifted by one bit, so the exponents are one lower. */
static void fill_keys(crc_table *t) {
  t->keys = (igt__crc_keys){.far = {power(t, 512 + 63), power(t, 512 - 1)},
                            .near = {power(t, 128 + 63), power(t, 128 - 1)}};
}

static bool can_fold;

static void fill_all(void) {
  crc_table *all[] = {&crc32_table, &crc32c_table, &crc64_table};

  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    fill(all[i]);
    fill_keys(all[i]);
  }
  can_fold = igt__crc_can_fold();
}

static const crc_table *table_of(igt__digest_alg alg) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once(&once, fill_all);
  return alg == IGT__CRC32 ? &crc32_table : alg == IGT__CRC32C ? &crc32c_table : &crc64_table;
}

static uint64_t read_little(const unsigned char *p) {
  uint64_t v = 0;

  for (int i = 7; i >= 0; i--)
    v = v << 8 | p[i];
  return v;
}

static uint64_t by_table(const crc_table *t, uint64_t c, const unsigned char *p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t v = read_little(p) ^ c;
    c = 0;
    for (int i = 0; i < 8; i++)
      c ^= t->slice[7 - i][(v >> (8 * i)) & 255];
  }
  for (; n > 0; n--, p++)
    c = t->slice[0][(c ^ *p) & 255] ^ (c >> 8);
  return c;
}

uint64_t igt__crc_update_plain(igt__digest_alg alg, uint64_t crc, const void *data, size_t n) {
  const crc_table *t = table_of(alg);

  return by_table(t, crc ^ t->ones, data, n) ^ t->ones;
}

uint64_t igt__crc_update(igt__digest_alg alg, uint64_t crc, const void *data, size_t n) {
  const crc_table *t = table_of(alg);
  const unsigned char *p = data;
  uint64_t c = crc ^ t->ones;
  unsigned char rest[16];

  if (can_fold && n >= IGT__CRC_FOLD_LEAST) {
    size_t taken = igt__crc_fold(&t->keys, c, p, n, rest);
    c = by_table(t, 0, rest, sizeof rest);
    p += taken;
    n -= taken;
  }
  return by_table(t, c, p, n) ^ t->ones;
}
