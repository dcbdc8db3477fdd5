/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_ZIP_H
#define SANDBOX_REST_ZIP_H

/* An archive of objects, made while it is sent: members are stored, not compressed (what they hold
 * mostly is so already), so that it needs no memory but for the names, and no library. APPNOTE.TXT
 * 6.3.4 of PKWARE; sizes and offsets beyond 32 bits as its section 4.5.3 (Zip64). Each member is
 * read twice, the first time for its checksum, so that its length and checksum stand ahead of it
 * and readers of a stream can take it as well. */

#include "../store/store.h"

typedef struct rest_zip rest_zip;
rest_zip *rest_zip_new(sbx_store *store, const char *bucket); /* NULL: no memory */
void rest_zip_free(void *zip);
/* name: of the member, UTF-8, "/" between folders. */
bool rest_zip_add(rest_zip *zip, const char *key, const char *name);
/* The next bytes: how many; 0 at the end, -1 when an object has gone meanwhile. */
int64_t rest_zip_next(void *zip, char *out, size_t cap);

#endif
