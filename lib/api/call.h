/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_CALL_H
#define IGT_API_CALL_H

/* Calls of described operations; the generated functions are thin covers over these. */

#include "api/client.h"
#include "igtcloud/request.h"
#include "model/model.h"

/* An argument in the path: operation->integers tells which member counts. */
typedef struct igt__arg {
  const char *text;
  int64_t number;
} igt__arg;

typedef struct igt__call {
  const igt__operation *operation;
  const igt__arg *path;
  const void *options; /* the operation's own struct; NULL: none */
  const void *body;    /* a model, or an array of body_count pointers to models */
  size_t body_count;
  const char *raw; /* or a body as it is; NULL: none */
  size_t raw_len;
  /* Of the answer, when that is a file; NULL: not wanted. */
  igt_response *response;
} igt__call;

/* All block, sign in or renew the session as needed, and repeat what may be repeated. */

/* out: NULL when the answer is not wanted or has nothing. */
igt_status igt__call_run(igt_client *client, const igt__call *call, igt_model **out,
                         igt_error *err);
/* The elements of an answer that is a list, or an object of lists. */
igt_status igt__call_each(igt_client *client, const igt__call *call, igt__element_fn fn,
                          void *payload, igt_error *err);
/* An answer that is a file. */
igt_status igt__call_file(igt_client *client, const igt__call *call, igt_write_fn write,
                          void *payload, igt_error *err);

#endif
