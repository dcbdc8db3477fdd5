/* SPDX-License-Identifier: MIT */
/* Parsing of Set-Cookie lines (lib/auth/cookie.h): the session cookie and its Max-Age, among
 * attributes in any order and lines that a proxy has joined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/cookie.h"

typedef struct row {
  const char *line;
  const char *name; /* NULL: no cookie */
  const char *value;
  int64_t max_age;
} row;

static const row rows[] = {
    {"a=b", "a", "b", -1},
    {"a=b; Max-Age=3600", "a", "b", 3600},
    {"a=b; Max-Age=3600; Secure; HttpOnly; Path=/", "a", "b", 3600},
    {"a=b; Secure; HttpOnly; Path=/; Max-Age=3600", "a", "b", 3600}, /* D20: last */
    {"a=b;secure;max-AGE=7", "a", "b", 7},
    {"a=b ; MAX-AGE = 7 ;", "a", "b", 7},
    {" a = b ", "a", "b", -1},
    {"a=\"b\"", "a", "b", -1},
    {"a=\"", "a", "\"", -1},
    {"a=", "a", "", -1},
    {"a=b=c==", "a", "b=c==", -1},
    {"a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5", "a", "b", 5},
    {"a=b; Max-Age=1; Max-Age=2", "a", "b", 2}, /* RFC 6265 5.3: the last wins */
    {"a=b; Max-Age=0", "a", "b", 0},
    {"a=b; Max-Age=-5", "a", "b", 0},
    {"a=b; Max-Age=", "a", "b", -1},
    {"a=b; Max-Age=-", "a", "b", -1},
    {"a=b; Max-Age=12h", "a", "b", -1},
    {"a=b; Max-Age=\"12\"", "a", "b", -1},
    {"a=b; Max-Age", "a", "b", -1},
    {"a=b; Max-Age=99999999999999999999999999", "a", "b", 10LL * 366 * 24 * 3600},
    {"a=b; Max-Age2=5; xMax-Age=6", "a", "b", -1},
    {"a=b;;;;", "a", "b", -1},
    {"a", NULL, NULL, 0},
    {"", NULL, NULL, 0},
    {"=b", NULL, NULL, 0},
    {"  =b; Max-Age=5", NULL, NULL, 0},
    {"; a=b", NULL, NULL, 0},
};

static void test_parses(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    igt__cookie c;
    bool ok = igt__cookie_parse(rows[i].line, &c);

    if (ok != (rows[i].name != NULL))
      fail_msg("%s", rows[i].line);
    if (!ok)
      continue;
    if (!igt__cookie_is(&c, rows[i].name) || c.value_len != strlen(rows[i].value) ||
        memcmp(c.value, rows[i].value, c.value_len) != 0 || c.max_age != rows[i].max_age)
      fail_msg("%s: %.*s, %lld", rows[i].line, (int)c.value_len, c.value, (long long)c.max_age);
  }
}

static void test_names_are_compared_exactly(void **state) {
  igt__cookie c;

  (void)state;
  assert_true(igt__cookie_parse("jwt_signature=x", &c));
  assert_true(igt__cookie_is(&c, "jwt_signature"));
  assert_false(igt__cookie_is(&c, "JWT_signature"));
  assert_false(igt__cookie_is(&c, "jwt_signatur"));
  assert_false(igt__cookie_is(&c, "jwt_signature2"));
}

/* Proxies join lines with commas, and dates contain commas, too. */
static void test_joined_lines(void **state) {
  static const char line[] = "other=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT, "
                             "head=a.b; expires=Wed, 21-Oct-26 07:28:00 GMT; Max-Age=60,tail=c==; "
                             "Path=/a,b; Max-Age=7";
  igt__cookie c;

  (void)state;
  assert_true(igt__cookie_find(line, "other", &c));
  assert_int_equal(c.max_age, -1);
  assert_true(igt__cookie_find(line, "head", &c));
  assert_int_equal(c.value_len, 3);
  assert_int_equal(c.max_age, 60);
  assert_true(igt__cookie_find(line, "tail", &c));
  assert_memory_equal(c.value, "c==", 3);
  assert_int_equal(c.max_age, 7);
  assert_false(igt__cookie_find(line, "Path", &c));
  assert_false(igt__cookie_find("", "a", &c));
  assert_false(igt__cookie_find(",,=,", "a", &c));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_parses),
                                     cmocka_unit_test(test_joined_lines),
                                     cmocka_unit_test(test_names_are_compared_exactly)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
