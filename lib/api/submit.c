/* SPDX-License-Identifier: MIT */
/* Calls for threads that must not block. */
#include <string.h>

#include "api/request.h"
#include "auth/response.h"
#include "base/limits.h"
#include "base/mem.h"

typedef struct submitted {
  igt__http_request http;
  igt__buf body; /* it may be sent twice */
  igt__call_done_fn done;
  void *payload;
} submitted;

static void submitted_free(submitted *s) {
  igt__http_request_finish(&s->http);
  igt__buf_finish_wipe(&s->body);
  igt__free(s);
}

static void on_done(igt__http_request *req, igt_status status, const igt_error *failure) {
  submitted *s = req->payload;
  igt_error err = IGT_ERROR_INIT;

  if (status != IGT_OK)
    igt__error_keep(&err, failure);
  else
    status = igt__response_expect_success(req, &err);
  s->done(s->payload, status, &err);
  submitted_free(s);
}

static bool build(submitted *s, igt_client *client, const igt__call *call) {
  igt__buf url;
  bool good;

  igt__buf_init(&url, IGT__MAX_CALL_URL);
  good = igt__call_url(call, igt__client_origin(client), &url, NULL) == IGT_OK &&
         igt__call_body(call, &s->body, NULL) == IGT_OK &&
         igt__call_prepare(call, client, &url, &s->body, &s->http, NULL) == IGT_OK &&
         igt__session_authorize_now(igt__client_session(client), &s->http);
  igt__buf_finish(&url);
  return good;
}

bool igt__call_submit(igt_client *client, const igt__call *call, unsigned loop,
                      igt__call_done_fn done, void *payload) {
  submitted *s = igt__calloc(1, sizeof *s);

  if (!s || igt__http_request_init(&s->http, NULL) != IGT_OK) {
    igt__free(s);
    return false;
  }
  igt__buf_init(&s->body, IGT__MAX_JSON_BODY);
  if (!build(s, client, call)) {
    submitted_free(s);
    return false;
  }
  s->done = done;
  s->payload = payload;
  s->http.payload = s;
  s->http.on_done = on_done;
  igt__http_submit(igt__client_http(client), loop, &s->http);
  return true;
}

const igt__operation *igt__operation_named(const char *id) {
  for (size_t i = 0; igt__operations[i]; i++)
    if (strcmp(igt__operations[i]->id, id) == 0)
      return igt__operations[i];
  return NULL;
}
