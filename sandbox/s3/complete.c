/* SPDX-License-Identifier: MIT */
/* CompleteMultipartUpload. Reads the client's list of parts from the XML body, compares it with the
 * stored parts (order, ETags, checksums, sizes), concatenates the parts into one body and commits
 * it as the object in the same transaction that ends the upload. s3.c runs it as
 * the operation s3_complete_upload; the rest of the multipart API is in multipart.c. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "s3/xml.h"

typedef struct listed_part {
  unsigned number;
  char etag[36];
  const s3_checksum *kind;
  char checksum[64];
} listed_part;

typedef struct completion {
  s3_call *call;
  listed_part *parts;
  unsigned *numbers;
  size_t count, cap;
  listed_part part; /* the part being read */
  bool root;

  const s3_checksum *kind; /* of the upload; NULL: no checksum */
  bool full;
  uint64_t size;
  char etag[80];
  char checksum[80]; /* composite checksums end in "-N" */
} completion;

/* ---- the list ---- */

static bool add_part(completion *c) {
  if (c->part.number == 0 || !c->part.etag[0] || c->count == IGT__S3_MAX_PARTS)
    return false;
  if (c->count == c->cap) {
    size_t cap = c->cap ? c->cap * 2 : 64;
    listed_part *parts = igt__realloc(c->parts, cap * sizeof *parts);
    if (!parts)
      return false;
    c->parts = parts;
    c->cap = cap;
  }
  c->parts[c->count++] = c->part;
  c->part = (listed_part){0};
  return true;
}

static igt_status on_element(void *payload, const char *path, const char *text, igt_error *err) {
  static const char prefix[] = "CompleteMultipartUpload/Part";
  completion *c = payload;
  uint64_t number = 0;

  (void)err;
  c->root = c->root || strcmp(path, "CompleteMultipartUpload") == 0;
  if (strcmp(path, prefix) == 0)
    return add_part(c) ? IGT_OK : IGT_E_PARSE;
  if (!igt__str_starts(path, prefix) || path[sizeof prefix - 1] != '/')
    return IGT_OK;
  path += sizeof prefix;
  if (strcmp(path, "PartNumber") == 0) {
    if (!igt__str_to_uint64(text, &number) || number < 1 || number > IGT__S3_MAX_PARTS)
      return IGT_E_PARSE;
    c->part.number = (unsigned)number;
  } else if (strcmp(path, "ETag") == 0) {
    /* Any other ETag is not one of ours. */
    if (!igt__s3_etag_copy(c->part.etag, sizeof c->part.etag, text))
      snprintf(c->part.etag, sizeof c->part.etag, "?");
  } else if (s3_checksum_by_element(path)) {
    c->part.kind = s3_checksum_by_element(path);
    snprintf(c->part.checksum, sizeof c->part.checksum, "%s", text);
  }
  return IGT_OK;
}

static bool read_list(completion *c) {
  s3_call *call = c->call;

  if (igt__xml_parse(call->text.data, call->text.len, on_element, c, NULL) != IGT_OK || !c->root ||
      c->count == 0) {
    s3_fail(call, S3_MALFORMED_XML, NULL);
    return false;
  }
  for (size_t i = 1; i < c->count; i++) {
    if (c->parts[i].number <= c->parts[i - 1].number) {
      s3_fail(call, S3_INVALID_PART_ORDER, NULL);
      return false;
    }
  }
  return true;
}

/* ---- the parts ---- */

static bool fail_part(s3_call *call, s3_code code, unsigned number, const char *text) {
  char value[16];

  snprintf(value, sizeof value, "%u", number);
  if (text)
    s3_fail_with(call, code, "PartNumber", value, "%s", text);
  else
    s3_fail_with(call, code, "PartNumber", value, NULL);
  return false;
}

static bool check_part_checksum(completion *c, const listed_part *listed, const sbx_part *part) {
  if (!listed->kind && c->kind && !c->full)
    return fail_part(c->call, S3_INVALID_REQUEST, listed->number,
                     "The upload was created using a checksum. The complete request must include "
                     "the checksum for each part.");
  if (!listed->kind)
    return true;
  if (listed->kind != c->kind || strcmp(listed->checksum, part->checksum) != 0)
    return fail_part(c->call, S3_INVALID_PART, listed->number, NULL);
  return true;
}

