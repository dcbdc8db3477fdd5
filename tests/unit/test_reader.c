/* SPDX-License-Identifier: MIT */
/* Reading a file of the cloud at any position (lib/cloud, igtcloud/file.h), from a fake store:
 * which ranges are requested, seeking, verification at the end, files that change meanwhile, broken
 * connections, and errors. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/node.h"
#include "crypto/crypto.h"
#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/file.h"

#define JSON "Content-Type: application/json\r\n"
#define SIZE ((size_t)1000000)
#define FIRST ((size_t)1000)
#define MOST ((size_t)100000)

/* ---- a cloud with one file, and its store ---- */

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_node *cloud, *file;
  igt_file_reader *reader;
  igt_error err;
  unsigned char *content;
  size_t size;
  char etag[80], credentials[512];
  /* of the store; only changed between requests */
  char headers[16][512]; /* of the latest responses: several are sent at the same time */
  unsigned next;
  http_fault fault;
  bool refuse_ranges, whole;
  size_t asked; /* requested bytes */
  unsigned ranges, heads;
} fixture;

static void set_etag(fixture *f, const char *text) {
  unsigned char md5[16];

  if (text) {
    snprintf(f->etag, sizeof f->etag, "%s", text);
    return;
  }
  igt__digest_of(IGT__MD5, f->content, f->size, md5);
  igt__hex(md5, sizeof md5, f->etag);
}

static http_response serve_object(fixture *f, const http_seen *seen) {
  const char *match, *range;
  unsigned long first = 0, last = f->size - 1;
  char *headers = f->headers[f->next++ % 16];

  if (strcmp(seen->method, "HEAD") == 0) {
    f->heads++;
    snprintf(headers, sizeof f->headers[0],
             "ETag: \"%s\"\r\nContent-Length: 400000\r\nContent-Range: bytes 0-399999/%zu\r\n"
             "x-amz-mp-parts-count: 3\r\n",
             f->etag, f->size);
    return (http_response){.status = 206, .headers = headers};
  }
  range = http_seen_header(seen, "Range");
  if (!range && f->whole) {
    snprintf(headers, sizeof f->headers[0], "ETag: \"%s\"\r\n", f->etag);
    return (http_response){
        .headers = headers, .body = (const char *)f->content, .body_len = f->size};
  }
  assert_non_null(range);
  assert_int_equal(sscanf(range, "bytes=%lu-%lu", &first, &last), 2);
  match = http_seen_header(seen, "If-Match");
  f->ranges++;
  f->asked += last - first + 1;
  if (match && !strstr(match, f->etag))
    return (http_response){.status = 412};
  if (first >= f->size)
    return (http_response){
        .status = 416, .body = "<Error><Code>InvalidRange</Code><Message>none</Message></Error>"};
  if (last >= f->size)
    last = f->size - 1;
  snprintf(headers, sizeof f->headers[0], "ETag: \"%s\"\r\nContent-Range: bytes %lu-%lu/%zu\r\n",
           f->etag, first, last, f->size);
  return (http_response){.status = 206,
                         .headers = headers,
                         .body = (const char *)f->content + first,
                         .body_len = last - first + 1,
                         .fault = first > 0 ? f->fault : HTTP_FINE,
                         .cut = 10};
}

static http_response serve(void *payload, const http_seen *seen) {
  fixture *f = payload;
  const char *body = NULL;

  if (strcmp(seen->target, "/api/data/projects") == 0)
    body = "[{\"id\":\"p\",\"name\":\"demo\",\"s3Prefix\":\"p/\"}]";
  else if (strcmp(seen->target, "/api/data/projects/p/files") == 0)
    body = "{\"files\":[{\"key\":\"p/x.bin\",\"fileName\":\"x.bin\",\"fileSize\":5}]}";
  else if (strncmp(seen->target, "/api/auth/s3credentials?", 24) == 0)
    body = f->credentials;
  else if (strncmp(seen->target, "/bucket/p/x.bin", 15) == 0)
    return serve_object(f, seen);
  return (http_response){.status = body ? 200 : 404, .headers = JSON, .body = body};
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_node_target target = IGT_NODE_TARGET_INIT;

  f->server = http_server_start();
  http_server_handle(f->server, serve, f);
  f->size = SIZE;
  f->content = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++)
    f->content[i] = (unsigned char)(i * 7 + i / 251);
  set_etag(f, NULL);
  snprintf(f->credentials, sizeof f->credentials,
           "{\"policyCredentials\":[{\"credentials\":{\"accessKey\":\"a\",\"secretKey\":\"s\","
           "\"sessionToken\":\"t\",\"bucket\":\"bucket\",\"endpoint\":\"%s\"}}]}",
           http_server_url(f->server, ""));
  options.domain = http_server_url(f->server, "");
  options.retries = -1;
  assert_int_equal(igt_client_new(&options, &f->client, &f->err), IGT_OK);
  assert_int_equal(igt_cloud_open(f->client, &f->cloud, &f->err), IGT_OK);
  assert_int_equal(igt_node_resolve(f->cloud, "demo/files/x.bin", &target, &f->err), IGT_OK);
  assert_int_equal(igt_node_find(target.node, target.kind, target.rest, &f->file, &f->err), IGT_OK);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;

  igt_file_close(f->reader);
  igt_cloud_close(f->cloud);
  igt_client_free(f->client);
  http_server_stop(f->server);
  free(f->content);
  free(f);
  return 0;
}

