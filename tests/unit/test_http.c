/* SPDX-License-Identifier: MIT */
/* Requests to a server that misbehaves on demand. Each test has its own server. */
#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/limits.h"
#include "http/request.h"
#include "http_server.h"
#include "igtcloud/client.h"

typedef struct fixture {
  http_server *server;
  igt__http *http;
  igt__http_request req;
  igt_error err;
} fixture;

/* ---- the clock: back-off takes no time unless a server asks for it ---- */

static uint64_t no_jitter(void) {
  return 0;
}
static int64_t wall(void) {
  struct timespec t;

  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
/* Some tests make time jump. */
static _Atomic int64_t jumped;
static int64_t monotonic(void) {
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + atomic_load(&jumped);
}
static void no_sleep(int64_t us) {
  (void)us;
}

static igt__http *make(igt__http_options options) {
  igt__http *http = NULL;

  options.user_agent = "test/1";
  assert_int_equal(igt__http_new(&options, &http, NULL), IGT_OK);
  return http;
}

static int set_up(void **state) {
  static const igt__clock_hooks hooks = {wall, monotonic, no_sleep, no_jitter};
  fixture *f = calloc(1, sizeof *f);

  igt__clock_set_hooks(&hooks);
  f->server = http_server_start();
  f->http = make((igt__http_options){.loops = 1, .idle_timeout_ms = 20000});
  assert_int_equal(igt__http_request_init(&f->req, NULL), IGT_OK);
  f->req.operation = "test_operation";
  f->req.idempotent = true;
  igt__http_set_url(&f->req, http_server_url(f->server, "/path?secret=1"));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;

  igt__http_free(f->http);
  igt__http_request_finish(&f->req);
  http_server_stop(f->server);
  free(f);
  return 0;
}

static igt_status perform(fixture *f) {
  return igt__http_perform(f->http, &f->req, &f->err);
}

static void expect_error(fixture *f, igt_status status, const char *words) {
  igt_status got = perform(f);

  if (got != status)
    fail_msg("status %d instead of %d: %s", got, status, f->err.text);
  assert_int_equal(f->err.status, status);
  assert_string_equal(f->err.operation, "test_operation");
  if (!strstr(f->err.text, words))
    fail_msg("no \"%s\" in: %s", words, f->err.text);
  assert_null(strstr(f->err.text, "secret"));
}

/* ---- requests ---- */

static void test_get(void **state) {
  fixture *f = *state;
  const http_seen *seen;

  igt__http_add_header(&f->req, "X-One", "1");
  igt__http_add_header(&f->req, "X-Empty", "");
  http_server_add(f->server,
                  (http_response){.headers = "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
                                             "Set-Cookie: a=1; Path=/\r\nset-cookie:  b=2 \r\n",
                                  .body = "hello"});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(f->req.http_status, 200);
  assert_string_equal(f->req.response.data, "hello");
  assert_int_equal(f->req.content_length, 5);
  assert_int_equal(f->req.server_date, 1700000000);
  assert_int_equal(f->req.attempts, 1);
  assert_string_equal(igt__http_response_header(&f->req, "Set-Cookie", 0), "a=1; Path=/");
  assert_string_equal(igt__http_response_header(&f->req, "SET-COOKIE", 1), "b=2");
  assert_null(igt__http_response_header(&f->req, "Set-Cookie", 2));
  assert_null(igt__http_response_header(&f->req, "Cookie", 0));
  seen = http_server_seen(f->server, 0);
  assert_string_equal(seen->method, "GET");
  assert_string_equal(seen->target, "/path?secret=1");
  assert_string_equal(http_seen_header(seen, "X-One"), "1");
  assert_string_equal(http_seen_header(seen, "X-Empty"), "");
  assert_string_equal(http_seen_header(seen, "User-Agent"), "test/1");
  assert_null(http_seen_header(seen, "Accept-Encoding"));
}

static void test_bad_headers(void **state) {
  fixture *f = *state;

  assert_int_equal(igt__http_add_header(&f->req, "X", "a\r\nY: b"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "X", "a\nb"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "X", "a\x01"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "X y", "a"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "X:", "a"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "", "a"), IGT_E_INVALID);
  assert_int_equal(igt__http_add_header(&f->req, "X", "a\tb \xc3\xa4"), IGT_OK);
}

static void test_bad_urls(void **state) {
  static const char *const urls[] = {"http://igt.example/", "https://a:b@igt.example/", "ftp://x/",
                                     "/relative", "https://a/#b"};
  fixture *f = *state;

  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    igt__http_set_url(&f->req, urls[i]);
    assert_int_equal(perform(f), IGT_E_INVALID);
    assert_int_equal(f->req.attempts, 1);
  }
}

/* Handles are reused: nothing of one request may show up in the next. */
static void test_methods(void **state) {
  static const struct {
    const char *method, *body, *length;
  } cases[] = {
      {"POST", "{}", "2"}, {"GET", NULL, NULL},    {"PUT", "data", "4"}, {"HEAD", NULL, NULL},
      {"POST", NULL, "0"}, {"DELETE", NULL, NULL}, {"PUT", NULL, "0"},   {"GET", NULL, NULL},
      {"PATCH", "x", "1"}, {"HEAD", NULL, NULL},   {"POST", "y", "1"},   {"DELETE", "z", "1"},
      {"GET", NULL, NULL},
  };
  fixture *f = *state;

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const http_seen *seen;
    const char *length;
    f->req.method = cases[i].method;
    f->req.body = cases[i].body;
    f->req.body_len = cases[i].body ? strlen(cases[i].body) : 0;
    http_server_add(f->server, (http_response){.body = "answer"});
    assert_int_equal(perform(f), IGT_OK);
    seen = http_server_seen(f->server, i);
    length = http_seen_header(seen, "Content-Length");
    assert_string_equal(seen->method, cases[i].method);
    assert_string_equal(seen->body, cases[i].body ? cases[i].body : "");
    assert_string_equal(length ? length : "none", cases[i].length ? cases[i].length : "none");
    assert_null(http_seen_header(seen, "Content-Type"));
    assert_null(http_seen_header(seen, "Expect"));
    assert_null(http_seen_header(seen, "Transfer-Encoding"));
    assert_int_equal(seen->connection, 1);
    assert_string_equal(f->req.response.data, strcmp(cases[i].method, "HEAD") ? "answer" : "");
    assert_int_equal(f->req.content_length, 6);
    assert_int_equal(f->req.bytes_sent, f->req.body_len);
  }
}

