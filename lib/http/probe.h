/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_PROBE_H
#define IGT_HTTP_PROBE_H

/* A single connection, taken apart: for diagnoses. */

#include "http/http.h"
#include "igtcloud/probe.h"

/* origin: "https://host[:port]". Blocking, at most limit_ms; *out is cleared but for its size. */
igt_status igt__http_probe(igt__http *http, const char *origin, unsigned limit_ms,
                           igt__cancel *cancel, igt_server_info *out, igt_error *err);

#endif
