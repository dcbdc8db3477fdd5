/* SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

/* A small HTTP/1.1 server on 127.0.0.1 for tests: answers by script, keeps what it was asked, and
 * breaks in the ways that servers break. Nothing sleeps; what must wait is held until released. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum http_fault {
  HTTP_FINE,
  HTTP_RESET,           /* reads the request, then resets the connection */
  HTTP_CLOSE,           /* the same, but closes it */
  HTTP_RESET_IN_HEADER, /* after the status line */
  HTTP_CUT_BODY,        /* sends `cut` bytes of the body, then closes */
  HTTP_ENDLESS_LINES,   /* header lines without end */
  HTTP_ENDLESS_LINE,    /* one header line without end */
  HTTP_ENDLESS_BODY,    /* chunks without end */
  HTTP_BYTEWISE,        /* the whole answer in writes of one byte */
  HTTP_HOLD,            /* answers when http_server_release is called */
  HTTP_HOLD_BODY,       /* sends the header and `cut` bytes, the rest when released */
  HTTP_NOT_HTTP         /* sends the body alone */
} http_fault;

typedef struct http_response {
  int status;          /* 0: 200 */
  const char *headers; /* lines, each with its CRLF; NULL: none. Content-Length is added, unless
                          there is one here */
  const char *body;    /* NULL: empty */
  size_t body_len;     /* 0: strlen(body) */
  http_fault fault;
  size_t cut;
  bool close; /* the connection, after the answer */
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
/* "http://127.0.0.1:PORT" + path; the server's until its end. */
const char *http_server_url(http_server *server, const char *path);

/* Puts an answer behind those that wait; strings are borrowed until the server stops. Requests
 * take them in the order in which they arrive. When none is left: the handler, or 200 "". */
void http_server_add(http_server *server, http_response response);
typedef http_response (*http_handler)(void *payload, const http_seen *seen);
/* On the connections' threads, one at a time. */
void http_server_handle(http_server *server, http_handler handler, void *payload);

/* Waits until n requests have been read in all. */
void http_server_wait(http_server *server, size_t n);
size_t http_server_count(http_server *server);
const http_seen *http_server_seen(http_server *server, size_t i);
/* A header's value in a buffer of the calling thread; NULL when absent. */
const char *http_seen_header(const http_seen *seen, const char *name);
void http_server_forget(http_server *server);       /* what was seen */
void http_server_keep_nothing(http_server *server); /* count requests only: for measurements */
void http_server_release(http_server *server);      /* what is held now, and all to come */

#endif
