/* SPDX-License-Identifier: MIT */
/* The parser for S3's XML documents (lib/s3/xml.h): paths and text, hostile and damaged documents,
 * errors, multipart results, lists, and the document that completes an upload. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "s3/xml.h"

static igt_status nothing(void *payload, const char *path, const char *text, igt_error *err) {
  (void)path, (void)text, (void)err;
  ++*(size_t *)payload;
  return IGT_OK;
}

static igt_status parse(const char *xml, igt_error *err) {
  size_t n = 0;

  return igt__xml_parse(xml, strlen(xml), nothing, &n, err);
}

static igt_status record(void *payload, const char *path, const char *text, igt_error *err) {
  igt__buf *out = payload;

  (void)err;
  igt__buf_printf(out, "%s=%s;", path, text);
  return IGT_OK;
}

static void test_paths_and_text(void **state) {
  const char *xml = " \n<?xml version=\"1.0\"?>\n\n<s3:A xmlns:s3=\"u\"><B> x&amp;<![CDATA[<]]> "
                    "</B><C><D/></C>tail</s3:A>";
  igt__buf out;

  (void)state;

  igt__buf_init(&out, 1024);
  assert_int_equal(igt__xml_parse(xml, strlen(xml), record, &out, NULL), IGT_OK);
  assert_string_equal(out.data, "A/B=x&<;A/C/D=;A/C=;A=tail;");
  igt__buf_finish(&out);
}

static void test_bombs_and_ruins_are_refused(void **state) {
  static const char bomb[] = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]>"
                             "<a>&c;&c;&c;</a>";
  igt_error err = IGT_ERROR_INIT;
  igt__buf deep;

  (void)state;

  assert_int_equal(parse(bomb, &err), IGT_E_PROTOCOL);
  assert_non_null(strstr(err.text, "document type"));
  assert_int_equal(parse("<a><b></a>", NULL), IGT_E_PARSE);
  assert_int_equal(parse("<a>", NULL), IGT_E_PARSE);
  assert_int_equal(parse("", NULL), IGT_E_PARSE);
  assert_int_equal(parse("{\"message\":1}", NULL), IGT_E_PARSE);
  assert_int_equal(parse("<a>&undefined;</a>", NULL), IGT_E_PARSE);
  igt__buf_init(&deep, 1024 * 1024);
  for (int i = 0; i < 100000; i++)
    igt__buf_puts(&deep, "<a>");
  assert_int_equal(parse(deep.data, NULL), IGT_E_LIMIT);
  igt__buf_clear(&deep);
  igt__buf_puts(&deep, "<a>");
  for (int i = 0; i < 20000; i++)
    igt__buf_putc(&deep, 'x');
  igt__buf_puts(&deep, "</a>");
  assert_int_equal(parse(deep.data, NULL), IGT_E_LIMIT);
  igt__buf_finish(&deep);
}

static void test_errors(void **state) {
  static const struct {
    const char *code;
    int http_status;
    igt_status from_http, status;
    bool retryable;
  } table[] = {
      {"AccessDenied", 403, IGT_E_FORBIDDEN, IGT_E_FORBIDDEN, false},
      {"NoSuchKey", 404, IGT_E_NOT_FOUND, IGT_E_NOT_FOUND, false},
      {"ExpiredToken", 400, IGT_E_BAD_REQUEST, IGT_E_EXPIRED, true},
      {"SlowDown", 503, IGT_E_SERVER, IGT_E_THROTTLED, true},
      {"InternalError", 500, IGT_E_SERVER, IGT_E_SERVER, true},
      {"RequestTimeout", 400, IGT_E_BAD_REQUEST, IGT_E_TIMEOUT, true},
      {"BadDigest", 400, IGT_E_BAD_REQUEST, IGT_E_CHECKSUM, true},
      {"PreconditionFailed", 412, IGT_E_PRECONDITION, IGT_E_PRECONDITION, false},
      {"SomethingNew", 400, IGT_E_BAD_REQUEST, IGT_E_BAD_REQUEST, false},
  };
  (void)state;

  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    char xml[256];
    igt_error err = IGT_ERROR_INIT;
    snprintf(xml, sizeof xml,
             "<Error><Code>%s</Code><Message>m</Message><RequestId>R1</RequestId></Error>",
             table[i].code);
    err.status = table[i].from_http;
    err.http_status = table[i].http_status;
    igt__s3_error_parse(xml, strlen(xml), &err);
    assert_int_equal(err.status, table[i].status);
    assert_int_equal(err.http_status, table[i].http_status);
    assert_int_equal(err.retryable, table[i].retryable);
    assert_string_equal(err.code, table[i].code);
    assert_string_equal(err.request_id, "R1");
    assert_non_null(strstr(err.text, table[i].code));
  }
}

static void test_multipart_results(void **state) {
  static const char created[] =
      "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b"
      "</Bucket><Key>k</Key><UploadId>U&amp;1</UploadId></InitiateMultipartUploadResult>";
  static const char completed[] = "<CompleteMultipartUploadResult><ETag>&quot;abc-2&quot;</ETag>"
                                  "</CompleteMultipartUploadResult>";
  static const char failed[] = "<Error><Code>InternalError</Code><Message>again</Message></Error>";
  static const char refused[] = "<Error><Code>InvalidPart</Code></Error>";
  char id[16], etag[80];
  igt_error err = IGT_ERROR_INIT;

  (void)state;

  assert_int_equal(igt__s3_create_parse(created, sizeof created - 1, id, sizeof id, NULL), 0);
  assert_string_equal(id, "U&1");
  assert_int_equal(igt__s3_create_parse(created, sizeof created - 1, id, 3, NULL), IGT_E_LIMIT);
  assert_int_equal(igt__s3_complete_parse(completed, sizeof completed - 1, etag, NULL), 0);
  assert_string_equal(etag, "abc-2");
  assert_int_equal(igt__s3_complete_parse(failed, sizeof failed - 1, etag, &err), IGT_E_SERVER);
  assert_string_equal(err.code, "InternalError");
  /* An error response is an unambiguous outcome, although its HTTP status was 200. */
  assert_int_equal(igt__s3_complete_parse(refused, sizeof refused - 1, etag, &err),
                   IGT_E_BAD_REQUEST);
  assert_int_equal(igt__s3_complete_parse("<html/>", 7, etag, NULL), IGT_E_PROTOCOL);
}

