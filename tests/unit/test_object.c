/* SPDX-License-Identifier: MIT */
/* Single objects by their keys (igtcloud/object.h), from a fake store: many threads on one client,
 * credentials that are kept, and calls that are cancelled one by one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client_for.h"
#include "crypto/crypto.h"
#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/object.h"

#define JSON "Content-Type: application/json\r\n"
#define CONTENT "What the object has.\n"

/* ---- a cloud and its store ---- */

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_error err;
  char etag[40], credentials[512], headers[256];
  char dir[64];
  atomic_uint grants, gets, heads, puts, completions;
  atomic_bool hold_credentials, hold_objects, no_such_object;
  char stored[64]; /* the last PUT */
} fixture;

static http_response serve_object(fixture *f, const http_seen *seen) {
  http_fault fault = atomic_load(&f->hold_objects) ? HTTP_HOLD : HTTP_FINE;

  if (atomic_load(&f->no_such_object))
    return (http_response){
        .status = 404,
        .body = strcmp(seen->method, "HEAD") == 0 ? NULL : "<Error><Code>NoSuchKey</Code></Error>"};
  if (strcmp(seen->method, "PUT") == 0) {
    f->puts++;
    snprintf(f->stored, sizeof f->stored, "%s", seen->body);
    return (http_response){.headers = f->headers, .fault = fault};
  }
  if (strcmp(seen->method, "HEAD") == 0) {
    f->heads++;
    return (http_response){.headers = f->headers, .body = CONTENT, .fault = fault};
  }
  f->gets++;
  if (http_seen_header(seen, "Range"))
    return (http_response){.status = 206, .headers = f->headers, .body = CONTENT, .fault = fault};
  return (http_response){.headers = f->headers, .body = CONTENT, .fault = fault};
}

