/* SPDX-License-Identifier: MIT */
/* The generated operations and the calls below them (lib/api), against a scripted server and a fake
 * session: what is sent for arguments, options and bodies, how responses and lists are decoded,
 * errors, renewed sessions, and calls that run on an event loop. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/call.h"
#include "client_for.h"
#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/operations.h"
#include "igtcloud/version.h"

/* ---- a client and its server ---- */

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_error err;
} fixture;

#define JSON "Content-Type: application/json\r\n"

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);

  f->server = http_server_start();
  f->client = client_for(f->server, "test/1");
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

static void response(fixture *f, int status, const char *headers, const char *body) {
  http_server_add(f->server, (http_response){.status = status, .headers = headers, .body = body});
}

static const http_seen *seen(fixture *f, size_t i) {
  const http_seen *s = http_server_seen(f->server, i);

  assert_non_null(s);
  return s;
}

static void ok(fixture *f, igt_status status) {
  if (status != IGT_OK)
    fail_msg("%s: %s", igt_status_name(status), f->err.text);
}

/* ---- complete responses ---- */

static void test_a_list_is_fetched(void **state) {
  fixture *f = *state;
  igt_project_list *list = NULL;

  response(f, 200, JSON, "[{\"id\":\"1\",\"name\":\"demo\"},{\"id\":\"2\"}]");
  ok(f, igt_get_projects(f->client, NULL, &list, &f->err));
  assert_int_equal(list->count, 2);
  assert_string_equal(list->v[0]->name.v, "demo");
  igt_model_free(&list->model);
  assert_string_equal(seen(f, 0)->method, "GET");
  assert_string_equal(seen(f, 0)->target, "/api/data/projects");
  assert_non_null(strstr(seen(f, 0)->headers, "X-JWT: token-1\r\n"));
  assert_non_null(strstr(seen(f, 0)->headers, "X-CSRF-TOKEN: csrf\r\n"));
  assert_non_null(strstr(seen(f, 0)->headers, "Accept: application/json\r\n"));
  assert_non_null(strstr(seen(f, 0)->headers, "Content-Type: application/json\r\n"));
  assert_non_null(strstr(seen(f, 0)->headers, "User-Agent: test/1 igtcloud/"));
}

static void test_arguments_are_encoded(void **state) {
  fixture *f = *state;
  igt_get_studies_options options = IGT_GET_STUDIES_OPTIONS_INIT;
  igt_delete_study_files_options keys = IGT_DELETE_STUDY_FILES_OPTIONS_INIT;
  static const char *const two[] = {"a/b", "c&d=\xc3\xbc"};
  igt_root_study_list *list = NULL;
  igt_epd_site *site = NULL;

  options.filter = "a eq 'b/c?'";
  response(f, 200, JSON, "[]");
  ok(f, igt_get_studies(f->client, "x/../y", &options, &list, &f->err));
  igt_model_free(&list->model);
  assert_string_equal(seen(f, 0)->target,
                      "/api/data/hospitals/x%2F..%2Fy/studies?%24filter=a%20eq%20%27b%2Fc%3F%27");
  keys.keys = two;
  keys.keys_count = 2;
  response(f, 204, NULL, NULL);
  ok(f, igt_delete_study_files(f->client, "h", "s", &keys, &f->err));
  assert_string_equal(seen(f, 1)->method, "DELETE");
  assert_string_equal(seen(f, 1)->target,
                      "/api/data/hospitals/h/studies/s/files?keys=a%2Fb&keys=c%26d%3D%C3%BC");
  response(f, 200, JSON, "{\"id\":-4}");
  ok(f, igt_get_epd_site(f->client, -4, NULL, &site, &f->err));
  assert_int_equal(site->id.v, -4);
  igt_model_free(&site->model);
  assert_string_equal(seen(f, 2)->target, "/api/data/epd-sites/-4");
}

