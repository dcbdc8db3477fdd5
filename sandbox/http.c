/* SPDX-License-Identifier: MIT */
/* The HTTP server: the only file that knows libmicrohttpd. A small pool of poll threads calls
 * on_request for each stage of a request; it forwards them to the handler that the route chose
 * (begin, body, end, done of http.h). The handler's response is stored in the exchange and queued
 * here: immediately, or, with a latency, after the connection was suspended and delay.c has resumed
 * it. main.c starts and stops the server. */
#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/time.h"
#include "delay.h"

/* Server threads; handlers may block on SQLite and on the disk. */
#define THREADS 4
/* Per connection: the header lines (a JWT may have 16 KiB and may also come in a cookie; the
 * library's URLs have up to 64 KiB) and, in half of it, the block of a body that is passed on at a
 * time. libmicrohttpd clears it one and a half times per request, which takes some 6 µs. */
#define CONNECTION_MEMORY (128u * 1024)
/* A file body up to this size is sent together with the header, as one packet and one call, so the
 * client wakes up once. Above this size the copy costs more than that saves. */
#define MAX_COPIED (64u * 1024)
#define MAX_CONNECTIONS 4096u
#define IDLE_SECONDS 120u
/* An unwanted body is read up to this size before the connection is closed instead: a client that
 * is still sending would lose the response. */
#define MAX_DRAIN (16 * 1024 * 1024)

struct sbx_http {
  struct MHD_Daemon *daemon;
  const sbx_handler *(*route)(void *server, sbx_request *req);
  void *server;
  sbx_delay *delay;
  int latency_ms;
  bool own_date;
  uint16_t port;
};

typedef enum stage {
  STAGE_HEADERS,
  STAGE_BODY,
  STAGE_RESPONSE,
  STAGE_DELAYED,
} stage;

typedef struct pair {
  const char *name;
  const char *value;
  struct pair *next;
} pair;

/* State of one request; sbx_request comes first, so that the pointers can be converted. */
typedef struct exchange {
  sbx_request req;
  sbx_http *http;
  struct MHD_Connection *mhd;
  const sbx_handler *handler;
  igt__arena *arena;
  struct MHD_Response *response;
  unsigned status;
  IGT__QUEUE(pair) headers; /* of the response, until it is created */
  IGT__QUEUE(pair) query;
  bool query_parsed;
  stage stage;
} exchange;

static exchange *exchange_of(const sbx_request *req) {
  return req->connection;
}

/* ---- reading the request ---- */

const char *sbx_header(const sbx_request *req, const char *name) {
  return MHD_lookup_connection_value(exchange_of(req)->mhd, MHD_HEADER_KIND, name);
}

