/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_HTTP_IN_MEMORY_H
#define FUZZ_HTTP_IN_MEMORY_H

/* The sandbox's HTTP server without a network, instead of sandbox/http.c: one request at a time
 * goes through a handler on the caller's thread. */

#include "base/buf.h"
#include "http.h"

typedef struct fuzz_header {
  const char *name;
  const char *value;
} fuzz_header;

#define FUZZ_HEADERS 64

/* A request as received, and the response. */
typedef struct fuzz_exchange {
  const char *method;
  const char *target;
  fuzz_header headers[FUZZ_HEADERS];
  size_t header_count;
  const char *body;
  size_t body_len;
  size_t piece; /* bytes passed on at a time; 0: all */

  int status;
  igt__buf response_headers; /* "name: value\n" lines */
  igt__buf response;         /* the body, at most 1 MiB of it */
} fuzz_exchange;

/* Splits "METHOD TARGET\nName: value\n…\n\nbody" within text, which is modified. False: not a
 * request. */
bool fuzz_exchange_read(fuzz_exchange *x, char *text, size_t n);
void fuzz_exchange_add(fuzz_exchange *x, const char *name, const char *value);
const char *fuzz_exchange_header(const fuzz_exchange *x, const char *name);
/* Runs it; aborts if the handler does not respond exactly once. */
void fuzz_exchange_run(fuzz_exchange *x, void *server, const sbx_handler *handler);
void fuzz_exchange_finish(fuzz_exchange *x);

#endif
