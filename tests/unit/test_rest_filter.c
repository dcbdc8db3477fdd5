/* SPDX-License-Identifier: MIT */
/* The sandbox's $filter (sandbox/rest/filter.c): matching, refused filters, and known fields. The
 * sandbox is a program, not a library: its pure parts are tested by including their source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sandbox/rest/filter.c"

static const char document[] = "{\"name\":\"O'Neil\",\"n\":10,\"x\":1.5,\"yes\":true,\"no\":null,"
                               "\"date\":\"2024-02-20T14:30:00+00:00\",\"list\":[1],"
                               "\"patient\":{\"id\":\"P1\"}}";

static bool matches(const char *text) {
  char why[128];
  igt__json *doc = NULL;

  assert_int_equal(igt__json_parse(document, strlen(document), "it", &doc, NULL), IGT_OK);
  rest_filter *filter = rest_filter_parse(text, why, sizeof why);
  if (!filter)
    fail_msg("%s: %s", text, why);
  bool result = rest_filter_matches(filter, doc);
  rest_filter_free(filter);
  igt__json_free(doc);
  return result;
}

static void test_matches(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool match;
  } cases[] = {
      {"name eq 'O''Neil'", true},
      {"name eq 'Neil'", false},
      {"name ne 'Neil'", true},
      {"NAME eq 'O''Neil'", false},
      {"n eq 10", true},
      {"n gt 9", true}, /* by value: as text "10" sorts before "9" */
      {"n lt 9", false},
      {"n le 10", true},
      {"n ge 11", false},
      {"x eq 1.5", true},
      {"yes eq true", true},
      {"yes eq false", false},
      {"no eq null", true},
      {"no ne null", false},
      {"name ne null", true},
      {"absent eq null", true},
      {"absent eq 'x'", false},
      {"absent ne 'x'", true},
      {"list eq '1'", false},
      {"date ge 2024-02-20", true},
      {"date lt 2024-02-20", false},
      {"date le 2024-02-20T14:30:00+00:00", true},
      {"patient/id eq 'P1'", true},
      {"patient/id/x eq 'P1'", false},
      {"contains(name,'Ne')", true},
      {"contains( name , 'ne' )", false},
      {"startswith(name,'O')", true},
      {"endswith(name,'il')", true},
      {"endswith(name,'O')", false},
      {"n eq 10 and name eq 'O''Neil' AND yes eq true", true},
      {"n eq 10 and name eq 'x'", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (matches(cases[i].text) != cases[i].match)
      fail_msg("%s", cases[i].text);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const char *const cases[] = {"",
                                      " ",
                                      "n",
                                      "n eq",
                                      "n is 1",
                                      "n eq 1 and",
                                      "n eq 1 or n eq 2",
                                      "n eq 1 n eq 2",
                                      "n eq 'x",
                                      "n eq ''' ",
                                      "contains(n)",
                                      "contains(n,'x'",
                                      "eq(n,'x')",
                                      "n contains 'x'",
                                      "(n eq 1)",
                                      "n eq 1)",
                                      "and n eq 1"};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[128] = "";
    rest_filter *filter = rest_filter_parse(cases[i], why, sizeof why);
    if (filter)
      fail_msg("accepted: %s", cases[i]);
    assert_string_not_equal(why, "");
  }
}

static void test_number_of_conditions(void **state) {
  (void)state;
  char text[1024] = "n eq 10", why[128];
  for (int i = 1; i < MAX_CONDITIONS; i++)
    strcat(text, " and n eq 10");
  assert_true(matches(text));
  strcat(text, " and n eq 10");
  assert_null(rest_filter_parse(text, why, sizeof why));
}

static void test_fields(void **state) {
  static const struct {
    const char *text, *model;
    bool fits;
  } cases[] = {
      {"name eq 'a'", "EpdStudy", true},
      {"studyDatabaseId eq 'a' and datetime gt 2020-01-01", "EpdStudy", true},
      {"patient/patientName eq 'a'", "Study", true},
      {"patient/nothing eq 'a'", "Study", false},
      {"patient/patientName/more eq 'a'", "Study", false},
      {"patient/patientName eq 'a'", "EpdStudy", false},
      {"nam eq 'a'", "EpdStudy", false},
      {"names eq 'a'", "EpdStudy", false},
      {"contains(hasStickyNote, 't')", "Series", true}, /* of AnnotationSeries */
      {"study/studyId eq 'a'", "Series", true},
      {"name eq 'a'", "Series", false},
      {"name eq 'a'", "Nonsense", false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[160] = "";
    rest_filter *filter = rest_filter_parse(cases[i].text, why, sizeof why);
    assert_non_null(filter);
    if (rest_filter_fits(filter, cases[i].model, why, sizeof why) != cases[i].fits)
      fail_msg("%s of %s", cases[i].text, cases[i].model);
    assert_int_equal(why[0] == '\0', cases[i].fits);
    rest_filter_free(filter);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_fields),
                                     cmocka_unit_test(test_refuses),
                                     cmocka_unit_test(test_number_of_conditions)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
