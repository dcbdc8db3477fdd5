/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_EXPLAIN_H
#define IGT_HTTP_EXPLAIN_H

/* The error messages of failed attempts. Each fills attempt->err and returns its status. */

#include "http/attempt.h"

/* The connection failed, unless a callback of ours has already set the error. */
igt_status igt__explain_curl(igt__attempt *attempt, CURLcode code);
/* To the server or the proxy. curl has no time of connecting before the handshake has ended. */
bool igt__is_connected(CURL *easy);
igt_status igt__explain_idle(igt__attempt *attempt);
/* The response is an error or a redirect. redirects: how many were followed before. */
igt_status igt__explain_response(igt__attempt *attempt, unsigned redirects);

#endif
