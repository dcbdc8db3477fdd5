/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_RESPONSE_H
#define IGT_AUTH_RESPONSE_H

/* Responses of the cloud's REST services: JSON, and errors as {"message": ...}. */

#include "http/http.h"
#include "model/json.h"

/* An igt__http_request's on_error_response: "get_studies: <the server's message> (403)". */
void igt__response_error(igt__http_request *req, igt_error *err);

/* True for application/json and its variants, and for a response without a content type. */
bool igt__response_is_json(const igt__http_request *req);

/* For requests whose response below 400 is not read. Usually it is empty, but whatever answers in
 * the service's place must not pass for success: IGT_E_PROTOCOL for a web page and, unless it
 * was a GET, for other content that is not JSON and for JSON that reports an error. */
igt_status igt__response_expect_success(const igt__http_request *req, igt_error *err);

/* IGT_E_PROTOCOL if a response below 400 is not JSON: then something else responded in the
 * service's place, such as a hotel's sign-in page. */
igt_status igt__response_expect_json(const igt__http_request *req, igt_error *err);

/* Parses the collected body of a response below 400. */
igt_status igt__response_parse(const igt__http_request *req, igt__json **out, igt_error *err);

#endif
