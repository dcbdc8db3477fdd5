/* SPDX-License-Identifier: MIT */
/* The sandbox's HTTP server (sandbox/http.c, delay.c), with a handler whose responses show what it
 * received, selected by the path, and a client that sends exact bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "delay.h"
#include "http.h"

typedef struct seen {
  igt__buf body;
} seen;

static atomic_int begun, done_count;

static void begin(void *server, sbx_request *req) {
  (void)server;
  seen *s = test_calloc(1, sizeof *s);
  igt__buf_init(&s->body, 64 << 20);
  req->state = s;
  atomic_fetch_add(&begun, 1);
  if (strcmp(req->path, "/refuse") == 0)
    sbx_respond(req, 403, "text/plain", "no", 2);
}

static bool body(void *server, sbx_request *req, const char *data, size_t n) {
  (void)server;
  seen *s = req->state;
  if (strcmp(req->path, "/stop") == 0) {
    sbx_respond(req, 400, "text/plain", "enough", 6);
    return false;
  }
  return igt__buf_append(&s->body, data, n);
}

static bool count_header(void *payload, const char *name, const char *value) {
  (void)value;
  *(int *)payload += strncmp(name, "X-", 2) == 0;
  return true;
}

static void echo(sbx_request *req) {
  const seen *s = req->state;
  igt__buf out;
  int headers = 0;

  igt__buf_init(&out, 64 << 20);
  sbx_headers_each(req, count_header, &headers);
  const char *a = sbx_query(req, "a", 0), *again = sbx_query(req, "a", 1);
  igt__buf_printf(&out, "%s|%s|%s|%s|%s|%s|%d|%d|%s|%d|%zu|", req->method, req->target, req->path,
                  req->query, a ? a : "-", again ? again : "-", sbx_query_has(req, "flag"), headers,
                  sbx_header(req, "x-one") ? sbx_header(req, "x-one") : "-",
                  (int)req->content_length, s->body.len);
  igt__buf_append(&out, s->body.data, s->body.len);
  sbx_add_header(req, "Set-Cookie", "a=1");
  sbx_add_header(req, "Set-Cookie", "b=2");
  sbx_respond(req, 200, "text/plain", out.data, out.len);
  igt__buf_finish(&out);
}

/* "/bytes?n=…": a file of n bytes except the first, whose last byte is known. */
static void response_bytes(sbx_request *req) {
  char path[] = "/tmp/test_sandbox_http.XXXXXX";
  int64_t n = 0;
  int fd = mkstemp(path);

  assert_true(fd >= 0);
  unlink(path);
  assert_true(igt__str_to_int64(sbx_query(req, "n", 0), &n));
  assert_int_equal(ftruncate(fd, n), 0);
  assert_int_equal(pwrite(fd, "z", 1, n), 1);
  sbx_respond_fd(req, 200, "text/plain", fd, 1, (uint64_t)n);
}

static void response_file(sbx_request *req) {
  char path[] = "/tmp/test_sandbox_http.XXXXXX";
  int fd = mkstemp(path);

  assert_true(fd >= 0);
  unlink(path);
  assert_int_equal(write(fd, "0123456789", 10), 10);
  sbx_respond_fd(req, 206, "text/plain", fd, 3, 4);
}

static int64_t next_part(void *payload, char *out, size_t cap) {
  int *left = payload;

  assert_true(cap > 4);
  if (*left == 0)
    return 0;
  --*left;
  memcpy(out, "abc", 3);
  return 3;
}

static void end(void *server, sbx_request *req) {
  static _Thread_local int left;

  (void)server;
  left = 1000;
  if (strcmp(req->path, "/file") == 0)
    response_file(req);
  else if (strcmp(req->path, "/bytes") == 0)
    response_bytes(req);
  else if (strcmp(req->path, "/stream") == 0)
    sbx_respond_stream(req, 200, "text/plain", next_part, NULL, &left);
  else if (strcmp(req->path, "/head") == 0)
    sbx_respond_head(req, 200, "text/plain", 12345678901);
  else if (strcmp(req->path, "/nothing") != 0)
    echo(req);
}

