/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_HTTP_H
#define SANDBOX_HTTP_H

/* The sandbox's HTTP server. Only http.c knows libmicrohttpd. Handlers run on the server's threads,
 * several concurrently; a request stays on one thread from begin to done. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sbx_request {
  const char *method;
  const char *target;     /* path and query exactly as received: SigV4 needs them */
  const char *path;       /* raw, percent-encoded, without the query */
  const char *query;      /* raw, without '?'; "" if there is none */
  void *connection;       /* private to http.c */
  void *state;            /* private to the handler, from begin to done */
  int64_t content_length; /* -1: not given */
  bool responded;
} sbx_request;

typedef struct sbx_handler {
  /* Called after the headers. May respond already (the body is then not read further). */
  void (*begin)(void *server, sbx_request *req);
  /* Called for each block of the body as it arrives; false stops reading the body (begin or body
   * must have responded). */
  bool (*body)(void *server, sbx_request *req, const char *data, size_t n);
  /* Called after the body; must respond unless begin or body did. */
  void (*end)(void *server, sbx_request *req);
  /* Always called last, also when the client has disconnected: frees state. */
  void (*done)(void *server, sbx_request *req);
} sbx_handler;

/* NULL when absent; names are case-insensitive. */
const char *sbx_header(const sbx_request *req, const char *name);
/* All headers in order; stops when the callback returns false. */
void sbx_headers_each(const sbx_request *req,
                      bool (*fn)(void *payload, const char *name, const char *value),
                      void *payload);
/* The decoded value of a query parameter, or NULL; n selects among several of the same name. "" for
 * "?uploads". Valid as long as the request. */
const char *sbx_query(const sbx_request *req, const char *name, size_t nth);
bool sbx_query_has(const sbx_request *req, const char *name);

/* Adds a header to the response; may be called several times with the same name (Set-Cookie). */
void sbx_add_header(sbx_request *req, const char *name, const char *value);
/* Responds; exactly once per request. The body is copied. For HEAD only Content-Length is sent. */
void sbx_respond(sbx_request *req, int status, const char *content_type, const void *body,
                 size_t n);
/* The same without a copy: takes ownership of body, which is freed with igt__free. */
void sbx_respond_taken(sbx_request *req, int status, const char *content_type, char *body,
                       size_t n);
/* Sends n bytes of fd from offset (small bodies together with the header, large ones with
 * sendfile); takes ownership of fd. */
void sbx_respond_fd(sbx_request *req, int status, const char *content_type, int fd, uint64_t offset,
                    uint64_t n);
/* Responds to a HEAD: no body, but the Content-Length that a GET would have. */
void sbx_respond_head(sbx_request *req, int status, const char *content_type, uint64_t n);
/* Sends what next() produces, chunked, until it returns 0 (end) or <0 (abort): for long lists.
 * release(payload) is called at the end in every case. */
void sbx_respond_stream(sbx_request *req, int status, const char *content_type,
                        int64_t (*next)(void *payload, char *out, size_t cap),
                        void (*release)(void *payload), void *payload);

typedef struct sbx_http_options {
  const char *host; /* "127.0.0.1" */
  uint16_t port;    /* 0: the system picks */
  int latency_ms;   /* before each response; must not block a thread (suspends the connection) */
  bool own_date;    /* Date from igt__wall_seconds instead of the system's clock */
} sbx_http_options;
typedef struct sbx_http sbx_http;
/* route: selects the handler of a request by its path. */
sbx_http *sbx_http_start(const sbx_http_options *options,
                         const sbx_handler *(*route)(void *server, sbx_request *req), void *server,
                         char *error, size_t error_cap);
uint16_t sbx_http_port(const sbx_http *http);
void sbx_http_stop(sbx_http *http);

#endif
