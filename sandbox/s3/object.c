/* SPDX-License-Identifier: MIT */
/* PutObject, GetObject, HeadObject, DeleteObject and GetObjectTagging, as operations that s3.c
 * runs. A PUT's body has been written to call->in and verified by payload.c when put_run commits it
 * with its attributes; s3_commit_object, which copies use, too, checks write conditions and commits
 * in one transaction. A GET sends the object's file, or the range that condition.c selects. */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

int64_t s3_query_int(const s3_call *call, const char *name, int64_t missing, int64_t bad) {
  const char *text = sbx_query(call->req, name, 0);
  int64_t value = 0;

  if (!text || !*text)
    return missing;
  return igt__str_to_int64(text, &value) ? value : bad;
}

/* ---- PUT ---- */

static bool put_begin(s3_call *call) {
  /* Checked early to save the transfer of large bodies; the check at the end decides. */
  if (!s3_check_write(call))
    return false;
  call->in = sbx_incoming_new(call->server->store);
  if (call->in)
    return true;
  s3_fail(call, S3_INTERNAL, NULL);
  return false;
}

bool s3_commit_object(s3_call *call, const sbx_object *object) {
  sbx_store *store = call->server->store;
  sbx_incoming *in = call->in;

  call->in = NULL;
  bool ok = false;
  if (!s3_has_write_condition(call)) {
    ok = sbx_object_commit(store, call->bucket, in, object);
  } else if (!sbx_store_begin(store)) {
    sbx_incoming_discard(in);
  } else if (!s3_check_write(call)) {
    sbx_store_rollback(store);
    sbx_incoming_discard(in);
    return false;
  } else if (sbx_object_commit(store, call->bucket, in, object)) {
    ok = sbx_store_commit(store);
  } else {
    sbx_store_rollback(store);
  }
  if (!ok)
    s3_fail(call, S3_INTERNAL, NULL);
  return ok;
}

static void put_run(s3_call *call) {
  const s3_payload *p = &call->payload;
  sbx_object object = {.modified = igt__wall_seconds()};

  if (!s3_attributes_read(call, &object.content_type, &object.metadata, object.sse))
    goto out;
  object.key = igt__strdup(call->key);
  igt__hex(p->md5_value, sizeof p->md5_value, object.etag);
  if (!object.key || (p->checksum && !s3_metadata_set_checksum(&object.metadata, p->checksum,
                                                               p->checksum_value, "FULL_OBJECT"))) {
    s3_fail(call, S3_INTERNAL, NULL);
    goto out;
  }
  if (!s3_commit_object(call, &object))
    goto out;
  s3_add_etag(call, object.etag);
  s3_add_checksum_header(call);
  if (p->checksum)
    sbx_add_header(call->req, "x-amz-checksum-type", "FULL_OBJECT");
  if (object.sse[0])
    sbx_add_header(call->req, "x-amz-server-side-encryption", object.sse);
  sbx_respond(call->req, 200, NULL, NULL, 0);

out:
  sbx_object_finish(&object);
}

const s3_operation s3_put_object = {S3_RIGHT_WRITE, S3_BODY_OBJECT, put_begin, put_run};

/* ---- GET, HEAD ---- */

static bool wants_checksums(const s3_call *call) {
  const char *mode = sbx_header(call->req, "x-amz-checksum-mode");

  return mode && igt__str_eq_nocase(mode, "ENABLED");
}

static void add_range_headers(s3_call *call, const sbx_object *object, const s3_range *range) {
  char text[80];

  if (range->partial && range->size > 0) {
    snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)range->from,
             (unsigned long long)(range->from + range->size - 1), (unsigned long long)object->size);
    sbx_add_header(call->req, "Content-Range", text);
  }
  if (range->parts > 0) {
    snprintf(text, sizeof text, "%u", range->parts);
    sbx_add_header(call->req, "x-amz-mp-parts-count", text);
  }
}

/* The checksum is sent with the whole object and with a whole part; for any other range it would
 * not match. */
static void add_headers(s3_call *call, const sbx_object *object, const s3_range *range) {
  bool wanted = wants_checksums(call);
  char ignored[64];

  s3_attributes_add(call, object, wanted && !range->partial);
  add_range_headers(call, object, range);
  const s3_checksum *kind = wanted && range->checksum[0]
                                ? s3_metadata_checksum(object->metadata, ignored, NULL, 0)
                                : NULL;
  if (kind)
    sbx_add_header(call->req, kind->header, range->checksum);
}

static const char *content_type(const s3_call *call, const sbx_object *object) {
  const char *wanted = sbx_query(call->req, "response-content-type", 0);

  if (wanted)
    return wanted;
  return object->content_type ? object->content_type : "binary/octet-stream";
}

static void read_run(s3_call *call, bool body) {
  sbx_object object = {0};
  s3_range range;
  int fd = -1;

  if (body)
    fd = sbx_object_open(call->server->store, call->bucket, call->key, &object);
  if (body ? fd < 0 : !sbx_object_get(call->server->store, call->bucket, call->key, &object)) {
    s3_fail(call, S3_NO_SUCH_KEY, NULL);
    return;
  }
  if (s3_check_read(call, &object) && s3_select_range(call, &object, &range)) {
    int status = range.partial ? 206 : 200;
    add_headers(call, &object, &range);
    if (!body)
      sbx_respond_head(call->req, status, content_type(call, &object), range.size);
    else if (range.size == 0) /* sendfile has nothing to send */
      sbx_respond(call->req, status, content_type(call, &object), NULL, 0);
    else {
      sbx_respond_fd(call->req, status, content_type(call, &object), fd, range.from, range.size);
      fd = -1;
    }
  }
  if (fd >= 0)
    close(fd);
  sbx_object_finish(&object);
}

static void get_run(s3_call *call) {
  read_run(call, true);
}

static void head_run(s3_call *call) {
  read_run(call, false);
}

const s3_operation s3_get_object = {S3_RIGHT_READ, S3_BODY_NONE, NULL, get_run};
const s3_operation s3_head_object = {S3_RIGHT_READ, S3_BODY_NONE, NULL, head_run};

/* awscli requests the tags before it copies. Objects have no tags here and cannot be given any. */
static void tagging_run(s3_call *call) {
  static const char xml[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                            "<Tagging xmlns=\"" S3_NAMESPACE "\"><TagSet/></Tagging>";
  sbx_object object = {0};

  if (sbx_object_get(call->server->store, call->bucket, call->key, &object))
    sbx_respond(call->req, 200, "application/xml", xml, sizeof xml - 1);
  else
    s3_fail(call, S3_NO_SUCH_KEY, NULL);
  sbx_object_finish(&object);
}

const s3_operation s3_get_tagging = {S3_RIGHT_READ, S3_BODY_NONE, NULL, tagging_run};

/* ---- DELETE ---- */

/* Deleting an object that does not exist succeeds. */
static void delete_run(s3_call *call) {
  if (sbx_object_delete(call->server->store, call->bucket, call->key))
    sbx_respond(call->req, 204, NULL, NULL, 0);
  else
    s3_fail(call, S3_INTERNAL, NULL);
}

const s3_operation s3_delete_object = {S3_RIGHT_ADMIN, S3_BODY_NONE, NULL, delete_run};
