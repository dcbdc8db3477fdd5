/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_REQUEST_H
#define IGT_API_REQUEST_H

/* What a call says on the wire. */

#include "api/call.h"

/* "https://host/api/data/hospitals/42/studies?%24filter=..." appended to out. A parameter of the
 * path that is empty or a dot segment would name another resource, and is refused. */
igt_status igt__call_url(const igt__call *call, const char *origin, igt__buf *out, igt_error *err);
/* The body as JSON, checked; nothing where the operation has none. */
igt_status igt__call_body(const igt__call *call, igt__buf *out, igt_error *err);
/* Accept, Content-Type and the options that are headers. */
igt_status igt__call_headers(const igt__call *call, igt__http_request *req, igt_error *err);

#endif