static void test_options_go_where_they_belong(void **state) {
  fixture *f = *state;
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_files *files = NULL;

  options.auxiliary = "True";
  options.completed = (igt_boolean_field){IGT_SET, true};
  options.x_fields = "files{key}";
  response(f, 200, JSON, "{\"dicom\":[{\"key\":\"k\"}]}");
  ok(f, igt_get_study_files(f->client, "h", "s", &options, &files, &f->err));
  assert_int_equal(files->files.is, IGT_ABSENT);
  assert_int_equal(files->dicom.count, 1);
  igt_model_free(&files->model);
  assert_string_equal(seen(f, 0)->target,
                      "/api/data/hospitals/h/studies/s/files?auxiliary=True&completed=true");
  assert_non_null(strstr(seen(f, 0)->headers, "X-Fields: files{key}\r\n"));
  options.x_fields = "a\r\nX-Evil: 1";
  assert_int_equal(igt_get_study_files(f->client, "h", "s", &options, &files, &f->err),
                   IGT_E_INVALID);
  assert_null(files);
  assert_int_equal(http_server_count(f->server), 1);
}

/* DELETE of "" or ".." would delete the collection, or the entity above it. */
static void test_ids_that_name_something_else_are_refused(void **state) {
  fixture *f = *state;
  static const char *const ids[] = {NULL, "", ".", ".."};

  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    assert_int_equal(igt_delete_project(f->client, ids[i], &f->err), IGT_E_INVALID);
    assert_non_null(strstr(f->err.text, "delete_project: the argument project_id"));
    assert_string_equal(f->err.operation, "delete_project");
  }
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_required_options_are_checked(void **state) {
  fixture *f = *state;
  igt_get_s3_credentials_options options = IGT_GET_S3_CREDENTIALS_OPTIONS_INIT;
  igt_s3_credential_response *out = NULL;

  options.prefix = "p";
  assert_int_equal(igt_get_s3_credentials(f->client, &options, &out, &f->err), IGT_E_REQUIRED);
  assert_int_equal(igt_get_s3_credentials(f->client, NULL, &out, &f->err), IGT_E_REQUIRED);
  assert_non_null(strstr(f->err.text, "the option action is required"));
  assert_int_equal(http_server_count(f->server), 0);
}

/* ---- bodies ---- */

static void test_a_study_is_created(void **state) {
  fixture *f = *state;
  igt_epd_study study = {0};
  igt_root_study *out = NULL;

  study.base.model.type = igt_epd_study_type();
  study.name = (igt_string_field){IGT_SET, "P 1"};
  study.base.s3_prefix = (igt_string_field){IGT_SET, "not to be sent"};
  response(f, 201, JSON, "{\"studyType\":\"EpdStudy\",\"name\":\"P 1\",\"studyDatabaseId\":\"9\"}");
  ok(f, igt_create_study(f->client, "h", &study.base, &out, &f->err));
  assert_string_equal(out->study_database_id.v, "9");
  assert_true(igt_model_is(&out->model, igt_epd_study_type()));
  igt_model_free(&out->model);
  assert_string_equal(seen(f, 0)->method, "POST");
  assert_string_equal(seen(f, 0)->body, "{\"studyType\":\"EpdStudy\",\"name\":\"P 1\"}");
}

static void test_a_file_goes_to_a_descriptor(void **state) {
  fixture *f = *state;
  FILE *file = tmpfile();
  int fd = fileno(file);
  char text[16] = "";

  assert_true(fd > 2);
  response(f, 200, "Content-Type: application/zip\r\n", "PK\nbytes");
  ok(f, igt_get_study_archive(f->client, "h", "s", igt_write_fd, &fd, &f->err));
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_int_equal(read(fd, text, sizeof text), 8);
  assert_string_equal(text, "PK\nbytes");
  fclose(file);
  fd = -1;
  response(f, 200, "Content-Type: application/zip\r\n", "PK bytes");
  assert_int_equal(igt_get_study_archive(f->client, "h", "s", igt_write_fd, &fd, &f->err),
                   IGT_E_IO);
  assert_int_equal(f->err.os_error, EBADF);
}

static void test_a_full_disk_of_a_descriptor(void **state) {
  fixture *f = *state;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

  response(f, 200, "Content-Type: application/zip\r\n", "PK bytes");
  assert_true(full >= 0);
  assert_int_equal(igt_get_study_archive(f->client, "h", "s", igt_write_fd, &full, &f->err),
                   IGT_E_NO_SPACE);
  assert_int_equal(f->err.os_error, ENOSPC);
  assert_non_null(strstr(f->err.text, "get_study_download_file"));
  close(full);
}

/* Kinds of options that the current description does not have, but another may. */
typedef struct odd_options {
  size_t size;
  igt_number_field near;
  const char *const *keys;
  size_t keys_count;
} odd_options;

