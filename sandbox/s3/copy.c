/* SPDX-License-Identifier: MIT */
/* CopyObject and UploadPartCopy. Both read the source that x-amz-copy-source names, check its
 * conditions and copy its bytes into a new incoming body; then the one commits an object and the
 * other a part. s3.c runs them as operations. */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define COPY_BUFFER (256u * 1024)

typedef struct source {
  const char *key;
  sbx_object object;
  int fd;
  uint64_t from, size;
} source;

/* ---- the source ---- */

/* "/bucket/key" or "bucket/key", escaped, optionally with "?versionId=null". */
static bool read_place(s3_call *call, source *src) {
  const char *text = sbx_header(call->req, "x-amz-copy-source");
  const char *query = strchr(text, '?');
  igt__buf plain;

  igt__buf_init(&plain, 4096);
  bool ok = igt__uri_decode(&plain, text, query ? (size_t)(query - text) : strlen(text), false) &&
            strlen(plain.data) == plain.len;
  const char *place = plain.data + (plain.data[0] == '/');
  const char *slash = ok ? strchr(place, '/') : NULL;
  bool ours = slash && (size_t)(slash - place) == strlen(SBX_BUCKET) &&
              strncmp(place, SBX_BUCKET, strlen(SBX_BUCKET)) == 0;
  if (ours && slash[1])
    src->key = igt__arena_strdup(call->arena, slash + 1);
  igt__buf_finish(&plain);
  if (src->key)
    return true;
  if (slash && !ours)
    s3_fail(call, S3_NO_SUCH_BUCKET, NULL);
  else
    s3_fail(call, S3_INVALID_ARGUMENT,
            "Copy Source must mention the source bucket and key: "
            "sourcebucket/sourcekey");
  return false;
}

static bool open_source(s3_call *call, source *src) {
  *src = (source){.fd = -1};
  if (!read_place(call, src))
    return false;
  if (!s3_allowed(call, S3_RIGHT_READ, call->bucket, src->key)) {
    s3_fail(call, S3_ACCESS_DENIED, NULL);
    return false;
  }
  src->fd = sbx_object_open(call->server->store, call->bucket, src->key, &src->object);
  if (src->fd < 0) {
    s3_fail(call, S3_NO_SUCH_KEY, NULL);
    return false;
  }
  src->size = src->object.size;
  return s3_check_copy(call, &src->object);
}

static void close_source(source *src) {
  if (src->fd >= 0)
    close(src->fd);
  sbx_object_finish(&src->object);
}

/* Copies the source's bytes into call->in; etag: 33 bytes, receives their MD5. */
static bool copy_bytes(s3_call *call, const source *src, char *etag, igt__digest *sum) {
  unsigned char md5[16], *buffer = igt__malloc(COPY_BUFFER);
  igt__digest *digest = igt__digest_new(IGT__MD5);
  uint64_t at = src->from, left = src->size;

  call->in = sbx_incoming_new(call->server->store);
  bool ok = buffer && digest && call->in;
  while (ok && left > 0) {
    size_t want = left < COPY_BUFFER ? (size_t)left : COPY_BUFFER;
    ssize_t n = pread(src->fd, buffer, want, (off_t)at);
    ok = n > 0 && sbx_incoming_write(call->in, buffer, (size_t)n);
    if (!ok)
      break;
    igt__digest_update(digest, buffer, (size_t)n);
    if (sum)
      igt__digest_update(sum, buffer, (size_t)n);
    at += (uint64_t)n;
    left -= (uint64_t)n;
  }
  if (ok) {
    igt__digest_final(digest, md5);
    igt__hex(md5, sizeof md5, etag);
  } else {
    s3_fail(call, S3_INTERNAL, NULL);
  }
  igt__digest_free(digest);
  igt__free(buffer);
  return ok;
}

static void response(s3_call *call, const char *root, const char *etag, int64_t modified) {
  igt__buf xml;

  igt__buf_init(&xml, 4096);
  s3_xml_open(&xml, root);
  s3_xml_time(&xml, "LastModified", modified);
  s3_xml_etag(&xml, etag);
  igt__buf_printf(&xml, "</%s>", root);
  s3_respond_xml(call, &xml);
  igt__buf_finish(&xml);
}

/* ---- CopyObject ---- */

