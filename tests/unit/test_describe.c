/* SPDX-License-Identifier: MIT */
/* The description's tables, a model's fields as text, and requests of any kind. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/describe.h"
#include "igtcloud/models.h"
#include "igtcloud/request.h"

/* ---- the description ---- */

static void test_operations_are_found(void **state) {
  const igt_operation_info *op = igt_operation_named("get_studies");
  size_t count = 0;

  (void)state;
  while (igt_operation_at(count))
    count++;
  assert_int_equal(count, 103);
  assert_non_null(op);
  assert_string_equal(op->path, "/api/data/hospitals/{hospital_id}/studies");
  assert_string_equal(op->response, "RootStudy[]");
  assert_int_equal(op->parameter_count, 2);
  assert_string_equal(op->parameters[1]->name, "$filter");
  assert_null(igt_operation_named("get_study_of_nothing"));
  assert_null(igt_operation_named(NULL));
}

static void test_paths_are_recognised(void **state) {
  static const struct {
    const char *method, *path, *id;
  } cases[] = {
      {"GET", "/api/data/projects", "get_projects"},
      {"GET", "/api/data/projects?x=/y", "get_projects"},
      {"GET", "/api/data/projects/7", "get_project"},
      {"GET", "/api/data/projects/hospitals/7", "get_institute"},
      {"GET", "/api/data/users/me", "get_me"},
      {"GET", "/api/data/users/42", "get_user"},
      {"DELETE", "/api/data/users/files?keys=a", "delete_user_storage_files"},
      {"POST", "/api/data/hospitals/1/studies/2/files/$file-upload-completed",
       "post_study_files_upload_completed"},
      {"PATCH", "/api/data/projects", NULL},
      {"GET", "/api/data/projects/", NULL},
      {"GET", "/api/data", NULL},
      {"GET", "", NULL},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const igt_operation_info *op = igt_operation_called(cases[i].method, cases[i].path);
    if (cases[i].id)
      assert_string_equal(op ? op->id : cases[i].path, cases[i].id);
    else
      assert_null(op);
  }
}

static void test_models_are_found(void **state) {
  const igt_model_info *model = igt_model_info_named("EpdStudy");

  (void)state;
  assert_non_null(model);
  assert_string_equal(model->base, "RootStudy");
  assert_ptr_equal(model->type, igt_epd_study_type());
  assert_string_equal(model->fields[0]->name, "studyDatabaseId");
  assert_true(model->fields[0]->read_only);
  assert_null(igt_model_info_named("epdstudy"));
  for (size_t i = 0; igt_model_info_at(i); i++)
    assert_string_equal(igt_type_name(igt_model_info_at(i)->type), igt_model_info_at(i)->name);
}

/* ---- fields as text ---- */

static igt_status collect(void *payload, const igt_field_text *field) {
  char *out = payload;

  if (field->is != IGT_ABSENT)
    sprintf(out + strlen(out), "%s=%s=%s%s|", field->name, field->text, field->json,
            field->known ? "" : "?");
  return IGT_OK;
}

static igt_status end_it(void *payload, const igt_field_text *field) {
  (void)field;
  ++*(int *)payload;
  return IGT_E_CANCELLED;
}

static void test_fields_are_shown(void **state) {
  static const char json[] =
      "{\"studyType\":\"EpdStudy\",\"name\":\"a\\\"b\",\"redo\":true,\"duration\":95,"
      "\"datetime\":\"2024-01-02\",\"diseaseTypes\":[\"x\",null,\"y\"],\"site\":null,"
      "\"zz\":\"\\u00e4\",\"zy\":{\"a\":[1]}}";
  char notification[2048] = "";
  igt_model *model = NULL;
  igt_error err;
  int calls = 0;

  (void)state;
  assert_int_equal(igt_model_parse(igt_root_study_type(), json, strlen(json), &model, &err),
                   IGT_OK);
  assert_int_equal(igt_model_each_field(model, collect, notification, &err), IGT_OK);
  assert_string_equal(notification,
                      "studyType=EpdStudy=\"EpdStudy\"|name=a\"b=\"a\\\"b\"|redo=true=true|"
                      "duration=95=95|datetime=2024-01-02=\"2024-01-02\"|"
                      "diseaseTypes=x, , y=[\"x\",null,\"y\"]|site==null|"
                      "zz=\xc3\xa4=\"\xc3\xa4\"?|zy={\"a\":[1]}={\"a\":[1]}?|");
  assert_int_equal(igt_model_each_field(model, end_it, &calls, &err), IGT_E_CANCELLED);
  assert_int_equal(calls, 1);
  igt_model_free(model);
  assert_int_equal(igt_model_each_field(NULL, collect, notification, &err), IGT_E_INVALID);
}

