/* SPDX-License-Identifier: MIT */
/* The REST handler. begin finds the route (routes.c) and checks the session and the rights it
 * needs; body buffers the request's body; end parses the field mask and the body, checks the body
 * against the route's model (fields.c), and calls the route's function, which responds. main.c
 * routes /api/ and /__* here. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"
#include "mask.h"

/* The body limit: a batch of 10,000 files to register is some 3 MB. */
#define MAX_BODY (32u * 1024 * 1024)

/* ---- the handler ---- */

static bool is_json(const char *content_type) {
  return content_type && igt__str_starts_nocase(content_type, "application/json") &&
         (content_type[16] == '\0' || content_type[16] == ';' || content_type[16] == ' ');
}

static bool has_body(const sbx_request *req) {
  return req->content_length > 0 || sbx_header(req, "Transfer-Encoding");
}

static bool rights_check(rest_call *call) {
  unsigned missing = call->route->rights & ~call->who.rights;

  if (missing == 0)
    return true;
  const char *what = missing & REST_MANAGE     ? "manage projects and users"
                     : missing & REST_SERVICES ? "manage service identities"
                     : missing & REST_UPLOAD   ? "upload"
                                               : "download";
  rest_fail(call, 403, "%s is not allowed to %s", call->who.sub, what);
  return false;
}

static void begin(void *server, sbx_request *req) {
  rest_call *call = igt__calloc(1, sizeof *call);

  req->state = call;
  if (!call)
    return; /* end responds */
  call->server = server;
  call->req = req;
  igt__buf_init(&call->body, MAX_BODY);
  call->arena = igt__arena_new(0);
  if (!call->arena) {
    rest_fail(call, 500, "out of memory");
    return;
  }
  call->route = rest_route_find(call);
  if (!call->route)
    return;
  if (!(call->route->flags & REST_OPEN) && (!rest_session_check(call) || !rights_check(call)))
    return;
  if (req->content_length > (int64_t)MAX_BODY)
    rest_fail(call, 413, "The body is larger than %u bytes", MAX_BODY);
  else if (call->route->model && has_body(req) && !is_json(sbx_header(req, "Content-Type")))
    rest_fail(call, 415, "The body must be application/json");
}

static bool body(void *server, sbx_request *req, const char *data, size_t n) {
  rest_call *call = req->state;

  (void)server;
  if (!call)
    return false;
  if (!call->route->model)
    return true; /* such as the empty form that some clients post */
  if (igt__buf_append(&call->body, data, n))
    return true;
  rest_fail(call, 413, "The body is larger than %u bytes", MAX_BODY);
  return false;
}

static bool body_parse(rest_call *call) {
  igt_error err = IGT_ERROR_INIT;
  char why[256];
  const char *model = call->route->model;

  if (!model)
    return true;
  if (call->body.len == 0) {
    rest_fail(call, 400, "A body is required");
    return false;
  }
  if (igt__json_parse(call->body.data, call->body.len, "the body", &call->json, &err) != IGT_OK) {
    rest_fail(call, 400, "%s", err.text);
    return false;
  }
  if (rest_model_check(model, call->json, why, sizeof why))
    return true;
  rest_fail(call, 400, "Input payload validation failed: %s", why);
  return false;
}

/* For JSON responses; a DELETE has none. */
static bool mask_read(rest_call *call) {
  const char *text = sbx_header(call->req, "X-Fields");
  char why[128];

  if (!text || !*text || strcmp(call->req->method, "DELETE") == 0)
    return true;
  call->mask = rest_mask_parse(text, why, sizeof why);
  if (!call->mask)
    rest_fail(call, 400, "%s", why);
  return call->mask != NULL;
}

static void end(void *server, sbx_request *req) {
  rest_call *call = req->state;

  (void)server;
  if (!call)
    sbx_respond(req, 500, NULL, NULL, 0);
  else if (!req->responded && mask_read(call) && body_parse(call))
    call->route->run(call);
}

static void done(void *server, sbx_request *req) {
  rest_call *call = req->state;

  (void)server;
  if (!call)
    return;
  /* The body of a login contains a password. */
  igt__buf_finish_wipe(&call->body);
  igt__json_free(call->json);
  igt__json_free(call->mask);
  igt__json_free(call->who.account);
  igt__arena_free(call->arena);
  igt__free(call);
}

const sbx_handler sbx_rest_handler = {begin, body, end, done};
