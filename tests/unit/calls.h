/* SPDX-License-Identifier: MIT */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

/* Helpers for the generated test of all operations (tests/generator/make_calls.py). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_for.h"
#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/operations.h"

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_error err;
  char headers[128];
} fixture;

static const char *const two[] = {"k 1", "k&2"};

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);

  (void)two;
  f->server = http_server_start();
  f->client = client_for(f->server, NULL);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;

  igt_client_free(f->client);
  http_server_stop(f->server);
  free(f);
  return 0;
}

#define CALL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void ok(fixture *f, igt_status status) {
  if (status != IGT_OK)
    fail_msg("%s: %s", igt_status_name(status), f->err.text);
}

static void response(fixture *f, const char *type, const char *text) {
  snprintf(f->headers, sizeof f->headers, "Content-Type: %s\r\n", type);
  http_server_add(f->server, (http_response){.headers = f->headers, .body = text});
}

/* body: NULL if the request must not have one. */
static inline void expect(fixture *f, size_t i, const char *method, const char *target,
                          const char *body) {
  const http_seen *seen = http_server_seen(f->server, i);

  assert_non_null(seen);
  assert_string_equal(seen->method, method);
  assert_string_equal(seen->target, target);
  assert_string_equal(seen->body ? seen->body : "", body ? body : "");
}

static inline void has_header(fixture *f, size_t i, const char *line) {
  if (!strstr(http_server_seen(f->server, i)->headers, line))
    fail_msg("no header %s", line);
}

static inline igt_model *parse(const igt_type *type, const char *json) {
  igt_error err = IGT_ERROR_INIT;
  igt_model *model = NULL;

  if (igt_model_parse(type, json, strlen(json), &model, &err) != IGT_OK)
    fail_msg("%s", err.text);
  return model;
}

/* The model contains exactly what text says. Frees it. */
static void same(igt_model *model, const char *text, bool plain) {
  igt_error err = IGT_ERROR_INIT;
  igt_text *json = NULL;

  assert_non_null(model);
  if (plain) {
    assert_string_equal(((igt_text *)model)->v, text);
  } else {
    assert_int_equal(igt_model_encode(model, &json, &err), IGT_OK);
    assert_string_equal(json->v, text);
    igt_model_free(&json->model);
  }
  igt_model_free(model);
}

static inline igt_status count(void *payload, igt_model *element) {
  assert_non_null(element);
  ++*(size_t *)payload;
  return IGT_OK;
}

static inline igt_status take(void *payload, const void *data, size_t n) {
  assert_int_equal(n, strlen(payload));
  assert_memory_equal(data, payload, n);
  return IGT_OK;
}

#endif
