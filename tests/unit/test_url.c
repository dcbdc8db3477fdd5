/* SPDX-License-Identifier: MIT */
/* URLs (lib/http): valid and invalid ones, origins, the URLs of requests, and the proxy that the
 * environment selects for a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/internal.h"

static void test_good(void **state) {
  static const struct {
    const char *text, *origin, *path;
    bool ip, loopback, port_given;
  } cases[] = {
      {"igt.example", "https://igt.example", "", false, false, false},
      {"https://IGT.Example/", "https://igt.example", "/", false, false, false},
      {"HTTPS://igt.example:443/a%20b", "https://igt.example", "/a%20b", false, false, true},
      {"https://igt.example:8443", "https://igt.example:8443", "", false, false, true},
      {"https://igt.example.", "https://igt.example", "", false, false, false},
      {"http://localhost:8080/x", "http://localhost:8080", "/x", false, true, true},
      {"http://a.localhost", "http://a.localhost", "", false, true, false},
      {"http://127.9.8.7:80", "http://127.9.8.7", "", true, true, true},
      {"http://[::1]:9", "http://[::1]:9", "", true, true, true},
      {"https://[2001:DB8::1]/p", "https://[2001:db8::1]", "/p", true, false, false},
      {"https://10.0.0.1", "https://10.0.0.1", "", true, false, false},
      {"localhost:8080", "https://localhost:8080", "", false, true, true},
  };
  char origin[300];
  igt__url url;

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(igt__url_parse(cases[i].text, "the host", &url, NULL), IGT_OK);
    igt__url_origin(&url, origin, sizeof origin);
    assert_string_equal(origin, cases[i].origin);
    assert_string_equal(url.path, cases[i].path);
    assert_int_equal(url.is_ip, cases[i].ip);
    assert_int_equal(url.is_loopback, cases[i].loopback);
    assert_int_equal(url.port_given, cases[i].port_given);
  }
}

static void test_bad(void **state) {
  static const char *const cases[] = {"",
                                      "https://",
                                      "https:///x",
                                      "ftp://igt.example",
                                      "http://igt.example",
                                      "http://10.0.0.1",
                                      "https://user@igt.example",
                                      "https://user:pw@igt.example/",
                                      "https://igt.example/?a=b",
                                      "https://igt.example#x",
                                      "https://igt.example:0",
                                      "https://igt.example:65536",
                                      "https://igt.example:",
                                      "https://igt.example:8x",
                                      "https://igt..example",
                                      "https://.example",
                                      "https://igt .example",
                                      "https://igt.example/a b",
                                      "https://igt.ex\xc3\xa4mple",
                                      "https://igt.example\\@evil",
                                      "https://[::1",
                                      "https://[1.2.3.4]",
                                      "https://[::1]x",
                                      "https://a/\r\nX: y",
                                      "http://127.0.0.1.evil.example",
                                      "http://localhost.evil.example",
                                      "http://[::ffff:127.0.0.1]",
                                      "http://128.0.0.1",
                                      "https://[fe80::1%25eth0]",
                                      "https://a:b:1"};
  igt_error err;
  igt__url url;
  char text[2048];

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (igt__url_parse(cases[i], "the host", &url, &err) != IGT_E_INVALID)
      fail_msg("taken: %s", cases[i]);
    assert_non_null(strstr(err.text, "the host"));
    assert_null(strstr(err.text, "pw"));
  }
  memset(text, 'a', sizeof text);
  strcpy(text + 1200, "");
  memcpy(text, "https://h/", 10);
  assert_int_equal(igt__url_parse(text, "the host", &url, NULL), IGT_E_INVALID);
  text[8 + 64] = '/';
  memset(text + 8, 'b', 64);
  assert_int_equal(igt__url_parse(text, "the host", &url, NULL), IGT_E_INVALID);
}

static void test_same_origin(void **state) {
  igt__url a, b;

  (void)state;
  assert_int_equal(igt__url_parse("https://a/x", "", &a, NULL), IGT_OK);
  assert_int_equal(igt__url_parse("https://A:443/y", "", &b, NULL), IGT_OK);
  assert_true(igt__url_same_origin(&a, &b));
  assert_int_equal(igt__url_parse("https://a:444", "", &b, NULL), IGT_OK);
  assert_false(igt__url_same_origin(&a, &b));
  assert_int_equal(igt__url_parse("https://aa", "", &b, NULL), IGT_OK);
  assert_false(igt__url_same_origin(&a, &b));
  assert_int_equal(igt__url_parse("https://localhost:7", "", &a, NULL), IGT_OK);
  assert_int_equal(igt__url_parse("http://localhost:7", "", &b, NULL), IGT_OK);
  assert_false(igt__url_same_origin(&a, &b));
}

static void test_request_url(void **state) {
  igt__url url;

  (void)state;
  assert_int_equal(igt__url_origin_of("https://b.s3.x/key?X-Amz=1&b=%2F", &url, NULL), IGT_OK);
  assert_string_equal(url.host, "b.s3.x");
  assert_int_equal(igt__url_origin_of("b.s3.x/key", &url, NULL), IGT_E_INVALID);
  assert_int_equal(igt__url_origin_of("https://b/key#f", &url, NULL), IGT_E_INVALID);
  assert_int_equal(igt__url_origin_of("http://b/key?next=https://c", &url, NULL), IGT_E_INVALID);
  assert_int_equal(igt__url_origin_of("", &url, NULL), IGT_E_INVALID);
}

static void test_proxy_label(void **state) {
  static const char *const cases[][2] = {
      {"http://user:pass@proxy.example:3128/", "proxy.example:3128"},
      {"proxy:80", "proxy:80"},
      {"http://u:p@ss@proxy:1", "proxy:1"},
      {"socks5h://127.0.0.1:9050", "127.0.0.1:9050"},
      {"http://user:pa/ss@proxy:1", "proxy:1"},
      {"user:pa?ss@proxy", "proxy"},
  };
  char label[64];

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt__proxy_label(cases[i][0], label, sizeof label);
    assert_string_equal(label, cases[i][1]);
  }
  igt__proxy_label("http://u:p@proxy.example", label, 6);
  assert_string_equal(label, "proxy");
}

static void check_proxies(const char *http, const char *https, const char *none) {
  igt__proxies proxies;

  assert_int_equal(igt__proxies_read(NULL, NULL, &proxies, NULL), IGT_OK);
  assert_string_equal(proxies.http, http);
  assert_string_equal(proxies.https, https);
  assert_string_equal(proxies.none, none);
  igt__proxies_finish(&proxies);
}

static void test_proxy_variables(void **state) {
  static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                      "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                      "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};

  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    unsetenv(names[i]);
  check_proxies("", "", "");
  setenv("ALL_PROXY", "localhost:1", 1);
  check_proxies("localhost:1", "localhost:1", "");
  setenv("HTTP_PROXY", "localhost:2", 1);
  setenv("NO_PROXY", "10.0.0.0/8", 1);
  check_proxies("localhost:2", "localhost:1", "10.0.0.0/8");
  setenv("http_proxy", "http://user:pass@127.0.0.1:3", 1);
  setenv("https_proxy", "", 1); /* empty: no proxy, whatever all_proxy says */
  check_proxies("http://user:pass@127.0.0.1:3", "", "10.0.0.0/8");
  unsetenv("http_proxy");
  setenv("REQUEST_METHOD", "GET", 1);
  check_proxies("localhost:1", "", "10.0.0.0/8");
  unsetenv("REQUEST_METHOD");
  /* Unencrypted traffic stays on this machine. */
  static const char *const outside[] = {"proxy.example:3128", "http://10.0.0.1:3128",
                                        "http://localhost@far:1", "http://127.0.0.1.example:1",
                                        "//x"};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    setenv("http_proxy", outside[i], 1);
    setenv("https_proxy", outside[i], 1);
    check_proxies("", outside[i], "10.0.0.0/8");
  }
}