static void done(void *server, sbx_request *req) {
  (void)server;
  seen *s = req->state;
  igt__buf_finish(&s->body);
  test_free(s);
  atomic_fetch_add(&done_count, 1);
}

static const sbx_handler handler = {begin, body, end, done};

static const sbx_handler *route(void *server, sbx_request *req) {
  (void)server;
  (void)req;
  return &handler;
}

static sbx_http *start(int latency_ms) {
  char error[256] = "";
  const sbx_http_options options = {.host = "127.0.0.1", .latency_ms = latency_ms};
  sbx_http *http = sbx_http_start(&options, route, NULL, error, sizeof error);

  if (!http)
    print_error("%s\n", error);
  assert_non_null(http);
  atomic_store(&begun, 0);
  atomic_store(&done_count, 0);
  return http;
}

static int set_up(void **state) {
  *state = start(0);
  return 0;
}

static int tear_down(void **state) {
  sbx_http_stop(*state);
  assert_int_equal(atomic_load(&begun), atomic_load(&done_count));
  return 0;
}

/* ---- a client that sends exact bytes ---- */

static int dial(const sbx_http *http) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(sbx_http_port(http))};

  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

static void say(int fd, const char *data, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
    assert_true(sent > 0);
    data += sent;
    n -= (size_t)sent;
  }
}

/* Reads until the server closes. */
static void listen_to_end(int fd, igt__buf *out) {
  char part[65536];

  for (ssize_t n; (n = recv(fd, part, sizeof part, 0)) > 0;)
    igt__buf_append(out, part, (size_t)n);
  close(fd);
}

/* Returns the response's body; head (or NULL): everything before it. */
static const char *ask(const sbx_http *http, const char *text, igt__buf *out) {
  int fd = dial(http);

  igt__buf_init(out, 64 << 20);
  say(fd, text, strlen(text));
  listen_to_end(fd, out);
  char *blank = strstr(out->data, "\r\n\r\n");
  assert_non_null(blank);
  return blank + 4;
}

static void test_target_and_query(void **state) {
  igt__buf out;
  const char *got =
      ask(*state,
          "GET /p%20q/%2F//x?a=1+2&b&a=%26%zz&flag HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n"
          "X-Two: 2\r\nConnection: close\r\n\r\n",
          &out);

  assert_string_equal(got, "GET|/p%20q/%2F//x?a=1+2&b&a=%26%zz&flag|/p%20q/%2F//x|"
                           "a=1+2&b&a=%26%zz&flag|1 2|%26%zz|1|2|1|-1|0|");
  assert_non_null(strstr(out.data, "Set-Cookie: a=1\r\n"));
  assert_non_null(strstr(out.data, "Set-Cookie: b=2\r\n"));
  igt__buf_finish(&out);
}

static void test_body_with_length(void **state) {
  igt__buf out;
  const char *got = ask(
      *state, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
      &out);

  assert_string_equal(got, "PUT|/x|/x||-|-|0|0|-|5|5|hello");
  igt__buf_finish(&out);
}