static void test_options_of_other_forms(void **state) {
  static const igt__param params[] = {
      {"near", IGT__PARAM_NUMBER, '\0', false, false, offsetof(odd_options, near), 0},
      {"keys", IGT__PARAM_STRING_LIST, ',', false, true, offsetof(odd_options, keys),
       offsetof(odd_options, keys_count)},
  };
  static const igt__operation operation = {.id = "odd",
                                           .method = "GET",
                                           .path = "/odd",
                                           .accept = "*/*",
                                           .params = params,
                                           .param_count = 2,
                                           .options_size = sizeof(odd_options)};
  static const char *const keys[] = {"a b", "c&d"}, *const bad[] = {"a", "b,c"};
  fixture *f = *state;
  odd_options options = {
      .size = sizeof options, .near = {IGT_SET, -2.5}, .keys = keys, .keys_count = 2};
  const igt__call call = {.operation = &operation, .options = &options};

  response(f, 204, NULL, "");
  ok(f, igt__call_run(f->client, &call, NULL, &f->err));
  assert_string_equal(seen(f, 0)->target, "/odd?near=-2.5&keys=a%20b%2Cc%26d");
  options.keys = bad;
  assert_int_equal(igt__call_run(f->client, &call, NULL, &f->err), IGT_E_INVALID);
  assert_non_null(strstr(f->err.text, "keys"));
  options.keys_count = 0;
  assert_int_equal(igt__call_run(f->client, &call, NULL, &f->err), IGT_E_REQUIRED);
}

static void test_several_files_are_registered(void **state) {
  fixture *f = *state;
  igt_file a = {.key = {IGT_SET, "p/a"}, .file_size = {IGT_SET, 1}};
  igt_file b = {.key = {IGT_SET, "p/b"}, .file_size = {IGT_SET, 0}};
  const igt_file *const both[] = {&a, &b};

  response(f, 200, JSON, "{\"files\":[]}");
  ok(f, igt_register_study_files(f->client, "h", "s", NULL, both, 2, NULL, &f->err));
  assert_string_equal(seen(f, 0)->body,
                      "[{\"key\":\"p/a\",\"fileSize\":1},{\"key\":\"p/b\",\"fileSize\":0}]");
  b.key.is = IGT_ABSENT;
  assert_int_equal(igt_register_study_files(f->client, "h", "s", NULL, both, 2, NULL, &f->err),
                   IGT_E_REQUIRED);
  assert_int_equal(igt_create_project(f->client, NULL, NULL, NULL, &f->err), IGT_E_REQUIRED);
  assert_int_equal(http_server_count(f->server), 1);
}

/* ---- other responses ---- */

static void test_texts_are_handed_out(void **state) {
  fixture *f = *state;
  igt_text *text = NULL;
  igt_string_list *list = NULL;

  response(f, 200, JSON, "\"aud\"\n");
  ok(f, igt_get_login_audience(f->client, &text, &f->err));
  assert_string_equal(text->v, "aud");
  igt_model_free(&text->model);
  assert_string_equal(seen(f, 0)->target, "/api/auth/login/$aud");
  assert_null(strstr(seen(f, 0)->headers, "X-JWT"));
  response(f, 200, JSON, "[\"a\",\"b\"]");
  ok(f, igt_get_project_types(f->client, &list, &f->err));
  assert_int_equal(list->count, 2);
  igt_model_free(&list->model);
  response(f, 200, "Content-Type: text/csv\r\n", "a;b");
  ok(f, igt_get_project_file_content(f->client, "p", "f.csv", &text, &f->err));
  assert_string_equal(text->v, "a;b");
  assert_int_equal(text->len, 3);
  igt_model_free(&text->model);
}

typedef struct sink {
  char data[64];
  size_t len;
  igt_status end;
} sink;

static igt_status take(void *payload, const void *data, size_t n) {
  sink *s = payload;

  assert_true(s->len + n <= sizeof s->data);
  memcpy(s->data + s->len, data, n);
  s->len += n;
  return s->end;
}

