/* SPDX-License-Identifier: MIT */
/* Responses of the REST side: errors, JSON values, prepared text, and lists of documents. Each is
 * cut to the field mask of X-Fields if the request has one. Lists are streamed: a cursor reads the
 * documents page by page, and doc_next writes them with the punctuation between them, so that a
 * long list needs no memory. All endpoints respond through these functions. */
#include "rest.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gzip.h"
#include "mask.h"

#define JSON_TYPE "application/json"
/* Shorter responses gain nothing. */
#define COMPRESS_FROM SBX_GZIP_HEAD

void rest_fail(rest_call *call, int status, const char *fmt, ...) {
  char text[512];
  va_list args;

  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  igt__json *message = igt__json_new_object();
  igt__json_set_str(message, "message", text);
  rest_respond(call, status, message);
}

/* Applies the request's field mask; takes ownership of the value. */
static igt__json *masked(const rest_call *call, int status, igt__json *value) {
  if (!call->mask || !value || status >= 300)
    return value;
  igt__json *out = rest_mask_apply(call->mask, value);
  igt__json_free(value);
  return out;
}

void rest_respond(rest_call *call, int status, igt__json *value) {
  igt__buf text;

  value = masked(call, status, value);
  igt__buf_init(&text, INT_MAX);
  if (value && igt__json_write(&text, value, IGT__JSON_COMPACT) && igt__buf_putc(&text, '\n'))
    sbx_respond(call->req, status, JSON_TYPE, text.data, text.len);
  else
    sbx_respond(call->req, 500, NULL, NULL, 0);
  igt__buf_finish(&text);
  igt__json_free(value);
}

void rest_respond_empty(rest_call *call, int status) {
  sbx_respond(call->req, status, NULL, NULL, 0);
}

/* ---- prepared text ---- */

/* A mask needs the parsed value. */
static void response_parsed(rest_call *call, int status, igt__buf *text) {
  igt__json *value = NULL;

  if (igt__json_parse(text->data, text->len, "the response", &value, NULL) != IGT_OK)
    value = NULL;
  igt__buf_finish(text);
  rest_respond(call, status, value);
}

/* RFC 9110, 12.5.3 */
static bool may_compress(const rest_call *call) {
  const char *accepted = sbx_header(call->req, "Accept-Encoding");
  const char *gzip = accepted ? strstr(accepted, "gzip") : NULL;

  return gzip && (strncmp(gzip, "gzip;q=0", 8) != 0 || gzip[8] == '.');
}

static void respond_gzip(rest_call *call, int status, sbx_gzip *gzip) {
  if (!gzip) {
    rest_fail(call, 500, "out of memory");
    return;
  }
  sbx_add_header(call->req, "Content-Encoding", "gzip");
  sbx_add_header(call->req, "Vary", "Accept-Encoding");
  sbx_respond_stream(call->req, status, JSON_TYPE, sbx_gzip_next, sbx_gzip_free, gzip);
}

typedef struct text_stream {
  char *data;
  size_t n, sent;
} text_stream;

static int64_t text_next(void *payload, char *out, size_t cap) {
  text_stream *s = payload;
  size_t n = s->n - s->sent < cap ? s->n - s->sent : cap;

  memcpy(out, s->data + s->sent, n);
  s->sent += n;
  return (int64_t)n;
}

static void text_release(void *payload) {
  text_stream *s = payload;

  igt__free(s->data);
  igt__free(s);
}

static void respond_compressed(rest_call *call, int status, char *data, size_t n) {
  text_stream *s = igt__malloc(sizeof *s);

  if (!s) {
    igt__free(data);
    rest_fail(call, 500, "out of memory");
    return;
  }
  *s = (text_stream){data, n, 0};
  respond_gzip(call, status, sbx_gzip_new("", 0, text_next, text_release, s));
}

void rest_respond_text(rest_call *call, int status, igt__buf *text) {
  if (call->mask && !text->failed) {
    response_parsed(call, status, text);
    return;
  }
  size_t n = text->len;
  char *data = igt__buf_take(text);
  if (data && n >= COMPRESS_FROM && may_compress(call))
    respond_compressed(call, status, data, n);
  else if (data)
    sbx_respond_taken(call->req, status, JSON_TYPE, data, n);
  else
    rest_fail(call, 500, "out of memory");
}

/* ---- lists of documents ---- */

