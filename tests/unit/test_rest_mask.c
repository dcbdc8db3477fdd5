/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The sandbox is a program, not a library: its pure parts are tested by including their source. */
#include "../../sandbox/rest/mask.c"

static igt__json *parse(const char *text) {
  igt__json *value = NULL;

  assert_int_equal(igt__json_parse(text, strlen(text), "it", &value, NULL), IGT_OK);
  return value;
}

static void gives(const char *text, const char *before, const char *after) {
  char why[128];
  igt__json *mask = rest_mask_parse(text, why, sizeof why), *value = parse(before);
  igt__buf out;

  if (!mask)
    fail_msg("%s: %s", text, why);
  igt__json *left = rest_mask_apply(mask, value);
  igt__buf_init(&out, 4096);
  assert_true(igt__json_write(&out, left, IGT__JSON_COMPACT));
  assert_string_equal(out.data, after);
  igt__buf_finish(&out);
  igt__json_free(left);
  igt__json_free(value);
  igt__json_free(mask);
}

static void test_applied(void **state) {
  static const char value[] = "{\"a\":1,\"b\":{\"c\":2,\"d\":null},\"e\":[{\"f\":3,\"g\":4}]}";

  (void)state;
  gives("a", value, "{\"a\":1}");
  gives("{a}", value, "{\"a\":1}");
  gives(" { b , a } ", value, "{\"a\":1,\"b\":{\"c\":2,\"d\":null}}");
  gives("b{d}", value, "{\"b\":{\"d\":null}}");
  gives("{e{f},x}", value, "{\"e\":[{\"f\":3}]}");
  gives("*", value, value);
  gives("b{c},*", value, "{\"a\":1,\"b\":{\"c\":2},\"e\":[{\"f\":3,\"g\":4}]}");
  gives("a{b}", value, "{\"a\":1}"); /* a number has no members */
  gives("x", value, "{}");
  gives("a", "[{\"a\":1,\"b\":2},{}]", "[{\"a\":1},{}]");
  gives("a", "\"text\"", "\"text\"");
}

static void test_refused(void **state) {
  static const char *const cases[] = {
      "",
      "{",
      "{}",
      "a,",
      ",a",
      "a{",
      "a{}",
      "a}",
      "{a",
      "{a}}",
      "a b",
      "a{b{c{d{e{f{g{h{i{j}}}}}}}}}",
      "a123456789012345678901234567890123456789012345678901234567890123456789"};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[128] = "";
    igt__json *mask = rest_mask_parse(cases[i], why, sizeof why);
    if (mask)
      fail_msg("\"%s\" was accepted", cases[i]);
    assert_non_null(strstr(why, "X-Fields"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_applied),
      cmocka_unit_test(test_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