static void test_lists(void **state) {
  static const char parts[] =
      "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2"
      "</NextPartNumberMarker><Part><PartNumber>1</PartNumber><Size>5242880</Size>"
      "<ETag>\"e1\"</ETag></Part><Part><ETag>\"e2\"</ETag><Size>7</Size><PartNumber>2"
      "</PartNumber></Part></ListPartsResult>";
  static const char objects[] =
      "<ListBucketResult><Contents><Key>a%20b%0A</Key><Size>3</Size><ETag>\"x\"</ETag>"
      "<LastModified>1970-01-01T00:00:09.000Z</LastModified></Contents>"
      "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListBucketResult>";
  static const char endless[] =
      "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>";
  igt__s3_request req = {.op = IGT__S3_LIST_PARTS};

  (void)state;

  assert_int_equal(igt__s3_parts_parse(parts, sizeof parts - 1, &req, NULL), 0);
  assert_int_equal(req.listed_count, 2);
  assert_int_equal(req.listed[1].number, 2);
  assert_int_equal(req.listed[1].size, 7);
  assert_string_equal(req.listed[1].etag, "e2");
  assert_true(req.truncated);
  assert_int_equal(req.next_marker, 2);
  req.next_marker = 0;
  assert_int_equal(igt__s3_parts_parse(endless, sizeof endless - 1, &req, NULL), IGT_E_PROTOCOL);
  assert_int_equal(igt__s3_objects_parse(objects, sizeof objects - 1, &req, NULL), 0);
  assert_int_equal(req.object_count, 1);
  assert_string_equal(req.objects[0].key, "a b\n");
  assert_int_equal(req.objects[0].last_modified, 9);
  igt__s3_request_finish(&req);
}

static void test_completion_document(void **state) {
  igt__s3_part parts[2] = {{.number = 1, .etag = "a<b"}, {.number = 2, .etag = "c"}};
  igt__buf out;

  (void)state;

  parts[1].sha256[31] = 1;
  igt__buf_init(&out, 4096);
  assert_true(igt__s3_complete_encode(parts, 2, true, &out));
  assert_string_equal(
      out.data,
      "<CompleteMultipartUpload "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>"
      "1</PartNumber><ETag>&quot;a&lt;b&quot;</ETag></Part><Part><PartNumber>2</PartNumber><ETag>"
      "&quot;c&quot;</ETag><ChecksumSHA256>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      "</ChecksumSHA256></Part></CompleteMultipartUpload>");
  igt__buf_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths_and_text), cmocka_unit_test(test_bombs_and_ruins_are_refused),
      cmocka_unit_test(test_errors),         cmocka_unit_test(test_multipart_results),
      cmocka_unit_test(test_lists),          cmocka_unit_test(test_completion_document),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
