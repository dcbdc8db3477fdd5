/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_REQUEST_H
#define IGT_API_REQUEST_H

/* Builds the HTTP request of a call. */

#include "api/call.h"

/* Most servers reject longer URLs; the longest of ours deletes files by their keys. */
#define IGT__MAX_CALL_URL (64u * 1024)

/* Appends "https://host/api/data/hospitals/42/studies?%24filter=..." to out. A path argument that
 * is empty or a dot segment would address another resource and is rejected. */
igt_status igt__call_url(const igt__call *call, const char *origin, igt__buf *out, igt_error *err);
/* The body as JSON, checked; nothing if the operation has none. */
igt_status igt__call_body(const igt__call *call, igt__buf *out, igt_error *err);
/* The request, without the session's headers and the response's handlers. body is borrowed. */
igt_status igt__call_prepare(const igt__call *call, igt_client *client, const igt__buf *url,
                             const igt__buf *body, igt__http_request *req, igt_error *err);

#endif
