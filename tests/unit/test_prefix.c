/* SPDX-License-Identifier: MIT */
/* Two studies with one s3Prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cloud/prefix.h"

static void test_one_study_may_claim_its_prefix_again(void **state) {
  igt__fingerprints *claims = igt__fingerprints_new(true, NULL);

  (void)state;
  assert_true(igt__prefix_claim(claims, "p/a/", "A"));
  assert_true(igt__prefix_claim(claims, "p/a/", "A"));
  assert_int_equal(igt__prefix_check(claims, "p/a/", "A", NULL), IGT_OK);
  igt__fingerprints_free(claims);
}

static void test_a_prefix_of_two_studies_belongs_to_neither(void **state) {
  igt__fingerprints *claims = igt__fingerprints_new(true, NULL);
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  assert_true(igt__prefix_claim(claims, "p/a/", "A"));
  assert_true(igt__prefix_claim(claims, "p/a/", "B"));
  assert_true(igt__prefix_claim(claims, "p/a/", "A"));
  assert_int_equal(igt__prefix_check(claims, "p/a/", "A", NULL), IGT_E_PROTOCOL);
  assert_int_equal(igt__prefix_check(claims, "p/a/", "B", &err), IGT_E_PROTOCOL);
  assert_non_null(strstr(err.text, "'p/a/'"));
  igt__error_clear(&err);
  igt__fingerprints_free(claims);
}

static void test_a_prefix_that_leads_elsewhere(void **state) {
  static const char *const bad[] = {"", "/", "//", "/p/a/", "p//a/", "p/../a/", "../p/", "p/./a/"};
  static const char *const good[] = {"p/", "p/a/", "p/a", "p/..a/", "p/%2e%2e/"};
  igt__fingerprints *claims = igt__fingerprints_new(true, NULL);

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(igt__prefix_check(claims, bad[i], "A", NULL), IGT_E_PROTOCOL);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_int_equal(igt__prefix_check(claims, good[i], "A", NULL), IGT_OK);
  igt__fingerprints_free(claims);
}

static void test_studies_without_a_prefix(void **state) {
  igt__fingerprints *claims = igt__fingerprints_new(true, NULL);

  (void)state;
  assert_true(igt__prefix_claim(claims, "", "A") && igt__prefix_claim(claims, "", "B"));
  assert_int_equal(igt__prefix_check(claims, "", "A", NULL), IGT_E_PROTOCOL);
  assert_int_equal(igt__prefix_check(claims, "", "", NULL), IGT_OK); /* the project */
  igt__fingerprints_free(claims);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_study_may_claim_its_prefix_again),
      cmocka_unit_test(test_a_prefix_of_two_studies_belongs_to_neither),
      cmocka_unit_test(test_a_prefix_that_leads_elsewhere),
      cmocka_unit_test(test_studies_without_a_prefix),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
