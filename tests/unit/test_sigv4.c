/* SPDX-License-Identifier: MIT */
/* The published examples of the S3 API reference, "Signature Calculations for the Authorization
 * Header" and "... Query Parameters", and rules that they do not cover. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "s3/sigv4.h"

#define ACCESS "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define STAMP "20130524T000000Z"
#define REGION "us-east-1"
#define HOST                                                                                       \
  { "Host", "examplebucket.s3.amazonaws.com" }
#define DATE                                                                                       \
  { "x-amz-date", STAMP }
#define EMPTY                                                                                      \
  { "x-amz-content-sha256", IGT__SIGV4_EMPTY_HASH }
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const struct example {
  const char *method, *path, *query, *hash, *names, *signature;
  igt__sigv4_header headers[6];
} examples[] = {
    {"GET",
     "/test.txt",
     NULL,
     IGT__SIGV4_EMPTY_HASH,
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
     {HOST, {"Range", "bytes=0-9"}, EMPTY, DATE}},
    {"PUT",
     "/test%24file.text",
     "",
     WELCOME,
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
     {HOST,
      {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
      DATE,
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"x-amz-content-sha256", WELCOME}}},
    {"GET",
     "/",
     "lifecycle",
     IGT__SIGV4_EMPTY_HASH,
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
     {HOST, DATE, EMPTY}},
    {"GET",
     "",
     "prefix=J&max-keys=2",
     IGT__SIGV4_EMPTY_HASH,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
     {HOST, DATE, EMPTY}},
};

static size_t count_headers(const igt__sigv4_header *headers) {
  size_t n = 0;

  while (n < 6 && headers[n].name)
    n++;
  return n;
}

static void test_published_examples(void **state) {
  igt__sigv4_key key;
  igt__buf scratch, names;

  (void)state;

  igt__sigv4_key_derive(SECRET, strlen(SECRET), STAMP, REGION, "s3", &key);
  igt__buf_init(&scratch, 65536);
  igt__buf_init(&names, 1024);
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    const struct example *e = &examples[i];
    char signature[65];
    igt__buf_clear(&names);
    assert_true(igt__sigv4_signed_headers(e->headers, count_headers(e->headers), &names));
    assert_string_equal(names.data, e->names);
    igt__sigv4_request req = {e->method,  e->path, e->query, e->headers, count_headers(e->headers),
                              names.data, e->hash};
    assert_true(igt__sigv4_sign(&key, &req, STAMP, REGION, "s3", &scratch, signature));
    assert_string_equal(signature, e->signature);
  }
  igt__buf_finish(&names);
  igt__buf_finish(&scratch);
}

static void test_published_presigned_url(void **state) {
  static const igt__sigv4_header headers[] = {HOST};
  igt__sigv4_key key;
  igt__buf query, scratch;
  char signature[65];

  (void)state;

  igt__buf_init(&query, 4096);
  igt__buf_init(&scratch, 65536);
  assert_true(
      igt__sigv4_presign_query(NULL, ACCESS, NULL, STAMP, REGION, "s3", 86400, "host", &query));
  assert_string_equal(query.data, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" ACCESS
                                  "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=" STAMP
                                  "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host");
  igt__sigv4_key_derive(SECRET, strlen(SECRET), STAMP, REGION, "s3", &key);
  /* A checker sees the signature in the query, too, and ignores it. */
  igt__buf_puts(&query, "&X-Amz-Signature=0000");
  igt__sigv4_request req = {"GET", "/test.txt", query.data,         headers,
                            1,     "host",      IGT__SIGV4_UNSIGNED};
  assert_true(igt__sigv4_sign(&key, &req, STAMP, REGION, "s3", &scratch, signature));
  assert_string_equal(signature,
                      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  igt__buf_finish(&scratch);
  igt__buf_finish(&query);
}

static void canonical(const igt__sigv4_request *req, const char *expected) {
  igt__buf out;

  igt__buf_init(&out, 65536);
  assert_true(igt__sigv4_canonical_request(req, &out));
  assert_string_equal(out.data, expected);
  igt__buf_finish(&out);
}

static void test_canonical_rules(void **state) {
  static const igt__sigv4_header headers[] = {
      {"X-Amz-Meta-A", "  a   b\t c "}, {"HOST", "h"}, {"x-amz-meta-a", "d"}, {"X-Amz-Meta", "n"}};

  (void)state;

  /* The path is kept as it is; parameters are sorted by name, then value, and encoded uniformly. */
  igt__sigv4_request req = {"GET",
                            "/a%2Fb//c%20d",
                            "b=2&a=x+y&b=1&a-=&uploads&c=%7e%2f&&",
                            headers,
                            4,
                            "host;x-amz-meta-a",
                            "H"};
  canonical(&req, "GET\n/a%2Fb//c%20d\na=x%20y&a-=&b=1&b=2&c=~%2F&uploads=\n"
                  "host:h\nx-amz-meta-a:a b c,d\n\nhost;x-amz-meta-a\nH");
  req.query = "bad=%zz";
  req.signed_headers = "absent";
  canonical(&req, "GET\n/a%2Fb//c%20d\nbad=%25zz\nabsent:\n\nabsent\nH");
}

static void test_too_many_parameters_are_refused(void **state) {
  igt__buf query, out;

  (void)state;

  igt__buf_init(&query, 65536);
  igt__buf_init(&out, 65536);
  for (int i = 0; i < 200; i++)
    igt__buf_printf(&query, "p%d=1&", i);
  igt__sigv4_request req = {"GET", "/", query.data, NULL, 0, "", "H"};
  assert_false(igt__sigv4_canonical_request(&req, &out));
  igt__buf_finish(&query);
  igt__buf_finish(&out);
}

static void test_authorization_value(void **state) {
  igt__buf out;

  (void)state;

  igt__buf_init(&out, 1024);
  assert_true(igt__sigv4_authorization(ACCESS, STAMP, REGION, "s3", "host;x-amz-date", "ff", &out));
  assert_string_equal(out.data,
                      "AWS4-HMAC-SHA256 Credential=" ACCESS "/20130524/us-east-1/s3/aws4_request,"
                      "SignedHeaders=host;x-amz-date,Signature=ff");
  igt__buf_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published_examples),
      cmocka_unit_test(test_published_presigned_url),
      cmocka_unit_test(test_canonical_rules),
      cmocka_unit_test(test_too_many_parameters_are_refused),
      cmocka_unit_test(test_authorization_value),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