static void test_files_are_handed_out_in_parts(void **state) {
  fixture *f = *state;
  sink s = {.end = IGT_OK};

  http_server_add(f->server, (http_response){.headers = "Content-Type: application/zip\r\n",
                                             .body = "PK\0\1",
                                             .body_len = 4});
  ok(f, igt_get_study_archive(f->client, "h", "s", take, &s, &f->err));
  assert_int_equal(s.len, 4);
  assert_memory_equal(s.data, "PK\0\1", 4);
  assert_non_null(strstr(seen(f, 0)->headers, "Accept: application/zip\r\n"));
  s = (sink){.end = IGT_E_NO_SPACE};
  response(f, 200, NULL, "bytes");
  assert_int_equal(igt_get_study_archive(f->client, "h", "s", take, &s, &f->err), IGT_E_NO_SPACE);
  assert_int_equal(igt_get_study_archive(f->client, "h", "s", NULL, NULL, &f->err), IGT_E_INVALID);
}

/* ---- lists, element by element ---- */

typedef struct names {
  char text[256];
  size_t count, end_at;
} names;

static igt_status on_study(void *payload, igt_root_study *study) {
  names *n = payload;

  snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%s ",
           igt_type_name(study->model.type));
  return ++n->count == n->end_at ? IGT_E_CANCELLED : IGT_OK;
}

static igt_status on_file(void *payload, const char *list, igt_file *file) {
  names *n = payload;

  snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%s/%s ", list,
           file->key.v);
  return IGT_OK;
}

static void test_lists_come_element_by_element(void **state) {
  fixture *f = *state;
  names n = {.end_at = 0};

  http_server_add(f->server,
                  (http_response){.headers = JSON,
                                  .body = "[{\"studyType\":\"EpdStudy\"},{\"studyType\":\"New\"}]",
                                  .fault = HTTP_BYTEWISE});
  ok(f, igt_get_studies_each(f->client, "h", NULL, on_study, &n, &f->err));
  assert_string_equal(n.text, "EpdStudy RootStudy ");
  n = (names){.end_at = 0};
  response(f, 200, JSON, "{\"files\":[{\"key\":\"1\"}],\"dicom\":[{\"key\":\"2\"}]}");
  ok(f, igt_get_study_files_each(f->client, "h", "s", NULL, on_file, &n, &f->err));
  assert_string_equal(n.text, "files/1 dicom/2 ");
  n = (names){.end_at = 1};
  response(f, 200, JSON, "[{\"studyType\":\"Study\"},{\"studyType\":\"Study\"}]");
  assert_int_equal(igt_get_studies_each(f->client, "h", NULL, on_study, &n, &f->err),
                   IGT_E_CANCELLED);
  assert_int_equal(n.count, 1);
  assert_int_equal(f->err.status, IGT_E_CANCELLED);
}

static void test_a_list_that_breaks_off_is_an_error(void **state) {
  fixture *f = *state;
  names n = {.end_at = 0};
  static const char body[] = "[{\"studyType\":\"Study\"},{\"studyType\":\"Study\"}]";

  http_server_add(
      f->server, (http_response){.headers = JSON, .body = body, .fault = HTTP_CUT_BODY, .cut = 30});
  assert_int_not_equal(igt_get_studies_each(f->client, "h", NULL, on_study, &n, &f->err), IGT_OK);
  assert_true(n.count <= 1);
  response(f, 200, JSON, "[{\"studyType\":\"Study\"}");
  assert_int_equal(igt_get_studies_each(f->client, "h", NULL, on_study, &n, &f->err), IGT_E_PARSE);
  assert_string_equal(f->err.operation, "get_studies");
  response(f, 200, "Content-Type: text/html\r\n", "<html>sign in to the hotel</html>");
  assert_int_equal(igt_get_studies_each(f->client, "h", NULL, on_study, &n, &f->err),
                   IGT_E_PROTOCOL);
}

/* ---- rejections ---- */

static void test_the_servers_message_is_reported(void **state) {
  fixture *f = *state;
  igt_project *project = (igt_project *)1;

  response(f, 404, JSON, "{\"message\":\"no such project\"}");
  assert_int_equal(igt_get_project(f->client, "7", NULL, &project, &f->err), IGT_E_NOT_FOUND);
  assert_null(project);
  assert_int_equal(f->err.http_status, 404);
  assert_non_null(strstr(f->err.text, "get_project: no such project"));
  response(f, 200, JSON, "{\"id\":5}");
  assert_int_equal(igt_get_project(f->client, "7", NULL, &project, &f->err), IGT_E_TYPE);
  assert_non_null(strstr(f->err.text, "get_project: the field id must be a string"));
  assert_int_equal(f->err.http_status, 200);
  response(f, 200, JSON, "");
  assert_int_equal(igt_get_project(f->client, "7", NULL, &project, NULL), IGT_E_PARSE);
}