static void test_body_in_chunks(void **state) {
  igt__buf out;
  const char *got = ask(*state,
                        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                        "Connection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                        &out);

  assert_string_equal(got, "POST|/x|/x||-|-|0|0|-|-1|5|abcde");
  igt__buf_finish(&out);
}

static void test_body_of_megabytes(void **state) {
  const size_t n = 10u << 20;
  igt__buf out, in;

  igt__buf_init(&in, 64 << 20);
  igt__buf_printf(
      &in, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", n);
  for (size_t i = 0; i < n; i++)
    igt__buf_putc(&in, (char)('a' + i % 26));
  int fd = dial(*state);
  igt__buf_init(&out, 64 << 20);
  say(fd, in.data, in.len);
  listen_to_end(fd, &out);
  assert_true(out.len > n);
  assert_memory_equal(out.data + out.len - n, in.data + in.len - n, n);
  igt__buf_finish(&in);
  igt__buf_finish(&out);
}

/* Three requests on one connection; the refused body must not be taken for a request. */
static void test_refused_body(void **state) {
  igt__buf out;
  const char *const paths[] = {"refuse", "stop"};

  for (size_t i = 0; i < 2; i++) {
    char text[512];
    snprintf(text, sizeof text,
             "PUT /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 24\r\n\r\nGET /smuggled HTTP/1.1\r\n"
             "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
             paths[i]);
    const char *got = ask(*state, text, &out);
    assert_non_null(strstr(got, "|/next|"));
    assert_null(strstr(got, "|/smuggled|"));
    igt__buf_finish(&out);
  }
}

/* A client that waits for 100 Continue gets the refusal instead of it. */
static void test_refused_before_the_body(void **state) {
  igt__buf out;
  const char *got = ask(*state,
                        "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n"
                        "Expect: 100-continue\r\n\r\n",
                        &out);

  assert_string_equal(got, "no");
  assert_non_null(strstr(out.data, "HTTP/1.1 403"));
  igt__buf_finish(&out);
}

static void test_part_of_a_file(void **state) {
  igt__buf out;
  const char *got = ask(*state, "GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &out);

  assert_string_equal(got, "3456");
  assert_non_null(strstr(out.data, "HTTP/1.1 206"));
  assert_non_null(strstr(out.data, "Content-Length: 4\r\n"));
  igt__buf_finish(&out);
}

/* Sizes that are sent together with the header, and larger ones. */
static void test_files_of_sizes(void **state) {
  static const unsigned sizes[] = {1, 4096, 65535, 65536, 65537, 1000000};

  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    igt__buf out;
    char text[100];
    snprintf(text, sizeof text, "GET /bytes?n=%u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
             sizes[i]);
    const char *got = ask(*state, text, &out);
    size_t n = out.len - (size_t)(got - out.data);
    assert_int_equal(n, sizes[i]);
    assert_int_equal(got[n - 1], 'z');
    igt__buf_finish(&out);
  }
}

/* The library's longest URL, and a token of 16 KiB in a header and in a cookie. */
static void test_long_headers(void **state) {
  igt__buf in, out;

  igt__buf_init(&in, 1 << 20);
  igt__buf_printf(&in, "PUT /x?a=%065520d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n", 7);
  for (int i = 0; i < 2; i++)
    igt__buf_printf(&in, "X-%s: %016384d\r\n", i ? "Jwt" : "Cookie", i);
  igt__buf_puts(&in, "Connection: close\r\n\r\nhello");
  ask(*state, in.data, &out);
  assert_true(out.len > 3 * 65520);
  assert_string_equal(out.data + out.len - strlen("7|-|0|2|-|5|5|hello"), "7|-|0|2|-|5|5|hello");
  igt__buf_finish(&in);
  igt__buf_finish(&out);
}

static void test_head(void **state) {
  igt__buf out;
  const char *got =
      ask(*state, "HEAD /head HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &out);

  assert_string_equal(got, "");
  assert_non_null(strstr(out.data, "Content-Length: 12345678901\r\n"));
  igt__buf_finish(&out);
}

static void test_stream(void **state) {
  igt__buf out;

  ask(*state, "GET /stream HTTP/1.0\r\nHost: h\r\n\r\n", &out);
  size_t n = 0;
  for (const char *p = strstr(out.data, "\r\n\r\n") + 4; *p; p += 3, n++)
    assert_memory_equal(p, "abc", 3);
  assert_int_equal(n, 1000);
  igt__buf_finish(&out);
}

static void test_handler_that_forgot(void **state) {
  igt__buf out;

  ask(*state, "GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &out);
  assert_non_null(strstr(out.data, "HTTP/1.1 500"));
  igt__buf_finish(&out);
}

static void wait_for(const atomic_int *count, int wanted) {
  for (int64_t limit = igt__mono_us() + 30000000; atomic_load(count) < wanted;) {
    assert_true(igt__mono_us() < limit);
    igt__sleep_us(1000);
  }
}

static void test_client_that_leaves(void **state) {
  const char *text = "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
  int fd = dial(*state);

  say(fd, text, strlen(text));
  close(fd); /* its FIN arrives together with its bytes */
  wait_for(&done_count, 1);
}

/* ---- addresses ---- */

static void test_port_in_use(void **state) {
  char error[256] = "";
  const sbx_http_options options = {.host = "127.0.0.1", .port = sbx_http_port(*state)};

  assert_null(sbx_http_start(&options, route, NULL, error, sizeof error));
  assert_non_null(strstr(error, "is it in use?"));
}

static void test_address_of_another(void **state) {
  char error[256] = "";
  const sbx_http_options options = {.host = "192.0.2.1"};

  (void)state;
  assert_null(sbx_http_start(&options, route, NULL, error, sizeof error));
  assert_non_null(strstr(error, "192.0.2.1"));
}

/* ---- latency ---- */

static void test_latency(void **state) {
  enum { MS = 50 };
  sbx_http *http = start(MS);
  igt__buf out;
  (void)state;
  int64_t begin_us = igt__mono_us();
  ask(http, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &out);
  assert_non_null(strstr(out.data, "HTTP/1.1 200"));
  assert_true(igt__mono_us() - begin_us >= MS * 1000);
  igt__buf_finish(&out);
  sbx_http_stop(http);
}

/* They block no threads. */
static void test_many_delayed_at_once(void **state) {
  enum { COUNT = 32 };
  const char *text = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  sbx_http *http = start(60000);
  int fds[COUNT];
  (void)state;
  for (int i = 0; i < COUNT; i++) {
    fds[i] = dial(http);
    say(fds[i], text, strlen(text));
  }
  wait_for(&begun, COUNT);
  assert_int_equal(atomic_load(&done_count), 0);
  sbx_http_stop(http);
  for (int i = 0; i < COUNT; i++)
    close(fds[i]);
}

static void test_stop_while_late(void **state) {
  const char *text = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  sbx_http *http = start(60000);

  (void)state;
  int fd = dial(http);
  say(fd, text, strlen(text));
  wait_for(&begun, 1);
  sbx_http_stop(http);
  assert_int_equal(atomic_load(&done_count), 1);
  close(fd);
}

/* ---- the timer ---- */

static atomic_int rang;
static char order[8];

static void ring(void *arg) {
  order[atomic_load(&rang)] = *(const char *)arg;
  atomic_fetch_add(&rang, 1);
}

static void test_timer(void **state) {
  sbx_delay *delay = sbx_delay_new();
  char names[] = "abc";

  (void)state;
  atomic_store(&rang, 0);
  sbx_delay_add(delay, 60, ring, &names[1]);
  sbx_delay_add(delay, 30, ring, &names[0]);
  sbx_delay_add(delay, 3600000, ring, &names[2]);
  for (int64_t limit = igt__mono_us() + 30000000; atomic_load(&rang) < 2;)
    assert_true(igt__mono_us() < limit);
  assert_memory_equal(order, "ab", 2);
  sbx_delay_flush(delay);
  assert_int_equal(atomic_load(&rang), 3);
  sbx_delay_add(delay, 3600000, ring, &names[2]); /* nothing waits any more */
  assert_int_equal(atomic_load(&rang), 4);
  sbx_delay_free(delay);
  sbx_delay_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_target_and_query),
      TEST(test_body_with_length),
      TEST(test_body_in_chunks),
      TEST(test_body_of_megabytes),
      TEST(test_refused_body),
      TEST(test_refused_before_the_body),
      TEST(test_part_of_a_file),
      TEST(test_files_of_sizes),
      TEST(test_long_headers),
      TEST(test_head),
      TEST(test_stream),
      TEST(test_handler_that_forgot),
      TEST(test_client_that_leaves),
      TEST(test_port_in_use),
      cmocka_unit_test(test_address_of_another),
      cmocka_unit_test(test_latency),
      cmocka_unit_test(test_many_delayed_at_once),
      cmocka_unit_test(test_stop_while_late),
      cmocka_unit_test(test_timer),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
