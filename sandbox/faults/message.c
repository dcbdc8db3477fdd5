/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 on plain sockets, for the front only: buffered reads (wire), heads of requests and
 * responses kept as the bytes that arrived, so that they can be forwarded unchanged or with single
 * headers replaced, and bodies read without their framing (length, chunked, until close).
 * exchange.c, response.c and control.c use it. */
#include "faults/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/clock.h"
#include "base/str.h"

#define MAX_HEAD (512u * 1024)

/* ---- sockets ---- */

void wire_init(wire *w, int fd) {
  w->fd = fd;
  w->from = w->to = 0;
}

static bool fill(wire *w) {
  ssize_t n;

  if (w->from < w->to)
    return true;
  do
    n = recv(w->fd, w->data, sizeof w->data, 0);
  while (n < 0 && errno == EINTR);
  w->from = 0;
  w->to = n > 0 ? (size_t)n : 0;
  return n > 0;
}

bool wire_send(int fd, const void *data, size_t n) {
  const char *at = data;

  while (n > 0) {
    ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    at += sent;
    n -= (size_t)sent;
  }
  return true;
}

void wire_flush(int fd) {
  int64_t until = igt__mono_us() + 1000000;
  int unsent = 0;

  while (ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 && igt__mono_us() < until)
    igt__sleep_us(1000);
}

void wire_reset(wire *w) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};

  if (w->fd < 0)
    return;
  wire_flush(w->fd);
  setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  wire_close(w);
}

void wire_close(wire *w) {
  if (w->fd >= 0)
    close(w->fd);
  w->fd = -1;
}

/* ---- heads ---- */

void head_init(head *h) {
  memset(h, 0, sizeof *h);
  igt__buf_init(&h->text, MAX_HEAD);
  igt__buf_init(&h->parts, MAX_HEAD);
}

void head_finish(head *h) {
  igt__buf_finish_wipe(&h->text); /* contains the clients' tokens */
  igt__buf_finish(&h->parts);
}

static bool ends_head(const igt__buf *text) {
  return text->len >= 4 && memcmp(text->data + text->len - 4, "\r\n\r\n", 4) == 0;
}

static bool read_text(wire *from, head *h) {
  igt__buf_clear(&h->text);
  while (!ends_head(&h->text)) {
    if (!fill(from) || !igt__buf_putc(&h->text, from->data[from->from]))
      return false;
    from->from++;
  }
  return true;
}

/* Splits "METHOD TARGET HTTP/1.1" into copies of the method, the target, its path and its query. */
static bool split_request(head *h) {
  const char *line = h->text.data, *end = strstr(line, "\r\n");
  const char *space = memchr(line, ' ', (size_t)(end - line));
  const char *last = space ? memchr(space + 1, ' ', (size_t)(end - space - 1)) : NULL;
  size_t method, target, path;

  if (!last)
    return false;
  method = (size_t)(space - line);
  target = (size_t)(last - space - 1);
  path = strcspn(space + 1, "? ");
  igt__buf_clear(&h->parts);
  igt__buf_append(&h->parts, line, method);
  igt__buf_putc(&h->parts, '\0');
  igt__buf_append(&h->parts, space + 1, target);
  igt__buf_putc(&h->parts, '\0');
  igt__buf_append(&h->parts, space + 1, path);
  if (!igt__buf_putc(&h->parts, '\0'))
    return false;
  h->method = h->parts.data;
  h->target = h->method + method + 1;
  h->path = h->target + target + 1;
  h->query = h->target + path + (path < target);
  return true;
}

bool head_read_request(wire *from, head *h) {
  return read_text(from, h) && split_request(h);
}

bool head_read_response(wire *from, head *h) {
  if (!read_text(from, h) || !igt__str_starts(h->text.data, "HTTP/1.") || h->text.len < 16)
    return false;
  h->status = (int)strtol(h->text.data + 9, NULL, 10);
  return h->status >= 100;
}

/* The line of a header, and where the next one starts; NULL if absent. */
static const char *find(const head *h, const char *name, const char **next) {
  const char *line = strstr(h->text.data, "\r\n");
  size_t n = strlen(name);

  while (line && strcmp(line, "\r\n\r\n") != 0) {
    const char *end;
    line += 2;
    end = strstr(line, "\r\n");
    if (!end)
      return NULL;
    if (igt__str_starts_nocase(line, name) && line[n] == ':') {
      *next = end + 2;
      return line;
    }
    line = end;
  }
  return NULL;
}

