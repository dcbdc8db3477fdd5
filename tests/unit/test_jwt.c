/* SPDX-License-Identifier: MIT */
/* Reading the claims of a JWT, what is refused, and the signed assertion of a service
 * (lib/auth/jwt.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/jwt.h"
#include "base/limits.h"

static void make(igt__buf *out, const char *payload) {
  static const char header[] = "{\"alg\":\"RS256\"}";

  igt__buf_init(out, 64 * 1024);
  igt__base64url_encode(out, header, sizeof header - 1);
  igt__buf_putc(out, '.');
  igt__base64url_encode(out, payload, strlen(payload));
  igt__buf_puts(out, ".c2ln");
}

static igt__json *claims_of(const char *payload) {
  igt__json *claims = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt__buf jwt;

  make(&jwt, payload);
  if (igt__jwt_claims(jwt.data, &claims, &err) != IGT_OK)
    fail_msg("%s: %s", payload, err.text);
  igt__buf_finish(&jwt);
  return claims;
}

static void test_reads_claims(void **state) {
  igt__json *claims = claims_of("{\"exp\":1900000000,\"refresh_token\":\"r\"}");

  (void)state;
  assert_int_equal(igt__json_int(igt__json_get(claims, "exp")), 1900000000);
  assert_string_equal(igt__json_get_str(claims, "refresh_token"), "r");
  igt__json_free(claims);
}

/* D20: names with accents, '?' and '~' give payloads with '-' and '_', which plain base64 lacks. */
static void test_payload_is_base64url(void **state) {
  static const char *const users[] = {"j\xc3\xb6rg", "a?b>c~", "\xc3\xbf\xc3\xbe\xc3\xbf",
                                      "~~~???"};
  bool met_dash = false, met_line = false;

  (void)state;
  for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
    char payload[100];
    igt__json *claims;
    igt__buf jwt;

    snprintf(payload, sizeof payload, "{\"exp\":1,\"sub\":\"%s\"}", users[i]);
    make(&jwt, payload);
    met_dash |= strchr(jwt.data, '-') != NULL;
    met_line |= strchr(jwt.data, '_') != NULL;
    igt__buf_finish(&jwt);
    claims = claims_of(payload);
    assert_string_equal(igt__json_get_str(claims, "sub"), users[i]);
    igt__json_free(claims);
  }
  assert_true(met_dash || met_line);
}

static void test_refuses_what_is_no_token(void **state) {
  static const char *const bad[] = {"",
                                    ".",
                                    "..",
                                    "a.b",
                                    "a..c",
                                    ".e30.c",
                                    "a.e30.",
                                    "a.e30",
                                    "a.e30.c.d",
                                    "a.e3 0.c",
                                    "a.e30.c\r\nX-Other: 1",
                                    "a.e+/.c",
                                    "a.bm90IGpzb24.c", /* not json */
                                    "a.W10.c",
                                    /* [] */ "a.MTI.c" /* 12 */};

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    igt__json *claims = NULL;
    igt_error err = IGT_ERROR_INIT;

    if (igt__jwt_claims(bad[i], &claims, &err) == IGT_OK)
      fail_msg("taken: %s", bad[i]);
    assert_null(claims);
    assert_int_equal(err.status, IGT_E_PARSE);
  }
}

static void test_refuses_a_giant(void **state) {
  static char giant[IGT__MAX_TOKEN + 100];
  igt__json *claims = NULL;

  (void)state;
  memset(giant, 'A', sizeof giant - 1);
  giant[1] = giant[6] = '.';
  assert_int_not_equal(igt__jwt_claims(giant, &claims, NULL), IGT_OK);
}

/* Error messages are written to logs. */
static void test_errors_do_not_show_the_token(void **state) {
  igt__json *claims = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt__buf jwt;

  (void)state;
  make(&jwt, "{\"secret\":\"hunter2\",}");
  assert_int_not_equal(igt__jwt_claims(jwt.data, &claims, &err), IGT_OK);
  assert_null(strstr(err.text, "hunter2"));
  assert_null(strstr(err.text, jwt.data));
  igt__buf_finish(&jwt);
}

static void check_assertion(const char *jwt, igt__rsa *key) {
  const char *dot = strrchr(jwt, '.');
  igt__json *claims = NULL, *aud;
  igt__buf sig;

  igt__buf_init(&sig, 4096);
  assert_non_null(dot);
  assert_true(igt__base64url_decode(&sig, dot + 1, strlen(dot + 1)));
  assert_true(igt__rs256_verify(key, jwt, (size_t)(dot - jwt), sig.data, sig.len));
  assert_int_equal(igt__jwt_claims(jwt, &claims, NULL), IGT_OK);
  aud = igt__json_get(claims, "aud");
  assert_int_equal(igt__json_typeof(aud), IGT__JSON_ARRAY);
  assert_int_equal(igt__json_count(aud), 1);
  assert_string_equal(igt__json_str(igt__json_at(aud, 0)), "https://aud/\"x\"");
  assert_string_equal(igt__json_get_str(claims, "iss"), "station-7");
  assert_string_equal(igt__json_get_str(claims, "sub"), "station-7");
  assert_int_equal(igt__json_int(igt__json_get(claims, "exp")), 1234567);
  igt__json_free(claims);
  igt__buf_finish(&sig);
}

static void test_assertion_is_signed(void **state) {
  igt__buf private_pem, public_pem, jwt;
  igt__rsa *key = NULL, *public_key = NULL;

  (void)state;
  igt__buf_init(&private_pem, 65536);
  igt__buf_init(&public_pem, 65536);
  igt__buf_init(&jwt, 65536);
  assert_int_equal(igt__rsa_generate(&private_pem, &public_pem, NULL), IGT_OK);
  assert_int_equal(igt__rsa_private(private_pem.data, private_pem.len, "k", &key, NULL), IGT_OK);
  assert_int_equal(igt__rsa_public(public_pem.data, public_pem.len, "k", &public_key, NULL),
                   IGT_OK);
  assert_int_equal(igt__jwt_assertion(key, "https://aud/\"x\"", "station-7", 1234567, &jwt, NULL),
                   IGT_OK);
  assert_true(strncmp(jwt.data, "eyJhbGciOiJSUzI1NiIs", 20) == 0); /* {"alg":"RS256", */
  check_assertion(jwt.data, public_key);
  igt__rsa_free(key);
  igt__rsa_free(public_key);
  igt__buf_finish(&private_pem);
  igt__buf_finish(&public_pem);
  igt__buf_finish(&jwt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_claims),
      cmocka_unit_test(test_payload_is_base64url),
      cmocka_unit_test(test_refuses_what_is_no_token),
      cmocka_unit_test(test_refuses_a_giant),
      cmocka_unit_test(test_errors_do_not_show_the_token),
      cmocka_unit_test(test_assertion_is_signed),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