static void ok(fixture *f, igt_status status) {
  if (status != IGT_OK)
    fail_msg("%s: %s", igt_status_name(status), f->err.text);
}

static void open_it(fixture *f) {
  igt_file_open_options options = IGT_FILE_OPEN_OPTIONS_INIT;

  options.first_bytes = FIRST;
  options.most_bytes = MOST;
  ok(f, igt_file_open(f->file, &options, &f->reader, &f->err));
  assert_int_equal(igt_file_size(f->reader), f->size);
}

/* Reads n bytes, and compares them with the content. */
static void reads(fixture *f, size_t n) {
  static unsigned char data[SIZE];
  uint64_t at = igt_file_tell(f->reader);
  size_t got = 0;

  ok(f, igt_file_read(f->reader, data, n, &got, &f->err));
  assert_int_equal(got, n);
  assert_memory_equal(data, f->content + at, n);
  assert_int_equal(igt_file_tell(f->reader), at + n);
}

static igt_status read_one(fixture *f, size_t *got) {
  char byte;

  return igt_file_read(f->reader, &byte, 1, got, &f->err);
}

/* ---- reading ---- */

static void test_a_header_costs_one_request(void **state) {
  fixture *f = *state;

  open_it(f);
  reads(f, 132);
  reads(f, 200);
  assert_int_equal(f->ranges, 1);
  assert_int_equal(igt_file_fetched(f->reader), FIRST);
}

static void test_reading_on_asks_for_more_each_time(void **state) {
  fixture *f = *state;
  size_t got = 9;

  open_it(f);
  for (size_t left = SIZE; left;) {
    size_t n = left < 3333 ? left : 3333;
    reads(f, n);
    left -= n;
  }
  ok(f, read_one(f, &got));
  assert_int_equal(got, 0);
  assert_string_equal(igt_file_verified(f->reader), "md5");
  assert_int_equal(igt_file_fetched(f->reader), SIZE);
  assert_int_equal(f->asked, SIZE); /* nothing twice, nothing beyond the end */
  assert_true(f->ranges < 20);
}

static void test_all_in_one_read(void **state) {
  fixture *f = *state;

  open_it(f);
  reads(f, SIZE);
  assert_string_equal(igt_file_verified(f->reader), "");
}

static void test_seeking_fetches_what_is_read(void **state) {
  fixture *f = *state;
  static const uint64_t places[] = {999990, 0, 500000, 500100, 3, 123456, 999999};
  size_t got = 9;

  open_it(f);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    igt_file_seek(f->reader, places[i]);
    reads(f, SIZE - places[i] < 100 ? SIZE - places[i] : 100);
  }
  assert_true(igt_file_fetched(f->reader) < 20 * FIRST);
  igt_file_seek(f->reader, SIZE);
  ok(f, read_one(f, &got));
  assert_int_equal(got, 0);
  igt_file_seek(f->reader, SIZE * 5);
  ok(f, read_one(f, &got));
  assert_int_equal(got, 0);
  assert_string_equal(igt_file_verified(f->reader), ""); /* not read in order */
}

