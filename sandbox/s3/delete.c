/* SPDX-License-Identifier: MIT */
/* POST ?delete */
#include "internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "s3/xml.h"

#define MAX_KEYS 1000
#define MAX_RESPONSE (4u * 1024 * 1024)

typedef struct deletion {
  s3_call *call;
  char *keys[MAX_KEYS];
  size_t count;
  char *key; /* of the object being read */
  bool quiet, root, too_many;
} deletion;

static igt_status on_element(void *payload, const char *path, const char *text, igt_error *err) {
  deletion *d = payload;

  (void)err;
  if (strcmp(path, "Delete") == 0)
    d->root = true;
  else if (strcmp(path, "Delete/Quiet") == 0)
    d->quiet = strcmp(text, "true") == 0;
  else if (strcmp(path, "Delete/Object/Key") == 0)
    d->key = igt__arena_strdup(d->call->arena, text);
  else if (strcmp(path, "Delete/Object") == 0) {
    if (!d->key || !*d->key)
      return IGT_E_PARSE;
    d->too_many = d->too_many || d->count == MAX_KEYS;
    if (!d->too_many)
      d->keys[d->count++] = d->key;
    d->key = NULL;
  }
  return IGT_OK;
}

/* Only the root account, which may delete everything, gets here. */
static void delete_one(s3_call *call, const char *key, bool quiet, igt__buf *xml) {
  if (!sbx_object_delete(call->server->store, call->bucket, key)) {
    s3_error_entry(xml, S3_INTERNAL, key);
  } else if (!quiet) {
    igt__buf_puts(xml, "<Deleted>");
    s3_xml_text(xml, "Key", key);
    igt__buf_puts(xml, "</Deleted>");
  }
}

static void delete_all(s3_call *call, const deletion *d) {
  igt__buf xml;

  igt__buf_init(&xml, MAX_RESPONSE);
  s3_xml_open(&xml, "DeleteResult");
  /* One transaction: a thousand commits would take a second. */
  bool begun = sbx_store_begin(call->server->store);
  for (size_t i = 0; i < d->count; i++)
    delete_one(call, d->keys[i], d->quiet, &xml);
  igt__buf_puts(&xml, "</DeleteResult>");
  if (begun && !sbx_store_commit(call->server->store))
    s3_fail(call, S3_INTERNAL, NULL);
  else
    s3_respond_xml(call, &xml);
  igt__buf_finish(&xml);
}

static void run(s3_call *call) {
  deletion *d = igt__calloc(1, sizeof *d);

  if (!d) {
    s3_fail(call, S3_INTERNAL, NULL);
    return;
  }
  d->call = call;
  if (!call->payload.content_md5[0] && !call->payload.checksum)
    s3_fail(call, S3_INVALID_REQUEST, "Missing required header for this request: Content-MD5");
  else if (igt__xml_parse(call->text.data, call->text.len, on_element, d, NULL) != IGT_OK ||
           !d->root || d->count == 0 || d->too_many)
    s3_fail(call, S3_MALFORMED_XML, NULL);
  else
    delete_all(call, d);
  igt__free(d);
}

const s3_operation s3_delete_objects = {S3_RIGHT_ADMIN, S3_BODY_TEXT, NULL, run};
