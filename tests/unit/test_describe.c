/* SPDX-License-Identifier: MIT */
/* The description's tables, a model's fields as text, and requests of any kind. */
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

static void operations_are_found(void **state) {
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

static void paths_are_recognised(void **state) {
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

static void models_are_found(void **state) {
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

static void fields_are_shown(void **state) {
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

static igt_status request(fixture *f, const char *method, const char *path, const char *body,
                          igt_response *response) {
  static const igt_pair query[] = {{"$filter", "a eq 'b c'"}};
  igt_request_options o = {method, path, query, 1, body, body ? strlen(body) : 0};

  return igt_request(f->client, &o, response, take, f, &f->err);
}

static void a_request_is_sent_as_it_is(void **state) {
  fixture *f = *state;
  igt_response response;
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
  assert_int_equal(response.http_status, 201);
  assert_string_equal(response.content_type, "application/json");
}

static void an_open_operation_sends_no_token(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.body = "\"x\""});
  assert_int_equal(request(f, "GET", "/api/auth/login/$aud", NULL, NULL), IGT_OK);
  assert_null(http_seen_header(http_server_seen(f->server, 0), "X-JWT"));
}

static void a_refusal_is_told(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.status = 400,
                                             .headers = "Content-Type: application/json\r\n",
                                             .body = "{\"message\": \"too blue\"}"});
  assert_int_equal(request(f, "POST", "/api/data/users", "{}", NULL), IGT_E_BAD_REQUEST);
  assert_non_null(strstr(f->err.text, "too blue"));
  assert_string_equal(f->err.operation, "post_users");
  assert_string_equal(f->got, "");
}

static void other_paths_are_refused(void **state) {
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
      cmocka_unit_test(operations_are_found),
      cmocka_unit_test(paths_are_recognised),
      cmocka_unit_test(models_are_found),
      cmocka_unit_test(fields_are_shown),
      TEST(a_request_is_sent_as_it_is),
      TEST(an_open_operation_sends_no_token),
      TEST(a_refusal_is_told),
      TEST(other_paths_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