static void test_an_empty_file(void **state) {
  fixture *f = *state;
  size_t got = 9;

  f->size = 0;
  assert_int_equal(igt_file_open(f->file, NULL, &f->reader, &f->err), IGT_E_RANGE); /* listed: 5 */
  ((igt_file *)f->file->model)->file_size.v = 0;
  open_it(f);
  ok(f, read_one(f, &got));
  assert_int_equal(got, 0);
}

static void test_a_small_file(void **state) {
  fixture *f = *state;
  size_t got = 9;

  f->size = 10;
  set_etag(f, NULL);
  open_it(f);
  reads(f, 10);
  ok(f, read_one(f, &got));
  assert_int_equal(got, 0);
  assert_string_equal(igt_file_verified(f->reader), "md5");
  assert_int_equal(f->ranges, 1);
}

/* ---- by path ---- */

static void test_a_path_is_enough(void **state) {
  fixture *f = *state;
  char path[] = "/tmp/igt-reader-XXXXXX";
  igt_file_options options = IGT_FILE_OPTIONS_INIT;
  int fd = mkstemp(path);

  ok(f, igt_file_open_path(f->client, "demo/files/x.bin", NULL, &f->reader, &f->err));
  igt_cloud_close(f->cloud); /* it needs no tree */
  f->cloud = NULL;
  reads(f, 1000);
  f->size = 10; /* fetched by one request */
  f->whole = true;
  set_etag(f, NULL);
  options.no_journal = true;
  ok(f, igt_file_download_path(f->client, "demo/files/x.bin", path, &options, NULL, &f->err));
  close(fd);
  fd = open(path, O_RDONLY);
  assert_int_equal(lseek(fd, 0, SEEK_END), 10);
  close(fd);
  unlink(path);
}

static void test_a_path_that_leads_to_no_file(void **state) {
  static const struct {
    const char *path;
    igt_status status;
  } cases[] = {{"demo", IGT_E_INVALID},        {"demo/files", IGT_E_INVALID},
               {"demo/files/", IGT_E_INVALID}, {"demo/files/no", IGT_E_NOT_FOUND},
               {"other", IGT_E_NOT_FOUND},     {"", IGT_E_INVALID},
               {NULL, IGT_E_INVALID}};
  fixture *f = *state;
  igt_file_source bytes = {.size = sizeof bytes, .data = "x", .data_size = 1};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(igt_file_open_path(f->client, cases[i].path, NULL, &f->reader, &f->err),
                     cases[i].status);
    assert_null(f->reader);
    assert_int_equal(
        igt_file_download_path(f->client, cases[i].path, "/nowhere/", NULL, NULL, &f->err),
        cases[i].status);
  }
  assert_int_equal(igt_file_open_path(NULL, "demo", NULL, &f->reader, &f->err), IGT_E_INVALID);
  assert_int_equal(igt_file_upload_path(f->client, "demo/files/", &bytes, NULL, NULL, &f->err),
                   IGT_E_INVALID);
  assert_non_null(strstr(f->err.text, "no file name"));
}

/* ---- failures ---- */

static void test_other_bytes_are_reported_at_the_end(void **state) {
  fixture *f = *state;
  size_t got = 9;

  set_etag(f, "00000000000000000000000000000000");
  open_it(f);
  reads(f, SIZE);
  assert_int_equal(read_one(f, &got), IGT_E_CHECKSUM);
  assert_non_null(strstr(f->err.text, "'x.bin'"));
  assert_int_equal(got, 0);
  assert_string_equal(igt_file_verified(f->reader), "");
}

static void test_a_digest_of_parts(void **state) {
  fixture *f = *state;
  igt__digest *whole = igt__digest_new(IGT__MD5);
  unsigned char md5[16];
  size_t got = 9;

  for (size_t at = 0; at < SIZE; at += 400000) {
    igt__digest_of(IGT__MD5, f->content + at, SIZE - at < 400000 ? SIZE - at : 400000, md5);
    igt__digest_update(whole, md5, sizeof md5);
  }
  igt__digest_final(whole, md5);
  igt__digest_free(whole);
  igt__hex(md5, sizeof md5, f->etag);
  strcat(f->etag, "-3");
  open_it(f);
  reads(f, FIRST / 4);
  assert_int_equal(f->heads, 0); /* a header does not trigger it */
  reads(f, SIZE - FIRST / 4);
  ok(f, read_one(f, &got));
  assert_string_equal(igt_file_verified(f->reader), "etag-parts");
  assert_int_equal(f->heads, 1);
}

