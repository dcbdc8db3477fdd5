/* SPDX-License-Identifier: MIT */
/* Headers that are stored with an object and returned with it. They are kept in the metadata text,
 * beside the checksum: {"cache-control": …, "x-amz-meta-mtime": …, "x-amz-checksum-crc32c": …,
 * "x-amz-checksum-type": "FULL_OBJECT"}.
 *
 * s3_attributes_read collects them from a request (PUT, CopyObject, CreateMultipartUpload); a GET
 * or HEAD adds them to its response, where query parameters may override some of them. The checksum
 * functions add and find the checksum members. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/time.h"
#include "model/scan.h"

#define CHECKSUM_TYPE "x-amz-checksum-type"
#define CHECKSUM_PREFIX "x-amz-checksum-"
#define META_PREFIX "x-amz-meta-"
#define MAX_METADATA 2048 /* "Object metadata": the limit of the user-defined part */
#define MAX_METADATA_TEXT (64u * 1024)

static const struct {
  const char *name;
  const char *kept;     /* name in the metadata text */
  const char *override; /* query parameter that overrides the stored value */
} system_headers[] = {
    {"Cache-Control", "cache-control", "response-cache-control"},
    {"Content-Disposition", "content-disposition", "response-content-disposition"},
    {"Content-Encoding", "content-encoding", "response-content-encoding"},
    {"Content-Language", "content-language", "response-content-language"},
    {"Expires", "expires", "response-expires"},
};
#define SYSTEM_HEADERS (sizeof system_headers / sizeof system_headers[0])

/* ---- reading a request ---- */

typedef struct collector {
  igt__json *doc;
  size_t meta_size;
  bool invalid, failed;
} collector;

/* "aws-chunked" describes the transfer and is not stored. */
static bool set_encoding(igt__json *doc, const char *value) {
  igt__buf kept;
  bool ok = true;

  igt__buf_init(&kept, strlen(value) + 2);
  while (*value) {
    value += strspn(value, " ,");
    size_t n = strcspn(value, ","), len = n;
    while (len > 0 && value[len - 1] == ' ')
      len--;
    if (len > 0 && !(len == 11 && igt__str_starts_nocase(value, "aws-chunked"))) {
      ok = ok && (kept.len == 0 || igt__buf_putc(&kept, ',')) && igt__buf_append(&kept, value, len);
    }
    value += n;
  }
  ok = ok && (kept.len == 0 || igt__json_set_str(doc, "content-encoding", kept.data));
  igt__buf_finish(&kept);
  return ok;
}

static bool set_lower(igt__json *doc, const char *name, const char *value) {
  char lower[256];
  size_t n = strlen(name);

  if (n >= sizeof lower)
    return false;
  for (size_t i = 0; i <= n; i++)
    lower[i] = igt__ascii_lower(name[i]);
  return igt__json_set_str(doc, lower, value);
}

static bool collect(void *payload, const char *name, const char *value) {
  collector *c = payload;
  bool meta = igt__str_starts_nocase(name, META_PREFIX), kept = meta;

  for (size_t i = 0; i < SYSTEM_HEADERS; i++)
    kept = kept || igt__str_eq_nocase(name, system_headers[i].name);
  if (!kept)
    return true;
  c->invalid = c->invalid || !igt__utf8_valid(value, strlen(value));
  if (meta)
    c->meta_size += strlen(name) - strlen(META_PREFIX) + strlen(value);
  bool ok = igt__str_eq_nocase(name, "Content-Encoding") ? set_encoding(c->doc, value)
                                                         : set_lower(c->doc, name, value);
  c->failed = c->failed || !ok;
  return !c->failed;
}

static bool write_doc(const igt__json *doc, char **out) {
  igt__buf text;

  *out = NULL;
  if (igt__json_count(doc) == 0)
    return true;
  igt__buf_init(&text, MAX_METADATA_TEXT);
  if (igt__json_write(&text, doc, IGT__JSON_COMPACT))
    *out = igt__buf_take(&text);
  igt__buf_finish(&text);
  return *out != NULL;
}

static bool read_metadata(s3_call *call, char **out) {
  collector c = {.doc = igt__json_new_object()};
  bool ok = false;

  if (c.doc)
    sbx_headers_each(call->req, collect, &c);
  if (!c.doc || c.failed)
    s3_fail(call, S3_INTERNAL, NULL);
  else if (c.invalid)
    s3_fail(call, S3_INVALID_ARGUMENT, "Header values must be UTF-8.");
  else if (c.meta_size > MAX_METADATA)
    s3_fail(call, S3_METADATA_TOO_LARGE, NULL);
  else if (!(ok = write_doc(c.doc, out)))
    s3_fail(call, S3_INTERNAL, NULL);
  igt__json_free(c.doc);
  return ok;
}

static bool read_encryption(s3_call *call, char sse[16]) {
  const char *value = sbx_header(call->req, "x-amz-server-side-encryption");

  sse[0] = '\0';
  if (sbx_header(call->req, "x-amz-server-side-encryption-customer-algorithm") ||
      (value && igt__str_starts(value, "aws:"))) {
    s3_fail(call, S3_NOT_IMPLEMENTED, NULL);
    return false;
  }
  if (value && strcmp(value, "AES256") != 0) {
    s3_fail(call, S3_INVALID_ARGUMENT, "The encryption method specified is not supported");
    return false;
  }
  if (value)
    snprintf(sse, 16, "%s", value);
  return true;
}

