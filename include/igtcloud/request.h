/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_REQUEST_H
#define IGTCLOUD_REQUEST_H

/**
 * @file Arbitrary requests, for what operations.h does not offer.
 */

#include "client.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name and its value; values are percent-encoded where needed. */
typedef struct igt_pair {
  const char *name;
  const char *value;
} igt_pair;

/** All optional but method and path. */
typedef struct igt_request_options {
  const char *method;    /**< "GET", "POST", "PUT", "PATCH" or "DELETE" */
  const char *path;      /**< "/api/data/projects", percent-encoded; may have a query */
  const igt_pair *query; /**< appended to the path's query */
  size_t query_count;
  const void *body; /**< JSON, sent as it is */
  size_t body_size;
} igt_request_options;
#define IGT_REQUEST_OPTIONS_INIT                                                                   \
  { NULL, NULL, NULL, 0, NULL, 0 }

/** The head of a response. */
typedef struct igt_response {
  int http_status;
  char content_type[128]; /**< "" if the server sent none */
} igt_response;

/**
 * Sends one request to the client's cloud, as the signed-in user unless the described operation of
 * that method and path is open to all. response (may be NULL) is filled in first, then the body is
 * passed to write as it arrives. A request that may have had an effect is not retried.
 * Errors: IGT_E_INVALID (method, path), those of signing in and of the network, and responses of
 * the server.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_request(igt_client *client,
                                               const igt_request_options *options,
                                               igt_response *response, igt_write_fn write,
                                               void *payload, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
