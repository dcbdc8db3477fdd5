/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "faults/internal.h"

#define MAX_PLAN (8u * 1024 * 1024)

bool control_is_for(const head *request) {
  return strcmp(request->path, "/__faults") == 0 || strcmp(request->path, "/__requests") == 0;
}

static bool read_body(connection *c, igt__buf *out) {
  body b = body_of_request(&c->client, &c->request);
  char piece[4096];
  int64_t n;

  while ((n = body_read(&b, piece, sizeof piece)) > 0)
    if (!igt__buf_append(out, piece, (size_t)n))
      return false;
  return n == 0;
}

static ending add_faults(connection *c, const igt__buf *text) {
  igt_error err = IGT_ERROR_INIT;
  igt__json *list = NULL;
  char error[300] = "out of memory";
  bool good;

  /* A web page cannot send this type to another origin without a preflight request. */
  if (!head_has(&c->request, "Content-Type", "application/json"))
    return response_json(c, 415, NULL, "The body must be application/json");
  if (igt__json_parse(text->data, text->len, "the body", &list, &err) != IGT_OK)
    return response_json(c, 400, NULL, err.text);
  good = fault_plan_add(c->front->plan, list, error, sizeof error);
  igt__json_free(list);
  return good ? response_json(c, 204, NULL, NULL) : response_json(c, 400, NULL, error);
}

static ending list(connection *c, igt__json *doc) {
  ending end = response_json(c, doc ? 200 : 500, doc, "out of memory");

  igt__json_free(doc);
  return end;
}

ending control_run(connection *c) {
  bool faults = strcmp(c->request.path, "/__faults") == 0;
  const char *method = c->request.method;
  ending end = END_CLOSE;
  igt__buf text;

  igt__buf_init(&text, MAX_PLAN);
  if (!faults || strcmp(method, "DELETE") == 0) /* what a killed client sent must meet the faults */
    front_settle(c->front, c);
  if (!read_body(c, &text)) {
    end = response_json(c, 413, NULL, "The body is too large");
  } else if (strcmp(method, "POST") == 0 && faults) {
    end = add_faults(c, &text);
  } else if (strcmp(method, "GET") == 0) {
    end = list(c, faults ? fault_plan_list(c->front->plan) : request_log_list(c->front->log));
  } else if (strcmp(method, "DELETE") == 0) {
    if (faults) {
      fault_plan_clear(c->front->plan);
      front_release(c->front);
    } else {
      request_log_clear(c->front->log);
    }
    end = response_json(c, 204, NULL, NULL);
  } else {
    end = response_json(c, 405, NULL, "Not allowed here");
  }
  igt__buf_finish(&text);
  return end;
}
