/* SPDX-License-Identifier: MIT */
/* Preconditions and ranges. The s3_check_* functions evaluate If-Match, If-None-Match,
 * If-Modified-Since and If-Unmodified-Since for reads, their x-amz-copy-source-* counterparts for
 * copies, and If-Match and If-None-Match for writes; they send the 304 or 412 themselves.
 * s3_select_range turns Range or partNumber into the bytes to send. object.c, copy.c and complete.c
 * call them. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

/* ---- conditions ---- */

/* A list of entity tags, with or without quotes (clients differ), or "*". */
static bool etag_listed(const char *list, const char *etag) {
  size_t len = strlen(etag);

  while (*list) {
    list += strspn(list, " ,");
    size_t n = strcspn(list, ",");
    const char *s = list;
    list += n;
    while (n > 0 && s[n - 1] == ' ')
      n--;
    if (n > 2 && memcmp(s, "W/", 2) == 0) {
      s += 2;
      n -= 2;
    }
    if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
      s++;
      n -= 2;
    }
    if ((n == 1 && *s == '*') || (n == len && memcmp(s, etag, n) == 0))
      return true;
  }
  return false;
}

typedef enum verdict { GO_ON, NOT_MODIFIED, FAILED } verdict;

typedef struct conditions {
  const char *match, *none_match, *modified, *unmodified;
} conditions;

/* The order of RFC 9110 13.2.2. */
static verdict judge(const conditions *c, const sbx_object *object) {
  int64_t since = 0;

  if (c->match) {
    if (!etag_listed(c->match, object->etag))
      return FAILED;
  } else if (c->unmodified && igt__http_date_parse(c->unmodified, &since) &&
             object->modified > since) {
    return FAILED;
  }
  if (c->none_match)
    return etag_listed(c->none_match, object->etag) ? NOT_MODIFIED : GO_ON;
  if (c->modified && igt__http_date_parse(c->modified, &since) && object->modified <= since)
    return NOT_MODIFIED;
  return GO_ON;
}

bool s3_check_read(s3_call *call, const sbx_object *object) {
  const conditions c = {sbx_header(call->req, "If-Match"), sbx_header(call->req, "If-None-Match"),
                        sbx_header(call->req, "If-Modified-Since"),
                        sbx_header(call->req, "If-Unmodified-Since")};
  char date[40];

  switch (judge(&c, object)) {
  case GO_ON:
    return true;
  case NOT_MODIFIED:
    igt__time_format_http(object->modified, date, sizeof date);
    s3_add_etag(call, object->etag);
    sbx_add_header(call->req, "Last-Modified", date);
    sbx_respond(call->req, 304, NULL, NULL, 0);
    return false;
  case FAILED:
    s3_fail_with(call, S3_PRECONDITION, "Condition", c.match ? "If-Match" : "If-Unmodified-Since",
                 NULL);
    return false;
  }
  return false;
}

bool s3_check_copy(s3_call *call, const sbx_object *source) {
  const conditions c = {sbx_header(call->req, "x-amz-copy-source-if-match"),
                        sbx_header(call->req, "x-amz-copy-source-if-none-match"),
                        sbx_header(call->req, "x-amz-copy-source-if-modified-since"),
                        sbx_header(call->req, "x-amz-copy-source-if-unmodified-since")};

  if (judge(&c, source) == GO_ON)
    return true;
  s3_fail(call, S3_PRECONDITION, NULL);
  return false;
}

bool s3_has_write_condition(const s3_call *call) {
  return sbx_header(call->req, "If-Match") || sbx_header(call->req, "If-None-Match");
}

bool s3_check_write(s3_call *call) {
  const char *match = sbx_header(call->req, "If-Match");
  const char *none_match = sbx_header(call->req, "If-None-Match");
  sbx_object object = {0};

  if (!match && !none_match)
    return true;
  if (none_match && strcmp(none_match, "*") != 0) {
    s3_fail(call, S3_NOT_IMPLEMENTED, NULL); /* S3 only accepts "*" here */
    return false;
  }
  bool found = sbx_object_get(call->server->store, call->bucket, call->key, &object);
  bool ok = false;
  if (none_match && found)
    s3_fail_with(call, S3_PRECONDITION, "Condition", "If-None-Match", NULL);
  else if (match && !found)
    s3_fail(call, S3_NO_SUCH_KEY, NULL);
  else if (match && !etag_listed(match, object.etag))
    s3_fail_with(call, S3_PRECONDITION, "Condition", "If-Match", NULL);
  else
    ok = true;
  sbx_object_finish(&object);
  return ok;
}