static void test_content_type_kept(void **state) {
  fixture *f = *state;

  f->req.method = "POST";
  f->req.body = "{}";
  f->req.body_len = 2;
  igt__http_add_header(&f->req, "content-type", "application/json");
  assert_int_equal(perform(f), IGT_OK);
  assert_string_equal(http_seen_header(http_server_seen(f->server, 0), "Content-Type"),
                      "application/json");
}

static char *make_bytes(size_t n) {
  char *data = malloc(n);
  uint32_t x = 1;

  for (size_t i = 0; i < n; i++) {
    x = x * 1664525 + 1013904223;
    data[i] = (char)(x >> 24);
  }
  return data;
}

static void count_moved(igt__http_request *req, uint64_t up, uint64_t down) {
  uint64_t *moved = req->payload;

  moved[0] += up;
  moved[1] += down;
}

static void test_large_body(void **state) {
  fixture *f = *state;
  size_t n = 3 * 1024 * 1024 + 17;
  char *data = make_bytes(n);
  uint64_t moved[2] = {0};

  f->req.method = "PUT";
  f->req.body = data;
  f->req.body_len = n;
  f->req.payload = moved;
  f->req.on_progress = count_moved;
  http_server_add(f->server, (http_response){.body = data, .body_len = n});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(http_server_seen(f->server, 0)->body_len, n);
  assert_memory_equal(http_server_seen(f->server, 0)->body, data, n);
  assert_int_equal(f->req.response.len, n);
  assert_memory_equal(f->req.response.data, data, n);
  assert_int_equal(f->req.bytes_sent, n);
  assert_int_equal(moved[0], n);
  assert_int_equal(moved[1], n);
  free(data);
}

static int make_file(const char *data, size_t n) {
  char name[] = "/tmp/test_http_XXXXXX";
  int fd = mkstemp(name);

  assert_true(fd >= 0);
  unlink(name);
  assert_int_equal(write(fd, data, n), n);
  return fd;
}

/* The first attempt breaks after the whole body: the second starts at the offset again. */
static void test_file_body(void **state) {
  fixture *f = *state;
  size_t n = 1024 * 1024;
  char *data = make_bytes(n);

  f->req.method = "PUT";
  f->req.body_fd = make_file(data, n);
  f->req.body_offset = 1000;
  f->req.body_len = n - 2000;
  http_server_add(f->server, (http_response){.status = 500});
  http_server_add(f->server, (http_response){.fault = HTTP_RESET});
  http_server_add(f->server, (http_response){0});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(http_server_count(f->server), 3);
  assert_int_equal(f->req.bytes_sent, n - 2000);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(http_server_seen(f->server, i)->body_len, n - 2000);
    assert_memory_equal(http_server_seen(f->server, i)->body, data + 1000, n - 2000);
  }
  close(f->req.body_fd);
  free(data);
}

static void test_file_too_short(void **state) {
  fixture *f = *state;
  char *data = make_bytes(100000);

  f->req.method = "PUT";
  f->req.body_fd = make_file(data, 100000);
  f->req.body_len = 100001;
  expect_error(f, IGT_E_CHANGED, "shorter");
  assert_int_equal(f->req.attempts, 1);
  close(f->req.body_fd);
  f->req.body_fd = -1;
  expect_error(f, IGT_E_IO, "could not be read");
  free(data);
}

static void test_compressed(void **state) {
  fixture *f = *state;
  char packed[1000];
  size_t n = 100000;
  char *data = calloc(1, n);
  z_stream z = {.next_in = (unsigned char *)data,
                .avail_in = (unsigned)n,
                .next_out = (unsigned char *)packed,
                .avail_out = sizeof packed};

  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflateEnd(&z);
  f->req.compressed = true;
  http_server_add(f->server, (http_response){.headers = "Content-Encoding: gzip\r\n",
                                             .body = packed,
                                             .body_len = z.total_out});
  assert_int_equal(perform(f), IGT_OK);
  assert_string_equal(http_seen_header(http_server_seen(f->server, 0), "Accept-Encoding"),
                      "gzip, deflate");
  assert_int_equal(f->req.response.len, n);
  /* A small packet of zeros that inflates beyond the limit. */
  f->req.max_body = 50000;
  http_server_add(f->server, (http_response){.headers = "Content-Encoding: gzip\r\n",
                                             .body = packed,
                                             .body_len = z.total_out});
  expect_error(f, IGT_E_LIMIT, "127.0.0.1");
  /* Corrupt. */
  f->req.max_body = 0;
  packed[30] = (char)~packed[30];
  packed[31] = (char)~packed[31];
  http_server_add(f->server, (http_response){.headers = "Content-Encoding: gzip\r\n",
                                             .body = packed,
                                             .body_len = z.total_out});
  expect_error(f, IGT_E_PROTOCOL, "compression");
  free(data);
}

/* ---- error responses ---- */

static void read_error(igt__http_request *req, igt_error *err) {
  assert_int_equal(err->http_status, req->http_status);
  snprintf(err->text, sizeof err->text, "server says: %s", req->response.data);
  snprintf(err->code, sizeof err->code, "%s", "SomeCode");
}

static void test_error_response(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.status = 404, .body = "gone"});
  expect_error(f, IGT_E_NOT_FOUND, "127.0.0.1");
  assert_int_equal(f->err.http_status, 404);
  assert_false(f->err.retryable);
  f->req.on_error_response = read_error;
  http_server_add(f->server, (http_response){.status = 403, .body = "not for you"});
  expect_error(f, IGT_E_FORBIDDEN, "server says: not for you");
  assert_string_equal(f->err.code, "SomeCode");
  assert_int_equal(f->err.http_status, 403);
}

