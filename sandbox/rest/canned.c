/* SPDX-License-Identifier: MIT */
/* Canned responses, given in place of the real ones of REST and S3, to test clients against a
 * server that misbehaves. They come from the seed or are posted to /__canned, and are stored as
 * documents of kind "canned"; the first that matches a request applies. main.c's route asks
 * sbx_canned_take for each request; when it returns true, sbx_canned_handler responds. */
#include "rest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"

#define MAX_CANNED_BODY (64u * 1024 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- finding ---- */

/* igt__glob_match does not compare the leading '/' of a pattern. */
static bool fits(const igt__json *canned, const sbx_request *req) {
  const char *method = igt__json_get_str(canned, "method");
  const char *path = igt__json_get_str(canned, "path");
  const char *query = igt__json_get_str(canned, "query");

  return (!method || strcmp(method, req->method) == 0) &&
         (!path || igt__glob_match(path, req->path + (req->path[0] == '/'))) &&
         (!query || strstr(req->query, query));
}

typedef struct search {
  const sbx_request *req;
  igt__json *found;
  char id[40];
} search;

static bool look(void *payload, const char *id, const char *doc, size_t n) {
  search *s = payload;
  igt__json *canned = NULL;

  if (igt__json_parse(doc, n, "a canned response", &canned, NULL) != IGT_OK)
    return true;
  if (fits(canned, s->req)) {
    s->found = canned;
    snprintf(s->id, sizeof s->id, "%s", id);
    return false;
  }
  igt__json_free(canned);
  return true;
}

/* Counts a use: "skip" skips the first requests, "times" (0: unlimited) limits the uses. */
static bool use_locked(sbx_server *server, const search *s) {
  int64_t skip = igt__json_int(igt__json_get(s->found, "skip"));
  int64_t times = igt__json_int(igt__json_get(s->found, "times"));

  if (skip > 0)
    igt__json_set_int(s->found, "skip", skip - 1);
  else if (times > 1)
    igt__json_set_int(s->found, "times", times - 1);
  if (skip <= 0 && times == 1)
    sbx_doc_delete(server->store, "canned", s->id);
  else if (skip > 0 || times > 0)
    sbx_doc_put(server->store, "canned", s->id, NULL, s->found);
  return skip <= 0;
}

/* ---- responding ---- */

/* A body of head, then text repeated count times, then tail; cut: the connection breaks after
 * it. */
typedef struct canned_body {
  igt__buf parts[3];
  uint64_t counts[3];
  size_t part, sent;
  bool cut;
} canned_body;

static int64_t body_next(void *payload, char *out, size_t cap) {
  canned_body *b = payload;
  size_t used = 0;

  while (used < cap && b->part < 3) {
    const igt__buf *text = &b->parts[b->part];
    if (text->len == 0 || b->counts[b->part] == 0) {
      b->part++;
      continue;
    }
    size_t n = text->len - b->sent < cap - used ? text->len - b->sent : cap - used;
    memcpy(out + used, text->data + b->sent, n);
    used += n;
    b->sent += n;
    if (b->sent == text->len) {
      b->sent = 0;
      b->counts[b->part]--;
    }
  }
  return used == 0 && b->cut ? -1 : (int64_t)used;
}

static void body_release(void *payload) {
  canned_body *b = payload;

  for (size_t i = 0; i < 3; i++)
    igt__buf_finish(&b->parts[i]);
  igt__free(b);
}

static bool body_fill(canned_body *b, const igt__json *canned) {
  const igt__json *plain = igt__json_get(canned, "body"), *rep = igt__json_get(canned, "repeat");
  const char *base64 = igt__json_get_str(canned, "body_base64");
  const char *head = igt__json_get_str(rep, "head"), *tail = igt__json_get_str(rep, "tail");
  const char *text = igt__json_get_str(rep, "text");

  b->cut = igt__json_bool(igt__json_get(canned, "cut"));
  b->counts[0] = b->counts[2] = 1;
  b->counts[1] = (uint64_t)igt__json_int(igt__json_get(rep, "count"));
  if (base64)
    return igt__base64_decode(&b->parts[0], base64, strlen(base64));
  if (igt__json_typeof(plain) == IGT__JSON_STRING)
    return igt__buf_append(&b->parts[0], igt__json_str(plain), igt__json_str_len(plain));
  if (plain)
    return igt__json_write(&b->parts[0], plain, IGT__JSON_COMPACT);
  return igt__buf_puts(&b->parts[0], head ? head : "") &&
         igt__buf_puts(&b->parts[1], text ? text : "") &&
         igt__buf_puts(&b->parts[2], tail ? tail : "");
}

