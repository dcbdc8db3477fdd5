/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_REQUEST_H
#define IGTCLOUD_REQUEST_H

/**
 * @file Arbitrary requests, for what operations.h does not offer.
 */

#include "igtcloud/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name and its value. This struct does not grow. */
typedef struct igt_name_value {
  const char *name;
  const char *value;
} igt_name_value;

/** All optional but method and path. */
typedef struct igt_request_options {
  size_t size;                 /**< set by IGT_REQUEST_OPTIONS_INIT */
  const char *method;          /**< "GET", "POST", "PUT", "PATCH" or "DELETE" */
  const char *path;            /**< "/api/data/projects", percent-encoded; may have a query */
  const igt_name_value *query; /**< appended to the path's query, percent-encoded as needed */
  size_t query_count;
  const igt_name_value *headers; /**< in addition to the library's own; Accept, Content-Type and
                              User-Agent replace them. Headers of the session (X-JWT,
                              X-CSRF-TOKEN) and of the connection (Host, Content-Length, ...) are
                              refused */
  size_t header_count;
  const void *body; /**< JSON, sent as it is */
  size_t body_size;
  unsigned timeout_ms; /**< for the request with its retries and the whole response; signing in
                          beforehand is not included. 0: no limit but those of the client */
  igt_cancel *cancel;  /**< cancels this call only, beside the client's own, but not a sign-in that
                          other calls may wait for; may be NULL */
} igt_request_options;
#define IGT_REQUEST_OPTIONS_INIT IGT_SIZED(igt_request_options)
/** As IGT_REQUEST_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_request_options_init(igt_request_options *options, size_t size);

/**
 * The head of a response, and the body of a refusal. What the functions return belongs to it and is
 * "" or NULL where stated. It may be read by several threads.
 */
typedef struct igt_response igt_response;

/** Accepts NULL. */
IGT_EXTERN void igt_response_free(igt_response *response);
/** Its HTTP status. */
IGT_EXTERN int igt_response_status(const igt_response *response);
/** The value of the header of that name, case-insensitive; nth counts those of the same name from
 * 0. NULL if there is none. */
IGT_EXTERN const char *igt_response_header(const igt_response *response, const char *name,
                                           size_t nth);
/** The number of header lines, and the i-th in the order of their arrival; {NULL, NULL} beyond the
 * last. */
IGT_EXTERN size_t igt_response_header_count(const igt_response *response);
/** The i-th header line, from 0, in the order of the response; both strings are NULL beyond the
 * last. */
IGT_EXTERN igt_name_value igt_response_header_at(const igt_response *response, size_t i);
/** The body of a refusal (a status other than 2xx), NUL-terminated, at most its first 64 KiB; ""
 * after success, when `write` received the body. size may be NULL. */
IGT_EXTERN const char *igt_response_body(const igt_response *response, size_t *size);

/**
 * Sends one request to the client's cloud, as the signed-in user unless the described operation of
 * that method and path is open to all. A request that may have had an effect is not retried.
 *
 * response (may be NULL): set before the body is passed to write, and also when the server refused
 * the request; NULL if none arrived. The caller frees it with igt_response_free(), after an error,
 * too. write receives the body as it arrives, on the calling thread. Blocks. Any thread; many calls
 * may run concurrently.
 *
 * Errors: IGT_E_INVALID (method, path, headers), IGT_E_TIMEOUT, IGT_E_CANCELLED, those of signing
 * in and of the network, and refusals of the server (err has their message, *response their headers
 * and body).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_request(igt_client *client,
                                               const igt_request_options *options,
                                               igt_response **response, igt_write_fn write,
                                               void *payload, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
