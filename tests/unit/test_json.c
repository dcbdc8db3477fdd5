/* SPDX-License-Identifier: MIT */
/* The JSON tree (lib/model/json.h): writing, parsing, what is refused, depth and memory limits, and
 * building and changing values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "model/json.h"

static igt__json *parse(const char *text) {
  igt__json *v;
  igt_error err;

  if (igt__json_parse(text, strlen(text), "the answer", &v, &err) != IGT_OK)
    fail_msg("%s: %s", text, err.text);
  return v;
}

static void check_text(const char *in, igt__json_style style, const char *expected) {
  igt__json *v = parse(in);
  igt__buf out;

  igt__buf_init(&out, 10000);
  assert_true(igt__json_write(&out, v, style));
  assert_string_equal(out.data, expected);
  igt__buf_finish(&out);
  igt__json_free(v);
}

static void test_write(void **state) {
  (void)state;
  const char *in = " {\"b\": [1, -2.50, 1e3, true, null, []], \"a\\u00e4\": \"\\ud83d\\ude00\\n/\","
                   " \"o\": {}}\n";
  check_text(in, IGT__JSON_COMPACT,
             "{\"b\":[1,-2.50,1e3,true,null,[]],\"a\xc3\xa4\":\"\xf0\x9f\x98\x80\\n/\",\"o\":{}}");
  check_text(in, IGT__JSON_INDENT4,
             "{\n    \"b\": [\n        1,\n        -2.50,\n        1e3,\n        true,\n"
             "        null,\n        []\n    ],\n    \"a\\u00e4\": \"\\ud83d\\ude00\\n/\",\n"
             "    \"o\": {}\n}");
  check_text("9223372036854775807", IGT__JSON_COMPACT, "9223372036854775807");
  check_text("null", IGT__JSON_COMPACT, "null");
}

static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",      "  ",      "{",       "[1,",  "{\"a\":}",   "{\"a\" 1}",  "[1,]",     "{\"a\":1,}",
      "{a:1}", "{'a':1}", "nul",     "NaN",  "[Infinity]", "-Infinity",  "\"\xff\"", "\"a",
      "1 2",   "{} x",    "// c\n1", "tRue", "[1 2]",      "\"\\ud800x",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    igt__json *v;
    igt_error err;
    igt_status status = igt__json_parse(bad[i], strlen(bad[i]), "the answer", &v, &err);
    if (status != IGT_E_PARSE)
      fail_msg("'%s' gave %d", bad[i], status);
    assert_null(v);
    assert_true(strncmp(err.text, "the answer", 10) == 0);
  }
}

static void test_deep(void **state) {
  (void)state;
  char text[20001];
  memset(text, '[', 20000);
  text[20000] = '\0';
  igt__json *v;
  igt_error err;
  assert_int_equal(igt__json_parse(text, 20000, "x", &v, &err), IGT_E_LIMIT);
}

/* A tree takes a hundred times the memory of the text for lists. */
static void test_many_values(void **state) {
  (void)state;
  size_t n = 3 * (size_t)IGT__MAX_JSON_VALUES + 4;
  char *text = malloc(n + 1);
  igt__json *v;
  igt_error err;
  text[0] = '[';
  for (size_t i = 1; i + 3 < n; i += 3)
    memcpy(text + i, "[],", 3);
  memcpy(text + n - 3, "[]]", 4);
  assert_int_equal(igt__json_check(text, n, "x", &err), IGT_OK);
  assert_int_equal(igt__json_parse(text, n, "x", &v, &err), IGT_E_LIMIT);
  assert_non_null(strstr(err.text, "more than 1000000 values"));
  free(text);
  static const char three[] = "[1,\",[\\\"{\"]"; /* a list, a number, a string */
  assert_int_equal(igt__json_parse_small(three, strlen(three), 3, "x", &v, &err), IGT_OK);
  igt__json_free(v);
  assert_int_equal(igt__json_parse_small(three, strlen(three), 2, "x", &v, &err), IGT_E_LIMIT);
}

static void test_read(void **state) {
  (void)state;
  igt__json *v = parse("{\"i\":42,\"d\":1.5,\"s\":\"a\\u0000b\",\"n\":null,\"t\":true,\"l\":[1,2],"
                       "\"i\":43,\"big\":18446744073709551615}");
  assert_int_equal(igt__json_int(igt__json_get(v, "i")), 43); /* the last wins */
  assert_int_equal(igt__json_typeof(igt__json_get(v, "big")), IGT__JSON_DOUBLE);
  assert_true(igt__json_double(igt__json_get(v, "d")) == 1.5);
  assert_int_equal(igt__json_str_len(igt__json_get(v, "s")), 3);
  assert_true(igt__json_has(v, "n") && !igt__json_get(v, "n") && !igt__json_has(v, "x"));
  assert_true(igt__json_bool(igt__json_get(v, "t")));
  assert_false(igt__json_bool(igt__json_get(v, "i")));
  assert_null(igt__json_get_str(v, "i"));
  assert_int_equal(igt__json_count(igt__json_get(v, "l")), 2);
  assert_int_equal(igt__json_int(igt__json_at(igt__json_get(v, "l"), 1)), 2);
  assert_null(igt__json_at(igt__json_get(v, "l"), 2));
  assert_int_equal(igt__json_typeof(NULL), IGT__JSON_NULL);
  const char *key;
  igt__json *value;
  assert_true(igt__json_member(v, 1, &key, &value));
  assert_string_equal(key, "d");
  assert_false(igt__json_member(v, 99, &key, &value));
  igt__json_free(v);
}

static void test_make(void **state) {
  (void)state;
  igt__json *o = igt__json_new_object(), *a = igt__json_new_array();
  assert_true(igt__json_push(a, igt__json_new_double(0.1)));
  assert_true(igt__json_push(a, igt__json_new_double(3)));
  assert_true(igt__json_push(a, igt__json_new_bool(false)));
  assert_true(igt__json_set(o, "a", a));
  assert_true(igt__json_set_str(o, "s", "\x7f\""));
  assert_true(igt__json_set_int(o, "i", INT64_MIN));
  assert_true(igt__json_set_bool(o, "t", true));
  assert_true(igt__json_set_str(o, "n", NULL));
  assert_true(igt__json_set_int(o, "s", 1));
  igt__json_remove(o, "t");
  igt__json *copy = igt__json_copy(o);
  igt__json_free(o);
  igt__buf out;
  igt__buf_init(&out, 1000);
  assert_true(igt__json_write(&out, copy, IGT__JSON_COMPACT));
  assert_string_equal(out.data,
                      "{\"a\":[0.1,3.0,false],\"s\":1,\"i\":-9223372036854775808,\"n\":null}");
  igt__buf_finish(&out);
  assert_false(igt__json_push(copy, igt__json_new_int(1))); /* not an array: freed, refused */
  igt__json_free(copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_deep),  cmocka_unit_test(test_many_values),
      cmocka_unit_test(test_read),  cmocka_unit_test(test_make),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