/* The response repeats what it was sent. */
static void test_error_repeats_secrets(void **state) {
  fixture *f = *state;

  igt__http_add_header(&f->req, "X-JWT", "eyJhbGciOiJub25lIn0.e30.c2ln");
  igt__http_add_header(&f->req, "x-csrf-token", "csrf-0123456789");
  f->req.on_error_response = read_error;
  http_server_add(
      f->server,
      (http_response){.status = 403, .body = "eyJhbGciOiJub25lIn0.e30.c2ln, csrf-0123456789"});
  expect_error(f, IGT_E_FORBIDDEN, "server says: (hidden), (hidden)");
}

static igt_status never_data(igt__http_request *req, const char *data, size_t n, igt_error *err) {
  (void)req, (void)data, (void)n, (void)err;
  fail_msg("an error's body is no data");
  return IGT_OK;
}

static void test_error_body(void **state) {
  fixture *f = *state;
  char *page = calloc(1, 100001);

  memset(page, 'x', 100000);
  f->req.on_data = never_data;
  http_server_add(f->server, (http_response){.status = 403, .body = page});
  expect_error(f, IGT_E_FORBIDDEN, "403");
  assert_int_equal(f->req.response.len, IGT__MAX_ERROR_BODY);
  f->req.collect_error_body = false;
  http_server_add(f->server, (http_response){.status = 403, .body = page});
  expect_error(f, IGT_E_FORBIDDEN, "403");
  assert_int_equal(f->req.response.len, 0);
  /* Truncated: the status is known all the same. */
  f->req.collect_error_body = true;
  http_server_add(f->server,
                  (http_response){.status = 404, .body = page, .fault = HTTP_CUT_BODY, .cut = 10});
  expect_error(f, IGT_E_NOT_FOUND, "404");
  free(page);
}

/* ---- retries ---- */

static void test_transient(void **state) {
  static const http_response faults[] = {
      {.status = 500},
      {.status = 502},
      {.status = 504},
      {.status = 408},
      {.fault = HTTP_RESET},
      {.fault = HTTP_CLOSE},
      {.status = 503},
      {.status = 429},
      {.fault = HTTP_RESET_IN_HEADER},
      {.body = "0123456789", .fault = HTTP_CUT_BODY, .cut = 4},
  };
  fixture *f = *state;
  size_t seen = 0;

  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    http_server_add(f->server, faults[i]);
    http_server_add(f->server, (http_response){.body = "at last", .close = true});
    assert_int_equal(perform(f), IGT_OK);
    assert_string_equal(f->req.response.data, "at last");
    assert_int_equal(f->req.attempts, 2);
    seen += 2;
    assert_int_equal(http_server_count(f->server), seen);
  }
}

static void test_gives_up(void **state) {
  fixture *f = *state;

  for (int i = 0; i < 20; i++)
    http_server_add(f->server, (http_response){.status = 500});
  expect_error(f, IGT_E_SERVER, "gave up after 6 attempts without progress in ");
  assert_true(f->err.retryable);
  assert_int_equal(http_server_count(f->server), 6);
  assert_int_equal(f->req.attempts, 6);
}

static void test_no_retries(void **state) {
  fixture *f = *state;
  igt__http *http = make((igt__http_options){.retries = UINT_MAX});

  http_server_add(f->server, (http_response){.status = 500});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_SERVER);
  assert_int_equal(f->req.attempts, 1);
  assert_null(strstr(f->err.text, "gave up"));
  igt__http_free(http);
}

static void test_permanent(void **state) {
  static const int statuses[] = {400, 403, 404, 405, 409, 410, 412, 416, 418, 501, 505};
  fixture *f = *state;

  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    http_server_add(f->server, (http_response){.status = statuses[i]});
    assert_true(perform(f) != IGT_OK);
    assert_int_equal(f->req.attempts, 1);
  }
}

/* When everything fails, not every request gets all its attempts: 500 / 10. */
static void test_host_state(void **state) {
  fixture *f = *state;
  size_t sent = 0;

  for (int i = 0; i < 20; i++) {
    for (int k = 0; k < 6; k++)
      http_server_add(f->server, (http_response){.status = 500});
    assert_int_equal(perform(f), IGT_E_SERVER);
    sent += f->req.attempts;
  }
  assert_int_equal(sent, 50 + 20);
  assert_non_null(strstr(f->err.text, "too many requests to this host fail"));
}

/* A POST whose response was lost may have been executed. */
static void test_not_idempotent(void **state) {
  fixture *f = *state;

  f->req.method = "POST";
  f->req.idempotent = false;
  http_server_add(f->server, (http_response){.fault = HTTP_RESET});
  expect_error(f, IGT_E_NETWORK, "before the response");
  assert_false(f->err.retryable);
  assert_int_equal(http_server_count(f->server), 1);
  http_server_add(f->server, (http_response){.status = 500});
  expect_error(f, IGT_E_SERVER, "500");
  assert_false(f->err.retryable);
  assert_int_equal(http_server_count(f->server), 2);
  http_server_add(f->server, (http_response){.status = 503});
  http_server_add(f->server, (http_response){.status = 429});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(http_server_count(f->server), 5);
}

/* curl retries by itself what it sent on a reused connection. */
static void test_not_idempotent_on_old_connection(void **state) {
  fixture *f = *state;

  assert_int_equal(perform(f), IGT_OK);
  f->req.method = "POST";
  f->req.idempotent = false;
  http_server_add(f->server, (http_response){.fault = HTTP_CLOSE});
  expect_error(f, IGT_E_NETWORK, "before the response");
  assert_int_equal(http_server_count(f->server), 2);
  assert_int_equal(http_server_seen(f->server, 1)->connection, 1);
}

static void test_nothing_was_sent(void **state) {
  fixture *f = *state;
  igt__http *http = make((igt__http_options){.retries = 2});

  http_server_stop(f->server); /* so that its port refuses connections */
  f->req.method = "POST";
  f->req.idempotent = false;
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_CONNECT);
  assert_int_equal(f->req.attempts, 3);
  assert_non_null(strstr(f->err.text, "Connection refused"));
  assert_true(f->err.retryable);
  igt__http_free(http);
  f->server = http_server_start();
}

