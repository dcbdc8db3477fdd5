/* SPDX-License-Identifier: MIT */
#ifndef SBX_GZIP_H
#define SBX_GZIP_H

/* Compresses a streamed body (RFC 1952). */

#include <stddef.h>
#include <stdint.h>

#define SBX_GZIP_HEAD ((size_t)64 * 1024)

typedef struct sbx_gzip sbx_gzip;

/* Takes over next, release and payload as sbx_respond_stream has them; head is what was read
 * already, up to SBX_GZIP_HEAD bytes, and copied. NULL: no memory; release was called. */
sbx_gzip *sbx_gzip_new(const char *head, size_t n,
                       int64_t (*next)(void *payload, char *out, size_t cap),
                       void (*release)(void *payload), void *payload);
int64_t sbx_gzip_next(void *gzip, char *out, size_t cap);
void sbx_gzip_free(void *gzip);

#endif
