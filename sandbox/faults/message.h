/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_FAULTS_MESSAGE_H
#define SANDBOX_FAULTS_MESSAGE_H

/* HTTP/1.1 as bytes (RFC 9112): heads as they came, bodies without their framing. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A socket with what was read from it and not taken yet. */
typedef struct wire {
  int fd;
  size_t from, to;
  char data[64 * 1024];
} wire;

void wire_init(wire *w, int fd);
bool wire_send(int fd, const void *data, size_t n);
/* What was sent has reached the other side's system, or a second has passed. */
void wire_flush(int fd);
/* Closes with a reset, so that the other side sees a broken connection and no end. */
void wire_reset(wire *w);
void wire_close(wire *w);

/* The first line and the header lines. Parts of the first line are NUL-terminated copies. */
typedef struct head {
  igt__buf text; /* as it came, with the empty line at its end */
  igt__buf parts;
  const char *method, *target, *path, *query; /* of a request; path without the query */
  int status;                                 /* of an answer */
} head;

void head_init(head *h);
void head_finish(head *h);
/* False: the connection ended, or what came is not HTTP. */
bool head_read_request(wire *from, head *h);
bool head_read_response(wire *from, head *h);
/* The value of a header into out; false: absent or too long. */
bool head_get(const head *h, const char *name, char *out, size_t cap);
bool head_has(const head *h, const char *name, const char *value); /* without case */
/* Replaces the header, or adds it; value NULL takes it out. */
void head_set(head *h, const char *name, const char *value);
/* Calls fn with each name until it returns false. */
void head_each(const head *h, bool (*fn)(void *payload, const char *name), void *payload);

typedef enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END } body_framing;

typedef struct body {
  wire *from;
  body_framing framing;
  uint64_t left; /* of the body, or of a chunk */
  bool ended;
} body;

body body_of_request(wire *from, const head *request);
body body_of_response(wire *from, const head *response, const char *method);
/* Bytes of the body, 0 at its end, -1 when it broke off. */
int64_t body_read(body *b, char *out, size_t cap);
/* Sends a piece in a framing; n 0 is the end. */
bool body_send(int fd, body_framing framing, const char *data, size_t n);

#endif
