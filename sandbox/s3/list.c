/* SPDX-License-Identifier: MIT */
/* ListObjects and ListObjectsV2. The store's rows are scanned in key order and written as entries
 * until the page is full; keys below a common prefix become one entry, and the scan restarts after
 * that prefix, so that a folder of a million objects costs one step. The response is built around
 * the entries at the end. s3.c runs it as an operation. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MAX_KEYS 1000
/* 1,000 keys of 1,024 bytes, each byte escaped, and the markup around them. */
#define MAX_RESPONSE (8u * 1024 * 1024)

typedef struct listing {
  s3_call *call;
  const char *prefix, *delimiter;
  const char *start; /* exclusive: marker, start-after or the token's content */
  char *after;       /* where the scan continues */
  int64_t max;
  bool v2, encode, owner;

  igt__buf entries; /* <Contents> and <CommonPrefixes> */
  int64_t count;
  char *last; /* the last key or common prefix that was written */
  bool again; /* the scan stopped to skip a common prefix */
  bool truncated, failed;
} listing;

/* ---- one entry ---- */

static void put_name(igt__buf *out, const char *element, const char *name, bool encode) {
  igt__buf encoded;

  if (!encode) {
    s3_xml_text(out, element, name);
    return;
  }
  igt__buf_init(&encoded, 16 * 1024);
  igt__uri_encode(&encoded, name, strlen(name), true);
  s3_xml_text(out, element, encoded.data);
  igt__buf_finish(&encoded);
}

static void put_object(listing *l, const sbx_object *object) {
  igt__buf *out = &l->entries;

  igt__buf_puts(out, "<Contents>");
  put_name(out, "Key", object->key, l->encode);
  s3_xml_time(out, "LastModified", object->modified);
  s3_xml_etag(out, object->etag);
  s3_xml_int(out, "Size", (int64_t)object->size);
  if (l->owner)
    igt__buf_puts(out, "<Owner><ID>igtcloud-sandbox</ID>"
                       "<DisplayName>igtcloud-sandbox</DisplayName></Owner>");
  igt__buf_puts(out, "<StorageClass>STANDARD</StorageClass></Contents>");
}

static void put_common(listing *l, const char *common) {
  igt__buf_puts(&l->entries, "<CommonPrefixes>");
  put_name(&l->entries, "Prefix", common, l->encode);
  igt__buf_puts(&l->entries, "</CommonPrefixes>");
}

/* ---- the scan ---- */

/* The part of the key up to the delimiter after the prefix; NULL: none. */
static char *common_prefix(const listing *l, const char *key) {
  size_t n = strlen(l->prefix);
  const char *hit = *l->delimiter ? strstr(key + n, l->delimiter) : NULL;

  if (!hit)
    return NULL;
  return igt__arena_strndup(l->call->arena, key, (size_t)(hit - key) + strlen(l->delimiter));
}

/* Records the row's name; false ends the scan when the page is full. */
static bool count_entry(listing *l, const char *name) {
  if (l->count == l->max) {
    l->truncated = true;
    return false;
  }
  l->count++;
  l->last = igt__arena_strdup(l->call->arena, name);
  l->failed = l->failed || !l->last;
  return !l->failed;
}

static bool on_object(void *payload, const sbx_object *object) {
  listing *l = payload;
  char *common = common_prefix(l, object->key);

  if (!common) {
    if (!count_entry(l, object->key))
      return false;
    put_object(l, object);
    return true;
  }
  /* After a page that ended with a common prefix, continue after all keys below it. */
  if (strcmp(common, l->start) > 0) {
    if (!count_entry(l, common))
      return false;
    put_common(l, common);
  }
  /* 0xff does not occur in UTF-8: this sorts after every key below the prefix. */
  l->after = igt__arena_printf(l->call->arena, "%s\xff", common);
  l->again = l->after != NULL;
  l->failed = l->failed || !l->after;
  return false;
}

static bool scan(listing *l) {
  l->after = igt__arena_strdup(l->call->arena, l->start);
  if (!l->after)
    return false;
  if (l->max == 0)
    return true;
  do {
    l->again = false;
    if (!sbx_object_each(l->call->server->store, l->call->bucket, l->prefix, l->after, on_object,
                         l))
      return false;
  } while (l->again);
  return !l->failed;
}

/* ---- the request ---- */

static const char *query_or(const s3_call *call, const char *name, const char *missing) {
  const char *value = sbx_query(call->req, name, 0);

  return value ? value : missing;
}

