/* SPDX-License-Identifier: MIT */
/* The command line's sizes, durations, dates, globs and shortened names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <locale.h>

#include "../../cli/human.h"
#include "../../cli/progress_line.h"

static char out[64];

static void test_sizes_are_short(void **state) {
  static const struct {
    unsigned long long n;
    const char *text;
  } cases[] = {
      {0, "0 B"},           {1023, "1023 B"},     {1024, "1.0 KiB"},       {1048524, "1023.9 KiB"},
      {1048575, "1.0 MiB"}, {3000000, "2.9 MiB"}, {1ULL << 40, "1.0 TiB"}, {~0ULL, "16384.0 PiB"}};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    format_size(cases[i].n, out, sizeof out);
    assert_string_equal(out, cases[i].text);
  }
}

static void test_counts_have_groups_of_digits(void **state) {
  (void)state;
  format_count(0, out, sizeof out);
  assert_string_equal(out, "0");
  format_count(999, out, sizeof out);
  assert_string_equal(out, "999");
  format_count(1000, out, sizeof out);
  assert_string_equal(out, "1,000");
  format_count(1234567, out, sizeof out);
  assert_string_equal(out, "1,234,567");
}

static void test_durations_grow_units(void **state) {
  static const struct {
    long long seconds;
    const char *text;
  } cases[] = {{-1, "--:--"},       {0, "0:00"},        {7, "0:07"},
               {3599, "59:59"},     {3600, "1:00:00"},  {86399, "23:59:59"},
               {86400, "1d 00h"},   {183600, "2d 03h"}, {863999999, "9999d 23h"},
               {INT64_MAX, "years"}};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    format_duration(cases[i].seconds, out, sizeof out);
    assert_string_equal(out, cases[i].text);
  }
}

static void test_dates_are_as_old_as_they_look(void **state) {
  int64_t now;

  (void)state;
  assert_true(parse_when("2024-03-01", &now));
  format_when("2024-01-15T10:15:00+00:00", now, out, sizeof out);
  assert_string_equal(out, "15 Jan 10:15");
  format_when("2024-01-05T10:15:00.123+02:00", now, out, sizeof out);
  assert_string_equal(out, " 5 Jan 10:15");
  format_when("2023-01-15T10:15:00Z", now, out, sizeof out);
  assert_string_equal(out, "15 Jan 2023");
  format_when("2024-09-15T10:15:00Z", now, out, sizeof out); /* to come: the year matters */
  assert_string_equal(out, "15 Sep 2024");
  format_when("2024-02-29", now, out, sizeof out);
  assert_string_equal(out, "29 Feb 2024");
  format_when("soon", now, out, sizeof out);
  assert_string_equal(out, "soon");
  format_when("", now, out, sizeof out);
  assert_string_equal(out, "");
}

static void test_times_are_read(void **state) {
  static const char *const bad[] = {"",
                                    "2024",
                                    "2024-13-01",
                                    "2024-02-30",
                                    "24-01-01",
                                    "2024-01-01T",
                                    "2024-01-01x",
                                    "2024-01-01T10:00:00+2",
                                    "2024-01-01T10:00:00+ 1: 0",
                                    "2024-01-01T10:00:00+01:0",
                                    "2024-01-01T10:00:00+24:00",
                                    "2024-01-01T10:00:00+01:60",
                                    "2024-01-01T10:00:00+01:00x"};
  int64_t when;

  (void)state;
  assert_true(parse_when("1970-01-02", &when) && when == 86400);
  assert_true(parse_when("1970-01-01T01:00:01Z", &when) && when == 3601);
  assert_true(parse_when("1970-01-01 01:00", &when) && when == 3600);
  assert_true(parse_when("1970-01-01T02:00:00.5+02:00", &when) && when == 0);
  assert_true(parse_when("1970-01-01T02:00:00+0200", &when) && when == 0);
  assert_true(parse_when("1969-12-31T22:30:00-01:30", &when) && when == 0);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse_when(bad[i], &when));
  format_iso(86400, out, sizeof out);
  assert_string_equal(out, "1970-01-02T00:00:00Z");
}

static void test_sizes_are_read(void **state) {
  static const char *const bad[] = {"", "-1", "G", "1x", "1GG", "0x10", "1e3", "99999999999P"};
  uint64_t n;

  (void)state;
  assert_true(parse_size("12", &n) && n == 12);
  assert_true(parse_size("1k", &n) && n == 1024);
  assert_true(parse_size("1.5 MiB", &n) && n == 1572864);
  assert_true(parse_size("10G", &n) && n == 10ULL << 30);
  assert_true(parse_size("2TB", &n) && n == 2ULL << 40);
  assert_true(parse_size("7B", &n) && n == 7);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse_size(bad[i], &n));
}