typedef struct doc_stream {
  sbx_cursor *cursor;
  bool (*keep)(void *payload, const igt__json *doc);
  void (*release)(void *payload);
  void *payload;
  igt__json *mask;
  igt__buf masked; /* the document after applying the mask */
  const char *doc; /* the text being sent, its length and how much was sent */
  size_t n, sent;
  enum { LIST_BEGIN, LIST_FIRST, LIST_MORE, LIST_END } at;
} doc_stream;

static void doc_mask(doc_stream *s, const igt__json *value) {
  igt__json *out = rest_mask_apply(s->mask, value);

  igt__buf_clear(&s->masked);
  igt__json_write(&s->masked, out, IGT__JSON_COMPACT);
  igt__json_free(out);
  s->doc = s->masked.data;
  s->n = s->masked.len;
}

static bool doc_wanted(doc_stream *s) {
  igt__json *value = NULL;

  if (!s->keep && !s->mask)
    return true;
  bool wanted = igt__json_parse(s->doc, s->n, "a document", &value, NULL) == IGT_OK &&
                (!s->keep || s->keep(s->payload, value));
  if (wanted && s->mask)
    doc_mask(s, value);
  igt__json_free(value);
  return wanted;
}

static bool doc_advance(doc_stream *s) {
  const char *id;

  while (sbx_cursor_next(s->cursor, &id, &s->doc, &s->n)) {
    if (doc_wanted(s))
      return true;
  }
  s->doc = NULL;
  return false;
}

/* The next byte of punctuation, or 0 when text is to be sent. */
static char doc_punctuation(doc_stream *s) {
  if (s->at == LIST_BEGIN) {
    s->at = LIST_FIRST;
    return '[';
  }
  if (s->doc && s->sent < s->n)
    return 0;
  s->sent = 0;
  if (!doc_advance(s)) {
    s->at = LIST_END;
    return ']';
  }
  bool first = s->at == LIST_FIRST;
  s->at = LIST_MORE;
  return first ? 0 : ',';
}

static int64_t doc_next(void *payload, char *out, size_t cap) {
  doc_stream *s = payload;
  size_t used = 0;

  while (used < cap && s->at != LIST_END) {
    char c = doc_punctuation(s);
    if (c) {
      out[used++] = c;
      continue;
    }
    size_t n = s->n - s->sent < cap - used ? s->n - s->sent : cap - used;
    memcpy(out + used, s->doc + s->sent, n);
    s->sent += n;
    used += n;
  }
  return (int64_t)used;
}

static void doc_release(void *payload) {
  doc_stream *s = payload;

  sbx_cursor_free(s->cursor);
  if (s->release)
    s->release(s->payload);
  igt__json_free(s->mask);
  igt__buf_finish(&s->masked);
  igt__free(s);
}

/* A list that ends within the first piece is sent as it is. */
static void respond_compressed_docs(rest_call *call, doc_stream *s) {
  char *head = igt__malloc(COMPRESS_FROM);

  if (!head) {
    doc_release(s);
    rest_fail(call, 500, "out of memory");
    return;
  }
  size_t n = (size_t)doc_next(s, head, COMPRESS_FROM);
  if (n == COMPRESS_FROM) {
    respond_gzip(call, 200, sbx_gzip_new(head, n, doc_next, doc_release, s));
    igt__free(head);
  } else {
    doc_release(s);
    sbx_respond_taken(call->req, 200, JSON_TYPE, head, n);
  }
}

void rest_respond_docs(rest_call *call, const char *kind, const char *parent,
                       bool (*keep)(void *payload, const igt__json *doc),
                       void (*release)(void *payload), void *payload) {
  doc_stream *s = igt__calloc(1, sizeof *s);
  sbx_cursor *cursor = sbx_doc_cursor(call->server->store, kind, parent);

  if (!s || !cursor) {
    sbx_cursor_free(cursor);
    igt__free(s);
    if (release)
      release(payload);
    rest_fail(call, 500, "out of memory");
    return;
  }
  s->cursor = cursor;
  s->keep = keep;
  s->release = release;
  s->payload = payload;
  s->mask = call->mask ? igt__json_copy(call->mask) : NULL;
  igt__buf_init(&s->masked, INT_MAX);
  if (may_compress(call))
    respond_compressed_docs(call, s);
  else
    sbx_respond_stream(call->req, 200, JSON_TYPE, doc_next, doc_release, s);
}
