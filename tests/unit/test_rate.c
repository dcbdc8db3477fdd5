/* SPDX-License-Identifier: MIT */
/* The bandwidth limit and its timetable, with a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/internal.h"

#define SECOND ((int64_t)1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define MIB ((uint64_t)1024 * 1024)

static int64_t now; /* wall and monotonic clock: midnight is 0 */

static int64_t fake_clock(void) {
  return now;
}

static int set_up(void **state) {
  (void)state;
  static igt__clock_hooks hooks;
  igt__clock_set_hooks(NULL);
  hooks = igt__clock_get_hooks();
  hooks.wall = hooks.monotonic = fake_clock;
  igt__clock_set_hooks(&hooks);
  setenv("TZ", "UTC", 1);
  tzset();
  now = 0;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  igt__clock_set_hooks(NULL);
  return 0;
}

static uint64_t rate_at(const igt__timetable *table, unsigned hour, unsigned minute) {
  int64_t next;
  uint64_t rate = igt__timetable_rate(table, hour * HOUR + minute * MINUTE, &next);

  assert_true(next > 0 && next <= MINUTE);
  return rate;
}

static void test_texts(void **state) {
  (void)state;
  igt__timetable table;
  static const struct {
    const char *text;
    uint64_t rate;
  } good[] = {{"20M", 20 * MIB},
              {"1.5g", 3 * 512 * MIB},
              {"500k", 500 * 1024},
              {"1", 1},
              {"off", 0},
              {" 20M ", 20 * MIB},
              {"0:00-24:00 3M", 3 * MIB},
              {"00:00-24:00  3M ,9M", 3 * MIB}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(igt__timetable_parse(good[i].text, &table, NULL), IGT_OK);
    assert_true(rate_at(&table, 12, 0) == good[i].rate);
  }
  static const char *const bad[] = {"",
                                    "fast",
                                    "-5M",
                                    "0",
                                    "20X",
                                    "20M,",
                                    "nan",
                                    "20MM",
                                    "08:00-18:00",
                                    "08:00 20M",
                                    "8-18 20M",
                                    "08:00-08:00 20M",
                                    "08:60-9:00 1M",
                                    "25:00-26:00 1M",
                                    "08:00-18:0020M",
                                    "08:00-18:00 20M; off",
                                    "1e30"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    igt_error err = IGT_ERROR_INIT;
    assert_int_equal(igt__timetable_parse(bad[i], &table, &err), IGT_E_INVALID);
    assert_non_null(strstr(err.text, "08:00-18:00 20M, off"));
  }
}

static void test_hours(void **state) {
  (void)state;
  igt__timetable table;
  assert_int_equal(igt__timetable_parse("08:00-18:00 20M, 22:30-06:00 off, 50M", &table, NULL),
                   IGT_OK);
  assert_true(rate_at(&table, 7, 59) == 50 * MIB && rate_at(&table, 8, 0) == 20 * MIB);
  assert_true(rate_at(&table, 17, 59) == 20 * MIB && rate_at(&table, 18, 0) == 50 * MIB);
  assert_true(rate_at(&table, 22, 30) == 0 && rate_at(&table, 0, 0) == 0);
  assert_true(rate_at(&table, 5, 59) == 0 && rate_at(&table, 6, 0) == 50 * MIB);
}

/* Several takers that behave like loops: take a part, or wait as long as requested. */
static uint64_t moved(igt__rate *rate, igt__direction direction, int64_t until, unsigned takers,
                      size_t part) {
  int64_t free_at[32] = {0};
  uint64_t bytes = 0;

  while (now < until) {
    int64_t next = until;
    for (unsigned i = 0; i < takers; i++) {
      if (free_at[i] <= now) {
        int64_t wait = igt__rate_take(rate, direction, part, now);
        bytes += wait ? 0 : part;
        free_at[i] = now + (wait ? wait : 100); /* a part takes 100 us to arrive */
      }
      if (free_at[i] < next)
        next = free_at[i];
    }
    now = next > now ? next : now + 1;
  }
  return bytes;
}

static void assert_near(uint64_t bytes, uint64_t expected) {
  assert_true(bytes >= expected / 100 * 95 && bytes <= expected / 100 * 105);
}

static void test_rate_holds(void **state) {
  (void)state;
  igt__rate rate;
  igt__rate_init(&rate, 4 * MIB, NULL);
  assert_near(moved(&rate, IGT__DOWN, 10 * SECOND, 16, 16384), 40 * MIB);
  assert_near(moved(&rate, IGT__UP, 20 * SECOND, 16, 128 * 1024), 40 * MIB); /* its own limit */
  igt__rate_set(&rate, 100 * 1024); /* far less than the takers request concurrently */
  assert_near(moved(&rate, IGT__DOWN, 80 * SECOND, 16, 16384), 6000 * 1024);
  igt__rate_finish(&rate);
}

static void test_timetable_holds(void **state) {
  (void)state;
  igt__timetable table;
  igt__rate rate;
  assert_int_equal(igt__timetable_parse("08:00-18:00 2M, 10M", &table, NULL), IGT_OK);
  now = 8 * HOUR - 30 * SECOND;
  igt__rate_init(&rate, 0, &table);
  assert_near(moved(&rate, IGT__DOWN, 8 * HOUR, 16, 16384), 300 * MIB);
  assert_near(moved(&rate, IGT__DOWN, 8 * HOUR + MINUTE, 16, 16384), 120 * MIB);
  now = 18 * HOUR - MINUTE;
  assert_near(moved(&rate, IGT__UP, 18 * HOUR, 16, 16384), 120 * MIB);
  assert_near(moved(&rate, IGT__UP, 18 * HOUR + MINUTE, 16, 16384), 600 * MIB);
  igt__rate_finish(&rate);
}

/* A taker that waits for a debt to be paid does not keep waiting when the limit ends. */
static void test_limit_ends(void **state) {
  (void)state;
  igt__timetable table;
  igt__rate rate;
  assert_int_equal(igt__timetable_parse("08:00-18:00 1000, off", &table, NULL), IGT_OK);
  now = 18 * HOUR - 20 * SECOND;
  igt__rate_init(&rate, 0, &table);
  assert_true(igt__rate_take(&rate, IGT__DOWN, 500000, now) == 0);
  assert_true(igt__rate_take(&rate, IGT__DOWN, 1, now) == 20 * SECOND); /* not 500 s */
  now += 20 * SECOND;
  assert_true(igt__rate_take(&rate, IGT__DOWN, 500000, now) == 0);
  assert_true(igt__rate_take(&rate, IGT__DOWN, 500000, now) == 0);
  igt__rate_set(&rate, 5); /* set explicitly: ends the timetable */
  now += 24 * HOUR;
  assert_true(igt__rate_limit(&rate, now) == 5);
  igt__rate_finish(&rate);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hours, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rate_holds, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_timetable_holds, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_limit_ends, set_up, tear_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
