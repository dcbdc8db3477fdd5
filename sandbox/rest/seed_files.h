/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_SEED_FILES_H
#define SANDBOX_REST_SEED_FILES_H

#include "rest.h"

/* Creates one object with its row. spec: the bytes (text, base64, or size with fill), category,
 * "completed", "object", "checksum", "raw". owner: the study or project that registers it. prefix:
 * of the study or project. False: err has a message. */
bool rest_seed_file(sbx_server *server, const char *owner, bool study, const char *prefix,
                    const igt__json *spec, igt_error *err);

/* Creates an object below the study's files. spec: "size" (of bytes unique to the key), "checksum",
 * "object". */
bool rest_seed_bulk_file(sbx_server *server, const char *owner, const char *prefix,
                         const char *path, const igt__json *spec, igt_error *err);

/* Stores an object with these bytes. */
bool rest_object_put(sbx_server *server, const char *key, const void *data, size_t n);

#endif