static http_response serve(void *payload, const http_seen *seen) {
  fixture *f = payload;

  if (strncmp(seen->target, "/api/auth/s3credentials?", 24) == 0) {
    f->grants++;
    return (http_response){.headers = JSON,
                           .body = f->credentials,
                           .fault = atomic_load(&f->hold_credentials) ? HTTP_HOLD : HTTP_FINE};
  }
  if (strstr(seen->target, "upload-completed")) {
    f->completions++;
    return (http_response){.headers = JSON, .body = "{}"};
  }
  return serve_object(f, seen);
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  unsigned char md5[16];

  f->err = (igt_error)IGT_ERROR_INIT;
  f->server = http_server_start();
  http_server_handle(f->server, serve, f);
  igt__digest_of(IGT__MD5, CONTENT, strlen(CONTENT), md5);
  igt__hex(md5, sizeof md5, f->etag);
  snprintf(f->headers, sizeof f->headers,
           "ETag: \"%s\"\r\nLast-Modified: Tue, 01 Dec 2026 20:00:00 GMT\r\n"
           "Content-Range: bytes 0-%zu/%zu\r\n",
           f->etag, strlen(CONTENT) - 1, strlen(CONTENT));
  snprintf(f->credentials, sizeof f->credentials,
           "{\"policyCredentials\":[{\"credentials\":{\"accessKey\":\"a\",\"secretKey\":\"s\","
           "\"sessionToken\":\"t\",\"bucket\":\"bucket\",\"endpoint\":\"%s\"}}]}",
           http_server_url(f->server, ""));
  f->client = client_for(f->server, NULL);
  snprintf(f->dir, sizeof f->dir, "/tmp/igt-object-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  char command[128];

  http_server_release(f->server);
  igt_client_free(f->client);
  http_server_stop(f->server);
  snprintf(command, sizeof command, "rm -r '%s'", f->dir);
  assert_int_equal(system(command), 0);
  free(f);
  return 0;
}

static void ok(fixture *f, igt_status status) {
  if (status != IGT_OK)
    fail_msg("%s: %s", igt_status_name(status), f->err.text);
}

static igt_object object_of(const char *prefix, const char *key) {
  igt_object object = IGT_OBJECT_INIT;

  object.prefix = prefix;
  object.key = key;
  object.bytes = strlen(CONTENT);
  return object;
}

static igt_file_options without_journal(void) {
  igt_file_options options = IGT_FILE_OPTIONS_INIT;

  options.no_journal = true;
  return options;
}

static bool has_content(const char *path) {
  char data[64];
  FILE *file = fopen(path, "r");
  size_t n = file ? fread(data, 1, sizeof data, file) : 0;

  if (file)
    fclose(file);
  return n == strlen(CONTENT) && memcmp(data, CONTENT, n) == 0;
}

/* ---- one call of each ---- */

static void test_an_object_is_queried(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_object_info info = IGT_OBJECT_INFO_INIT;

  ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  assert_true(info.bytes_known);
  assert_int_equal(info.bytes, strlen(CONTENT));
  assert_string_equal(info.etag, f->etag);
  assert_int_equal(info.modified, 1796155200);
  assert_string_equal(info.checksum_kind, "");
  atomic_store(&f->no_such_object, true);
  assert_int_equal(igt_object_stat(f->client, &object, NULL, &info, &f->err), IGT_E_NOT_FOUND);
  assert_non_null(strstr(f->err.text, "'a.txt'"));
}

static void test_an_object_is_read(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_file_reader *reader = NULL;
  char data[64];
  size_t n;

  ok(f, igt_object_open(f->client, &object, NULL, &reader, &f->err));
  ok(f, igt_file_read(reader, data, sizeof data, &n, &f->err));
  assert_int_equal(n, strlen(CONTENT));
  assert_memory_equal(data, CONTENT, n);
  igt_file_close(reader);
}

static void test_an_object_is_downloaded(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/d/a.txt");
  igt_file_options options = without_journal();
  char path[128];

  snprintf(path, sizeof path, "%s/out.txt", f->dir);
  ok(f, igt_object_download(f->client, &object, path, &options, NULL, &f->err));
  assert_true(has_content(path));
  options.below = f->dir; /* under its own name */
  object.bytes = 0;       /* of unknown length */
  ok(f, igt_object_download(f->client, &object, NULL, &options, NULL, &f->err));
  snprintf(path, sizeof path, "%s/d/a.txt", f->dir);
  assert_true(has_content(path));
  assert_int_equal(f->grants, 1);
}

static void test_an_object_is_uploaded(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_file_options options = without_journal();
  igt_file_source source = {.size = sizeof source, .data = CONTENT, .data_size = strlen(CONTENT)};

  ok(f, igt_object_upload(f->client, &object, &source, &options, NULL, &f->err));
  assert_string_equal(f->stored, CONTENT);
  assert_int_equal(f->completions, 0);
  object.institute_id = "i";
  object.study_id = "s";
  ok(f, igt_object_upload(f->client, &object, &source, &options, NULL, &f->err));
  assert_int_equal(f->completions, 1);
}

static void test_a_key_must_be_below_its_prefix(void **state) {
  static const char *const bad[][2] = {{"p/", "q/a"}, {"", "a"},    {"p/", "p/"},
                                       {NULL, "a"},   {"p/", NULL}, {"p/x", "p/a"}};
  fixture *f = *state;
  igt_object_info info = IGT_OBJECT_INFO_INIT;
  igt_file_options options = without_journal();
  igt_file_source source = {.size = sizeof source, .data = CONTENT, .data_size = strlen(CONTENT)};

  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    igt_object object = object_of(bad[i][0], bad[i][1]);
    assert_int_equal(igt_object_stat(f->client, &object, NULL, &info, &f->err), IGT_E_INVALID);
  }
  igt_object object = object_of("p/", "p/../a");
  assert_int_equal(igt_object_upload(f->client, &object, &source, &options, NULL, &f->err),
                   IGT_E_UNSAFE_NAME);
  assert_int_equal(http_server_count(f->server), 0);
}

/* ---- many threads ---- */

#define THREADS 16
#define EACH 10

typedef struct worker {
  fixture *f;
  unsigned number;
  igt_error err;
  pthread_t thread;
} worker;

static void *download_some(void *arg) {
  worker *w = arg;
  char prefix[32], key[64], path[128];
  igt_file_options options = without_journal();

  snprintf(prefix, sizeof prefix, "p/s%u/files/", w->number % 4);
  for (unsigned i = 0; i < EACH; i++) {
    igt_object object;
    igt_object_info info = IGT_OBJECT_INFO_INIT;

    snprintf(key, sizeof key, "%s%u-%u", prefix, w->number, i);
    snprintf(path, sizeof path, "%s/%u-%u", w->f->dir, w->number, i);
    object = object_of(prefix, key);
    if (igt_object_download(w->f->client, &object, path, &options, NULL, &w->err) != IGT_OK ||
        igt_object_stat(w->f->client, &object, NULL, &info, &w->err) != IGT_OK)
      break;
  }
  return NULL;
}

static void test_many_threads_share_the_credentials(void **state) {
  fixture *f = *state;
  worker workers[THREADS];
  char path[128];

  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (worker){.f = f, .number = i, .err = IGT_ERROR_INIT};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, download_some, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    assert_string_equal(workers[i].err.text, "");
  }
  for (unsigned i = 0; i < THREADS * EACH; i++) {
    snprintf(path, sizeof path, "%s/%u-%u", f->dir, i / EACH, i % EACH);
    assert_true(has_content(path));
  }
  assert_int_equal(f->grants, 4); /* one for each of four prefixes */
  assert_int_equal(f->gets, THREADS * EACH);
}

