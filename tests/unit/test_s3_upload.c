/* SPDX-License-Identifier: MIT */
/* What an upload sends for the store to verify, and what it accepts as proof that the store has the
 * bytes that were sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_server.h"
#include "s3/s3.h"

#define BODY "hello"
#define MD5_HEX "5d41402abc4b2a76b9719d911017c592"
#define MD5 "XUFAKrxLKna5cZ2REBfFkg=="
#define SHA256 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
#define OTHER "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#define ETAG(hex) "ETag: \"" hex "\"\r\n"
#define ECHO(base64) "x-amz-checksum-sha256: " base64 "\r\n"
#define WRONG_ETAG ETAG("00000000000000000000000000000000")

/* ---- a store that responds by script, and the S3 layer ---- */

typedef struct fixture {
  http_server *server;
  igt__http *http;
  igt__s3 *s3;
  igt__s3_provider *provider;
  igt_error err;
  bool unverified; /* of the last body */
} fixture;

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  fixture *f = payload;

  (void)err;
  *out = igt__s3_credentials_new();
  (*out)->access_key = igt__secret_new("key", 3);
  (*out)->secret_key = igt__secret_new("secret", 6);
  strcpy((*out)->bucket, "bkt");
  snprintf((*out)->endpoint, sizeof(*out)->endpoint, "%s", http_server_url(f->server, ""));
  return IGT_OK;
}

static void at_once(void *payload, void (*task)(void *arg), void *arg) {
  (void)payload;
  task(arg);
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  igt__http_options options = {.user_agent = "test", .loops = 1, .retries = UINT32_MAX};
  igt__s3_provider_options provider = {.fetch = fetch, .payload = f, .defer = at_once};

  f->server = http_server_start();
  f->provider = igt__s3_provider_new(&provider);
  *state = f;
  return igt__http_new(&options, &f->http, NULL) || igt__s3_new(f->http, &f->s3, NULL);
}

static int tear_down(void **state) {
  fixture *f = *state;

  igt__s3_provider_unref(f->provider);
  igt__s3_free(f->s3);
  igt__http_free(f->http);
  http_server_stop(f->server);
  free(f);
  return 0;
}

/* times: how many requests get this response. */
static void responses(fixture *f, int times, int http_status, const char *headers) {
  static const char refusal[] =
      "<Error><Code>NotImplemented</Code><Message>A header</Message></Error>";

  for (int i = 0; i < times; i++)
    http_server_add(f->server, (http_response){.status = http_status,
                                               .headers = headers,
                                               .body = http_status >= 400 ? refusal : NULL});
}

/* One body with the digests that the S3 layer wants. */
static igt_status send_body(fixture *f, igt__s3_op op) {
  igt__s3_request req;
  igt_status status;

  assert_int_equal(igt__s3_request_init(&req, op, NULL), IGT_OK);
  req.provider = f->provider;
  req.key = "k";
  req.upload_id = "id";
  req.part_number = op == IGT__S3_UPLOAD_PART;
  req.body = BODY;
  req.body_len = strlen(BODY);
  igt__digest_of(IGT__SHA256, BODY, strlen(BODY), req.sha256);
  req.has_md5 = igt__s3_wants_md5(f->s3);
  if (req.has_md5)
    igt__digest_of(IGT__MD5, BODY, strlen(BODY), req.md5);
  status = igt__s3_perform(f->s3, &req, &f->err);
  f->unverified = req.unverified;
  igt__s3_request_finish(&req);
  return status;
}

static void look(fixture *f) {
  igt__s3_request req;

  assert_int_equal(igt__s3_request_init(&req, IGT__S3_HEAD, NULL), IGT_OK);
  req.provider = f->provider;
  req.key = "k";
  assert_int_equal(igt__s3_perform(f->s3, &req, &f->err), IGT_OK);
  igt__s3_request_finish(&req);
}