static void add_headers(sbx_request *req, const igt__json *headers) {
  const char *name;
  igt__json *value;

  for (size_t i = 0; igt__json_member(headers, i, &name, &value); i++) {
    if (strcmp(name, "Content-Type") != 0 && igt__json_str(value))
      sbx_add_header(req, name, igt__json_str(value));
  }
}

static void give(sbx_request *req, const igt__json *canned) {
  const igt__json *headers = igt__json_get(canned, "headers");
  const igt__json *status = igt__json_get(canned, "status");
  const char *type = igt__json_get_str(headers, "Content-Type");
  canned_body *b = igt__calloc(1, sizeof *b);
  int code = status ? (int)igt__json_int(status) : 200;

  if (!b) {
    sbx_respond(req, 500, NULL, NULL, 0);
    return;
  }
  for (size_t i = 0; i < 3; i++)
    igt__buf_init(&b->parts[i], MAX_CANNED_BODY);
  if (!body_fill(b, canned)) {
    body_release(b);
    sbx_respond(req, 500, NULL, NULL, 0);
    return;
  }
  add_headers(req, headers);
  type = type ? type : "application/json";
  if (!b->cut && b->counts[1] == 0) {
    sbx_respond(req, code, type, b->parts[0].data, b->parts[0].len);
    body_release(b);
  } else {
    sbx_respond_stream(req, code, type, body_next, body_release, b);
  }
}

/* ---- selecting, for main.c's route ---- */

/* Most runs have no canned responses: then a request does not query the store. */
typedef enum presence { UNKNOWN, NONE, SOME } presence;
static _Atomic presence present;

static bool any_canned(sbx_server *server) {
  presence known = UNKNOWN;

  if (present == UNKNOWN) /* unless another thread has added one meanwhile */
    atomic_compare_exchange_strong(&present, &known,
                                   sbx_doc_count(server->store, "canned", NULL) > 0 ? SOME : NONE);
  return present == SOME;
}

bool sbx_canned_take(sbx_server *server, sbx_request *req) {
  search s = {.req = req};
  bool use = false;

  if (!any_canned(server) || igt__str_starts(req->path, "/__"))
    return false;
  pthread_mutex_lock(&lock);
  if (sbx_doc_each(server->store, "canned", NULL, look, &s) && s.found)
    use = use_locked(server, &s);
  pthread_mutex_unlock(&lock);
  if (use)
    req->state = s.found;
  else
    igt__json_free(s.found);
  return use;
}

static void begin(void *server, sbx_request *req) {
  (void)server;
  give(req, req->state);
}

static void done(void *server, sbx_request *req) {
  (void)server;
  igt__json_free(req->state);
}

const sbx_handler sbx_canned_handler = {.begin = begin, .done = done};

/* ---- adding at run time ---- */

bool rest_canned_add(sbx_server *server, const igt__json *canned) {
  char id[37];

  if (!igt__uuid(id) || !sbx_doc_put(server->store, "canned", id, NULL, canned))
    return false;
  present = SOME;
  return true;
}

void rest_canned_post(rest_call *call) {
  for (size_t i = 0; i < igt__json_count(call->json); i++) {
    if (!rest_canned_add(call->server, igt__json_at(call->json, i))) {
      rest_fail(call, 500, "The canned responses could not be stored");
      return;
    }
  }
  rest_respond_empty(call, 204);
}

static bool add_id(void *payload, const char *id, const char *doc, size_t n) {
  (void)doc;
  (void)n;
  return igt__json_push(payload, igt__json_new_str(id));
}

void rest_canned_get(rest_call *call) {
  rest_respond_docs(call, "canned", NULL, NULL, NULL, NULL);
}

void rest_canned_delete(rest_call *call) {
  igt__json *ids = igt__json_new_array();

  pthread_mutex_lock(&lock);
  sbx_doc_each(call->server->store, "canned", NULL, add_id, ids);
  for (size_t i = 0; i < igt__json_count(ids); i++)
    sbx_doc_delete(call->server->store, "canned", igt__json_str(igt__json_at(ids, i)));
  pthread_mutex_unlock(&lock);
  igt__json_free(ids);
  rest_respond_empty(call, 204);
}