static void test_an_ended_session_is_renewed_once(void **state) {
  fixture *f = *state;
  igt_project *project = NULL;

  response(f, 401, JSON, "{\"message\":\"expired\"}");
  response(f, 200, JSON, "{\"id\":\"7\"}");
  ok(f, igt_get_project(f->client, "7", NULL, &project, &f->err));
  igt_model_free(&project->model);
  assert_int_equal(the_session.renewals, 1);
  assert_non_null(strstr(seen(f, 1)->headers, "X-JWT: token-2\r\n"));

  response(f, 401, JSON, "{\"message\":\"expired\"}");
  response(f, 401, JSON, "{\"message\":\"expired\"}");
  assert_int_equal(igt_get_project(f->client, "7", NULL, &project, &f->err), IGT_E_UNAUTHORIZED);
  assert_int_equal(the_session.renewals, 2);
  assert_int_equal(http_server_count(f->server), 4);

  the_session.cannot_renew = true;
  response(f, 401, JSON, "{\"message\":\"expired\"}");
  assert_int_equal(igt_get_project(f->client, "7", NULL, &project, &f->err), IGT_E_EXPIRED);
  assert_string_equal(f->err.operation, "get_project");
}

/* ---- the client ---- */

static void test_domains_are_checked(void **state) {
  static const struct {
    const char *domain, *origin;
  } cases[] = {
      {"igt-web.eu1.phsdp.com", "https://igt-web.eu1.phsdp.com"},
      {"https://Cloud.Example:443/", "https://cloud.example"},
      {"cloud.example:8443", "https://cloud.example:8443"},
      {"http://127.0.0.1:80", "http://127.0.0.1"},
      {"http://cloud.example", NULL},
      {"https://cloud.example/path", NULL},
      {"", NULL},
      {NULL, NULL},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
    igt_client *client = NULL;
    igt_error err = IGT_ERROR_INIT;

    options.domain = cases[i].domain;
    if (cases[i].origin) {
      assert_int_equal(igt_client_new(&options, &client, &err), IGT_OK);
      assert_string_equal(igt_client_domain(client), cases[i].origin);
      assert_int_equal(igt__client_connections(client), 16);
      assert_int_equal(igt__client_max_connections(client), 128);
    } else {
      assert_int_equal(igt_client_new(&options, &client, &err), IGT_E_INVALID);
      assert_null(client);
      assert_true(err.text[0]);
    }
    igt_client_free(client);
  }
}

static void test_the_session_is_the_clients(void **state) {
  fixture *f = *state;
  igt_identity identity = IGT_IDENTITY_INIT;
  igt_project_list *list = NULL;

  assert_int_equal(igt_client_identity(f->client, &identity, &f->err), IGT_E_NO_SESSION);
  ok(f, igt_client_sign_in(f->client, &f->err));
  ok(f, igt_client_identity(f->client, &identity, &f->err));
  assert_string_equal(identity.user, "ann");
  assert_int_equal(igt_login_hold(f->client, NULL, NULL, &f->err), IGT_E_LOCKED);
  ok(f, igt_client_sign_out(f->client, &f->err));
  assert_int_equal(igt_client_sign_in(NULL, &f->err), IGT_E_INVALID);
  assert_int_equal(igt_get_projects(NULL, NULL, &list, &f->err), IGT_E_INVALID);
  assert_true(strlen(igt_version()) >= 5);
  igt_client_free(NULL);
}

/* ---- non-blocking calls ---- */

typedef struct outcome {
  pthread_mutex_t lock;
  pthread_cond_t came;
  bool done, on_caller;
  pthread_t caller;
  igt_status status;
  igt_error err;
} outcome;

static void note_outcome(void *payload, igt_status status, const igt_error *err) {
  outcome *o = payload;

  pthread_mutex_lock(&o->lock);
  o->done = true;
  o->on_caller = pthread_equal(pthread_self(), o->caller);
  o->status = status;
  o->err = *err;
  pthread_cond_signal(&o->came);
  pthread_mutex_unlock(&o->lock);
}