typedef struct each_payload {
  bool (*fn)(void *payload, const char *name, const char *value);
  void *payload;
} each_payload;

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  each_payload *each = cls;

  (void)kind;
  return each->fn(each->payload, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void sbx_headers_each(const sbx_request *req,
                      bool (*fn)(void *payload, const char *name, const char *value),
                      void *payload) {
  each_payload each = {fn, payload};

  MHD_get_connection_values(exchange_of(req)->mhd, MHD_HEADER_KIND, each_header, &each);
}

static const char *decode(igt__arena *arena, const char *s, size_t n) {
  igt__buf buf;

  igt__buf_init(&buf, n + 1);
  const char *out = NULL;
  if (igt__uri_decode(&buf, s, n, true))
    out = igt__arena_strndup(arena, buf.data, buf.len);
  igt__buf_finish(&buf);
  return out ? out : igt__arena_strndup(arena, s, n);
}

static void parse_query(exchange *x) {
  x->query_parsed = true;
  for (const char *s = x->req.query; *s;) {
    size_t n = strcspn(s, "&");
    const char *eq = memchr(s, '=', n);
    size_t name_len = eq ? (size_t)(eq - s) : n;
    pair *p = n > 0 ? igt__arena_calloc(x->arena, 1, sizeof *p) : NULL;
    if (p) {
      p->name = decode(x->arena, s, name_len);
      p->value = eq ? decode(x->arena, eq + 1, n - name_len - 1) : "";
    }
    if (p && p->name && p->value) {
      igt__queue_add(&x->query, p);
    }
    s += n;
    s += *s == '&';
  }
}

const char *sbx_query(const sbx_request *req, const char *name, size_t nth) {
  exchange *x = exchange_of(req);

  if (!x->query_parsed)
    parse_query(x);
  for (const pair *p = x->query.first; p; p = p->next) {
    if (strcmp(p->name, name) == 0 && nth-- == 0)
      return p->value;
  }
  return NULL;
}

bool sbx_query_has(const sbx_request *req, const char *name) {
  return sbx_query(req, name, 0) != NULL;
}

/* ---- responding ---- */

void sbx_add_header(sbx_request *req, const char *name, const char *value) {
  exchange *x = exchange_of(req);

  if (x->response) {
    MHD_add_response_header(x->response, name, value);
    return;
  }
  pair *p = igt__arena_calloc(x->arena, 1, sizeof *p);
  if (!p)
    return;
  p->name = igt__arena_strdup(x->arena, name);
  p->value = igt__arena_strdup(x->arena, value);
  if (!p->name || !p->value)
    return;
  igt__queue_add(&x->headers, p);
}

static void add_date(struct MHD_Response *response) {
  char date[40];

  igt__time_format_http(igt__wall_seconds(), date, sizeof date);
  MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date);
}

/* response NULL (out of memory): the request ends without a response, which closes the
 * connection. */
static void set_response(sbx_request *req, int status, const char *content_type,
                         struct MHD_Response *response) {
  exchange *x = exchange_of(req);

  if (req->responded) { /* a bug in a handler; the first response counts */
    if (response)
      MHD_destroy_response(response);
    return;
  }
  req->responded = true;
  x->response = response;
  x->status = (unsigned)status;
  if (!response)
    return;
  MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "igtcloud-sandbox");
  if (x->http->own_date)
    add_date(response);
  if (content_type)
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
  for (const pair *p = x->headers.first; p; p = p->next)
    MHD_add_response_header(response, p->name, p->value);
}

void sbx_respond(sbx_request *req, int status, const char *content_type, const void *body,
                 size_t n) {
  /* libmicrohttpd does not modify the body, although its parameter is not const. */
  void *data = n > 0 ? (void *)(uintptr_t)body : NULL;

  set_response(req, status, content_type,
               MHD_create_response_from_buffer(n, data, MHD_RESPMEM_MUST_COPY));
}

void sbx_respond_taken(sbx_request *req, int status, const char *content_type, char *body,
                       size_t n) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer_with_free_callback(n, body, igt__free);

  if (!response)
    igt__free(body);
  set_response(req, status, content_type, response);
}

static bool read_all(int fd, uint64_t offset, char *out, size_t n) {
  while (n > 0) {
    ssize_t got = pread(fd, out, n, (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    out += got;
    offset += (uint64_t)got;
    n -= (size_t)got;
  }
  return true;
}

/* NULL: the file cannot be read, or out of memory. */
static struct MHD_Response *response_of_copy(int fd, uint64_t offset, size_t n) {
  struct MHD_Response *response = NULL;
  char *data = igt__malloc(n);

  if (data && read_all(fd, offset, data, n))
    response = MHD_create_response_from_buffer_with_free_callback(n, data, igt__free);
  if (!response)
    igt__free(data);
  return response;
}

void sbx_respond_fd(sbx_request *req, int status, const char *content_type, int fd, uint64_t offset,
                    uint64_t n) {
  bool copied = n > 0 && n <= MAX_COPIED;
  struct MHD_Response *response = copied ? response_of_copy(fd, offset, (size_t)n)
                                         : MHD_create_response_from_fd_at_offset64(n, fd, offset);

  if (copied || !response)
    close(fd);
  set_response(req, status, content_type, response);
}

static ssize_t no_content(void *cls, uint64_t pos, char *buf, size_t max) {
  (void)cls;
  (void)pos;
  (void)buf;
  (void)max;
  return MHD_CONTENT_READER_END_OF_STREAM;
}

void sbx_respond_head(sbx_request *req, int status, const char *content_type, uint64_t n) {
  set_response(req, status, content_type,
               MHD_create_response_from_callback(n, 1024, no_content, NULL, NULL));
}

typedef struct stream {
  int64_t (*next)(void *payload, char *out, size_t cap);
  void (*release)(void *payload);
  void *payload;
} stream;

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t cap) {
  stream *s = cls;

  (void)pos;
  int64_t n = s->next(s->payload, out, cap);
  if (n == 0)
    return MHD_CONTENT_READER_END_OF_STREAM;
  return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t)n;
}

