/* SPDX-License-Identifier: MIT */
/* Times and dates (lib/base/time.h): parsing and formatting of the API's times, dates, HTTP dates
 * and the basic format, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"

static void test_round_trip(void **state) {
  (void)state;
  static const struct {
    const char *in, *out;
    int64_t seconds;
  } cases[] = {
      {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00", 0},
      {"2019-12-31 23:59:59.123456789+01:00", "2019-12-31T23:59:59.123456+01:00", 1577833199},
      {"2020-02-29T12:00:00-0530", "2020-02-29T12:00:00-05:30", 1582997400},
      {"2020-02-29T12:00:00", "2020-02-29T12:00:00", 1582977600},
      {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00", -62135596800},
      {"9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59.500000+00:00", 253402300799},
      {"1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001+00:00", -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt_time t;
    char out[40];
    assert_true(igt__time_parse(cases[i].in, &t));
    assert_int_equal(t.seconds, cases[i].seconds);
    igt__time_format(&t, 'T', out, sizeof out);
    assert_string_equal(out, cases[i].out);
  }
}

static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "2020",
      "2020-01-01",
      "2020-13-01T00:00:00Z",
      "2020-02-30T00:00:00Z",
      "2019-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
      "0000-01-01T00:00:00Z",
      "2020-01-01T24:00:00Z",
      "2020-01-01T23:59:60Z",
      "2020-01-01T00:00Z",
      "2020-01-01T00:00:00.Z",
      "2020-01-01T00:00:00+1",
      "2020-01-01T00:00:00+24:00",
      "2020-01-01T00:00:00Zx",
      "2020-1-1T00:00:00Z",
      " 2020-01-01T00:00:00Z",
      "2020-01-01X00:00:00",
  };
  igt_time t;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (igt__time_parse(bad[i], &t))
      fail_msg("'%s' was accepted", bad[i]);
  }
  assert_false(igt__time_parse(NULL, &t));
}

static void test_dates(void **state) {
  (void)state;
  igt_time t;
  assert_true(igt__date_parse("2026-11-24", &t));
  assert_int_equal(t.seconds, 1795478400);
  assert_false(t.has_offset);
  assert_false(igt__date_parse("2026-11-31", &t));
  assert_false(igt__date_parse("2026-11-24T", &t));
  assert_false(igt__date_parse("24-11-2026", &t));
  assert_true(igt__time_parse("2020-01-01T00:30:00+01:00", &t));
  assert_int_equal(igt__time_day(&t), 18262); /* its local day, not the UTC day */
}

static void test_http(void **state) {
  (void)state;
  int64_t s;
  char out[40];
  assert_true(igt__http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &s) && s == 784111777);
  assert_true(igt__http_date_parse("Sunday, 06-Nov-94 08:49:37 GMT", &s) && s == 784111777);
  assert_true(igt__http_date_parse("Sun Nov  6 08:49:37 1994", &s) && s == 784111777);
  assert_false(igt__http_date_parse("Sun, 06 Nov 1994 08:49:37", &s));
  assert_false(igt__http_date_parse("yesterday", &s));
  assert_false(igt__http_date_parse("", &s));
  igt__time_format_http(784111777, out, sizeof out);
  assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
  igt__time_format_basic(1769903999, out, sizeof out);
  assert_string_equal(out, "20260131T235959Z");
  igt__time_format_http(951782400, out, sizeof out); /* a leap day */
  assert_string_equal(out, "Tue, 29 Feb 2000 00:00:00 GMT");
  igt__time_format_http(784111777, out, 6); /* truncated to the space available */
  assert_string_equal(out, "Sun, ");
}

static void test_basic(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "20260131T235959",
                                    "20260131T235959Z ",
                                    "20260131t235959Z",
                                    "20260230T000000Z",
                                    "20260131T240000Z",
                                    "20260131T236000Z",
                                    "20260131T235960Z",
                                    " 2026131T235959Z",
                                    "2026-01-31T23:59:59Z"};
  int64_t s;
  assert_true(igt__basic_parse("20260131T235959Z", &s) && s == 1769903999);
  assert_true(igt__basic_parse("19700101T000000Z", &s) && s == 0);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(igt__basic_parse(bad[i], &s));
  assert_false(igt__basic_parse(NULL, &s));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_dates),      cmocka_unit_test(test_http),
      cmocka_unit_test(test_basic),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