bool s3_attributes_read(s3_call *call, char **content_type, char **metadata, char sse[16]) {
  const char *type = sbx_header(call->req, "Content-Type");

  *content_type = NULL;
  *metadata = NULL;
  if (!read_encryption(call, sse) || !read_metadata(call, metadata))
    return false;
  if (type && igt__utf8_valid(type, strlen(type)))
    *content_type = igt__strdup(type);
  return true;
}

/* ---- the checksum in the metadata ---- */

static igt__json *parse(const char *metadata) {
  igt__json *doc = NULL;

  if (metadata && igt__json_parse(metadata, strlen(metadata), "metadata", &doc, NULL) != IGT_OK)
    return NULL;
  return doc;
}

static bool replace(char **metadata, const igt__json *doc) {
  char *text = NULL;

  if (!write_doc(doc, &text))
    return false;
  igt__free(*metadata);
  *metadata = text;
  return true;
}

bool s3_metadata_set_checksum(char **metadata, const s3_checksum *kind, const char *value,
                              const char *type) {
  igt__json *doc = *metadata ? parse(*metadata) : igt__json_new_object();
  bool ok = doc && igt__json_set_str(doc, kind->header, value) &&
            igt__json_set_str(doc, CHECKSUM_TYPE, type) && replace(metadata, doc);

  igt__json_free(doc);
  return ok;
}

bool s3_metadata_drop_checksum(char **metadata) {
  char value[64];
  const s3_checksum *kind = s3_metadata_checksum(*metadata, value, NULL, 0);

  if (!kind)
    return true;
  igt__json *doc = parse(*metadata);
  if (doc) {
    igt__json_remove(doc, kind->header);
    igt__json_remove(doc, CHECKSUM_TYPE);
  }
  bool ok = doc && replace(metadata, doc);
  igt__json_free(doc);
  return ok;
}

const s3_checksum *s3_metadata_checksum(const char *metadata, char *value, char *type,
                                        size_t type_cap) {
  const s3_checksum *found = NULL;
  const char *name = NULL;
  igt__json *member = NULL, *doc = parse(metadata);

  for (size_t i = 0; !found && igt__json_member(doc, i, &name, &member); i++) {
    found = s3_checksum_by_header(name);
    if (found)
      snprintf(value, 64, "%s", igt__json_str(member) ? igt__json_str(member) : "");
  }
  const char *kept = igt__json_get_str(doc, CHECKSUM_TYPE);
  if (type)
    snprintf(type, type_cap, "%s", kept ? kept : "FULL_OBJECT");
  igt__json_free(doc);
  return found;
}

/* ---- writing a response ---- */

void s3_add_etag(s3_call *call, const char *etag) {
  char quoted[96];

  snprintf(quoted, sizeof quoted, "\"%s\"", etag);
  sbx_add_header(call->req, "ETag", quoted);
}

typedef struct attribute {
  const char *name, *value;
  struct attribute *next;
} attribute;

static const char *keep(s3_call *call, const igt__slice *slice) {
  char *text = igt__arena_text(call->arena, slice->len + 1);

  if (text)
    igt__slice_unescape(slice, text);
  return text;
}

/* The string members of a metadata text, in order. Scanned rather than parsed: every GET does it,
 * and a tree of five short strings would take a tenth of its instructions. */
static attribute *attributes_of(s3_call *call, const char *metadata) {
  IGT__QUEUE(attribute) list;
  igt__scan scan;
  bool first = true;
  igt__queue_init(&list);
  igt__scan_init(&scan, metadata, strlen(metadata));
  if (!igt__scan_open(&scan, '{'))
    return NULL;
  while (igt__scan_more(&scan, '}', &first)) {
    igt__slice name, value;
    if (!igt__scan_key(&scan, &name))
      break;
    if (igt__scan_peek(&scan) != '"') {
      if (!igt__scan_skip(&scan))
        break;
      continue;
    }
    attribute *a = igt__arena_calloc(call->arena, 1, sizeof *a);
    if (!a || !igt__scan_string(&scan, &value) || !(a->name = keep(call, &name)) ||
        !(a->value = keep(call, &value)))
      break;
    igt__queue_add(&list, a);
  }
  return list.first;
}

static const char *find(const attribute *list, const char *name) {
  for (; list; list = list->next)
    if (strcmp(list->name, name) == 0)
      return list->value;
  return NULL;
}

static void add_system_headers(s3_call *call, const attribute *list) {
  for (size_t i = 0; i < SYSTEM_HEADERS; i++) {
    const char *value = sbx_query(call->req, system_headers[i].override, 0);
    if (!value)
      value = find(list, system_headers[i].kept);
    if (value)
      sbx_add_header(call->req, system_headers[i].name, value);
  }
}

void s3_attributes_add(s3_call *call, const sbx_object *object, bool checksums) {
  char date[40];
  const attribute *list = object->metadata ? attributes_of(call, object->metadata) : NULL;

  igt__time_format_http(object->modified, date, sizeof date);
  s3_add_etag(call, object->etag);
  sbx_add_header(call->req, "Last-Modified", date);
  sbx_add_header(call->req, "Accept-Ranges", "bytes");
  if (object->sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", object->sse);
  if (list || *call->req->query)
    add_system_headers(call, list);
  for (; list; list = list->next) {
    bool sum = igt__str_starts(list->name, CHECKSUM_PREFIX);
    if (sum ? checksums : igt__str_starts(list->name, META_PREFIX))
      sbx_add_header(call->req, list->name, list->value);
  }
}