static void test_a_file_that_is_replaced(void **state) {
  fixture *f = *state;
  size_t got = 9;

  open_it(f);
  set_etag(f, "11111111111111111111111111111111");
  igt_file_seek(f->reader, 500000);
  assert_int_equal(read_one(f, &got), IGT_E_GONE);
  assert_non_null(strstr(f->err.text, "replaced"));
}

static void test_a_broken_connection_can_be_read_over(void **state) {
  fixture *f = *state;
  size_t got = 9;

  open_it(f);
  f->fault = HTTP_CUT_BODY;
  igt_file_seek(f->reader, 500000);
  assert_int_equal(read_one(f, &got), IGT_E_NETWORK);
  assert_int_equal(got, 0);
  f->fault = HTTP_FINE;
  reads(f, 100);
}

/* Like read(2): security-25. */
static void test_what_was_read_before_an_error_is_returned(void **state) {
  fixture *f = *state;
  unsigned char data[3000];
  size_t got = 9;

  open_it(f);
  f->fault = HTTP_CUT_BODY;
  ok(f, igt_file_read(f->reader, data, sizeof data, &got, &f->err));
  assert_int_equal(got, FIRST);
  assert_memory_equal(data, f->content, FIRST);
  assert_int_equal(igt_file_tell(f->reader), FIRST);
  assert_int_equal(igt_file_read(f->reader, data, sizeof data, &got, &f->err), IGT_E_NETWORK);
  assert_int_equal(got, 0);
  assert_int_equal(igt_file_tell(f->reader), FIRST);
  f->fault = HTTP_FINE;
  reads(f, SIZE - FIRST);
  ok(f, read_one(f, &got));
  assert_string_equal(igt_file_verified(f->reader), "md5");
}

static void test_seeking_forgets_the_error_of_another_place(void **state) {
  fixture *f = *state;
  unsigned char data[3000];
  size_t got = 9;

  open_it(f);
  f->fault = HTTP_CUT_BODY;
  ok(f, igt_file_read(f->reader, data, sizeof data, &got, &f->err));
  f->fault = HTTP_FINE;
  igt_file_seek(f->reader, 10);
  reads(f, 500);
}

static void test_closing_does_not_wait_for_the_rest(void **state) {
  fixture *f = *state;

  open_it(f);
  f->fault = HTTP_HOLD_BODY;
  reads(f, FIRST); /* the next part is in transit, and held */
  http_server_release(f->server);
  igt_file_close(f->reader);
  f->reader = NULL;
}

static void test_what_cannot_be_opened(void **state) {
  fixture *f = *state;
  igt_file_reader *reader = NULL;

  assert_int_equal(igt_file_open(f->cloud, NULL, &reader, &f->err), IGT_E_INVALID);
  assert_int_equal(igt_file_open(igt_node_parent(f->file), NULL, &reader, &f->err), IGT_E_INVALID);
  assert_null(reader);
  snprintf(f->credentials, sizeof f->credentials, "{\"policyCredentials\":[]}");
  assert_int_equal(igt_file_open(f->file, NULL, &reader, &f->err), IGT_E_FORBIDDEN);
  assert_null(reader);
}

/* Two accounts concurrently, each with its own client. */
static void test_readers_of_two_clients(void **state) {
  fixture *f = *state, *other;
  void *second = NULL;

  set_up(&second);
  other = second;
  open_it(f);
  open_it(other);
  for (int i = 0; i < 20; i++) {
    reads(f, 4000);
    reads(other, 7000);
  }
  tear_down(&second);
  reads(f, 4000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_path_is_enough),
      TEST(test_a_path_that_leads_to_no_file),
      TEST(test_a_header_costs_one_request),
      TEST(test_reading_on_asks_for_more_each_time),
      TEST(test_all_in_one_read),
      TEST(test_seeking_fetches_what_is_read),
      TEST(test_an_empty_file),
      TEST(test_a_small_file),
      TEST(test_other_bytes_are_reported_at_the_end),
      TEST(test_a_digest_of_parts),
      TEST(test_a_file_that_is_replaced),
      TEST(test_a_broken_connection_can_be_read_over),
      TEST(test_what_was_read_before_an_error_is_returned),
      TEST(test_seeking_forgets_the_error_of_another_place),
      TEST(test_closing_does_not_wait_for_the_rest),
      TEST(test_what_cannot_be_opened),
      TEST(test_readers_of_two_clients),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