/* ---- requests ---- */

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_error err;
  char got[256];
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;

  f->server = http_server_start();
  options.domain = http_server_url(f->server, "");
  assert_int_equal(igt_client_new(&options, &f->client, &f->err), IGT_OK);
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

static igt_status take(void *payload, const void *data, size_t n) {
  fixture *f = payload;

  strncat(f->got, data, n);
  return IGT_OK;
}

static igt_request_options options_of(const char *method, const char *path, const char *body) {
  static const igt_name_value query[] = {{"$filter", "a eq 'b c'"}};
  igt_request_options o = IGT_REQUEST_OPTIONS_INIT;

  o.method = method;
  o.path = path;
  o.query = query;
  o.query_count = 1;
  o.body = body;
  o.body_size = body ? strlen(body) : 0;
  return o;
}

static igt_status request(fixture *f, const char *method, const char *path, const char *body,
                          igt_response **response) {
  igt_request_options o = options_of(method, path, body);

  return igt_request(f->client, &o, response, take, f, &f->err);
}

static void test_a_request_is_sent_as_it_is(void **state) {
  fixture *f = *state;
  igt_response *response = NULL;
  const http_seen *seen;

  http_server_add(f->server, (http_response){.status = 201,
                                             .headers = "Content-Type: application/json\r\n",
                                             .body = "{\"a\": 1}"});
  assert_int_equal(request(f, "POST", "/api/data/things?x=%20y", "{ \"b\":2}", &response), IGT_OK);
  seen = http_server_seen(f->server, 0);
  assert_string_equal(seen->target, "/api/data/things?x=%20y&%24filter=a%20eq%20%27b%20c%27");
  assert_string_equal(seen->body, "{ \"b\":2}");
  assert_string_equal(http_seen_header(seen, "X-JWT"), "token-1");
  assert_string_equal(f->got, "{\"a\": 1}");
  assert_int_equal(igt_response_status(response), 201);
  assert_string_equal(igt_response_header(response, "content-TYPE", 0), "application/json");
  assert_string_equal(igt_response_body(response, NULL), "");
  igt_response_free(response);
}

static void test_an_open_operation_sends_no_token(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.body = "\"x\""});
  assert_int_equal(request(f, "GET", "/api/auth/login/$aud", NULL, NULL), IGT_OK);
  assert_null(http_seen_header(http_server_seen(f->server, 0), "X-JWT"));
}

static void test_a_refusal_is_reported(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.status = 400,
                                             .headers = "Content-Type: application/json\r\n",
                                             .body = "{\"message\": \"too blue\"}"});
  assert_int_equal(request(f, "POST", "/api/data/users", "{}", NULL), IGT_E_BAD_REQUEST);
  assert_non_null(strstr(f->err.text, "too blue"));
  assert_string_equal(f->err.operation, "post_users");
  assert_string_equal(f->got, "");
}

static void test_a_refusal_has_headers_and_a_body(void **state) {
  fixture *f = *state;
  igt_response *response = NULL;
  size_t size = 0;

  http_server_add(f->server, (http_response){.status = 409,
                                             .headers = "X-Why: first\r\nX-Why: second\r\n"
                                                        "Content-Type: application/json\r\n",
                                             .body = "{\"message\": \"there\", \"id\": 7}"});
  assert_int_equal(request(f, "POST", "/api/data/users", "{}", &response), IGT_E_CONFLICT);
  assert_int_equal(igt_response_status(response), 409);
  assert_string_equal(igt_response_body(response, &size), "{\"message\": \"there\", \"id\": 7}");
  assert_int_equal(size, strlen("{\"message\": \"there\", \"id\": 7}"));
  assert_string_equal(igt_response_header(response, "x-why", 0), "first");
  assert_string_equal(igt_response_header(response, "X-Why", 1), "second");
  assert_null(igt_response_header(response, "X-Why", 2));
  assert_string_equal(igt_response_header_at(response, 1).name, "X-Why");
  assert_string_equal(igt_response_header_at(response, 1).value, "second");
  assert_null(igt_response_header_at(response, igt_response_header_count(response)).name);
  assert_string_equal(f->got, "");
  igt_response_free(response);
}

static void test_headers_are_added_and_replaced(void **state) {
  static const igt_name_value headers[] = {
      {"X-Fields", "id,name"}, {"accept", "text/csv"}, {"User-Agent", "mine/1"}};
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);
  const http_seen *seen;

  o.headers = headers;
  o.header_count = 3;
  http_server_add(f->server, (http_response){.body = "x"});
  assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_OK);
  seen = http_server_seen(f->server, 0);
  assert_string_equal(http_seen_header(seen, "X-Fields"), "id,name");
  assert_string_equal(http_seen_header(seen, "Accept"), "text/csv");
  assert_string_equal(http_seen_header(seen, "Content-Type"), "application/json");
  assert_string_equal(http_seen_header(seen, "User-Agent"), "mine/1");
  assert_string_equal(http_seen_header(seen, "X-JWT"), "token-1");
}

