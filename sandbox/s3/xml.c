/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <time.h>

static void put_escaped(igt__buf *out, const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    switch (*p) {
    case '&':
      igt__buf_puts(out, "&amp;");
      break;
    case '<':
      igt__buf_puts(out, "&lt;");
      break;
    case '>':
      igt__buf_puts(out, "&gt;");
      break;
    case '"':
      igt__buf_puts(out, "&quot;");
      break;
    default:
      /* XML 1.0 cannot represent most of these; S3 writes character references all the same, and
       * clients request encoding-type=url. A raw line end would be changed by the parser. */
      if (*p < 0x20 && *p != '\t')
        igt__buf_printf(out, "&#x%X;", *p);
      else
        igt__buf_putc(out, (char)*p);
    }
  }
}

void s3_xml_open(igt__buf *out, const char *root) {
  igt__buf_printf(
      out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" S3_NAMESPACE "\">", root);
}

void s3_xml_text(igt__buf *out, const char *element, const char *text) {
  igt__buf_putc(out, '<');
  igt__buf_puts(out, element);
  igt__buf_putc(out, '>');
  put_escaped(out, text);
  igt__buf_puts(out, "</");
  igt__buf_puts(out, element);
  igt__buf_putc(out, '>');
}

void s3_xml_int(igt__buf *out, const char *element, int64_t value) {
  igt__buf_printf(out, "<%s>%lld</%s>", element, (long long)value, element);
}

void s3_xml_bool(igt__buf *out, const char *element, bool value) {
  s3_xml_text(out, element, value ? "true" : "false");
}

void s3_xml_time(igt__buf *out, const char *element, int64_t seconds) {
  char text[32];
  struct tm tm;
  time_t t = (time_t)seconds;

  gmtime_r(&t, &tm);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
  s3_xml_text(out, element, text);
}

void s3_xml_etag(igt__buf *out, const char *etag) {
  igt__buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", etag);
}

void s3_respond_xml(s3_call *call, igt__buf *xml) {
  if (xml->failed)
    s3_fail(call, S3_INTERNAL, NULL);
  else
    sbx_respond(call->req, 200, "application/xml", xml->data, xml->len);
}
