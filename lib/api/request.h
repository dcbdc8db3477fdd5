/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_REQUEST_H
#define IGT_API_REQUEST_H

/* What a call says on the wire. */

#include "api/call.h"

/* Longer URLs are refused by most servers; the longest of ours deletes files by their keys. */
#define IGT__MAX_CALL_URL (64u * 1024)

/* "https://host/api/data/hospitals/42/studies?%24filter=..." appended to out. A parameter of the
 * path that is empty or a dot segment would name another resource, and is refused. */
igt_status igt__call_url(const igt__call *call, const char *origin, igt__buf *out, igt_error *err);
/* The body as JSON, checked; nothing where the operation has none. */
igt_status igt__call_body(const igt__call *call, igt__buf *out, igt_error *err);
/* The request, but for the session's headers and what becomes of the answer. body is borrowed. */
igt_status igt__call_prepare(const igt__call *call, igt_client *client, const igt__buf *url,
                             const igt__buf *body, igt__http_request *req, igt_error *err);

#endif
