/* SPDX-License-Identifier: MIT */
/* When requests are retried (lib/http): classes of errors, delays with jitter, Retry-After, the
 * window of concurrent requests to a host, and the host's retry budget; with a fake clock. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/internal.h"
#include "http/retry.h"

static igt__retry class_of(igt_status status, int http_status, const char *code) {
  igt_error err = IGT_ERROR_INIT;

  err.status = status;
  err.http_status = http_status;
  strcpy(err.code, code);
  return igt__retry_class(&err);
}

static void test_classes(void **state) {
  static const struct {
    igt_status status;
    int http_status;
    const char *code;
    igt__retry retry;
  } cases[] = {
      {IGT_OK, 200, "", IGT__RETRY_NEVER},
      {IGT_E_CANCELLED, 0, "", IGT__RETRY_NEVER},
      {IGT_E_CANCELLED, 503, "SlowDown", IGT__RETRY_NEVER},
      {IGT_E_RESOLVE, 0, "", IGT__RETRY_TRANSIENT},
      {IGT_E_CONNECT, 0, "", IGT__RETRY_TRANSIENT},
      {IGT_E_TIMEOUT, 0, "", IGT__RETRY_TRANSIENT},
      {IGT_E_NETWORK, 0, "", IGT__RETRY_TRANSIENT},
      {IGT_E_NETWORK, 200, "", IGT__RETRY_TRANSIENT},
      {IGT_E_PROXY, 0, "", IGT__RETRY_TRANSIENT},
      {IGT_E_PROXY, 407, "", IGT__RETRY_NEVER},
      {IGT_E_PROXY, 403, "", IGT__RETRY_NEVER},
      {IGT_E_PROXY, 502, "", IGT__RETRY_TRANSIENT},
      {IGT_E_TLS, 0, "", IGT__RETRY_NEVER},
      {IGT_E_PROTOCOL, 0, "", IGT__RETRY_NEVER},
      {IGT_E_LIMIT, 0, "", IGT__RETRY_NEVER},
      {IGT_E_NO_SPACE, 0, "", IGT__RETRY_NEVER},
      {IGT_E_CHANGED, 0, "", IGT__RETRY_NEVER},
      {IGT_E_CHECKSUM, 200, "", IGT__RETRY_NEVER},
      {IGT_E_BAD_REQUEST, 400, "", IGT__RETRY_NEVER},
      {IGT_E_UNAUTHORIZED, 401, "", IGT__RETRY_CREDENTIALS},
      {IGT_E_FORBIDDEN, 403, "", IGT__RETRY_NEVER},
      {IGT_E_NOT_FOUND, 404, "", IGT__RETRY_NEVER},
      {IGT_E_TIMEOUT, 408, "", IGT__RETRY_TRANSIENT},
      {IGT_E_CONFLICT, 409, "", IGT__RETRY_NEVER},
      {IGT_E_PRECONDITION, 412, "", IGT__RETRY_NEVER},
      {IGT_E_RANGE, 416, "", IGT__RETRY_NEVER},
      {IGT_E_THROTTLED, 429, "", IGT__RETRY_THROTTLED},
      {IGT_E_SERVER, 500, "", IGT__RETRY_TRANSIENT},
      {IGT_E_SERVER, 501, "", IGT__RETRY_NEVER},
      {IGT_E_SERVER, 502, "", IGT__RETRY_TRANSIENT},
      {IGT_E_SERVER, 503, "", IGT__RETRY_THROTTLED},
      {IGT_E_SERVER, 504, "", IGT__RETRY_TRANSIENT},
      {IGT_E_SERVER, 505, "", IGT__RETRY_NEVER},
      {IGT_E_BAD_REQUEST, 400, "ExpiredToken", IGT__RETRY_CREDENTIALS},
      {IGT_E_EXPIRED, 400, "ExpiredTokenException", IGT__RETRY_CREDENTIALS},
      {IGT_E_FORBIDDEN, 403, "RequestTimeTooSkewed", IGT__RETRY_CREDENTIALS},
      {IGT_E_FORBIDDEN, 403, "AccessDenied", IGT__RETRY_NEVER},
      {IGT_E_BAD_REQUEST, 400, "RequestTimeout", IGT__RETRY_TRANSIENT},
      {IGT_E_SERVER, 200, "InternalError", IGT__RETRY_TRANSIENT},
      {IGT_E_SERVER, 500, "SlowDown", IGT__RETRY_THROTTLED},
      {IGT_E_CONFLICT, 409, "OperationAborted", IGT__RETRY_TRANSIENT},
      {IGT_E_EXPIRED, 0, "", IGT__RETRY_CREDENTIALS},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (class_of(cases[i].status, cases[i].http_status, cases[i].code) != cases[i].retry)
      fail_msg("case %zu: %d %d %s", i, cases[i].status, cases[i].http_status, cases[i].code);
}

static uint64_t the_jitter;
static uint64_t fake_jitter(void) {
  return the_jitter;
}
static int64_t fake_wall(void) {
  return INT64_C(1700000000) * 1000000;
}
static int64_t fake_monotonic(void) {
  return 1;
}
static void fake_sleep(int64_t us) {
  (void)us;
}

static void test_delay(void **state) {
  static const igt__clock_hooks hooks = {fake_wall, fake_monotonic, fake_sleep, fake_jitter};
  static const int64_t most[] = {500000,  500000,   1000000,  2000000, 4000000,
                                 8000000, 16000000, 20000000, 20000000};

  (void)state;
  igt__clock_set_hooks(&hooks);
  for (unsigned n = 0; n < 9; n++) {
    the_jitter = 0;
    assert_int_equal(igt__retry_delay_us(n, -1), 0);
    the_jitter = (uint64_t)most[n];
    assert_int_equal(igt__retry_delay_us(n, -1), most[n]);
    the_jitter = (uint64_t)most[n] + 1;
    assert_int_equal(igt__retry_delay_us(n, -1), 0);
  }
  the_jitter = 0;
  assert_int_equal(igt__retry_delay_us(4000000000u, -1), 0);
  assert_int_equal(igt__retry_delay_us(1, 7), 7000000);
  the_jitter = 400000;
  assert_int_equal(igt__retry_delay_us(1, 0), 400000);
  assert_int_equal(igt__retry_delay_us(1, 100000), 300000000);
  igt__clock_set_hooks(NULL);
}

static void test_retry_after(void **state) {
  static const igt__clock_hooks hooks = {fake_wall, fake_monotonic, fake_sleep, fake_jitter};

  (void)state;
  igt__clock_set_hooks(&hooks);
  assert_int_equal(igt__retry_after(NULL, 0), -1);
  assert_int_equal(igt__retry_after("soon", 0), -1);
  assert_int_equal(igt__retry_after("-3", 0), -1);
  assert_int_equal(igt__retry_after("0", 0), 0);
  assert_int_equal(igt__retry_after("120", 0), 120);
  assert_int_equal(igt__retry_after("99999999999", 0), INT32_MAX);
  /* 1700000000 is Tue, 14 Nov 2023 22:13:20. The server's clock counts, if it is sent. */
  assert_int_equal(igt__retry_after("Tue, 14 Nov 2023 22:13:50 GMT", 0), 30);
  assert_int_equal(igt__retry_after("Tue, 14 Nov 2023 22:13:50 GMT", 1700000020), 10);
  assert_int_equal(igt__retry_after("Tue, 14 Nov 2023 22:13:00 GMT", 0), 0);
  igt__clock_set_hooks(NULL);
}

