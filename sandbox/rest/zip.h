/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_ZIP_H
#define SANDBOX_REST_ZIP_H

/* An archive of objects, created while it is sent: members are stored, not compressed (most
 * contents are compressed already), so that it needs neither a library nor memory except for the
 * names. PKWARE's APPNOTE.TXT 6.3.4; sizes and offsets beyond 32 bits according to its section
 * 4.5.3 (Zip64). Each member is read twice, first for its checksum, so that its length and checksum
 * come before it and streaming readers can extract it as well. */

#include "../store/store.h"

typedef struct rest_zip rest_zip;
rest_zip *rest_zip_new(sbx_store *store, const char *bucket); /* NULL: out of memory */
void rest_zip_free(void *payload);                            /* a rest_zip */
/* name: of the member, UTF-8, folders separated by "/". */
bool rest_zip_add(rest_zip *zip, const char *key, const char *name);
/* Returns the number of bytes; 0 at the end, -1 when an object was deleted meanwhile. */
int64_t rest_zip_next(void *payload, char *out, size_t cap);

#endif
