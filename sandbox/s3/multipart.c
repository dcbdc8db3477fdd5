/* SPDX-License-Identifier: MIT */
/* Multipart uploads except their completion, which is in complete.c: create, upload a part, list
 * parts, list uploads, abort. Uploads and parts are rows of the store (store/uploads.c) with a file
 * for each part's bytes. s3.c runs these as operations. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_PARTS 10000
#define MAX_LISTED 1000
#define MAX_RESPONSE (8u * 1024 * 1024)

/* ---- create ---- */

/* Reads x-amz-checksum-algorithm and -type as "CRC32C COMPOSITE". */
static bool read_checksum(s3_call *call, char *out, size_t cap) {
  const char *name = sbx_header(call->req, "x-amz-checksum-algorithm");
  const char *type = sbx_header(call->req, "x-amz-checksum-type");
  const s3_checksum *kind = name ? s3_checksum_by_name(name) : NULL;

  out[0] = '\0';
  if (!name && !type)
    return true;
  if (!kind) {
    s3_fail(call, S3_INVALID_REQUEST,
            name ? "Checksum algorithm provided is unsupported. Please try again with any of the "
                   "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
                 : "The x-amz-checksum-type header can only be used with the "
                   "x-amz-checksum-algorithm header.");
    return false;
  }
  if (!type)
    type = kind->composite ? "COMPOSITE" : "FULL_OBJECT";
  bool full = strcmp(type, "FULL_OBJECT") == 0;
  if (full ? !kind->full : !kind->composite || strcmp(type, "COMPOSITE") != 0) {
    s3_fail(call, S3_INVALID_REQUEST,
            "The %s checksum type cannot be used with the %s checksum algorithm.", type,
            kind->name);
    return false;
  }
  snprintf(out, cap, "%s %s", kind->name, type);
  return true;
}

static void put_created(const s3_call *call, const sbx_upload *upload, igt__buf *xml) {
  s3_xml_open(xml, "InitiateMultipartUploadResult");
  s3_xml_text(xml, "Bucket", call->bucket);
  s3_xml_text(xml, "Key", call->key);
  s3_xml_text(xml, "UploadId", upload->id);
  igt__buf_puts(xml, "</InitiateMultipartUploadResult>");
}