/* False: nothing was sent. The call's arguments are freed before the response. */
static bool complete_file(fixture *f, const char *study, outcome *o) {
  igt_file_upload_completed body = {0};
  const igt__arg path[] = {{.text = "h"}, {.text = study}};
  const igt__call call = {.operation = igt__operation_named("post_study_files_upload_completed"),
                          .path = path,
                          .body = &body};

  *o = (outcome){.lock = PTHREAD_MUTEX_INITIALIZER,
                 .came = PTHREAD_COND_INITIALIZER,
                 .caller = pthread_self()};
  body.uploaded_path = (igt_string_field){IGT_SET, "a/b"};
  return igt__call_submit(f->client, &call, 1, note_outcome, o);
}

static void wait_for_outcome(outcome *o) {
  pthread_mutex_lock(&o->lock);
  while (!o->done)
    pthread_cond_wait(&o->came, &o->lock);
  pthread_mutex_unlock(&o->lock);
  assert_false(o->on_caller);
}

static void test_a_call_goes_over_a_loop(void **state) {
  fixture *f = *state;
  outcome o;

  ok(f, igt_client_sign_in(f->client, &f->err));
  response(f, 204, NULL, NULL);
  assert_true(complete_file(f, "s", &o));
  wait_for_outcome(&o);
  assert_int_equal(o.status, IGT_OK);
  assert_string_equal(seen(f, 0)->method, "POST");
  assert_string_equal(seen(f, 0)->target,
                      "/api/data/hospitals/h/studies/s/files/$file-upload-completed");
  assert_non_null(strstr(seen(f, 0)->headers, "X-JWT: token-1\r\n"));
  assert_non_null(strstr(seen(f, 0)->headers, "Content-Type: application/json\r\n"));
  assert_string_equal(seen(f, 0)->body, "{\"uploadedPath\":\"a/b\"}");
}

static void test_what_would_block_is_left_to_the_caller(void **state) {
  fixture *f = *state;
  outcome o;

  assert_false(complete_file(f, "s", &o)); /* not signed in */
  ok(f, igt_client_sign_in(f->client, &f->err));
  assert_false(complete_file(f, "..", &o)); /* would name the parent */
  assert_int_equal(http_server_count(f->server), 0);
  response(f, 401, JSON, "{\"message\":\"it has ended\"}");
  assert_true(complete_file(f, "s", &o));
  wait_for_outcome(&o);
  assert_int_equal(o.status, IGT_E_UNAUTHORIZED);
  assert_int_equal(the_session.renewals, 0);
  assert_null(igt__operation_named("post_nothing"));
}

static void test_errors_of_a_call_on_a_loop(void **state) {
  fixture *f = *state;
  outcome o;

  ok(f, igt_client_sign_in(f->client, &f->err));
  response(f, 404, JSON, "{\"message\":\"no such study\"}");
  assert_true(complete_file(f, "s", &o));
  wait_for_outcome(&o);
  assert_int_equal(o.status, IGT_E_NOT_FOUND);
  assert_non_null(strstr(o.err.text, "no such study"));
  assert_string_equal(o.err.operation, "post_study_files_upload_completed");
  response(f, 200, "Content-Type: text/html\r\n", "<html>sign in to the guest network</html>");
  assert_true(complete_file(f, "s", &o));
  wait_for_outcome(&o);
  assert_int_equal(o.status, IGT_E_PROTOCOL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_a_list_is_fetched),
      CASE(test_arguments_are_encoded),
      CASE(test_options_go_where_they_belong),
      CASE(test_ids_that_name_something_else_are_refused),
      CASE(test_required_options_are_checked),
      CASE(test_a_study_is_created),
      CASE(test_several_files_are_registered),
      CASE(test_options_of_other_forms),
      CASE(test_a_file_goes_to_a_descriptor),
      CASE(test_a_full_disk_of_a_descriptor),
      CASE(test_texts_are_handed_out),
      CASE(test_files_are_handed_out_in_parts),
      CASE(test_lists_come_element_by_element),
      CASE(test_a_list_that_breaks_off_is_an_error),
      CASE(test_the_servers_message_is_reported),
      CASE(test_an_ended_session_is_renewed_once),
      cmocka_unit_test(test_domains_are_checked),
      CASE(test_the_session_is_the_clients),
      CASE(test_a_call_goes_over_a_loop),
      CASE(test_what_would_block_is_left_to_the_caller),
      CASE(test_errors_of_a_call_on_a_loop),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
