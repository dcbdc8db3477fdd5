/* SPDX-License-Identifier: MIT */
#include "crc.h"

#include <pthread.h>
#include <string.h>

/* All three are reflected, begin with all ones and end inverted; they differ in the polynomial
 * and the width. Eight bytes are taken at a time ("slicing by 8", Kounavis and Berry 2005). */
typedef struct crc_table {
  uint64_t polynomial; /* reflected */
  uint64_t ones;       /* the width, all bits set */
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

static void fill_all(void) {
  fill(&crc32_table);
  fill(&crc32c_table);
  fill(&crc64_table);
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

uint64_t igt__crc_update(igt__digest_alg alg, uint64_t crc, const void *data, size_t n) {
  const crc_table *t = table_of(alg);
  const unsigned char *p = data;
  uint64_t c = crc ^ t->ones;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t v = read_little(p) ^ c;
    c = 0;
    for (int i = 0; i < 8; i++)
      c ^= t->slice[7 - i][(v >> (8 * i)) & 255];
  }
  for (; n > 0; n--, p++)
    c = t->slice[0][(c ^ *p) & 255] ^ (c >> 8);
  return c ^ t->ones;
}