static void stream_free(void *cls) {
  stream *s = cls;

  if (s->release)
    s->release(s->payload);
  igt__free(s);
}

void sbx_respond_stream(sbx_request *req, int status, const char *content_type,
                        int64_t (*next)(void *payload, char *out, size_t cap),
                        void (*release)(void *payload), void *payload) {
  struct MHD_Response *response = NULL;
  stream *s = igt__malloc(sizeof *s);

  if (s) {
    *s = (stream){next, release, payload};
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 * 1024, stream_read, s, stream_free);
    if (!response)
      stream_free(s);
  } else if (release) {
    release(payload);
  }
  set_response(req, status, content_type, response);
}

/* ---- one request ---- */

/* Called first for each request, with the target exactly as received. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *mhd) {
  exchange *x = igt__calloc(1, sizeof *x);

  if (!x)
    return NULL;
  x->http = cls;
  x->mhd = mhd;
  x->req.connection = x;
  igt__queue_init(&x->headers);
  igt__queue_init(&x->query);
  x->arena = igt__arena_new(0);
  size_t path_len = strcspn(uri, "?");
  if (x->arena) {
    x->req.target = igt__arena_strdup(x->arena, uri);
    x->req.path = igt__arena_strndup(x->arena, uri, path_len);
  }
  if (!x->req.target || !x->req.path) {
    igt__arena_free(x->arena);
    igt__free(x);
    return NULL;
  }
  x->req.query = x->req.target + path_len + (x->req.target[path_len] == '?');
  return x;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code) {
  exchange *x = *con_cls;

  (void)mhd;
  (void)code;
  *con_cls = NULL;
  if (!x)
    return;
  if (x->handler && x->handler->done)
    x->handler->done(((sbx_http *)cls)->server, &x->req);
  if (x->response)
    MHD_destroy_response(x->response);
  igt__arena_free(x->arena);
  igt__free(x);
}

static bool has_body(const exchange *x) {
  return x->req.content_length > 0 || sbx_header(&x->req, "Transfer-Encoding");
}

static enum MHD_Result queue(exchange *x) {
  return x->response ? MHD_queue_response(x->mhd, x->status, x->response) : MHD_NO;
}

static enum MHD_Result start(exchange *x, const char *method) {
  const char *length = sbx_header(&x->req, "Content-Length");

  x->req.method = igt__arena_strdup(x->arena, method);
  x->req.content_length = -1;
  if (length && !igt__str_to_int64(length, &x->req.content_length))
    return MHD_NO;
  x->stage = STAGE_BODY;
  x->handler = x->http->route(x->http->server, &x->req);
  if (!x->req.method || !x->handler)
    return MHD_NO;
  if (x->handler->begin)
    x->handler->begin(x->http->server, &x->req);
  /* Responding now ends the connection while a body is being sent: right for a client that waits
   * for "100 Continue" or has a lot to send; other bodies are read to their end first. */
  if (x->req.responded && has_body(x) &&
      (sbx_header(&x->req, "Expect") || x->req.content_length > MAX_DRAIN))
    return queue(x);
  return MHD_YES;
}

