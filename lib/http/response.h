/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_RESPONSE_H
#define IGT_HTTP_RESPONSE_H

/* The response to one attempt, as it arrives; on the loop's thread only. */

#include "http/http.h"
#include "http/spool.h"

typedef struct igt__response {
  igt__http_request *req; /* gets the status, the body, and its callbacks */
  const char *host;       /* for messages */
  igt_error *err;         /* why the attempt failed */
  igt__spool *spool;      /* where the body of a streamed response goes; NULL: not streamed */
  bool ranged;            /* a part of the object was requested */

  igt__buf head; /* "name\0value\0"... */
  size_t line_bytes, line_count;
  bool begun;       /* the final header lines are complete */
  uint64_t dropped; /* discarded bytes of an error's body */
  bool cut;         /* enough of an error's body was read; curl was told to stop */
  bool delivered;   /* of all attempts: body bytes went to on_data since the last on_restart */
} igt__response;

/* For the next attempt. */
void igt__response_reset(igt__response *response);
/* False: the attempt failed with *response->err, or (response->cut) enough was read. */
bool igt__response_line(igt__response *response, const char *line, size_t n);
bool igt__response_data(igt__response *response, const char *data, size_t n);
/* The value of the nth header of that name, from 0; NULL: absent. */
const char *igt__response_header(const igt__response *response, const char *name, size_t nth);
/* Everything but 2xx, and an unrequested 206; with redirects_are_responses >= 400 only. */
bool igt__response_is_error(const igt__response *response);
/* 3xx with a Location that this layer handles. */
bool igt__response_is_redirect(const igt__response *response);

#endif