static void test_unknown_host(void **state) {
  fixture *f = *state;

  igt__http_set_url(&f->req, "https://no-such-host.invalid/");
  expect_error(f, IGT_E_RESOLVE, "no-such-host.invalid");
  assert_true(f->err.retryable);
}

static int64_t timed_perform(fixture *f, igt_status *status) {
  int64_t from = monotonic();

  *status = perform(f);
  return monotonic() - from;
}

static void test_retry_after(void **state) {
  fixture *f = *state;
  igt_status status;
  int64_t took;

  http_server_add(f->server, (http_response){.status = 503, .headers = "Retry-After: 1\r\n"});
  took = timed_perform(f, &status);
  assert_int_equal(status, IGT_OK);
  assert_in_range(took, 1000000, 5000000);
}

/* ---- credentials ---- */

typedef struct renewal {
  igt__http *http;
  igt__http_request *req;
  unsigned asked, prepared;
  bool rest, at_once;
  igt_status with;
  pthread_t thread;
} renewal;

static igt_status prepare_token(igt__http_request *req, igt_error *err) {
  renewal *r = req->payload;
  char token[20];

  (void)err;
  snprintf(token, sizeof token, "token %u", r->prepared++);
  igt__http_clear_headers(req);
  return igt__http_add_header(req, "Authorization", token);
}

static void *renew(void *arg) {
  renewal *r = arg;
  igt_error err = IGT_ERROR_INIT;

  strcpy(err.text, "no new ones");
  igt__http_resume(r->http, r->req, r->with, r->with ? &err : NULL);
  return NULL;
}

static bool on_retry_renew(igt__http_request *req, const igt_error *err, igt__retry *retry) {
  renewal *r = req->payload;

  assert_int_equal(*retry, IGT__RETRY_CREDENTIALS);
  assert_int_equal(err->http_status, 401);
  r->asked++;
  if (r->rest && r->at_once)
    renew(r);
  else if (r->rest)
    assert_int_equal(pthread_create(&r->thread, NULL, renew, r), 0);
  return r->rest;
}

static void check_renewal(fixture *f, renewal r, igt_status expected, unsigned seen) {
  size_t before = http_server_count(f->server);

  r.http = f->http;
  r.req = &f->req;
  f->req.payload = &r;
  f->req.prepare = prepare_token;
  f->req.on_retry = on_retry_renew;
  assert_int_equal(perform(f), expected);
  if (r.rest && !r.at_once)
    pthread_join(r.thread, NULL);
  assert_int_equal(r.asked, 1);
  assert_int_equal(http_server_count(f->server) - before, seen);
}

static void test_credentials(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.status = 401});
  check_renewal(f, (renewal){.rest = true}, IGT_OK, 2);
  assert_string_equal(http_seen_header(http_server_seen(f->server, 0), "Authorization"), "token 0");
  assert_string_equal(http_seen_header(http_server_seen(f->server, 1), "Authorization"), "token 1");
  http_server_add(f->server, (http_response){.status = 401});
  check_renewal(f, (renewal){.rest = true, .at_once = true}, IGT_OK, 2);
  http_server_add(f->server, (http_response){.status = 401});
  check_renewal(f, (renewal){.rest = false}, IGT_OK, 2);
  /* Only once. */
  http_server_add(f->server, (http_response){.status = 401});
  http_server_add(f->server, (http_response){.status = 401});
  check_renewal(f, (renewal){.rest = true}, IGT_E_UNAUTHORIZED, 2);
  /* No credentials available. */
  http_server_add(f->server, (http_response){.status = 401});
  check_renewal(f, (renewal){.rest = true, .with = IGT_E_LOGIN}, IGT_E_LOGIN, 1);
  assert_string_equal(f->err.text, "no new ones");
  /* Nothing that could renew them. */
  f->req.on_retry = NULL;
  f->req.prepare = NULL;
  http_server_add(f->server, (http_response){.status = 401});
  assert_int_equal(perform(f), IGT_E_UNAUTHORIZED);
  assert_int_equal(f->req.attempts, 1);
}

static bool on_retry_never(igt__http_request *req, const igt_error *err, igt__retry *retry) {
  (void)req, (void)err;
  *retry = IGT__RETRY_NEVER;
  return false;
}

static void test_retry_forbidden_by_caller(void **state) {
  fixture *f = *state;

  f->req.on_retry = on_retry_never;
  http_server_add(f->server, (http_response){.status = 500});
  expect_error(f, IGT_E_SERVER, "500");
  assert_int_equal(f->req.attempts, 1);
  assert_true(f->err.retryable);
}

/* ---- data by callback ---- */

typedef struct sink {
  char data[100];
  size_t len;
  unsigned headers, restarts;
  bool no_restart, fail_headers, fail_data;
} sink;

static igt_status sink_headers(igt__http_request *req, igt_error *err) {
  sink *s = req->payload;

  s->headers++;
  return s->fail_headers ? igt__fail(err, IGT_E_GONE, "not what I want") : IGT_OK;
}

static igt_status sink_data(igt__http_request *req, const char *data, size_t n, igt_error *err) {
  sink *s = req->payload;

  if (s->fail_data)
    return igt__fail(err, IGT_E_NO_SPACE, "the disk is full");
  assert_true(s->len + n <= sizeof s->data);
  memcpy(s->data + s->len, data, n);
  s->len += n;
  return IGT_OK;
}

static igt_status sink_restart(igt__http_request *req, igt_error *err) {
  sink *s = req->payload;

  s->restarts++;
  s->len = 0;
  return s->no_restart ? igt__fail(err, IGT_E_NETWORK, "no second time") : IGT_OK;
}

static void set_sink(fixture *f, sink *s) {
  f->req.payload = s;
  f->req.on_headers = sink_headers;
  f->req.on_data = sink_data;
  f->req.on_restart = sink_restart;
}