/* Checks the requests so far and forgets them; md5 and sha256 NULL: no such header. */
static void asked(fixture *f, size_t count, const char *md5, const char *sha256) {
  assert_int_equal(http_server_count(f->server), count);
  for (size_t i = 0; i < count; i++) {
    const http_seen *seen = http_server_seen(f->server, i);
    const char *value = http_seen_header(seen, "Content-MD5");
    assert_string_equal(value ? value : "none", md5 ? md5 : "none");
    value = http_seen_header(seen, "x-amz-checksum-sha256");
    assert_string_equal(value ? value : "none", sha256 ? sha256 : "none");
    assert_string_equal(http_seen_header(seen, "x-amz-content-sha256"),
                        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  }
  http_server_forget(f->server);
}

/* The store shows that it knows the checksum. */
static void prove(fixture *f) {
  responses(f, 1, 200, ETAG(MD5_HEX) ECHO(SHA256));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  asked(f, 1, MD5, SHA256);
  assert_false(igt__s3_wants_md5(f->s3));
}

/* ---- the tests ---- */

static void test_no_md5_once_the_sha256_came_back(void **state) {
  fixture *f = *state;

  assert_true(igt__s3_wants_md5(f->s3));
  prove(f);
  responses(f, 2, 200, ETAG("no-md5") ECHO(SHA256));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  assert_int_equal(send_body(f, IGT__S3_UPLOAD_PART), IGT_OK);
  asked(f, 2, NULL, SHA256);
}

static void test_md5_where_no_checksum_comes_back(void **state) {
  fixture *f = *state;

  responses(f, 3, 200, ETAG(MD5_HEX));
  for (int i = 0; i < 3; i++)
    assert_int_equal(send_body(f, i ? IGT__S3_UPLOAD_PART : IGT__S3_PUT), IGT_OK);
  asked(f, 3, MD5, SHA256);
  assert_true(igt__s3_wants_md5(f->s3));
}

/* Neither a failure nor another kind of response proves anything. */
static void test_only_a_stored_body_is_a_proof(void **state) {
  fixture *f = *state;

  responses(f, 1, 403, ECHO(SHA256));
  assert_int_not_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  responses(f, 3, 200, WRONG_ETAG ECHO(SHA256));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_E_CHECKSUM);
  responses(f, 1, 200, ETAG(MD5_HEX) ECHO(SHA256));
  look(f);
  assert_true(igt__s3_wants_md5(f->s3));
}

static void test_another_sha256_is_damage(void **state) {
  fixture *f = *state;

  for (int known = 0; known < 2; known++) {
    responses(f, 3, 200, ETAG(MD5_HEX) ECHO(OTHER));
    assert_int_equal(send_body(f, IGT__S3_UPLOAD_PART), IGT_E_CHECKSUM);
    assert_string_equal(f->err.text,
                        "S3 stored different bytes from those sent (SHA-256 " OTHER ")");
    assert_false(f->unverified);
    asked(f, 3, known ? NULL : MD5, SHA256);
    responses(f, 1, 200, ETAG(MD5_HEX) ECHO(OTHER)); /* once: retried */
    responses(f, 1, 200, ETAG(MD5_HEX) ECHO(SHA256));
    assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
    asked(f, 2, known ? NULL : MD5, SHA256);
  }
}

static void test_another_md5_is_damage_where_one_was_sent(void **state) {
  fixture *f = *state;

  responses(f, 3, 200, WRONG_ETAG);
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_E_CHECKSUM);
  assert_non_null(strstr(f->err.text, "(ETag 00000000000000000000000000000000)"));
  asked(f, 3, MD5, SHA256);
  prove(f);
  responses(f, 1, 200, WRONG_ETAG ECHO(SHA256));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
}

static void test_without_both_nothing_is_believed(void **state) {
  fixture *f = *state;

  prove(f);
  responses(f, 1, 200, ETAG(MD5_HEX));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_E_CHECKSUM);
  assert_true(f->unverified);
  assert_non_null(strstr(f->err.text, "does not say which bytes it stored"));
  asked(f, 1, NULL, SHA256);
  /* MD5 from now on: another body may have gone to a store that reports it. */
  responses(f, 2, 200, ETAG(MD5_HEX) ECHO(SHA256));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  assert_int_equal(send_body(f, IGT__S3_UPLOAD_PART), IGT_OK);
  assert_false(f->unverified);
  asked(f, 2, MD5, SHA256);
  assert_true(igt__s3_wants_md5(f->s3));
}

/* It returned checksums once, and now rejects them: without them, a response is not trusted without
 * MD5. */
static void test_a_store_that_unlearns_checksums(void **state) {
  fixture *f = *state;

  prove(f);
  responses(f, 1, 501, NULL);
  responses(f, 1, 200, ETAG(MD5_HEX));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_E_CHECKSUM);
  assert_true(f->unverified);
  assert_int_equal(http_server_count(f->server), 2);
  http_server_forget(f->server);
  responses(f, 1, 501, NULL);
  responses(f, 2, 200, ETAG(MD5_HEX));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  http_server_forget(f->server);
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  asked(f, 1, MD5, NULL);
}

/* A checksum that was not sent is not compared; where none is sent, MD5 is. */
static void test_a_store_that_is_sent_no_checksums(void **state) {
  fixture *f = *state;

  prove(f);
  responses(f, 1, 501, NULL);
  responses(f, 1, 200, ETAG(MD5_HEX));
  look(f);
  assert_true(igt__s3_wants_md5(f->s3));
  http_server_forget(f->server);
  responses(f, 1, 200, ETAG(MD5_HEX) ECHO(OTHER));
  assert_int_equal(send_body(f, IGT__S3_PUT), IGT_OK);
  asked(f, 1, MD5, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_no_md5_once_the_sha256_came_back),
      TEST(test_md5_where_no_checksum_comes_back),
      TEST(test_only_a_stored_body_is_a_proof),
      TEST(test_another_sha256_is_damage),
      TEST(test_another_md5_is_damage_where_one_was_sent),
      TEST(test_without_both_nothing_is_believed),
      TEST(test_a_store_that_unlearns_checksums),
      TEST(test_a_store_that_is_sent_no_checksums),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