static void test_an_option_replaces_the_variables(void **state) {
  static const struct {
    const char *option, *http, *https;
  } good[] = {
      {"", "", ""},
      {"none", "", ""},
      {"None", "", ""},
      {"proxy.example:3128", "", "proxy.example:3128"},
      {"http://u:p@127.0.0.1:3", "http://u:p@127.0.0.1:3", "http://u:p@127.0.0.1:3"},
      {"SOCKS5H://[::1]:9050", "SOCKS5H://[::1]:9050", "SOCKS5H://[::1]:9050"},
  };
  static const char *const bad[] = {"ftp://proxy:1", "http://", "://x",
                                    ":3128",         "a b",     "http://u:hush@:1"};
  igt_error err = IGT_ERROR_INIT;
  igt__proxies proxies = {NULL};

  (void)state;
  setenv("https_proxy", "elsewhere:1", 1);
  setenv("http_proxy", "localhost:1", 1);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(igt__proxies_read(good[i].option, NULL, &proxies, &err), IGT_OK);
    assert_string_equal(proxies.http, good[i].http);
    assert_string_equal(proxies.https, good[i].https);
    assert_string_equal(proxies.https_source, "--proxy");
    igt__proxies_finish(&proxies);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(igt__proxies_read(bad[i], NULL, &proxies, &err), IGT_E_INVALID);
    assert_null(strstr(err.text, "hush"));
  }
  unsetenv("https_proxy");
  unsetenv("http_proxy");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_bad),
      cmocka_unit_test(test_same_origin),
      cmocka_unit_test(test_request_url),
      cmocka_unit_test(test_proxy_label),
      cmocka_unit_test(test_proxy_variables),
      cmocka_unit_test(test_an_option_replaces_the_variables),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
