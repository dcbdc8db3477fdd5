/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_STORE_S3_BACKEND_H
#define SANDBOX_STORE_S3_BACKEND_H

/* Objects in another S3 (--s3-endpoint) instead of files below DIR: the same code paths with an
 * independent implementation. Clients get credentials from its STS, limited to an action and a
 * prefix, and send their requests to it directly; the REST side reaches the objects through store.h
 * as before. All calls block and are thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/json.h"
#include "store/store.h"

typedef struct sbx_s3_backend_options {
  const char *endpoint; /* https, or http on a loopback address */
  const char *region;
  const char *bucket; /* must exist */
  const char *role;   /* ARN that the keys' account may assume */
  const char *keys;   /* file (0600): JSON with accessKey and secretKey */
} sbx_s3_backend_options;

typedef struct sbx_s3_backend sbx_s3_backend;
sbx_s3_backend *sbx_s3_backend_new(const sbx_s3_backend_options *options, char *error,
                                   size_t error_cap);
void sbx_s3_backend_free(sbx_s3_backend *backend);

/* Like the functions of store.h for objects. */
bool sbx_s3_backend_get(sbx_s3_backend *backend, const char *key, sbx_object *out);
int sbx_s3_backend_open(sbx_s3_backend *backend, const char *key, sbx_object *out);
bool sbx_s3_backend_put(sbx_s3_backend *backend, int fd, uint64_t size, const sbx_object *object);
bool sbx_s3_backend_delete(sbx_s3_backend *backend, const char *key);
bool sbx_s3_backend_each(sbx_s3_backend *backend, const char *prefix, const char *after,
                         bool (*fn)(void *payload, const sbx_object *object), void *payload);

/* Credentials in the form of the REST API's response; action is "GET", "PUT" or "*". NULL: error
 * says why. */
igt__json *sbx_s3_backend_credentials(sbx_s3_backend *backend, const char *action,
                                      const char *prefix, int seconds, char *error,
                                      size_t error_cap);

#endif