bool head_get(const head *h, const char *name, char *out, size_t cap) {
  const char *next, *line = find(h, name, &next);
  size_t n;

  if (!line)
    return false;
  line += strlen(name) + 1;
  line += strspn(line, " \t");
  n = strcspn(line, "\r");
  if (n >= cap)
    return false;
  memcpy(out, line, n);
  out[n] = '\0';
  return true;
}

bool head_has(const head *h, const char *name, const char *value) {
  char found[64];

  return head_get(h, name, found, sizeof found) && igt__str_eq_nocase(found, value);
}

void head_set(head *h, const char *name, const char *value) {
  const char *next = NULL, *line = find(h, name, &next);
  igt__buf text;

  igt__buf_init(&text, MAX_HEAD);
  if (line) {
    igt__buf_append(&text, h->text.data, (size_t)(line - h->text.data));
  } else {
    next = h->text.data + h->text.len - 2;
    igt__buf_append(&text, h->text.data, h->text.len - 2);
  }
  if (value)
    igt__buf_printf(&text, "%s: %s\r\n", name, value);
  igt__buf_puts(&text, next);
  igt__buf_finish_wipe(&h->text);
  h->text = text;
}

void head_each(const head *h, bool (*fn)(void *payload, const char *name), void *payload) {
  const char *line = strstr(h->text.data, "\r\n");
  char name[128];

  while (line && strcmp(line, "\r\n\r\n") != 0) {
    size_t n;
    line += 2;
    n = strcspn(line, ":\r");
    if (n < sizeof name) {
      memcpy(name, line, n);
      name[n] = '\0';
      if (!fn(payload, name))
        return;
    }
    line = strstr(line, "\r\n");
  }
}

/* ---- bodies ---- */

static bool is_chunked(const head *h) {
  return head_has(h, "Transfer-Encoding", "chunked");
}

static body body_of(wire *from, const head *h, body_framing without) {
  body b = {.from = from, .framing = without};
  char text[24];

  if (is_chunked(h))
    b.framing = BODY_CHUNKED;
  else if (head_get(h, "Content-Length", text, sizeof text) && igt__str_to_uint64(text, &b.left))
    b.framing = BODY_LENGTH;
  b.ended = b.framing == BODY_NONE || (b.framing == BODY_LENGTH && b.left == 0);
  return b;
}

body body_of_request(wire *from, const head *request) {
  return body_of(from, request, BODY_NONE);
}

body body_of_response(wire *from, const head *response, const char *method) {
  bool none = strcmp(method, "HEAD") == 0 || response->status == 204 || response->status == 304;

  return none ? (body){.from = from, .ended = true} : body_of(from, response, BODY_TO_END);
}

static bool read_line(wire *from, char *out, size_t cap) {
  for (size_t n = 0; n < cap; n++) {
    if (!fill(from))
      return false;
    out[n] = from->data[from->from++];
    if (out[n] == '\n') {
      out[n] = '\0';
      return true;
    }
  }
  return false;
}

/* Reads the size of the next chunk; trailers after the last one are discarded. */
static bool next_chunk(body *b) {
  char line[256], *end;

  if (!read_line(b->from, line, sizeof line))
    return false;
  b->left = strtoull(line, &end, 16);
  if (end == line)
    return false;
  while (b->left == 0 && !b->ended) {
    if (!read_line(b->from, line, sizeof line))
      return false;
    b->ended = line[0] == '\r' || line[0] == '\0';
  }
  return true;
}

int64_t body_read(body *b, char *out, size_t cap) {
  wire *w = b->from;
  char line[4];
  size_t n;

  if (!b->ended && b->framing == BODY_CHUNKED && b->left == 0 && !next_chunk(b))
    return -1;
  if (b->ended)
    return 0;
  if (!fill(w)) {
    b->ended = true;
    return b->framing == BODY_TO_END ? 0 : -1;
  }
  n = w->to - w->from < cap ? w->to - w->from : cap;
  if (b->framing != BODY_TO_END && n > b->left)
    n = (size_t)b->left;
  memcpy(out, w->data + w->from, n);
  w->from += n;
  if (b->framing == BODY_TO_END)
    return (int64_t)n;
  b->left -= n;
  if (b->left == 0 && b->framing == BODY_CHUNKED)
    return read_line(w, line, sizeof line) ? (int64_t)n : -1;
  b->ended = b->left == 0;
  return (int64_t)n;
}

bool body_send(int fd, body_framing framing, const char *data, size_t n) {
  char size[24];

  if (framing != BODY_CHUNKED)
    return n == 0 || wire_send(fd, data, n);
  snprintf(size, sizeof size, "%zx\r\n", n);
  return wire_send(fd, size, strlen(size)) && wire_send(fd, data, n) && wire_send(fd, "\r\n", 2);
}