static void add_created_headers(s3_call *call, const sbx_upload *upload) {
  bool full = false;
  const s3_checksum *kind = s3_upload_checksum(upload, &full);

  if (upload->sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", upload->sse);
  if (!kind)
    return;
  sbx_add_header(call->req, "x-amz-checksum-algorithm", kind->name);
  sbx_add_header(call->req, "x-amz-checksum-type", full ? "FULL_OBJECT" : "COMPOSITE");
}

static void create_run(s3_call *call) {
  sbx_upload upload = {.initiated = igt__wall_seconds()};
  igt__buf xml;

  igt__buf_init(&xml, MAX_RESPONSE);
  if (!s3_attributes_read(call, &upload.content_type, &upload.metadata, upload.sse) ||
      !read_checksum(call, upload.checksum, sizeof upload.checksum))
    goto out;
  upload.key = igt__strdup(call->key);
  if (!upload.key || !sbx_upload_new(call->server->store, call->bucket, &upload)) {
    s3_fail(call, S3_INTERNAL, NULL);
    goto out;
  }
  put_created(call, &upload, &xml);
  add_created_headers(call, &upload);
  s3_respond_xml(call, &xml);

out:
  igt__buf_finish(&xml);
  sbx_upload_finish(&upload);
}

const s3_operation s3_create_upload = {S3_RIGHT_WRITE, S3_BODY_NONE, NULL, create_run};

/* ---- finding an upload ---- */

bool s3_find_upload(s3_call *call) {
  const char *id = sbx_query(call->req, "uploadId", 0);

  if (sbx_upload_get(call->server->store, call->bucket, call->key, id, &call->upload))
    return true;
  s3_fail_with(call, S3_NO_SUCH_UPLOAD, "UploadId", id, NULL);
  return false;
}

bool s3_read_part_number(s3_call *call) {
  int64_t number = s3_query_int(call, "partNumber", -1, -1);

  call->part_number = (unsigned)number;
  if (number >= 1 && number <= MAX_PARTS)
    return true;
  s3_fail_with(call, S3_INVALID_ARGUMENT, "ArgumentName", "partNumber",
               "Part number must be an integer between 1 and 10000, inclusive");
  return false;
}

/* ---- parts ---- */

static bool part_begin(s3_call *call) {
  if (!s3_read_part_number(call) || !s3_find_upload(call))
    return false;
  call->in = sbx_incoming_new(call->server->store);
  if (call->in)
    return true;
  s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

const s3_checksum *s3_upload_checksum(const sbx_upload *upload, bool *full) {
  char name[32];
  const char *space = strchr(upload->checksum, ' ');

  if (!space)
    return NULL;
  snprintf(name, sizeof name, "%.*s", (int)(space - upload->checksum), upload->checksum);
  if (full)
    *full = strcmp(space + 1, "FULL_OBJECT") == 0;
  return s3_checksum_by_name(name);
}

/* A checksum is stored if the upload was created with its algorithm; others were verified, and have
 * no further use. */
static bool keep_checksum(s3_call *call, sbx_part *part) {
  bool full = false;
  const s3_checksum *wanted = s3_upload_checksum(&call->upload, &full);
  const s3_checksum *given = call->payload.checksum;

  if (wanted && given == wanted)
    snprintf(part->checksum, sizeof part->checksum, "%s", call->payload.checksum_value);
  if (!wanted || given == wanted || full)
    return true;
  s3_fail(call, S3_INVALID_REQUEST,
          "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
          wanted->name, given ? given->name : "null");
  return false;
}

static void part_run(s3_call *call) {
  sbx_part part = {.number = call->part_number, .modified = igt__wall_seconds()};

  igt__hex(call->payload.md5_value, sizeof call->payload.md5_value, part.etag);
  if (!keep_checksum(call, &part))
    return;
  bool ok = sbx_part_commit(call->server->store, call->upload.id, call->in, &part);
  call->in = NULL;
  if (!ok) {
    /* Distinguishes an upload that was aborted or completed while the part arrived. */
    sbx_upload_finish(&call->upload);
    if (s3_find_upload(call))
      s3_fail(call, S3_INTERNAL, NULL);
    return;
  }
  s3_add_etag(call, part.etag);
  s3_add_checksum_header(call);
  if (call->upload.sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", call->upload.sse);
  sbx_respond(call->req, 200, NULL, NULL, 0);
}

const s3_operation s3_upload_part = {S3_RIGHT_WRITE, S3_BODY_OBJECT, part_begin, part_run};

/* ---- listing parts ---- */

typedef struct part_list {
  igt__buf entries;
  const s3_checksum *kind;
  int64_t max, count;
  unsigned last;
  bool truncated;
} part_list;

static bool on_part(void *payload, const sbx_part *part) {
  part_list *l = payload;

  if (l->count == l->max) {
    l->truncated = true;
    return false;
  }
  igt__buf_puts(&l->entries, "<Part>");
  s3_xml_int(&l->entries, "PartNumber", part->number);
  s3_xml_time(&l->entries, "LastModified", part->modified);
  s3_xml_etag(&l->entries, part->etag);
  s3_xml_int(&l->entries, "Size", (int64_t)part->size);
  if (l->kind && part->checksum[0])
    s3_xml_text(&l->entries, l->kind->element, part->checksum);
  igt__buf_puts(&l->entries, "</Part>");
  l->count++;
  l->last = part->number;
  return true;
}

static void put_parts(s3_call *call, part_list *l, int64_t marker, igt__buf *xml) {
  bool full = false;

  s3_xml_open(xml, "ListPartsResult");
  s3_xml_text(xml, "Bucket", call->bucket);
  s3_xml_text(xml, "Key", call->key);
  s3_xml_text(xml, "UploadId", call->upload.id);
  l->kind = s3_upload_checksum(&call->upload, &full);
  if (l->kind) {
    s3_xml_text(xml, "ChecksumAlgorithm", l->kind->name);
    s3_xml_text(xml, "ChecksumType", full ? "FULL_OBJECT" : "COMPOSITE");
  }
  sbx_part_each(call->server->store, call->upload.id, (unsigned)marker, on_part, l);
  s3_xml_text(xml, "StorageClass", "STANDARD");
  s3_xml_int(xml, "PartNumberMarker", marker);
  s3_xml_int(xml, "NextPartNumberMarker", l->last);
  s3_xml_int(xml, "MaxParts", l->max);
  s3_xml_bool(xml, "IsTruncated", l->truncated);
  igt__buf_append(xml, l->entries.data, l->entries.len);
  igt__buf_puts(xml, "</ListPartsResult>");
}

static void list_parts_run(s3_call *call) {
  part_list l = {.max = s3_query_int(call, "max-parts", MAX_LISTED, -1)};
  int64_t marker = s3_query_int(call, "part-number-marker", 0, -1);
  igt__buf xml;

  if (l.max < 0 || marker < 0 || marker > INT32_MAX) {
    s3_fail(call, S3_INVALID_ARGUMENT,
            "max-parts and part-number-marker must be integers between "
            "0 and 2147483647");
    return;
  }
  if (!s3_find_upload(call))
    return;
  l.max = l.max > MAX_LISTED ? MAX_LISTED : l.max;
  igt__buf_init(&xml, MAX_RESPONSE);
  igt__buf_init(&l.entries, MAX_RESPONSE);
  put_parts(call, &l, marker, &xml);
  s3_respond_xml(call, &xml);
  igt__buf_finish(&l.entries);
  igt__buf_finish(&xml);
}

const s3_operation s3_list_parts = {S3_RIGHT_WRITE, S3_BODY_NONE, NULL, list_parts_run};

/* ---- listing uploads ---- */

typedef struct upload_list {
  igt__buf entries;
  igt__arena *arena;
  int64_t max, count;
  const char *last_key, *last_id;
  bool truncated, encode;
} upload_list;

static void put_key(igt__buf *out, const char *element, const char *key, bool encode) {
  igt__buf text;

  igt__buf_init(&text, 16 * 1024);
  if (encode)
    igt__uri_encode(&text, key, strlen(key), true);
  s3_xml_text(out, element, encode ? text.data : key);
  igt__buf_finish(&text);
}

static bool on_upload(void *payload, const sbx_upload *upload) {
  upload_list *l = payload;

  if (l->count == l->max) {
    l->truncated = true;
    return false;
  }
  igt__buf_puts(&l->entries, "<Upload>");
  put_key(&l->entries, "Key", upload->key, l->encode);
  s3_xml_text(&l->entries, "UploadId", upload->id);
  s3_xml_text(&l->entries, "StorageClass", "STANDARD");
  s3_xml_time(&l->entries, "Initiated", upload->initiated);
  igt__buf_puts(&l->entries, "</Upload>");
  l->count++;
  l->last_key = igt__arena_strdup(l->arena, upload->key);
  l->last_id = igt__arena_strdup(l->arena, upload->id);
  return l->last_key && l->last_id;
}

static void put_uploads(const s3_call *call, const upload_list *l, const char *prefix,
                        igt__buf *xml) {
  const char *key = sbx_query(call->req, "key-marker", 0);
  const char *id = sbx_query(call->req, "upload-id-marker", 0);

  s3_xml_open(xml, "ListMultipartUploadsResult");
  s3_xml_text(xml, "Bucket", call->bucket);
  put_key(xml, "KeyMarker", key ? key : "", l->encode);
  s3_xml_text(xml, "UploadIdMarker", id ? id : "");
  if (l->truncated && l->last_key) {
    put_key(xml, "NextKeyMarker", l->last_key, l->encode);
    s3_xml_text(xml, "NextUploadIdMarker", l->last_id);
  }
  put_key(xml, "Prefix", prefix, l->encode);
  s3_xml_int(xml, "MaxUploads", l->max);
  if (l->encode)
    s3_xml_text(xml, "EncodingType", "url");
  s3_xml_bool(xml, "IsTruncated", l->truncated);
  igt__buf_append(xml, l->entries.data, l->entries.len);
  igt__buf_puts(xml, "</ListMultipartUploadsResult>");
}

static void list_uploads_run(s3_call *call) {
  upload_list l = {.arena = call->arena, .max = s3_query_int(call, "max-uploads", MAX_LISTED, -1)};
  const char *prefix = sbx_query(call->req, "prefix", 0);
  const char *key = sbx_query(call->req, "key-marker", 0);
  const char *id = sbx_query(call->req, "upload-id-marker", 0);
  igt__buf xml;

  if (sbx_query(call->req, "delimiter", 0) && *sbx_query(call->req, "delimiter", 0)) {
    s3_fail(call, S3_NOT_IMPLEMENTED, NULL);
    return;
  }
  if (l.max < 1) {
    s3_fail(call, S3_INVALID_ARGUMENT, "max-uploads must be an integer between 1 and 1000");
    return;
  }
  l.encode = sbx_query_has(call->req, "encoding-type");
  l.max = l.max > MAX_LISTED ? MAX_LISTED : l.max;
  igt__buf_init(&xml, MAX_RESPONSE);
  igt__buf_init(&l.entries, MAX_RESPONSE);
  /* A key marker alone means: after all uploads of that key; ids are letters and digits. */
  sbx_upload_each(call->server->store, call->bucket, prefix ? prefix : "", key ? key : "",
                  id && *id ? id : "\x7f", on_upload, &l);
  put_uploads(call, &l, prefix ? prefix : "", &xml);
  s3_respond_xml(call, &xml);
  igt__buf_finish(&l.entries);
  igt__buf_finish(&xml);
}

const s3_operation s3_list_uploads = {S3_RIGHT_ADMIN, S3_BODY_NONE, NULL, list_uploads_run};

/* ---- abort ---- */

static void abort_run(s3_call *call) {
  if (!s3_find_upload(call))
    return;
  if (sbx_upload_abort(call->server->store, call->upload.id))
    sbx_respond(call->req, 204, NULL, NULL, 0);
  else
    s3_fail(call, S3_INTERNAL, NULL);
}

const s3_operation s3_abort_upload = {S3_RIGHT_WRITE, S3_BODY_NONE, NULL, abort_run};
