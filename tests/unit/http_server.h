/* SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

/* A small HTTP/1.1 server on 127.0.0.1 for tests: responds by script, records the requests, and
 * fails in the ways that servers fail. Nothing sleeps; responses that must wait are held until
 * released. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum http_fault {
  HTTP_FINE,
  HTTP_RESET,           /* reads the request, then resets the connection */
  HTTP_CLOSE,           /* the same, but closes it */
  HTTP_RESET_IN_HEADER, /* closes after the status line */
  HTTP_CUT_BODY,        /* sends `cut` bytes of the body, then closes */
  HTTP_ENDLESS_LINES,   /* endless header lines */
  HTTP_ENDLESS_LINE,    /* one endless header line */
  HTTP_ENDLESS_BODY,    /* endless chunks */
  HTTP_BYTEWISE,        /* sends the whole response in writes of one byte */
  HTTP_HOLD,            /* responds after http_server_release is called */
  HTTP_HOLD_BODY,       /* sends the header and `cut` bytes, the rest once released */
  HTTP_NOT_HTTP         /* sends only the body */
} http_fault;

typedef struct http_response {
  int status;          /* 0: 200 */
  const char *headers; /* lines with CRLF; NULL: none. Content-Length is added unless present */
  const char *body;    /* NULL: empty */
  size_t body_len;     /* 0: strlen(body) */
  http_fault fault;
  size_t cut;
  bool close; /* closes the connection after the response */
} http_response;

typedef struct http_seen {
  char method[16];
  char *target;
  char *headers; /* lines with CRLF */
  char *body;    /* NUL-terminated */
  size_t body_len;
  unsigned connection; /* numbered from 1 */
} http_seen;

typedef struct http_server http_server;

http_server *http_server_start(void);
void http_server_stop(http_server *server); /* ends all connections, joins all threads */
unsigned http_server_port(const http_server *server);
/* "http://127.0.0.1:PORT" + path; owned by the server until it stops. */
const char *http_server_url(http_server *server, const char *path);

/* Appends a response to the script; strings are borrowed until the server stops. Requests take
 * responses in the order of their arrival. When none is left: the handler, or 200 "". */
void http_server_add(http_server *server, http_response response);
typedef http_response (*http_handler)(void *payload, const http_seen *seen);
/* Called on the connections' threads, one at a time. */
void http_server_handle(http_server *server, http_handler handler, void *payload);

/* Waits until n requests have been read in total. */
void http_server_wait(http_server *server, size_t n);
size_t http_server_count(http_server *server);
const http_seen *http_server_seen(http_server *server, size_t i);
/* A header's value in a buffer of the calling thread; NULL when absent. */
const char *http_seen_header(const http_seen *seen, const char *name);
void http_server_forget(http_server *server);       /* drops the recorded requests */
void http_server_keep_nothing(http_server *server); /* count requests only: for measurements */
void http_server_release(http_server *server);      /* responses held now, and all later ones */

#endif
