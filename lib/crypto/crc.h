/* SPDX-License-Identifier: MIT */
#ifndef IGT_CRYPTO_CRC_H
#define IGT_CRYPTO_CRC_H

#include "crypto.h"

/* The three cyclic checksums that S3 knows. crc is 0 at first, then what the last call gave. */
uint64_t igt__crc_update(igt__digest_alg alg, uint64_t crc, const void *data, size_t n);

#endif