static void test_globs_match(void **state) {
  static const char *const yes[][2] = {{"", ""},
                                       {"*", ""},
                                       {"*", "a/b"},
                                       {"*.dcm", "1.dcm"},
                                       {"a?c", "abc"},
                                       {"a?c", "a\xc3\xa9"
                                               "c"},
                                       {"[a-c]x", "bx"},
                                       {"[!a-c]x", "dx"},
                                       {"[]]", "]"},
                                       {"\\*", "*"},
                                       {"a*b*c", "a__b_b_c"},
                                       {"[x", "[x"},
                                       {"*\xc3\xa9*", "caf\xc3\xa9s"},
                                       {"**x", "x"}};
  static const char *const no[][2] = {{"", "a"},         {"?", ""},    {"*.dcm", "1.DCM"},
                                      {"a", "ab"},       {"ab", "a"},  {"[a-c]x", "dx"},
                                      {"[!a-c]x", "ax"}, {"\\*", "a"}, {"a*b", "acbd"}};

  (void)state;
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
    assert_true(glob_matches(yes[i][0], yes[i][1]));
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    assert_false(glob_matches(no[i][0], no[i][1]));
}

static void test_names_sort_as_people_count(void **state) {
  static const char *const sorted[] = {"",   "P",    "P1",  "P1/CT",  "P1/CT/a", "P1 x", "P1-x",
                                       "P2", "P010", "P10", "P10/CT", "PA",      "p1"};

  (void)state;
  for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
    for (size_t k = 0; k < sizeof sorted / sizeof *sorted; k++) {
      int order = compare_names(sorted[i], sorted[k]);
      assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
    }
}

static void test_names_are_shortened(void **state) {
  (void)state;
  shorten("patient", 7, true, out, sizeof out);
  assert_string_equal(out, "patient");
  shorten("patient", 6, true, out, sizeof out);
  assert_string_equal(out, "patie\xe2\x80\xa6");
  shorten("patient", 6, false, out, sizeof out);
  assert_string_equal(out, "pat...");
  shorten("caf\xc3\xa9s", 4, true, out, sizeof out);
  assert_string_equal(out, "caf\xe2\x80\xa6");
  shorten("patient", 0, true, out, sizeof out);
  assert_string_equal(out, "");
  shorten("", 4, true, out, sizeof out);
  assert_string_equal(out, "");
}

static const igt_transfer_progress large = {.studies = 100000,
                                            .studies_settled = 12345,
                                            .studies_planned = 12400,
                                            .studies_known = true,
                                            .listing = true,
                                            .files = 49600,
                                            .files_settled = 49380,
                                            .bytes = 500ULL << 30,
                                            .bytes_expected = 4ULL << 40,
                                            .bytes_settled = 490ULL << 30,
                                            .bytes_per_second = 20.5 * 1024 * 1024,
                                            .seconds_left = 183600};

static void test_a_line_fits_its_terminal(void **state) {
  static const struct {
    unsigned columns;
    const char *line;
  } cases[] = {
      {120, "downloaded  12,345/100,000 studies  49,380/49,600+ files  490.0 GiB/~4.0 TiB  "
            "20.5 MiB/s  2d 03h left"},
      {100, "12,345/100,000 studies  49,380/49,600+ files  490.0 GiB/~4.0 TiB  20.5 MiB/s  "
            "2d 03h left"},
      {75, "12,345/100,000 studies  490.0 GiB/~4.0 TiB  20.5 MiB/s  2d 03h left"},
      {60, "12,345/100,000 studies  11%  20.5 MiB/s  2d 03h left"},
      {41, "12,345/100,000 studies  11%  2d 03h left"},
      {30, "11%  2d 03h left"},
      {10, "11%"},
      {1, "11%"}};
  char line[512];

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    progress_line(&large, "downloaded", cases[i].columns, line, sizeof line);
    assert_string_equal(line, cases[i].line);
  }
}

static void test_a_log_gets_a_sentence(void **state) {
  igt_transfer_progress p = {.studies = 3, .listing = true, .seconds_left = -1, .files_failed = 2};
  char line[512];

  (void)state;
  progress_sentence(&large, "downloaded", line, sizeof line);
  assert_string_equal(line, "downloaded 12,345/100,000 studies, 49,380/49,600+ files, 490.0 GiB of "
                            "~4.0 TiB, 20.5 MiB/s, 2d 03h left");
  progress_sentence(&p, "uploaded", line, sizeof line);
  assert_string_equal(line,
                      "uploaded 0/3+ studies, 0/0+ files, 0 B of 0 B, 0 B/s, --:-- left, 2 FAILED");
  p = (igt_transfer_progress){.studies_known = true, .files = 1, .seconds_left = 0};
  progress_sentence(&p, "downloaded", line, sizeof line);
  assert_string_equal(line, "downloaded 0/1 files, 0 B of 0 B, 0 B/s, 0:00 left");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes_are_short),
                                     cmocka_unit_test(test_counts_have_groups_of_digits),
                                     cmocka_unit_test(test_durations_grow_units),
                                     cmocka_unit_test(test_dates_are_as_old_as_they_look),
                                     cmocka_unit_test(test_times_are_read),
                                     cmocka_unit_test(test_sizes_are_read),
                                     cmocka_unit_test(test_globs_match),
                                     cmocka_unit_test(test_names_sort_as_people_count),
                                     cmocka_unit_test(test_names_are_shortened),
                                     cmocka_unit_test(test_a_line_fits_its_terminal),
                                     cmocka_unit_test(test_a_log_gets_a_sentence)};

  (void)setlocale(LC_CTYPE, "C.UTF-8");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