static void test_credentials_are_there_before_they_are_needed(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_object_info info = IGT_OBJECT_INFO_INIT;
  size_t before;

  assert_int_equal(igt_object_prepare(f->client, "", &f->err), IGT_E_INVALID);
  assert_int_equal(igt_object_prepare(NULL, "p/", &f->err), IGT_E_INVALID);
  before = http_server_count(f->server);
  ok(f, igt_object_prepare(f->client, "p/s/files/", &f->err));
  ok(f, igt_object_prepare(f->client, "p/s/files/", &f->err));
  http_server_wait(f->server, before + 1);
  ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  assert_int_equal(f->grants, 1);
}

static void test_signing_out_forgets_the_credentials(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_object_info info = IGT_OBJECT_INFO_INIT;

  for (unsigned i = 0; i < 3; i++)
    ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  assert_int_equal(f->grants, 1);
  ok(f, igt_client_sign_out(f->client, &f->err));
  ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  assert_int_equal(f->grants, 2);
}

/* However many studies a program visits. */
static void test_only_so_many_credentials_are_kept(void **state) {
  fixture *f = *state;
  igt_object_info info = IGT_OBJECT_INFO_INIT;
  char prefix[32], key[64];

  for (unsigned i = 0; i < 300; i++) {
    igt_object object = object_of(prefix, key);
    snprintf(prefix, sizeof prefix, "p/%u/", i);
    snprintf(key, sizeof key, "%sa", prefix);
    ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  }
  igt_object last = object_of("p/299/", "p/299/a"), first = object_of("p/0/", "p/0/a");
  ok(f, igt_object_stat(f->client, &last, NULL, &info, &f->err));
  assert_int_equal(f->grants, 300);
  ok(f, igt_object_stat(f->client, &first, NULL, &info, &f->err));
  assert_int_equal(f->grants, 301);
}

/* ---- cancelling one call ---- */

typedef struct canceller {
  http_server *server;
  size_t requests;
  igt_cancel *cancel;
} canceller;

static void *cancel_after(void *arg) {
  canceller *c = arg;

  http_server_wait(c->server, c->requests);
  igt_cancel_set(c->cancel);
  return NULL;
}

static void test_one_download_is_cancelled(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_file_options options = without_journal();
  canceller c = {f->server, 2, igt_cancel_new()};
  pthread_t thread;
  char path[128];

  snprintf(path, sizeof path, "%s/out.txt", f->dir);
  atomic_store(&f->hold_objects, true);
  options.cancel = c.cancel;
  assert_int_equal(pthread_create(&thread, NULL, cancel_after, &c), 0);
  assert_int_equal(igt_object_download(f->client, &object, path, &options, NULL, &f->err),
                   IGT_E_CANCELLED);
  pthread_join(thread, NULL);
  igt_cancel_free(c.cancel);
  assert_int_equal(access(path, F_OK), -1);
  atomic_store(&f->hold_objects, false);
  options.cancel = NULL; /* the client goes on */
  ok(f, igt_object_download(f->client, &object, path, &options, NULL, &f->err));
}

/* The fetch goes on for others that wait for it. */
static void test_a_call_that_waits_for_credentials_is_cancelled(void **state) {
  fixture *f = *state;
  igt_object object = object_of("p/s/files/", "p/s/files/a.txt");
  igt_object_info info = IGT_OBJECT_INFO_INIT;
  canceller c = {f->server, 1, igt_cancel_new()};
  pthread_t thread;

  atomic_store(&f->hold_credentials, true);
  assert_int_equal(pthread_create(&thread, NULL, cancel_after, &c), 0);
  assert_int_equal(igt_object_stat(f->client, &object, c.cancel, &info, &f->err), IGT_E_CANCELLED);
  pthread_join(thread, NULL);
  igt_cancel_free(c.cancel);
  http_server_release(f->server);
  ok(f, igt_object_stat(f->client, &object, NULL, &info, &f->err));
  assert_int_equal(f->grants, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_an_object_is_queried),
      TEST(test_an_object_is_read),
      TEST(test_an_object_is_downloaded),
      TEST(test_an_object_is_uploaded),
      TEST(test_a_key_must_be_below_its_prefix),
      TEST(test_many_threads_share_the_credentials),
      TEST(test_credentials_are_there_before_they_are_needed),
      TEST(test_signing_out_forgets_the_credentials),
      TEST(test_only_so_many_credentials_are_kept),
      TEST(test_one_download_is_cancelled),
      TEST(test_a_call_that_waits_for_credentials_is_cancelled),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
