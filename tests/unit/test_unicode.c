/* SPDX-License-Identifier: MIT */
/* Normalization of names: lib/base/unicode.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/unicode.h"

static const struct {
  const char *text, *nfc;
} forms[] = {
    {"", ""},
    {"plain-1.dcm", "plain-1.dcm"},
    {"Mu\xcc\x88ller", "M\xc3\xbcller"},
    {"M\xc3\xbcller", "M\xc3\xbcller"},
    {"\xe2\x84\xab", "\xc3\x85"},                             /* the Angstrom sign */
    {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"}, /* Hangul syllable of three letters */
    {"\xe1\x84\x92\xe1\x85\xa1", "\xed\x95\x98"},             /* of two letters */
    {"\xce\x91\xcc\x81", "\xce\x86"},                         /* Greek */
    {"\xd0\xb8\xcc\x86", "\xd0\xb9"},                         /* Cyrillic */
    {"\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c"},             /* kana with a voicing mark */
    {"u\xcc\xa8\xcc\x84", "\xc5\xb3\xcc\x84"},                /* the result composes further */
    {"q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87"},               /* reordered marks */
    {"\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},             /* excluded: stays decomposed */
    {"a\xcc", "a\xcc"},                                       /* not UTF-8 */
    {"\xf0\x9d\x85\x9e", "\xf0\x9d\x85\x97\xf0\x9d\x85\xa5"}, /* four bytes each */
};

static void test_nfc(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const char *expected = forms[i].nfc;
    char *got = igt__nfc(forms[i].text);
    assert_string_equal(got, expected);
    assert_true(igt__nfc_eq(forms[i].text, expected));
    igt__free(got);
  }
}

static void test_not_the_same(void **state) {
  (void)state;
  assert_false(igt__nfc_eq("A", "a"));
  assert_false(igt__nfc_eq("M\xc3\xbcller", "Muller"));
  assert_false(igt__nfc_eq("\xc3\xa9", "e\xcc\x80")); /* another accent */
  assert_false(igt__nfc_eq("a", "ab"));
}

static void test_fold(void **state) {
  (void)state;
  char *a = igt__nfc_fold("MU\xcc\x88LLER \xce\xa3"), *b = igt__nfc_fold("m\xc3\xbcller \xcf\x82");
  char *nfd = igt__nfd("M\xc3\xbcller");
  assert_string_equal(a, b);
  assert_string_equal(nfd, "Mu\xcc\x88ller");
  igt__free(a);
  igt__free(b);
  igt__free(nfd);
}

static void test_long_text_is_left(void **state) {
  (void)state;
  size_t n = 100000;
  char *text = malloc(2 * n + 1), *got;
  for (size_t i = 0; i < n; i++)
    memcpy(text + 2 * i, i % 2 ? "\xcc\x81" : "\xcc\xa3", 2);
  text[2 * n] = '\0';
  got = igt__nfc(text);
  assert_string_equal(got, text);
  igt__free(got);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nfc),
      cmocka_unit_test(test_not_the_same),
      cmocka_unit_test(test_fold),
      cmocka_unit_test(test_long_text_is_left),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