static void test_headers_of_the_session_are_refused(void **state) {
  static const igt_name_value bad[] = {
      {"X-JWT", "other"},     {"x-csrf-token", "a"}, {"host", "evil"}, {"Content-Length", "0"},
      {"X-A", "a\r\nX-B: b"}, {"X A", "a"},          {NULL, "a"},      {"X-A", NULL}};
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);

  o.header_count = 1;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    o.headers = &bad[i];
    assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_E_INVALID);
  }
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_a_call_has_a_time_limit(void **state) {
  static const http_response held[] = {{.fault = HTTP_HOLD, .body = "x"},
                                       {.fault = HTTP_HOLD_BODY, .cut = 1, .body = "xyz"}};
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);

  o.timeout_ms = 100;
  for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
    http_server_add(f->server, held[i]);
    assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_E_TIMEOUT);
    assert_non_null(strstr(f->err.text, "time limit"));
    assert_true(f->err.retryable);
  }
  assert_int_equal(http_server_count(f->server), 2);
}

/* Also while it waits for its next attempt: 503 is retried after Retry-After. */
static void test_the_time_limit_is_for_all_attempts(void **state) {
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);

  o.timeout_ms = 100;
  http_server_add(f->server, (http_response){.status = 503, .headers = "Retry-After: 100\r\n"});
  assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_E_TIMEOUT);
  assert_int_equal(http_server_count(f->server), 1);
}

static void *cancel_when_seen(void *arg) {
  struct {
    fixture *f;
    igt_cancel *cancel;
  } *c = arg;

  http_server_wait(c->f->server, 1);
  igt_cancel_set(c->cancel);
  return NULL;
}

static void test_one_call_is_cancelled(void **state) {
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);
  struct {
    fixture *f;
    igt_cancel *cancel;
  } c = {f, igt_cancel_new()};
  pthread_t thread;

  o.cancel = c.cancel;
  http_server_add(f->server, (http_response){.fault = HTTP_HOLD, .body = "x"});
  assert_int_equal(pthread_create(&thread, NULL, cancel_when_seen, &c), 0);
  assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_E_CANCELLED);
  pthread_join(thread, NULL);
  o.cancel = NULL; /* the client goes on */
  http_server_add(f->server, (http_response){.body = "x"});
  assert_int_equal(igt_request(f->client, &o, NULL, take, f, &f->err), IGT_OK);
  igt_cancel_free(c.cancel);
}

/* Seen from within the callback: before the first byte. */
typedef struct early {
  igt_response *response;
  int http_status;
} early;

static igt_status look_at_head(void *payload, const void *data, size_t n) {
  early *e = payload;

  (void)data, (void)n;
  e->http_status = igt_response_status(e->response);
  return IGT_OK;
}

static void test_the_head_comes_before_the_body(void **state) {
  fixture *f = *state;
  igt_request_options o = options_of("GET", "/api/data/things", NULL);
  early e = {NULL, 0};

  http_server_add(f->server, (http_response){.status = 203, .body = "x"});
  assert_int_equal(igt_request(f->client, &o, &e.response, look_at_head, &e, &f->err), IGT_OK);
  assert_int_equal(e.http_status, 203);
  igt_response_free(e.response);
}

static void test_other_paths_are_refused(void **state) {
  static const char *const paths[] = {
      "",         "api/data",  "/api/../x", "/api/data/..", "/api/./x", "//evil.example/x",
      "/api//x",  "/api/{id}", "/a b",      "/a#b",         "/a\nb",    "/a\xc3\xa4",
      "/api/..?x"};
  fixture *f = *state;

  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    assert_int_equal(request(f, "GET", paths[i], NULL, NULL), IGT_E_INVALID);
  assert_int_equal(request(f, "TRACE", "/api/data/x", NULL, NULL), IGT_E_INVALID);
  assert_int_equal(http_server_count(f->server), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_operations_are_found),
      cmocka_unit_test(test_paths_are_recognised),
      cmocka_unit_test(test_models_are_found),
      cmocka_unit_test(test_fields_are_shown),
      TEST(test_a_request_is_sent_as_it_is),
      TEST(test_an_open_operation_sends_no_token),
      TEST(test_a_refusal_is_reported),
      TEST(test_a_refusal_has_headers_and_a_body),
      TEST(test_headers_are_added_and_replaced),
      TEST(test_headers_of_the_session_are_refused),
      TEST(test_a_call_has_a_time_limit),
      TEST(test_the_time_limit_is_for_all_attempts),
      TEST(test_one_call_is_cancelled),
      TEST(test_the_head_comes_before_the_body),
      TEST(test_other_paths_are_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
