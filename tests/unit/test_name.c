/* SPDX-License-Identifier: MIT */
/* Local names of files and folders (lib/base/name.h): names that a disk cannot hold are mapped to
 * others and back, one to one; all others are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"

static void expect_there_and_back(const char *cloud, igt__name_rules rules, const char *local) {
  char *there, *back;
  igt_error err;

  if (igt__path_to_local(cloud, strlen(cloud), rules, "the file", &there, &err) != IGT_OK)
    fail_msg("'%s': %s", cloud, err.text);
  if (local)
    assert_string_equal(there, local);
  assert_int_equal(igt__path_check(there, strlen(there), "the file", &err), IGT_OK);
  back = igt__path_from_local(there);
  assert_string_equal(back, cloud);
  igt__free(there);
  igt__free(back);
}

static void test_ordinary_names_are_kept(void **state) {
  (void)state;
  static const char *const names[] = {
      "a",         "a/b.dcm", "50%25 x", "a%3Ab",
      "100%",      ".hidden", "-rf",     "\xc3\x84 \xe2\x82\xac/\xf0\x9f\xab\x80",
      "e\xcc\x81", "% %"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    expect_there_and_back(names[i], IGT__NAMES_POSIX, names[i]);
    expect_there_and_back(names[i], IGT__NAMES_PORTABLE, names[i]);
  }
  expect_there_and_back("con/a:b?/x. ", IGT__NAMES_POSIX, "con/a:b?/x. ");
}

static void test_names_that_no_disk_holds(void **state) {
  (void)state;
  expect_there_and_back("a\nb", IGT__NAMES_POSIX, "%%a%0Ab");
  expect_there_and_back("x/\x1b[2J%/y", IGT__NAMES_POSIX, "x/%%%1B[2J%25/y");
  expect_there_and_back("\x7f", IGT__NAMES_PORTABLE, "%%%7F");
  expect_there_and_back("%%", IGT__NAMES_POSIX, "%%%25%25");
  expect_there_and_back("%%a%0Ab", IGT__NAMES_POSIX, "%%%25%25a%250Ab");
  expect_there_and_back(".x.igtpart", IGT__NAMES_POSIX, "%%%2Ex.igtpart");
}

static void test_names_that_other_systems_cannot_hold(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"a:b", "%%a%3Ab"},
                                         {"<>:\"\\|?*", "%%%3C%3E%3A%22%5C%7C%3F%2A"},
                                         {"end.", "%%end%2E"},
                                         {"end ", "%%end%20"},
                                         {"end. .", "%%end. %2E"},
                                         {"CON", "%%%43ON"},
                                         {"nul.txt", "%%%6Eul.txt"},
                                         {"Com1", "%%%43om1"},
                                         {"lpt9.x/y", "%%%6Cpt9.x/y"},
                                         {"AUX .h", "%%%41UX .h"},
                                         {"COM\xc2\xb9", "%%%43OM\xc2\xb9"},
                                         {"COM10", "COM10"},
                                         {"console", "console"},
                                         {"a.b c", "a.b c"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    expect_there_and_back(pairs[i][0], IGT__NAMES_PORTABLE, pairs[i][1]);
}

static void test_long_names(void **state) {
  (void)state;
  char name[1001];
  static const char *const fills[] = {"a", "\xc3\xa4", "\xf0\x9f\xab\x80", "\n", "%"};
  for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
    size_t k = strlen(fills[f]);
    for (size_t n = 180; n + k < 1000; n += 7) {
      memset(name, 'b', sizeof name);
      for (size_t i = 0; i + k <= n; i += k)
        memcpy(name + i, fills[f], k);
      name[n - n % k] = '\0';
      expect_there_and_back(name, IGT__NAMES_POSIX, n <= 255 && f < 3 ? name : NULL);
      expect_there_and_back(name, IGT__NAMES_PORTABLE, NULL);
    }
  }
}

/* All names of some bytes: each maps back to itself, and no two become one. */
static void test_one_to_one(void **state) {
  (void)state;
  static const char bytes[] = "%+A0\n:. a";
  enum { N = sizeof bytes - 1 };
  char name[6];
  for (size_t n = 1; n <= 4; n++) {
    size_t all = 1;
    for (size_t i = 0; i < n; i++)
      all *= N;
    for (size_t v = 0; v < all; v++) {
      size_t rest = v;
      for (size_t i = 0; i < n; i++, rest /= N)
        name[i] = bytes[rest % N];
      name[n] = '\0';
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        continue;
      expect_there_and_back(name, IGT__NAMES_POSIX, NULL);
      expect_there_and_back(name, IGT__NAMES_PORTABLE, NULL);
    }
  }
}

/* A user's own name that looks like a mapped one is kept. */
static void test_what_was_never_mapped(void **state) {
  (void)state;
  static const char *const names[] = {"%%",      "%%a",       "%%a%3ab", "%%%2E%2E", "%%..",
                                      "%%a%00",  "%%a%",      "%%%FF",   "%%a%2Fb",  "%%a%+",
                                      "%%a%+/b", "%%a%+/%%b", "%%a%4",   "%%a%41",   "%%%2E",
                                      "a/%%b/c", "%%/x"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *back = igt__path_from_local(names[i]);
    assert_string_equal(back, names[i]);
    igt__free(back);
  }
}

static void test_one_component(void **state) {
  (void)state;
  char *there, *back;
  igt_error err;

  assert_int_equal(igt__name_to_local("A/B", IGT__NAMES_POSIX, "the institute", &there, &err),
                   IGT_OK);
  assert_string_equal(there, "%%A%2FB");
  back = igt__name_from_local(there);
  assert_string_equal(back, "A/B");
  igt__free(back);
  igt__free(there);
  static char longer[257];
  memset(longer, 'a', 256);
  static const char *const bad[] = {"", ".", "..", "\xff", longer};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(igt__name_to_local(bad[i], IGT__NAMES_POSIX, "the institute", &there, &err),
                     IGT_E_UNSAFE_NAME);
  assert_int_equal(igt__name_to_local(NULL, IGT__NAMES_POSIX, "the institute", &there, &err),
                   IGT_E_UNSAFE_NAME);
}

static void test_paths_that_are_refused(void **state) {
  (void)state;
  static char longest[4003];
  memset(longest, 'a', 4001);
  static const char *const bad[] = {"",  "/a",     "a//b", "a/",   "/",    "..",
                                    ".", "a/../b", "./a",  "\xff", longest};
  char *there;
  igt_error err;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (igt__path_to_local(bad[i], strlen(bad[i]), IGT__NAMES_POSIX, "the file", &there, &err) !=
        IGT_E_UNSAFE_NAME)
      fail_msg("'%s' was accepted", bad[i]);
    assert_null(there);
  }
  assert_int_equal(igt__path_to_local("a\0b", 3, IGT__NAMES_POSIX, "the file", &there, &err),
                   IGT_E_UNSAFE_NAME);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ordinary_names_are_kept),
      cmocka_unit_test(test_names_that_no_disk_holds),
      cmocka_unit_test(test_names_that_other_systems_cannot_hold),
      cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_one_to_one),
      cmocka_unit_test(test_what_was_never_mapped),
      cmocka_unit_test(test_one_component),
      cmocka_unit_test(test_paths_that_are_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
