/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_REQUEST_H
#define IGTCLOUD_REQUEST_H

/**
 * @file
 * A request of any kind, for what operations.h does not have or not yet.
 */

#include "client.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name and its value; values are percent-encoded where that is needed. */
typedef struct igt_pair {
  const char *name;
  const char *value;
} igt_pair;

/** All optional but method and path. */
typedef struct igt_request_options {
  const char *method;    /**< "GET", "POST", "PUT", "PATCH" or "DELETE" */
  const char *path;      /**< "/api/data/projects", percent-encoded; may have a query */
  const igt_pair *query; /**< joined to the path's query */
  size_t query_count;
  const void *body; /**< JSON, sent as it is */
  size_t body_size;
} igt_request_options;
#define IGT_REQUEST_OPTIONS_INIT                                                                   \
  { NULL, NULL, NULL, 0, NULL, 0 }

/** What is known of an answer before its body. */
typedef struct igt_response {
  int http_status;
  char content_type[128]; /**< "" when the server did not say */
} igt_response;

/**
 * Sends one request to the client's cloud, as the signed-in user unless the described operation
 * of that method and path is open to all. The answer's body goes to write as it comes, before
 * which response (may be NULL) is filled in. Nothing is repeated that may have had an effect.
 * Errors: IGT_E_INVALID (method, path), those of signing in and of the network, and what the
 * server said.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_request(igt_client *client,
                                               const igt_request_options *options,
                                               igt_response *response, igt_write_fn write,
                                               void *payload, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