static bool replaces_metadata(s3_call *call, bool *replace) {
  const char *directive = sbx_header(call->req, "x-amz-metadata-directive");

  *replace = directive && strcmp(directive, "REPLACE") == 0;
  if (!directive || *replace || strcmp(directive, "COPY") == 0)
    return true;
  s3_fail(call, S3_INVALID_ARGUMENT, "Unknown metadata directive.");
  return false;
}

/* The headers of the source, or those of the request. A composite checksum of the source's parts
 * does not apply to the copy. */
static bool make_attributes(s3_call *call, const source *src, bool replace, sbx_object *out) {
  char *type = NULL, *metadata = NULL;

  if (!s3_attributes_read(call, &type, &metadata, out->sse))
    return false;
  if (replace) {
    out->content_type = type;
    out->metadata = metadata;
    return true;
  }
  igt__free(type);
  igt__free(metadata);
  if (!out->sse[0])
    snprintf(out->sse, sizeof out->sse, "%s", src->object.sse);
  out->content_type = igt__strdup(src->object.content_type);
  out->metadata = igt__strdup(src->object.metadata);
  if ((!src->object.metadata || out->metadata) && s3_metadata_drop_checksum(&out->metadata))
    return true;
  s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

static void copy_source(s3_call *call, const source *src, bool replace) {
  sbx_object object = {.modified = igt__wall_seconds()};

  if (!make_attributes(call, src, replace, &object))
    goto out;
  object.key = igt__strdup(call->key);
  if (!object.key) {
    s3_fail(call, S3_INTERNAL, NULL);
    goto out;
  }
  if (!copy_bytes(call, src, object.etag, NULL) || !s3_commit_object(call, &object))
    goto out;
  if (object.sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", object.sse);
  response(call, "CopyObjectResult", object.etag, object.modified);

out:
  sbx_object_finish(&object);
}

static void copy_run(s3_call *call) {
  source src = {.fd = -1};
  bool replace = false;

  if (replaces_metadata(call, &replace) && open_source(call, &src)) {
    if (!replace && strcmp(src.key, call->key) == 0 &&
        !sbx_header(call->req, "x-amz-server-side-encryption"))
      s3_fail(call, S3_COPY_ITSELF, NULL);
    else
      copy_source(call, &src, replace);
  }
  close_source(&src);
}

const s3_operation s3_copy_object = {S3_RIGHT_WRITE, S3_BODY_NONE, NULL, copy_run};

/* ---- UploadPartCopy ---- */

static bool select_bytes(s3_call *call, source *src) {
  const char *text = sbx_header(call->req, "x-amz-copy-source-range");

  if (!text || s3_range_parse(text, src->object.size, &src->from, &src->size) > 0)
    return true;
  s3_fail(call, S3_INVALID_ARGUMENT,
          "The x-amz-copy-source-range value must be of the form "
          "bytes=first-last where first and last are the zero-based "
          "offsets of the first and last bytes to copy");
  return false;
}

static void commit_part(s3_call *call, sbx_part *part) {
  bool ok = sbx_part_commit(call->server->store, call->upload.id, call->in, part);

  call->in = NULL;
  if (ok)
    response(call, "CopyPartResult", part->etag, part->modified);
  else
    s3_fail(call, S3_NO_SUCH_UPLOAD, NULL);
}

static void copy_part_run(s3_call *call) {
  source src = {.fd = -1};
  sbx_part part = {.modified = igt__wall_seconds()};
  unsigned char raw[IGT__DIGEST_MAX];
  const s3_checksum *kind = NULL;
  igt__digest *sum = NULL;

  if (!s3_read_part_number(call) || !s3_find_upload(call) || !open_source(call, &src) ||
      !select_bytes(call, &src))
    goto out;
  part.number = call->part_number;
  kind = s3_upload_checksum(&call->upload, NULL);
  sum = kind ? igt__digest_new(kind->alg) : NULL;
  if (!copy_bytes(call, &src, part.etag, sum))
    goto out;
  if (sum) {
    igt__digest_final(sum, raw);
    s3_base64(raw, igt__digest_size(kind->alg), part.checksum, sizeof part.checksum);
  }
  commit_part(call, &part);

out:
  igt__digest_free(sum);
  close_source(&src);
}

const s3_operation s3_copy_part = {S3_RIGHT_WRITE, S3_BODY_NONE, NULL, copy_part_run};