/* etags and sums receive the raw digests of the parts. */
static bool check_part(completion *c, size_t i, igt__digest *etags, igt__digest *sums) {
  const listed_part *listed = &c->parts[i];
  unsigned char raw[IGT__DIGEST_MAX];
  sbx_part part;

  if (!sbx_part_get(c->call->server->store, c->call->upload.id, listed->number, &part) ||
      strcmp(part.etag, listed->etag) != 0)
    return fail_part(c->call, S3_INVALID_PART, listed->number, NULL);
  if (part.size < IGT__S3_MIN_PART && i + 1 < c->count)
    return fail_part(c->call, S3_ENTITY_TOO_SMALL, listed->number, NULL);
  if (!check_part_checksum(c, listed, &part))
    return false;
  if (igt__unhex(part.etag, 32, raw))
    igt__digest_update(etags, raw, 16);
  if (sums && s3_checksum_decode(c->kind, part.checksum, raw))
    igt__digest_update(sums, raw, igt__digest_size(c->kind->alg));
  c->numbers[i] = listed->number;
  c->size += part.size;
  return true;
}

static void end_digests(completion *c, igt__digest *etags, igt__digest *sums) {
  unsigned char raw[IGT__DIGEST_MAX];
  char text[64];

  igt__digest_final(etags, raw);
  igt__hex(raw, 16, text);
  snprintf(c->etag, sizeof c->etag, "%s-%zu", text, c->count);
  if (!sums)
    return;
  igt__digest_final(sums, raw);
  s3_base64(raw, igt__digest_size(c->kind->alg), text, sizeof text);
  snprintf(c->checksum, sizeof c->checksum, "%s-%zu", text, c->count);
}

static bool check_parts(completion *c) {
  igt__digest *etags = igt__digest_new(IGT__MD5), *sums = NULL;
  bool ok = false;

  c->numbers = igt__calloc(c->count, sizeof *c->numbers);
  if (c->kind && !c->full)
    sums = igt__digest_new(c->kind->alg);
  if (!etags || !c->numbers || (c->kind && !c->full && !sums)) {
    s3_fail(c->call, S3_INTERNAL, NULL);
    goto out;
  }
  ok = true;
  for (size_t i = 0; ok && i < c->count; i++)
    ok = check_part(c, i, etags, sums);
  if (ok)
    end_digests(c, etags, sums);

out:
  igt__digest_free(etags);
  igt__digest_free(sums);
  return ok;
}

static bool check_size(completion *c) {
  const char *text = sbx_header(c->call->req, "x-amz-mp-object-size");
  uint64_t size = 0;

  if (!text || (igt__str_to_uint64(text, &size) && size == c->size))
    return true;
  s3_fail(
      c->call, S3_INVALID_REQUEST,
      "The provided 'x-amz-mp-object-size' header value %.24s does not match what was computed: "
      "%llu",
      text, (unsigned long long)c->size);
  return false;
}

/* ---- the object ---- */

static void feed(void *payload, const void *data, size_t n) {
  igt__digest_update(payload, data, n);
}

static bool assemble(completion *c) {
  s3_call *call = c->call;
  unsigned char raw[IGT__DIGEST_MAX];
  igt__digest *whole = c->kind && c->full ? igt__digest_new(c->kind->alg) : NULL;

  call->in = sbx_upload_assemble(call->server->store, call->upload.id, c->numbers, c->count,
                                 whole ? feed : NULL, whole);
  bool ok = call->in && (whole || !c->kind || !c->full);
  if (ok && whole) {
    igt__digest_final(whole, raw);
    s3_base64(raw, igt__digest_size(c->kind->alg), c->checksum, sizeof c->checksum);
  }
  igt__digest_free(whole);
  if (!ok)
    s3_fail(call, S3_INTERNAL, NULL);
  return ok;
}

