/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_CALL_H
#define IGT_API_CALL_H

/* Calls of described operations; the generated functions are thin wrappers around these. */

#include "api/client.h"
#include "igtcloud/request.h"
#include "model/model.h"

/* An argument in the path: operation->integers says which member is used. */
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
  /* Of a request that a program puts together: headers beside or instead of our own, a limit for
   * all attempts together, and where the response goes. NULL, 0: none. */
  const igt_name_value *headers;
  size_t header_count;
  unsigned timeout_ms;
  igt_response **response;
  /* For a list: it ends, and this is set, once a retry takes longer to read again what was handed
   * on before than its connection lasts thereafter. NULL: it goes on as long as there is progress.
   */
  bool *too_slow;
} igt__call;

/* The operation of that id; NULL: none. */
const igt__operation *igt__operation_named(const char *id);

/* All except the last function sign in or renew the session as needed, and retry where that is
 * safe. */

/* out: NULL if the response is not wanted or is empty. */
igt_status igt__call_run(igt_client *client, const igt__call *call, igt_model **out,
                         igt_error *err);
/* Calls fn with the elements of a response that is a list, or an object of lists. */
igt_status igt__call_each(igt_client *client, const igt__call *call, igt__element_fn fn,
                          void *payload, igt_error *err);
/* Writes a response that is a file. */
igt_status igt__call_file(igt_client *client, const igt__call *call, igt_write_fn write,
                          void *payload, igt_error *err);

/* For callers that must not block, such as a loop's thread, and do not need the response: sends the
 * call on a loop and returns; done runs on that loop's thread, once; its error is valid during the
 * call. False: nothing was sent and done is not called: the session has to be started or renewed
 * first, an argument is invalid, or there is no memory. In that case, and after IGT_E_UNAUTHORIZED,
 * use igt__call_run on a thread that may block. What call points to is not needed afterwards. */
typedef void (*igt__call_done_fn)(void *payload, igt_status status, const igt_error *err);
bool igt__call_submit(igt_client *client, const igt__call *call, unsigned loop,
                      igt__call_done_fn done, void *payload);

#endif
