/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_HTTP_H
#define SANDBOX_HTTP_H

/* The sandbox's HTTP server. libmicrohttpd is named in http.c alone. Handlers run on the
 * server's threads, several at a time, one thread for one request from begin to end. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sbx_request {
  const char *method;
  const char *target;     /* path and query exactly as they came: SigV4 needs them */
  const char *path;       /* raw, percent-encoded, without the query */
  const char *query;      /* raw, without '?'; "" when there is none */
  void *connection;       /* http.c's own */
  void *state;            /* the handler's own, from begin to done */
  int64_t content_length; /* -1: none given */
  bool responded;
} sbx_request;

typedef struct sbx_handler {
  /* After the headers. It may respond at once (the body is then not read further). */
  void (*begin)(void *server, sbx_request *req);
  /* Each piece of the body, as it comes; false ends the body (begin or body must respond). */
  bool (*body)(void *server, sbx_request *req, const char *data, size_t n);
  /* After the body; must respond unless it was done. */
  void (*end)(void *server, sbx_request *req);
  /* Always, last, also when the client went away: frees state. */
  void (*done)(void *server, sbx_request *req);
} sbx_handler;

/* NULL when absent; names without case. */
const char *sbx_header(const sbx_request *req, const char *name);
/* All of them, in their order; false from the callback ends it. */
void sbx_headers_each(const sbx_request *req,
                      bool (*fn)(void *payload, const char *name, const char *value),
                      void *payload);
/* The decoded value of a query parameter, or NULL. Lives as long as the request. The n-th of
 * several with one name. "" for "?uploads". */
const char *sbx_query(const sbx_request *req, const char *name, size_t nth);
bool sbx_query_has(const sbx_request *req, const char *name);

/* Headers of the answer; may be called several times with one name (Set-Cookie). */
void sbx_add_header(sbx_request *req, const char *name, const char *value);
/* Answers; exactly once a request. The body is copied. HEAD sends Content-Length alone. */
void sbx_respond(sbx_request *req, int status, const char *content_type, const void *body,
                 size_t n);
/* The same without a copy: body is igt__free's, and taken over. */
void sbx_respond_taken(sbx_request *req, int status, const char *content_type, char *body,
                       size_t n);
/* Sends n bytes of fd from offset (few: with the header; many: by sendfile); takes the fd over. */
void sbx_respond_fd(sbx_request *req, int status, const char *content_type, int fd, uint64_t offset,
                    uint64_t n);
/* Answers a HEAD: no body, but the Content-Length of what a GET would send. */
void sbx_respond_head(sbx_request *req, int status, const char *content_type, uint64_t n);
/* Sends what next() makes, chunked, until it returns 0 (end) or <0 (cut off): for long lists.
 * release(payload) is called at the end in every case. */
void sbx_respond_stream(sbx_request *req, int status, const char *content_type,
                        int64_t (*next)(void *payload, char *out, size_t cap),
                        void (*release)(void *payload), void *payload);

typedef struct sbx_http_options {
  const char *host; /* "127.0.0.1" */
  uint16_t port;    /* 0: the system picks */
  int latency_ms;   /* before each answer; must not hold a thread (suspend and timer) */
  bool own_date;    /* Date by igt__wall_seconds in place of the system's clock */
} sbx_http_options;
typedef struct sbx_http sbx_http;
/* route: which handler a request belongs to, by its path. */
sbx_http *sbx_http_start(const sbx_http_options *options,
                         const sbx_handler *(*route)(void *server, sbx_request *req), void *server,
                         char *error, size_t error_cap);
uint16_t sbx_http_port(const sbx_http *http);
void sbx_http_stop(sbx_http *http);

#endif