static void test_restart(void **state) {
  fixture *f = *state;
  sink s = {0};

  set_sink(f, &s);
  http_server_add(f->server, (http_response){.status = 503});
  http_server_add(f->server,
                  (http_response){.body = "0123456789", .fault = HTTP_CUT_BODY, .cut = 4});
  http_server_add(f->server, (http_response){.status = 500, .body = "not data"});
  http_server_add(f->server, (http_response){.body = "0123456789"});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(s.len, 10);
  assert_memory_equal(s.data, "0123456789", 10);
  assert_int_equal(s.headers, 2);
  assert_int_equal(s.restarts, 1);
  assert_int_equal(f->req.attempts, 4);
  assert_int_equal(f->req.response.len, 0);
}

static void test_restart_refused(void **state) {
  fixture *f = *state;
  sink s = {.no_restart = true};

  set_sink(f, &s);
  for (int i = 0; i < 10; i++)
    http_server_add(f->server,
                    (http_response){.body = "0123456789", .fault = HTTP_CUT_BODY, .cut = 4});
  f->req.on_retry = NULL;
  /* NETWORK is transient, but on_restart decides. */
  expect_error(f, IGT_E_NETWORK, "no second time");
  assert_int_equal(http_server_count(f->server), 1);
}

static void test_callbacks_fail(void **state) {
  fixture *f = *state;
  sink s = {.fail_headers = true};

  set_sink(f, &s);
  http_server_add(f->server, (http_response){.body = "x"});
  expect_error(f, IGT_E_GONE, "not what I want");
  assert_int_equal(f->req.attempts, 1);
  s = (sink){.fail_data = true};
  http_server_add(f->server, (http_response){.body = "x"});
  expect_error(f, IGT_E_NO_SPACE, "the disk is full");
  assert_int_equal(f->req.attempts, 1);
}

static igt_status prepare_fails(igt__http_request *req, igt_error *err) {
  (void)req;
  return igt__fail(err, IGT_E_KEY, "no key");
}

static void test_prepare_fails(void **state) {
  fixture *f = *state;

  f->req.prepare = prepare_fails;
  expect_error(f, IGT_E_KEY, "no key");
  assert_int_equal(http_server_count(f->server), 0);
}

/* ---- limits ---- */

static void test_limits(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.fault = HTTP_ENDLESS_LINES});
  expect_error(f, IGT_E_LIMIT, "127.0.0.1");
  http_server_add(f->server, (http_response){.fault = HTTP_ENDLESS_LINE});
  expect_error(f, IGT_E_LIMIT, "127.0.0.1");
  f->req.max_body = 1000000;
  http_server_add(f->server, (http_response){.fault = HTTP_ENDLESS_BODY});
  expect_error(f, IGT_E_LIMIT, "127.0.0.1");
  assert_int_equal(f->req.attempts, 1);
  /* Announced: nothing of it is read. */
  http_server_add(f->server, (http_response){.headers = "Content-Length: 1000001\r\n",
                                             .body = "x",
                                             .fault = HTTP_HOLD_BODY,
                                             .cut = 1});
  expect_error(f, IGT_E_LIMIT, "1000001");
  http_server_add(f->server, (http_response){.status = 404, .fault = HTTP_FINE, .body = "short"});
  expect_error(f, IGT_E_NOT_FOUND, "404");
}

static void test_exactly_max(void **state) {
  fixture *f = *state;

  f->req.max_body = 5;
  http_server_add(f->server, (http_response){.body = "12345"});
  assert_int_equal(perform(f), IGT_OK);
  http_server_add(f->server, (http_response){.body = "123456"});
  expect_error(f, IGT_E_LIMIT, "6");
}

static void test_not_http(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.body = "220 ftp ready\r\n", .fault = HTTP_NOT_HTTP});
  expect_error(f, IGT_E_PROTOCOL, "not HTTP");
  assert_int_equal(f->req.attempts, 1);
}

static void test_bytewise(void **state) {
  fixture *f = *state;

  http_server_add(
      f->server,
      (http_response){.headers = "X-A: b\r\n", .body = "one at a time", .fault = HTTP_BYTEWISE});
  assert_int_equal(perform(f), IGT_OK);
  assert_string_equal(f->req.response.data, "one at a time");
  assert_string_equal(igt__http_response_header(&f->req, "x-a", 0), "b");
}

static void test_continue_is_skipped(void **state) {
  fixture *f = *state;

  http_server_add(f->server,
                  (http_response){.body = "HTTP/1.1 100 Continue\r\nX-No: 1\r\n\r\n"
                                          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                                  .fault = HTTP_NOT_HTTP});
  assert_int_equal(perform(f), IGT_OK);
  assert_string_equal(f->req.response.data, "ok");
  assert_null(igt__http_response_header(&f->req, "X-No", 0));
}

/* ---- redirects ---- */

static void test_redirects(void **state) {
  fixture *f = *state;
  char other[200];

  http_server_add(f->server,
                  (http_response){.status = 302, .headers = "Location: /next?x=1#y\r\n"});
  http_server_add(f->server, (http_response){.status = 307, .headers = "Location: last\r\n"});
  http_server_add(f->server, (http_response){.body = "there"});
  igt__http_add_header(&f->req, "Authorization", "mine");
  assert_int_equal(perform(f), IGT_OK);
  assert_string_equal(f->req.response.data, "there");
  assert_string_equal(http_server_seen(f->server, 1)->target, "/next?x=1");
  assert_string_equal(http_server_seen(f->server, 2)->target, "/last");
  assert_string_equal(http_seen_header(http_server_seen(f->server, 2), "Authorization"), "mine");
  /* Another port is another origin. */
  snprintf(other, sizeof other, "Location: http://127.0.0.1:%u/?secret=2\r\n",
           http_server_port(f->server) ^ 1);
  http_server_add(f->server, (http_response){.status = 302, .headers = other});
  expect_error(f, IGT_E_PROTOCOL, "redirect");
  snprintf(other, sizeof other, "http://127.0.0.1:%u", http_server_port(f->server) ^ 1);
  assert_non_null(strstr(f->err.text, other));
  assert_int_equal(http_server_count(f->server), 4);
  http_server_add(
      f->server, (http_response){.status = 301, .headers = "Location: https://evil.example/x\r\n"});
  expect_error(f, IGT_E_PROTOCOL, "https://evil.example");
  assert_int_equal(f->err.http_status, 301);
}

