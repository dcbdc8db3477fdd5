/* SPDX-License-Identifier: MIT */
/* Versions, their order, release tags and allowed redirects (lib/upgrade). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upgrade/upgrade.h"

static void test_versions(void **state) {
  static const struct {
    const char *text, *same; /* NULL: not a version */
  } cases[] = {{"0.1.0", "0.1.0"},
               {"v10.20.30", "10.20.30"},
               {"999999999.0.1", "999999999.0.1"},
               {"", NULL},
               {"v", NULL},
               {"1", NULL},
               {"1.2", NULL},
               {"1.2.", NULL},
               {"1..2", NULL},
               {"1.2.3.4", NULL},
               {"1.2.3-rc1", NULL},
               {"1.2.3 ", NULL},
               {"-1.2.3", NULL},
               {"01.2.3", NULL},
               {"vv1.2.3", NULL},
               {"1.2.4294967296", NULL},
               {"../1.2.3", NULL}};
  char text[48];
  igt__release release;

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(igt__release_parse(cases[i].text, &release), cases[i].same != NULL);
    if (!cases[i].same)
      continue;
    igt__release_text(&release, text);
    assert_string_equal(text, cases[i].same);
  }
}

static void test_order(void **state) {
  static const char *const rising[] = {"0.0.1",  "0.0.2", "0.0.10", "0.1.0", "0.9.99",
                                       "0.10.0", "1.0.0", "2.0.0",  "10.0.0"};
  igt__release a, b;

  (void)state;
  for (int i = 0; i < 9; i++)
    for (int k = 0; k < 9; k++) {
      assert_true(igt__release_parse(rising[i], &a) && igt__release_parse(rising[k], &b));
      assert_int_equal(igt__release_compare(&a, &b), (i > k) - (i < k));
    }
}

static void test_tags(void **state) {
  static const char *const none[] = {"",
                                     "/",
                                     "v1.2.3",
                                     "tag/v1.2.3",
                                     "/releases",
                                     "https://a.example/tag/1.2.3",
                                     "https://a.example/tag/v1.2",
                                     "https://a.example/tag/v1.2.3/",
                                     "https://a.example/tag/v1.2.3?x",
                                     "https://a.example/stag/v1.2.3",
                                     "https://a.example/tag/x/v1.2.3"};
  igt__release release;

  (void)state;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    assert_false(igt__release_of_tag(none[i], &release));
  assert_true(igt__release_of_tag("https://a.example/x/tag/v1.2.3", &release));
  assert_int_equal(release.part[2], 3);
  assert_true(igt__release_of_tag("/tag/v0.0.0", &release));
}

/* NULL: not followed. */
static void check_redirect(bool loopback, const char *from, const char *location, const char *to) {
  igt__release_page page = {.url = from, .is_loopback = loopback};
  igt_error err = IGT_ERROR_INIT;
  igt__buf out;

  igt__buf_init(&out, 4096);
  assert_int_equal(igt__release_redirect(&page, from, location, &out, &err),
                   to ? IGT_OK : IGT_E_PROTOCOL);
  if (to)
    assert_string_equal(out.data, to);
  else
    assert_int_equal(err.status, IGT_E_PROTOCOL);
  igt__buf_finish(&out);
}

static void test_redirects(void **state) {
  const char *far = "https://a.example:8443/x/y", *here = "http://localhost:80/x";

  (void)state;
  check_redirect(false, far, "/z?q=1", "https://a.example:8443/z?q=1");
  check_redirect(false, far, "https://b.example/z?q=%2F#part", "https://b.example/z?q=%2F");
  check_redirect(false, far, "HTTPS://b.example", "HTTPS://b.example");
  check_redirect(false, far, "http://a.example:8443/z", NULL);
  check_redirect(false, far, "https://localhost/z", NULL);
  check_redirect(false, far, "http://127.0.0.1:8080/z", NULL);
  check_redirect(false, far, "https://[::1]/z", NULL);
  check_redirect(false, far, "//b.example/z", NULL);
  check_redirect(false, far, "z", NULL);
  check_redirect(false, far, "", NULL);
  check_redirect(false, far, "file:///z", NULL);
  check_redirect(false, far, "https://u@b.example/z", NULL);
  check_redirect(false, far, "https://b.example\\@c.example/z", NULL);
  check_redirect(true, here, "http://127.0.0.1:8080/z", "http://127.0.0.1:8080/z");
  check_redirect(true, here, "http://b.example/z", NULL);
  check_redirect(true, here, "/z", "http://localhost/z");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_versions),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_tags),
      cmocka_unit_test(test_redirects),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