/* ---- ranges ---- */

/* The digits that the text begins with. What exceeds 64 bits exceeds the size of any object, and
 * is the greatest number: RFC 9110 sets no limit. */
static uint64_t digits(const char **text) {
  uint64_t n = 0;

  for (; **text >= '0' && **text <= '9'; (*text)++) {
    unsigned digit = (unsigned)(**text - '0');
    n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
  }
  return n;
}

/* RFC 9110 14.1.2. Multiple ranges, which S3 does not serve, and malformed ranges are ignored. */
int s3_range_parse(const char *text, uint64_t size, uint64_t *from, uint64_t *count) {
  if (!igt__str_starts_nocase(text, "bytes="))
    return 0;
  const char *first = text + 6, *dash = first;
  uint64_t a = digits(&dash);
  const char *last = dash + 1, *end = last;
  if (*dash != '-')
    return 0;
  uint64_t b = digits(&end);
  if (*end || (first == dash && last == end))
    return 0;
  if (first == dash) { /* the last b bytes */
    if (b == 0 || size == 0)
      return -1;
    *count = b < size ? b : size;
    *from = size - *count;
    return 1;
  }
  if (last != end && b < a)
    return 0;
  if (a >= size)
    return -1;
  *from = a;
  *count = last != end && b < size ? b - a + 1 : size - a;
  return 1;
}

/* "…-5": an object of five parts; 0: not multipart. */
static unsigned part_count(const char *etag) {
  const char *dash = strrchr(etag, '-');
  uint64_t n = 0;

  return dash && igt__str_to_uint64(dash + 1, &n) ? (unsigned)n : 0;
}

static bool select_part(s3_call *call, const sbx_object *object, s3_range *out) {
  int64_t number = s3_query_int(call, "partNumber", -1, -1);
  sbx_part part;

  if (number < 1 || number > 10000) {
    s3_fail(call, S3_INVALID_ARGUMENT,
            "Part number must be an integer between 1 and 10000, inclusive");
    return false;
  }
  out->parts = part_count(object->etag);
  if (out->parts == 0 && number == 1) {
    out->partial = true;
    return true;
  }
  if (!sbx_object_part(call->server->store, call->bucket, call->key, object->etag, (unsigned)number,
                       &part)) {
    s3_fail(call, S3_INVALID_PART_NUMBER, NULL);
    return false;
  }
  *out = (s3_range){.from = part.offset, .size = part.size, .partial = true, .parts = out->parts};
  snprintf(out->checksum, sizeof out->checksum, "%s", part.checksum);
  return true;
}

bool s3_select_range(s3_call *call, const sbx_object *object, s3_range *out) {
  const char *text = sbx_header(call->req, "Range"), *tag = sbx_header(call->req, "If-Range");

  *out = (s3_range){.size = object->size};
  if (sbx_query_has(call->req, "partNumber")) {
    if (!text)
      return select_part(call, object, out);
    s3_fail(call, S3_INVALID_REQUEST,
            "Cannot specify both Range header and partNumber query parameter");
    return false;
  }
  if (!text || (tag && !etag_listed(tag, object->etag)))
    return true;
  int kind = s3_range_parse(text, object->size, &out->from, &out->size);
  if (kind < 0) {
    char whole[40], size[24];
    snprintf(size, sizeof size, "%llu", (unsigned long long)object->size);
    snprintf(whole, sizeof whole, "bytes */%s", size);
    sbx_add_header(call->req, "Content-Range", whole);
    s3_fail_with(call, S3_INVALID_RANGE, "ActualObjectSize", size, NULL);
    return false;
  }
  out->partial = kind > 0;
  return true;
}