static void test_redirect_loop(void **state) {
  fixture *f = *state;

  for (int i = 0; i < 10; i++)
    http_server_add(f->server, (http_response){.status = 302, .headers = "Location: /again\r\n"});
  expect_error(f, IGT_E_PROTOCOL, "too many redirects");
  assert_int_equal(http_server_count(f->server), 6);
}

static void test_redirect_of_post(void **state) {
  fixture *f = *state;

  f->req.method = "POST";
  http_server_add(f->server, (http_response){.status = 307, .headers = "Location: /next\r\n"});
  expect_error(f, IGT_E_PROTOCOL, "redirects a POST (HTTP 307)");
  assert_int_equal(http_server_count(f->server), 1);
}

static void test_redirect_as_response(void **state) {
  fixture *f = *state;

  f->req.redirects_are_responses = true;
  http_server_add(f->server, (http_response){.status = 301,
                                             .headers = "Location: https://evil.example/\r\n",
                                             .body = "<Error/>"});
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(f->req.http_status, 301);
  assert_string_equal(f->req.response.data, "<Error/>");
}

/* ---- time and cancel ---- */

static void test_idle(void **state) {
  fixture *f = *state;
  igt__http *http = make((igt__http_options){.idle_timeout_ms = 150, .retries = 1});

  http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  http_server_add(f->server,
                  (http_response){.body = "0123456789", .fault = HTTP_HOLD_BODY, .cut = 5});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_TIMEOUT);
  assert_int_equal(f->req.attempts, 2);
  assert_non_null(strstr(f->err.text, "no more data for 0.15 s"));
  assert_true(f->err.retryable);
  igt__http_free(http);
}

/* The system accepts connections for a program that never does. */
static void test_handshake_that_never_ends(void **state) {
  fixture *f = *state;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  char url[64];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  igt__http *http = make((igt__http_options){.connect_timeout_ms = 200});

  assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
  assert_int_equal(listen(fd, 8), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", ntohs(at.sin_port));
  igt__http_set_url(&f->req, url);
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_TIMEOUT);
  assert_non_null(strstr(f->err.text, "connected, but the TLS handshake did not end within 1 s"));
  igt__http_free(http);
  close(fd);
}

/* An endless body, but slow: 20 times the idle timeout is the limit. */
static void test_crawl(void **state) {
  fixture *f = *state;
  igt__attempt *attempt = &f->req.priv->attempt;
  igt__http *http = make((igt__http_options){.idle_timeout_ms = 30000});
  int64_t now = 1000000000, begin = now;

  attempt->http = http;
  attempt->sent = true;
  attempt->idle.at = attempt->idle.crawl_at = now;
  while (!igt__attempt_is_idle(attempt, now) && now - begin < 2000 * 1000000ll) {
    now += 1000000;
    attempt->down += 63;
  }
  assert_true(attempt->idle.crawls && now - begin == 600 * 1000000ll);
  for (begin = now; !igt__attempt_is_idle(attempt, now) && now - begin < 2000 * 1000000ll;) {
    now += 1000000;
    attempt->down += 65;
  }
  assert_true(now - begin == 2000 * 1000000ll);
  attempt->sent = false;
  attempt->http = NULL;
  igt__http_free(http);
}

static void *cancel_later(void *arg) {
  fixture *f = arg;

  http_server_wait(f->server, 1);
  igt__cancel_set(f->req.cancel);
  return NULL;
}

static void test_cancel(void **state) {
  fixture *f = *state;
  pthread_t thread;
  igt_status status;
  int64_t took;

  f->req.cancel = igt__cancel_new();
  http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  assert_int_equal(pthread_create(&thread, NULL, cancel_later, f), 0);
  took = timed_perform(f, &status);
  pthread_join(thread, NULL);
  assert_int_equal(status, IGT_E_CANCELLED);
  assert_int_equal(f->err.status, IGT_E_CANCELLED);
  assert_in_range(took, 0, 5000000);
  /* Cancelled from the start: nothing is sent. */
  assert_int_equal(perform(f), IGT_E_CANCELLED);
  assert_int_equal(http_server_count(f->server), 1);
  igt__cancel_unref(f->req.cancel);
  f->req.cancel = NULL;
}

static void cancel_in_hook(void *payload) {
  igt__cancel_set(((fixture *)payload)->req.cancel);
}

/* Of the thread that waits, which nothing else would interrupt. */
static void test_cancel_by_wait_hook(void **state) {
  fixture *f = *state;

  f->req.cancel = igt__cancel_new();
  http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  igt_wait_hook_set(cancel_in_hook, f);
  assert_int_equal(perform(f), IGT_E_CANCELLED);
  igt_wait_hook_set(NULL, NULL);
  igt__cancel_unref(f->req.cancel);
  f->req.cancel = NULL;
}

static void test_cancel_in_back_off(void **state) {
  fixture *f = *state;
  pthread_t thread;

  f->req.cancel = igt__cancel_new();
  http_server_add(f->server, (http_response){.status = 503, .headers = "Retry-After: 200\r\n"});
  assert_int_equal(pthread_create(&thread, NULL, cancel_later, f), 0);
  assert_int_equal(perform(f), IGT_E_CANCELLED);
  pthread_join(thread, NULL);
  igt__cancel_unref(f->req.cancel);
  f->req.cancel = NULL;
}

/* ---- who drives the loop ---- */

static igt_status note_thread(igt__http_request *req, igt_error *err) {
  (void)err;
  *(pthread_t *)req->payload = pthread_self();
  return IGT_OK;
}

static bool is_mine(const pthread_t *thread) {
  return pthread_equal(*thread, pthread_self());
}

static void test_a_caller_that_waits_drives(void **state) {
  fixture *f = *state;
  igt__http_stream *stream = NULL;
  pthread_t thread = {0};
  char data[16];
  size_t n = 0;

  f->req.prepare = note_thread;
  f->req.payload = &thread;
  assert_int_equal(perform(f), IGT_OK);
  assert_true(is_mine(&thread));
  memset(&thread, 0, sizeof thread);
  http_server_add(f->server, (http_response){.body = "text"});
  assert_int_equal(igt__http_open(f->http, &f->req, 100, &stream, NULL), IGT_OK);
  assert_true(is_mine(&thread));
  assert_int_equal(igt__http_read(stream, data, sizeof data, &n, NULL), IGT_OK);
  assert_int_equal(n, 4);
  igt__http_close(stream);
  assert_int_equal(http_server_seen(f->server, 1)->connection, 1); /* one connection */
}

