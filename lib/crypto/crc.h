/* SPDX-License-Identifier: MIT */
#ifndef IGT_CRYPTO_CRC_H
#define IGT_CRYPTO_CRC_H

#include "crypto.h"

/* The three CRCs that S3 supports. crc: 0 at first, then the previous result. */
uint64_t igt__crc_update(igt__digest_alg alg, uint64_t crc, const void *data, size_t n);
/* The same using only the table, as on processors without carry-less multiplication. */
uint64_t igt__crc_update_plain(igt__digest_alg alg, uint64_t crc, const void *data, size_t n);

/* ---- crc_fold.c ---- */

#define IGT__CRC_FOLD_LEAST 64 /* bytes */

/* Powers of x modulo the polynomial, reflected: over 512 bits for the loop, over 128 for its end;
 * [0] is for the first eight bytes of sixteen, [1] for the others. */
typedef struct igt__crc_keys {
  uint64_t far[2], near[2];
} igt__crc_keys;

bool igt__crc_can_fold(void);
/* Processes a multiple of 64 of the n bytes, at least IGT__CRC_FOLD_LEAST, and returns how many.
 * crc is the register; `rest` receives the sixteen bytes to which it and they were reduced. */
size_t igt__crc_fold(const igt__crc_keys *keys, uint64_t crc, const unsigned char *p, size_t n,
                     unsigned char rest[16]);

#endif