static void take_body(exchange *x, const char *data, size_t n) {
  if (x->req.responded || !x->handler->body)
    return;
  if (!x->handler->body(x->http->server, &x->req, data, n) && !x->req.responded)
    sbx_respond(&x->req, 500, NULL, NULL, 0);
}

static void resume(void *arg) {
  MHD_resume_connection(arg);
}

static enum MHD_Result finish(exchange *x) {
  if (x->stage == STAGE_BODY) {
    x->stage = STAGE_RESPONSE;
    if (!x->req.responded && x->handler->end)
      x->handler->end(x->http->server, &x->req);
    if (!x->req.responded)
      sbx_respond(&x->req, 500, NULL, NULL, 0);
  }
  if (x->stage == STAGE_RESPONSE && x->http->delay) {
    x->stage = STAGE_DELAYED;
    MHD_suspend_connection(x->mhd);
    sbx_delay_add(x->http->delay, x->http->latency_ms, resume, x->mhd);
    return MHD_YES;
  }
  return queue(x);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls) {
  exchange *x = *con_cls;

  (void)cls;
  (void)mhd;
  (void)url;
  (void)version;
  if (!x)
    return MHD_NO;
  if (x->stage == STAGE_HEADERS)
    return start(x, method);
  if (*size == 0)
    return finish(x);
  take_body(x, data, *size);
  *size = 0;
  return MHD_YES;
}

/* ---- the server ---- */

static bool resolve(const char *host, uint16_t port, struct sockaddr_storage *out) {
  char service[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found = NULL;

  snprintf(service, sizeof service, "%u", port);
  if (getaddrinfo(host, service, &hints, &found) != 0 || !found)
    return false;
  memcpy(out, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return true;
}

static bool start_daemon(sbx_http *http, const struct sockaddr_storage *addr) {
  /* Not epoll: libmicrohttpd 0.9.75 uses it edge-triggered and misses a client's FIN that arrives
   * together with its last bytes, until the idle timeout. And without MHD_USE_ERROR_LOG: it logs
   * every client that disconnects. */
  unsigned flags = MHD_USE_POLL_INTERNAL_THREAD;

  if (addr->ss_family == AF_INET6)
    flags |= MHD_USE_IPv6;
  if (http->delay)
    flags |= MHD_ALLOW_SUSPEND_RESUME;
  http->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, addr,
      MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_URI_LOG_CALLBACK, on_target, http,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
      MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
  return http->daemon != NULL;
}

sbx_http *sbx_http_start(const sbx_http_options *options,
                         const sbx_handler *(*route)(void *server, sbx_request *req), void *server,
                         char *error, size_t error_cap) {
  struct sockaddr_storage addr = {0};
  sbx_http *http = igt__calloc(1, sizeof *http);

  if (!http) {
    snprintf(error, error_cap, "out of memory");
    return NULL;
  }
  http->route = route;
  http->server = server;
  http->latency_ms = options->latency_ms;
  http->own_date = options->own_date;
  if (!resolve(options->host, options->port, &addr)) {
    snprintf(error, error_cap, "%s is not an address of this machine", options->host);
    goto fail;
  }
  if (http->latency_ms > 0 && !(http->delay = sbx_delay_new())) {
    snprintf(error, error_cap, "the timer's thread cannot be started");
    goto fail;
  }
  if (!start_daemon(http, &addr)) {
    snprintf(error, error_cap, "cannot listen on %s port %u; is it in use?", options->host,
             options->port);
    goto fail;
  }
  http->port = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  return http;

fail:
  sbx_http_stop(http);
  return NULL;
}

uint16_t sbx_http_port(const sbx_http *http) {
  return http->port;
}

void sbx_http_stop(sbx_http *http) {
  if (!http)
    return;
  /* A daemon must not be stopped while connections are suspended: resume all of them first. */
  if (http->delay)
    sbx_delay_flush(http->delay);
  if (http->daemon)
    MHD_stop_daemon(http->daemon);
  sbx_delay_free(http->delay);
  igt__free(http);
}
