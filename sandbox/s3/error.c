/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
  int status;
  const char *code;
  const char *text;
} codes[] = {
#define X(name, status, code, text) [S3_##name] = {status, code, text},
    S3_CODES(X)
#undef X
};

#define MAX_ERROR_XML (64u * 1024)

static void respond(s3_call *call, s3_code code, const char *element, const char *value,
                    const char *text) {
  igt__buf xml;

  igt__buf_init(&xml, MAX_ERROR_XML);
  igt__buf_puts(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
  s3_xml_text(&xml, "Code", codes[code].code);
  s3_xml_text(&xml, "Message", text);
  if (element)
    s3_xml_text(&xml, element, value);
  if (call->bucket)
    s3_xml_text(&xml, "BucketName", call->bucket);
  if (call->key)
    s3_xml_text(&xml, "Key", call->key);
  s3_xml_text(&xml, "Resource", call->req->path);
  s3_xml_text(&xml, "RequestId", call->id);
  igt__buf_puts(&xml, "</Error>");
  sbx_respond(call->req, codes[code].status, "application/xml", xml.failed ? NULL : xml.data,
              xml.failed ? 0 : xml.len);
  igt__buf_finish(&xml);
}

void s3_fail(s3_call *call, s3_code code, const char *fmt, ...) {
  char text[512];
  va_list args;

  va_start(args, fmt);
  if (fmt)
    vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  respond(call, code, NULL, NULL, fmt ? text : codes[code].text);
}

void s3_fail_with(s3_call *call, s3_code code, const char *element, const char *value,
                  const char *fmt, ...) {
  char text[512];
  va_list args;

  va_start(args, fmt);
  if (fmt)
    vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  respond(call, code, element, value, fmt ? text : codes[code].text);
}

void s3_error_entry(igt__buf *out, s3_code code, const char *key) {
  igt__buf_puts(out, "<Error>");
  s3_xml_text(out, "Key", key);
  s3_xml_text(out, "Code", codes[code].code);
  s3_xml_text(out, "Message", codes[code].text);
  igt__buf_puts(out, "</Error>");
}
