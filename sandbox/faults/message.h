/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_FAULTS_MESSAGE_H
#define SANDBOX_FAULTS_MESSAGE_H

/* HTTP/1.1 as bytes (RFC 9112): heads exactly as received, bodies without their framing. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A socket and the data that was read from it but not consumed yet. */
typedef struct wire {
  int fd;
  size_t from, to;
  char data[64 * 1024];
} wire;

void wire_init(wire *w, int fd);
bool wire_send(int fd, const void *data, size_t n);
/* Waits until the peer's system has acknowledged everything sent, for a second at most. */
void wire_flush(int fd);
/* Closes with a reset, so that the peer sees a broken connection rather than an orderly end. */
void wire_reset(wire *w);
void wire_close(wire *w);

/* The first line and the header lines. Parts of the first line are NUL-terminated copies. */
typedef struct head {
  igt__buf text; /* as received, including the final empty line */
  igt__buf parts;
  const char *method, *target, *path, *query; /* of a request; path without the query */
  int status;                                 /* of a response */
} head;

void head_init(head *h);
void head_finish(head *h);
/* False: the connection ended, or the data is not HTTP. */
bool head_read_request(wire *from, head *h);
bool head_read_response(wire *from, head *h);
/* Copies the value of a header to out; false: absent or too long. */
bool head_get(const head *h, const char *name, char *out, size_t cap);
bool head_has(const head *h, const char *name, const char *value); /* case-insensitive */
/* Replaces the header, or adds it; value NULL removes it. */
void head_set(head *h, const char *name, const char *value);
/* Calls fn with each name until it returns false. */
void head_each(const head *h, bool (*fn)(void *payload, const char *name), void *payload);

typedef enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END } body_framing;

typedef struct body {
  wire *from;
  body_framing framing;
  uint64_t left; /* of the body, or of the current chunk */
  bool ended;
} body;

body body_of_request(wire *from, const head *request);
body body_of_response(wire *from, const head *response, const char *method);
/* Returns the number of bytes, 0 at the end of the body, -1 when it was cut off. */
int64_t body_read(body *b, char *out, size_t cap);
/* Sends a block in the given framing; n 0 is the end. */
bool body_send(int fd, body_framing framing, const char *data, size_t n);

#endif
