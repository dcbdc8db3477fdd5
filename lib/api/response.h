/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_RESPONSE_H
#define IGT_API_RESPONSE_H

#include "http/http.h"
#include "igtcloud/request.h"

/* A copy of a response's status and headers, and of the collected body of a refusal; the request
 * may be finished afterwards. NULL: no memory. */
igt_response *igt__response_new(const igt__http_request *req);

#endif