/* The token is the last name in base64url: it has to be opaque, not secret. */
static const char *open_token(s3_call *call, const char *token) {
  igt__buf text;
  const char *out = NULL;

  igt__buf_init(&text, 4096);
  if (igt__base64url_decode(&text, token, strlen(token)) && strlen(text.data) == text.len)
    out = igt__arena_strdup(call->arena, text.data);
  igt__buf_finish(&text);
  return out;
}

static void put_token(igt__buf *out, const char *last) {
  igt__buf text;

  igt__buf_init(&text, 8192);
  igt__base64url_encode(&text, last, strlen(last));
  s3_xml_text(out, "NextContinuationToken", text.data);
  igt__buf_finish(&text);
}

static bool read_question(listing *l) {
  s3_call *call = l->call;
  const char *encoding = query_or(call, "encoding-type", NULL);
  const char *token = l->v2 ? query_or(call, "continuation-token", NULL) : NULL;

  l->prefix = query_or(call, "prefix", "");
  l->delimiter = query_or(call, "delimiter", "");
  l->start = query_or(call, l->v2 ? "start-after" : "marker", "");
  l->max = s3_query_int(call, "max-keys", MAX_KEYS, -1);
  l->owner = !l->v2 || strcmp(query_or(call, "fetch-owner", ""), "true") == 0;
  l->encode = encoding != NULL;
  if (encoding && strcmp(encoding, "url") != 0)
    s3_fail(call, S3_INVALID_ARGUMENT, "Invalid Encoding Method specified in Request");
  else if (l->max < 0)
    s3_fail(call, S3_INVALID_ARGUMENT,
            "Argument max-keys must be an integer between 0 and "
            "2147483647");
  else if (token && !(l->start = open_token(call, token)))
    s3_fail(call, S3_INVALID_ARGUMENT, "The continuation token provided is incorrect");
  else if (!s3_allowed(call, S3_RIGHT_READ, call->bucket, l->prefix))
    s3_fail(call, S3_ACCESS_DENIED, NULL);
  else {
    l->max = l->max > MAX_KEYS ? MAX_KEYS : l->max;
    return true;
  }
  return false;
}

/* ---- the response ---- */

static void put_position(const listing *l, igt__buf *out) {
  const char *token = sbx_query(l->call->req, "continuation-token", 0);

  if (l->v2) {
    const char *start = sbx_query(l->call->req, "start-after", 0);
    s3_xml_int(out, "KeyCount", l->count);
    if (token)
      s3_xml_text(out, "ContinuationToken", token);
    if (start)
      put_name(out, "StartAfter", start, l->encode);
    if (l->truncated && l->last)
      put_token(out, l->last);
    return;
  }
  put_name(out, "Marker", l->start, l->encode);
  /* Without a delimiter the last key serves as the marker. */
  if (l->truncated && l->last && *l->delimiter)
    put_name(out, "NextMarker", l->last, l->encode);
}

static void response(listing *l) {
  igt__buf xml;

  igt__buf_init(&xml, MAX_RESPONSE);
  s3_xml_open(&xml, "ListBucketResult");
  s3_xml_text(&xml, "Name", l->call->bucket);
  put_name(&xml, "Prefix", l->prefix, l->encode);
  if (*l->delimiter)
    put_name(&xml, "Delimiter", l->delimiter, l->encode);
  s3_xml_int(&xml, "MaxKeys", l->max);
  if (l->encode)
    s3_xml_text(&xml, "EncodingType", "url");
  s3_xml_bool(&xml, "IsTruncated", l->truncated);
  put_position(l, &xml);
  igt__buf_append(&xml, l->entries.data, l->entries.len);
  igt__buf_puts(&xml, "</ListBucketResult>");
  s3_respond_xml(l->call, &xml);
  igt__buf_finish(&xml);
}

static void run(s3_call *call, bool v2) {
  listing l = {.call = call, .v2 = v2};

  igt__buf_init(&l.entries, MAX_RESPONSE);
  if (read_question(&l)) {
    if (scan(&l) && !l.entries.failed)
      response(&l);
    else
      s3_fail(call, S3_INTERNAL, NULL);
  }
  igt__buf_finish(&l.entries);
}

static void run_v1(s3_call *call) {
  run(call, false);
}

static void run_v2(s3_call *call) {
  run(call, true);
}

const s3_operation s3_list_objects = {S3_RIGHT_READ, S3_BODY_NONE, NULL, run_v1};
const s3_operation s3_list_objects_v2 = {S3_RIGHT_READ, S3_BODY_NONE, NULL, run_v2};