static void test_at_once(void **state) {
  igt__http_host *list = NULL, *host = igt__http_host_of(&list, "a");

  (void)state;
  assert_int_equal(igt__window_free(host), UINT_MAX);
  host->running = 9;
  igt__window_throttled(host, 1); /* half of the running requests */
  assert_int_equal(igt__window_free(host), 0);
  host->running = 1;
  assert_int_equal(igt__window_free(host), 3);
  igt__window_throttled(host, 1); /* started before: the same burst */
  assert_int_equal(igt__window_free(host), 3);
  igt__window_succeeded(host, 1, 16);
  assert_int_equal(igt__window_free(host), 3);
  for (int i = 0; i < 5; i++) /* a round of successes: one more */
    igt__window_succeeded(host, INT64_MAX, 16);
  assert_int_equal(igt__window_free(host), 4);
  igt__window_throttled(host, INT64_MAX); /* at least one at a time */
  host->running = 0;
  assert_int_equal(igt__window_free(host), 1);
  for (int i = 0; i < 200; i++)
    igt__window_succeeded(host, INT64_MAX, 16);
  assert_int_equal(igt__window_free(host), UINT_MAX);
  igt__http_hosts_free(list);
}

static void test_host_state(void **state) {
  igt__http_host *list = NULL, *a = igt__http_host_of(&list, "a"),
                 *b = igt__http_host_of(&list, "b");
  int taken = 0, n;

  (void)state;
  assert_ptr_equal(igt__http_host_of(&list, "a"), a);
  assert_ptr_not_equal(a, b);
  for (n = 0; igt__retry_budget_take(a, IGT__RETRY_TRANSIENT, &taken); n++)
    assert_int_equal(taken, 10);
  assert_int_equal(n, 50);
  for (n = 0; igt__retry_budget_take(b, IGT__RETRY_THROTTLED, &taken); n++)
    assert_int_equal(taken, 5);
  assert_int_equal(n, 100);
  /* A success returns what its own retries took, or otherwise one. */
  taken = 10;
  igt__retry_budget_give(a, &taken);
  assert_int_equal(taken, 0);
  assert_true(igt__retry_budget_take(a, IGT__RETRY_TRANSIENT, &taken));
  taken = 0;
  for (n = 0; n < 9; n++)
    igt__retry_budget_give(a, &taken);
  assert_false(igt__retry_budget_take(a, IGT__RETRY_TRANSIENT, &taken));
  taken = 0;
  igt__retry_budget_give(a, &taken);
  assert_true(igt__retry_budget_take(a, IGT__RETRY_TRANSIENT, &taken));
  taken = 0;
  for (n = 0; n < 2000; n++)
    igt__retry_budget_give(a, &taken);
  for (n = 0; igt__retry_budget_take(a, IGT__RETRY_TRANSIENT, &taken); n++)
    ;
  assert_int_equal(n, 50);
  assert_true(igt__retry_budget_take(NULL, IGT__RETRY_TRANSIENT, &taken)); /* no memory: no cap */
  igt__http_hosts_free(list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_classes),     cmocka_unit_test(test_delay),
      cmocka_unit_test(test_retry_after), cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_host_state),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
