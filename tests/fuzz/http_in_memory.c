/* SPDX-License-Identifier: MIT */
/* Implements the interface of sandbox/http.h without a network, for the fuzz targets:
 * fuzz_exchange_read turns a text into a request, fuzz_exchange_run calls the handler's begin,
 * body, end and done as the real server would, and the sbx_respond_* functions record the response
 * in the exchange. Violations of the interface abort. */
#include "http_in_memory.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "demand.h"

#define MOST (1024u * 1024)

typedef struct running {
  sbx_request req; /* first */
  fuzz_exchange *x;
  igt__arena *arena;
} running;

static running *running_of(const sbx_request *req) {
  return req->connection;
}

/* ---- reading the request ---- */

const char *sbx_header(const sbx_request *req, const char *name) {
  return fuzz_exchange_header(running_of(req)->x, name);
}

void sbx_headers_each(const sbx_request *req,
                      bool (*fn)(void *payload, const char *name, const char *value),
                      void *payload) {
  const fuzz_exchange *x = running_of(req)->x;

  for (size_t i = 0; i < x->header_count; i++)
    if (!fn(payload, x->headers[i].name, x->headers[i].value))
      return;
}

static const char *decode(igt__arena *arena, const char *s, size_t n) {
  igt__buf buf;
  const char *out = NULL;

  igt__buf_init(&buf, n + 1);
  if (igt__uri_decode(&buf, s, n, true))
    out = igt__arena_strndup(arena, buf.data, buf.len);
  igt__buf_finish(&buf);
  return out ? out : igt__arena_strndup(arena, s, n);
}

const char *sbx_query(const sbx_request *req, const char *name, size_t nth) {
  igt__arena *arena = running_of(req)->arena;

  for (const char *s = req->query; *s;) {
    size_t n = strcspn(s, "&");
    const char *eq = memchr(s, '=', n);
    if (n > 0 && strcmp(decode(arena, s, eq ? (size_t)(eq - s) : n), name) == 0 && nth-- == 0)
      return eq ? decode(arena, eq + 1, n - (size_t)(eq - s) - 1) : "";
    s += n;
    s += *s == '&';
  }
  return NULL;
}

bool sbx_query_has(const sbx_request *req, const char *name) {
  return sbx_query(req, name, 0) != NULL;
}

/* ---- responding ---- */

void sbx_add_header(sbx_request *req, const char *name, const char *value) {
  igt__buf_printf(&running_of(req)->x->response_headers, "%s: %s\n", name, value);
}

static bool responded(sbx_request *req, int status) {
  demand(!req->responded && status >= 200 && status <= 599);
  req->responded = true;
  running_of(req)->x->status = status;
  return strcmp(req->method, "HEAD") != 0;
}

void sbx_respond(sbx_request *req, int status, const char *content_type, const void *body,
                 size_t n) {
  (void)content_type;
  if (responded(req, status))
    igt__buf_append(&running_of(req)->x->response, body ? body : "", n);
}

void sbx_respond_taken(sbx_request *req, int status, const char *content_type, char *body,
                       size_t n) {
  sbx_respond(req, status, content_type, body, n);
  igt__free(body);
}

void sbx_respond_fd(sbx_request *req, int status, const char *content_type, int fd, uint64_t offset,
                    uint64_t n) {
  char piece[4096];
  ssize_t got = 1;

  (void)content_type;
  demand(fd >= 0 && responded(req, status));
  for (uint64_t at = 0; at < n && at < MOST && got > 0; at += (uint64_t)got) {
    got = pread(fd, piece, n - at < sizeof piece ? n - at : sizeof piece, (off_t)(offset + at));
    demand(got > 0); /* the announced bytes exist */
    igt__buf_append(&running_of(req)->x->response, piece, (size_t)got);
  }
  close(fd);
}

void sbx_respond_head(sbx_request *req, int status, const char *content_type, uint64_t n) {
  (void)content_type;
  (void)n;
  demand(!responded(req, status));
}

void sbx_respond_stream(sbx_request *req, int status, const char *content_type,
                        int64_t (*next)(void *payload, char *out, size_t cap),
                        void (*release)(void *payload), void *payload) {
  char piece[4096];
  int64_t n = 1;

  (void)content_type;
  if (!responded(req, status))
    n = 0;
  for (size_t sum = 0; n > 0 && sum < MOST; sum += (size_t)n) {
    n = next(payload, piece, sizeof piece);
    demand(n <= (int64_t)sizeof piece);
    if (n > 0)
      igt__buf_append(&running_of(req)->x->response, piece, (size_t)n);
  }
  if (release)
    release(payload);
}

uint16_t sbx_http_port(const sbx_http *http) {
  (void)http;
  return 9;
}

/* ---- one exchange ---- */

void fuzz_exchange_add(fuzz_exchange *x, const char *name, const char *value) {
  if (x->header_count < FUZZ_HEADERS)
    x->headers[x->header_count++] = (fuzz_header){name, value};
}

const char *fuzz_exchange_header(const fuzz_exchange *x, const char *name) {
  for (size_t i = 0; i < x->header_count; i++)
    if (igt__str_eq_nocase(x->headers[i].name, name))
      return x->headers[i].value;
  return NULL;
}

static char *line_of(char **text) {
  char *line = *text, *lf = strchr(line, '\n');

  *text = lf ? lf + 1 : line + strlen(line);
  if (lf)
    *lf = '\0';
  return line;
}

/* text is NUL-terminated at n. Rejects what libmicrohttpd itself would reject. */
bool fuzz_exchange_read(fuzz_exchange *x, char *text, size_t n) {
  char *end = text + n, *space;

  igt__buf_init(&x->response_headers, MOST);
  igt__buf_init(&x->response, MOST);
  x->method = line_of(&text);
  space = strchr(x->method, ' ');
  if (!space || space == x->method)
    return false;
  *space++ = '\0';
  x->target = space;
  for (char *line; *(line = line_of(&text));) {
    char *colon = strchr(line, ':');
    if (!colon || colon == line)
      return false;
    *colon++ = '\0';
    fuzz_exchange_add(x, line, colon + strspn(colon, " \t"));
  }
  x->body = text;
  x->body_len = (size_t)(end - text);
  x->piece = 1 + x->body_len / 3;
  return true;
}

static void give_body(fuzz_exchange *x, void *server, const sbx_handler *handler,
                      sbx_request *req) {
  size_t n;

  for (size_t at = 0; at < x->body_len && !req->responded && handler->body; at += n) {
    n = x->body_len - at < x->piece ? x->body_len - at : x->piece;
    if (!handler->body(server, req, x->body + at, n)) {
      demand(req->responded);
      return;
    }
  }
}

void fuzz_exchange_run(fuzz_exchange *x, void *server, const sbx_handler *handler) {
  running r = {.x = x, .arena = igt__arena_new(0)};
  sbx_request *req = &r.req;
  size_t path_len = strcspn(x->target, "?");

  demand(r.arena);
  req->method = x->method;
  req->target = x->target;
  req->path = igt__arena_strndup(r.arena, x->target, path_len);
  req->query = x->target + path_len + (x->target[path_len] == '?');
  req->connection = &r;
  req->content_length = (int64_t)x->body_len;
  if (handler->begin)
    handler->begin(server, req);
  give_body(x, server, handler, req);
  if (!req->responded && handler->end)
    handler->end(server, req);
  demand(req->responded);
  if (handler->done)
    handler->done(server, req);
  igt__arena_free(r.arena);
}

void fuzz_exchange_finish(fuzz_exchange *x) {
  igt__buf_finish(&x->response_headers);
  igt__buf_finish(&x->response);
}