/* The request's x-amz-checksum-* is the expected checksum of the whole object. */
static bool check_checksum(completion *c) {
  const char *said = c->kind ? sbx_header(c->call->req, c->kind->header) : NULL;
  const char *type = sbx_header(c->call->req, "x-amz-checksum-type");

  if (type && c->kind && (strcmp(type, "FULL_OBJECT") == 0) != c->full) {
    s3_fail(c->call, S3_INVALID_REQUEST,
            "The upload was created with another checksum type than %.16s.", type);
    return false;
  }
  if (!said || strcmp(said, c->checksum) == 0)
    return true;
  s3_fail(c->call, S3_BAD_DIGEST, "The %s you specified did not match the calculated checksum.",
          c->kind->name);
  return false;
}

static bool commit_locked(completion *c, const sbx_object *object) {
  s3_call *call = c->call;
  sbx_incoming *in = call->in;

  if (!s3_check_write(call))
    return false;
  call->in = NULL;
  if (sbx_upload_commit(call->server->store, call->bucket, call->upload.id, c->numbers, c->count,
                        in, object))
    return true;
  /* Distinguishes an upload that another request has aborted or completed. */
  sbx_upload_finish(&call->upload);
  if (s3_find_upload(call))
    s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

static bool commit(completion *c, const sbx_object *object) {
  sbx_store *store = c->call->server->store;

  if (!sbx_store_begin(store)) {
    s3_fail(c->call, S3_INTERNAL, NULL);
    return false;
  }
  if (!commit_locked(c, object)) {
    sbx_store_rollback(store);
    return false;
  }
  if (sbx_store_commit(store))
    return true;
  s3_fail(c->call, S3_INTERNAL, NULL);
  return false;
}

static void response(completion *c) {
  s3_call *call = c->call;
  igt__buf xml;

  igt__buf_init(&xml, 64 * 1024);
  s3_xml_open(&xml, "CompleteMultipartUploadResult");
  igt__buf_puts(&xml, "<Location>");
  igt__buf_printf(&xml, "%s/%s/", call->server->base_url, call->bucket);
  igt__uri_encode(&xml, call->key, strlen(call->key), true);
  igt__buf_puts(&xml, "</Location>");
  s3_xml_text(&xml, "Bucket", call->bucket);
  s3_xml_text(&xml, "Key", call->key);
  s3_xml_etag(&xml, c->etag);
  if (c->kind) {
    s3_xml_text(&xml, c->kind->element, c->checksum);
    s3_xml_text(&xml, "ChecksumType", c->full ? "FULL_OBJECT" : "COMPOSITE");
  }
  igt__buf_puts(&xml, "</CompleteMultipartUploadResult>");
  if (call->upload.sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", call->upload.sse);
  s3_respond_xml(call, &xml);
  igt__buf_finish(&xml);
}

static void complete(completion *c) {
  s3_call *call = c->call;
  sbx_object object = {.modified = igt__wall_seconds()};

  object.key = igt__strdup(call->key);
  object.content_type = igt__strdup(call->upload.content_type);
  object.metadata = igt__strdup(call->upload.metadata);
  snprintf(object.etag, sizeof object.etag, "%s", c->etag);
  snprintf(object.sse, sizeof object.sse, "%s", call->upload.sse);
  if (!object.key || (c->kind && !s3_metadata_set_checksum(&object.metadata, c->kind, c->checksum,
                                                           c->full ? "FULL_OBJECT" : "COMPOSITE")))
    s3_fail(call, S3_INTERNAL, NULL);
  else if (commit(c, &object))
    response(c);
  sbx_object_finish(&object);
}

static bool begin(s3_call *call) {
  return s3_find_upload(call);
}

static void run(s3_call *call) {
  completion c = {.call = call};

  c.kind = s3_upload_checksum(&call->upload, &c.full);
  if (read_list(&c) && check_parts(&c) && check_size(&c) && s3_check_write(call) && assemble(&c) &&
      check_checksum(&c))
    complete(&c);
  igt__free(c.parts);
  igt__free(c.numbers);
}

const s3_operation s3_complete_upload = {S3_RIGHT_WRITE, S3_BODY_TEXT, begin, run, true};