/* What a caller leaves is the thread's, however long it takes. */
static void test_a_long_response_is_the_threads(void **state) {
  static char body[1 << 20];
  fixture *f = *state;
  igt__http_stream *stream = NULL;
  size_t n = 1, all = 0;

  memset(body, 'x', sizeof body);
  http_server_add(f->server, (http_response){.body = body, .body_len = sizeof body});
  assert_int_equal(igt__http_open(f->http, &f->req, sizeof body, &stream, NULL), IGT_OK);
  while (n > 0) {
    char data[5000];
    assert_int_equal(igt__http_read(stream, data, sizeof data, &n, NULL), IGT_OK);
    all += n;
  }
  assert_int_equal(all, sizeof body);
  igt__http_close(stream);
}

typedef struct held {
  igt__http_request req;
  igt__completion completion;
} held;

static void held_done(igt__http_request *req, igt_status status, const igt_error *err) {
  igt__completion_set(&((held *)req->payload)->completion, status, err);
}

static void hold_one(fixture *f, held *h) {
  igt__completion_init(&h->completion);
  assert_int_equal(igt__http_request_init(&h->req, NULL), IGT_OK);
  h->req.payload = h;
  h->req.on_done = held_done;
  igt__http_set_url(&h->req, http_server_url(f->server, "/held"));
  http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  igt__http_submit(f->http, 0, &h->req);
  http_server_wait(f->server, 1);
}

static void test_a_loop_has_one_driver(void **state) {
  fixture *f = *state;
  pthread_t thread = pthread_self();
  held h;

  hold_one(f, &h);
  f->req.prepare = note_thread;
  f->req.payload = &thread;
  assert_int_equal(perform(f), IGT_OK);
  assert_false(is_mine(&thread));
  http_server_release(f->server);
  assert_int_equal(igt__completion_finish(&h.completion, NULL), IGT_OK);
  igt__http_request_finish(&h.req);
}

/* A handler of a signal that sends a request, while one waits. */
static void request_in_hook(void *payload) {
  fixture *f = payload;
  igt__http_request req;

  igt_wait_hook_set(NULL, NULL);
  assert_int_equal(igt__http_request_init(&req, NULL), IGT_OK);
  igt__http_set_url(&req, http_server_url(f->server, "/within"));
  assert_int_equal(igt__http_perform(f->http, &req, NULL), IGT_OK);
  igt__http_request_finish(&req);
  http_server_release(f->server);
}

static void test_request_by_wait_hook(void **state) {
  fixture *f = *state;

  http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  igt_wait_hook_set(request_in_hook, f);
  assert_int_equal(perform(f), IGT_OK);
  assert_int_equal(http_server_count(f->server), 2);
}

/* ---- many requests, and requests from the loop ---- */

typedef struct crowd crowd;
typedef struct member {
  igt__http_request req;
  crowd *crowd;
  unsigned left; /* to be resubmitted from on_done */
} member;
struct crowd {
  igt__http *http;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned running, cancelled;
  bool same_loop;
  member members[40];
};

static void member_done(igt__http_request *req, igt_status status, const igt_error *err) {
  member *m = req->payload;
  crowd *c = m->crowd;

  assert_int_equal(err->status, status);
  if (status == IGT_OK && m->left-- > 0) {
    igt__http_submit(c->http, (unsigned)(m - c->members) + (c->same_loop ? 0 : m->left), req);
    return;
  }
  igt__http_request_finish(req);
  pthread_mutex_lock(&c->lock);
  c->cancelled += status == IGT_E_CANCELLED;
  if (--c->running == 0)
    pthread_cond_signal(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

static void start_crowd(crowd *c, fixture *f, unsigned left) {
  size_t n = sizeof c->members / sizeof *c->members;

  c->running = (unsigned)n;
  for (size_t i = 0; i < n; i++) {
    member *m = &c->members[i];
    m->crowd = c;
    m->left = left;
    assert_int_equal(igt__http_request_init(&m->req, NULL), IGT_OK);
    m->req.payload = m;
    m->req.on_done = member_done;
    igt__http_set_url(&m->req, http_server_url(f->server, "/"));
  }
  for (size_t i = 0; i < n; i++)
    igt__http_submit(c->http, (unsigned)i, &c->members[i].req);
}

static void wait_crowd(crowd *c) {
  pthread_mutex_lock(&c->lock);
  while (c->running > 0)
    pthread_cond_wait(&c->changed, &c->lock);
  pthread_mutex_unlock(&c->lock);
}

static void test_resubmit(void **state) {
  fixture *f = *state;
  crowd c = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  unsigned most = 0;

  c.http = make((igt__http_options){.loops = 3, .max_connections = 9});
  start_crowd(&c, f, 9);
  wait_crowd(&c);
  assert_int_equal(http_server_count(f->server), 400);
  for (size_t i = 0; i < 400; i++)
    if (http_server_seen(f->server, i)->connection > most)
      most = http_server_seen(f->server, i)->connection;
  assert_in_range(most, 1, 9);
  igt__http_free(c.http);
}

static void test_free_cancels(void **state) {
  fixture *f = *state;
  crowd c = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

  for (int i = 0; i < 40; i++)
    http_server_add(f->server, (http_response){.fault = HTTP_HOLD});
  c.http = make((igt__http_options){.max_connections = 10});
  start_crowd(&c, f, 5);
  http_server_wait(f->server, 10);
  igt__http_free(c.http);
  assert_int_equal(c.running, 0);
  assert_int_equal(c.cancelled, 40);
}

typedef struct posts {
  igt__http *http;
  atomic_uint run;
  bool again;
} posts;

static void posted(void *payload) {
  posts *p = payload;

  atomic_fetch_add(&p->run, 1);
  if (p->again)
    igt__http_post_after(p->http, 0, 3600000, posted, p);
}

static void test_posts(void **state) {
  fixture *f = *state;
  posts p = {.http = make((igt__http_options){.loops = 1})};

  igt__http_post_after(p.http, 0, 0, posted, &p);
  igt__http_post_after(p.http, 7, 1, posted, &p);
  while (atomic_load(&p.run) < 2)
    assert_int_equal(perform(f), IGT_OK);
  /* Tasks that are waiting at the end are run; one that posts itself forever is dropped
   * eventually. */
  igt__http_post_after(p.http, 0, 3600000, posted, &p);
  p.again = true;
  igt__http_post_after(p.http, 0, 3600000, posted, &p);
  igt__http_free(p.http);
  assert_true(atomic_load(&p.run) >= 4);
}

/* ---- proxy ---- */

static void test_proxy(void **state) {
  fixture *f = *state;
  char proxy[100];
  igt__http *http;

  snprintf(proxy, sizeof proxy, "http://user:pa%%40ss@127.0.0.1:%u", http_server_port(f->server));
  setenv("http_proxy", proxy, 1);
  setenv("HTTPS_PROXY", proxy, 1);
  setenv("no_proxy", "192.168.0.0/16,127.0.0.2", 1);
  http = make((igt__http_options){.retries = UINT_MAX});
  igt__http_set_url(&f->req, "http://127.0.0.3:1/through?the=proxy");
  http_server_add(f->server, (http_response){.body = "by proxy"});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_OK);
  assert_string_equal(http_server_seen(f->server, 0)->target,
                      "http://127.0.0.3:1/through?the=proxy");
  assert_string_equal(http_seen_header(http_server_seen(f->server, 0), "Proxy-Authorization"),
                      "Basic dXNlcjpwYUBzcw==");
  /* Bypasses the proxy. */
  igt__http_set_url(&f->req, "http://127.0.0.2:1/");
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_CONNECT);
  /* The proxy rejects us. */
  igt__http_set_url(&f->req, "http://127.0.0.3:1/");
  http_server_add(f->server, (http_response){.status = 407, .body = "<html>"});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_PROXY);
  assert_int_equal(f->err.http_status, 407);
  igt__http_set_url(&f->req, "https://igt.example/");
  http_server_add(f->server, (http_response){.status = 407, .body = "<html>"});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_PROXY);
  assert_string_equal(http_server_seen(f->server, 2)->method, "CONNECT");
  assert_string_equal(http_server_seen(f->server, 2)->target, "igt.example:443");
  assert_int_equal(f->err.http_status, 407);
  assert_false(f->err.retryable);
  assert_non_null(strstr(f->err.text, "127.0.0.1"));
  assert_null(strstr(f->err.text, "pa%40ss"));
  http_server_add(f->server, (http_response){.status = 403});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_PROXY);
  assert_non_null(strstr(f->err.text, "refuses"));
  igt__http_free(http);
  /* The proxy does not exist. */
  setenv("HTTPS_PROXY", "http://user:pass@127.0.0.9:1", 1);
  http = make((igt__http_options){.retries = UINT_MAX});
  assert_int_equal(igt__http_perform(http, &f->req, &f->err), IGT_E_PROXY);
  assert_non_null(strstr(f->err.text, "127.0.0.9:1"));
  assert_null(strstr(f->err.text, "pass"));
  igt__http_free(http);
  unsetenv("http_proxy");
  unsetenv("HTTPS_PROXY");
  unsetenv("no_proxy");
}

static void test_missing_ca_file(void **state) {
  igt__http_options options = {.user_agent = "test", .ca_file = "/nowhere/ca.pem"};
  igt__http *http;
  igt_error err;

  (void)state;
  assert_int_equal(igt__http_new(&options, &http, &err), IGT_E_NO_FILE);
  assert_non_null(strstr(err.text, "/nowhere/ca.pem"));
  assert_null(http);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

static void forget_proxies(void) {
  unsetenv("REQUEST_METHOD");
  unsetenv("http_proxy");
  unsetenv("HTTP_PROXY");
  unsetenv("https_proxy");
  unsetenv("HTTPS_PROXY");
  unsetenv("all_proxy");
  unsetenv("ALL_PROXY");
  unsetenv("no_proxy");
  unsetenv("NO_PROXY");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_get),
      TEST(test_bad_headers),
      TEST(test_bad_urls),
      TEST(test_methods),
      TEST(test_content_type_kept),
      TEST(test_large_body),
      TEST(test_file_body),
      TEST(test_file_too_short),
      TEST(test_compressed),
      TEST(test_error_response),
      TEST(test_error_repeats_secrets),
      TEST(test_error_body),
      TEST(test_transient),
      TEST(test_gives_up),
      TEST(test_no_retries),
      TEST(test_permanent),
      TEST(test_host_state),
      TEST(test_not_idempotent),
      TEST(test_not_idempotent_on_old_connection),
      TEST(test_nothing_was_sent),
      TEST(test_unknown_host),
      TEST(test_retry_after),
      TEST(test_credentials),
      TEST(test_retry_forbidden_by_caller),
      TEST(test_restart),
      TEST(test_restart_refused),
      TEST(test_callbacks_fail),
      TEST(test_prepare_fails),
      TEST(test_limits),
      TEST(test_exactly_max),
      TEST(test_not_http),
      TEST(test_bytewise),
      TEST(test_continue_is_skipped),
      TEST(test_redirects),
      TEST(test_redirect_loop),
      TEST(test_redirect_of_post),
      TEST(test_redirect_as_response),
      TEST(test_idle),
      TEST(test_handshake_that_never_ends),
      TEST(test_crawl),
      TEST(test_cancel),
      TEST(test_cancel_by_wait_hook),
      TEST(test_cancel_in_back_off),
      TEST(test_a_caller_that_waits_drives),
      TEST(test_a_long_response_is_the_threads),
      TEST(test_a_loop_has_one_driver),
      TEST(test_request_by_wait_hook),
      TEST(test_resubmit),
      TEST(test_free_cancels),
      TEST(test_posts),
      TEST(test_proxy),
      TEST(test_missing_ca_file),
  };

  forget_proxies();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
