/* SPDX-License-Identifier: MIT */
/* Multipart uploads of the sandbox's own S3 and their parts: rows, and a file for each part.
 * sbx_upload_assemble concatenates the parts into a new body; sbx_upload_commit makes that the
 * object, stores the parts' positions within it (for GET ?partNumber) and deletes the upload in one
 * transaction. Files of parts are removed when the transaction that deletes their rows has
 * committed. s3/multipart.c, s3/complete.c and s3/copy.c call these. */
#include "store/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"

void sbx_upload_finish(sbx_upload *upload) {
  if (!upload)
    return;
  igt__free(upload->key);
  igt__free(upload->content_type);
  igt__free(upload->metadata);
  *upload = (sbx_upload){0};
}

bool sbx_upload_new(sbx_store *store, const char *bucket, sbx_upload *upload) {
  store_query q;

  if (!igt__random_token(upload->id, 32) || !sbx__query_begin(&q, store, STMT_UPLOAD_PUT))
    return false;
  sbx__query_text(&q, 1, upload->id);
  sbx__query_text(&q, 2, bucket);
  sbx__query_text(&q, 3, upload->key);
  sbx__query_int(&q, 4, upload->initiated);
  sbx__query_text(&q, 5, upload->content_type);
  sbx__query_text(&q, 6, upload->metadata);
  sbx__query_text(&q, 7, upload->sse);
  sbx__query_text(&q, 8, upload->checksum);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  return ok;
}

/* The strings remain SQLite's, valid until the next step. */
static void upload_view(store_query *q, sbx_upload *out) {
  *out = (sbx_upload){.initiated = sqlite3_column_int64(q->stmt, 2)};
  snprintf(out->id, sizeof out->id, "%s", sbx__query_column(q, 0));
  out->key = (char *)(uintptr_t)sbx__query_column(q, 1);
  out->content_type = (char *)(uintptr_t)sbx__query_column(q, 3);
  out->metadata = (char *)(uintptr_t)sbx__query_column(q, 4);
  snprintf(out->sse, sizeof out->sse, "%s", sbx__query_column(q, 5));
  snprintf(out->checksum, sizeof out->checksum, "%s", sbx__query_column(q, 6));
}

bool sbx_upload_get(sbx_store *store, const char *bucket, const char *key, const char *id,
                    sbx_upload *out) {
  store_query q;
  sbx_upload view;

  if (!sbx__query_begin(&q, store, STMT_UPLOAD_GET))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, key);
  sbx__query_text(&q, 3, id);
  bool found = sbx__query_row(&q);
  if (found) {
    upload_view(&q, &view);
    *out = view;
    out->key = igt__strdup(view.key);
    out->content_type = igt__strdup(view.content_type);
    out->metadata = igt__strdup(view.metadata);
    found =
        out->key && (!view.content_type || out->content_type) && (!view.metadata || out->metadata);
    if (!found)
      sbx_upload_finish(out);
  }
  sbx__query_end(&q);
  return found;
}

bool sbx_upload_each(sbx_store *store, const char *bucket, const char *prefix,
                     const char *after_key, const char *after_id,
                     bool (*fn)(void *payload, const sbx_upload *upload), void *payload) {
  store_query q;
  sbx_upload upload;
  size_t n = strlen(prefix);

  if (!sbx__query_begin(&q, store, STMT_UPLOAD_EACH))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, after_key);
  sbx__query_text(&q, 3, after_id);
  sbx__query_text(&q, 4, prefix);
  while (sbx__query_row(&q)) {
    upload_view(&q, &upload);
    if (strncmp(upload.key, prefix, n) != 0 || !fn(payload, &upload))
      break;
  }
  sbx__query_end(&q);
  return true;
}

/* ---- parts ---- */

static void part_view(store_query *q, sbx_part *out) {
  *out = (sbx_part){.number = (unsigned)sqlite3_column_int(q->stmt, 0),
                    .size = (uint64_t)sqlite3_column_int64(q->stmt, 1),
                    .modified = sqlite3_column_int64(q->stmt, 5)};
  snprintf(out->etag, sizeof out->etag, "%s", sbx__query_column(q, 3));
  snprintf(out->checksum, sizeof out->checksum, "%s", sbx__query_column(q, 4));
}

/* id: NULL or 33 bytes for the file's id. */
static bool part_row(sbx_store *store, const char *upload_id, unsigned number, sbx_part *out,
                     char *id) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_PART_GET))
    return false;
  sbx__query_text(&q, 1, upload_id);
  sbx__query_int(&q, 2, number);
  bool found = sbx__query_row(&q);
  if (found) {
    part_view(&q, out);
    if (id)
      snprintf(id, 33, "%s", sbx__query_column(&q, 6));
  }
  sbx__query_end(&q);
  return found;
}

bool sbx_part_get(sbx_store *store, const char *upload_id, unsigned number, sbx_part *out) {
  return part_row(store, upload_id, number, out, NULL);
}

bool sbx_part_each(sbx_store *store, const char *upload_id, unsigned after,
                   bool (*fn)(void *payload, const sbx_part *part), void *payload) {
  store_query q;
  sbx_part part;

  if (!sbx__query_begin(&q, store, STMT_PART_EACH))
    return false;
  sbx__query_text(&q, 1, upload_id);
  sbx__query_int(&q, 2, after);
  while (sbx__query_row(&q)) {
    part_view(&q, &part);
    if (!fn(payload, &part))
      break;
  }
  sbx__query_end(&q);
  return true;
}

static bool upload_there(sbx_store *store, const char *id) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_UPLOAD_HAS))
    return false;
  sbx__query_text(&q, 1, id);
  bool there = sbx__query_row(&q);
  sbx__query_end(&q);
  return there;
}

static bool part_insert(sbx_store *store, const char *upload_id, const char *id, uint64_t size,
                        const sbx_part *part) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_PART_PUT))
    return false;
  sbx__query_text(&q, 1, upload_id);
  sbx__query_int(&q, 2, part->number);
  sbx__query_text(&q, 3, id);
  sbx__query_int(&q, 4, (int64_t)size);
  sbx__query_text(&q, 5, part->etag);
  sbx__query_text(&q, 6, part->checksum);
  sbx__query_int(&q, 7, part->modified);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  return ok;
}

bool sbx_part_commit(sbx_store *store, const char *upload_id, sbx_incoming *in,
                     const sbx_part *part) {
  store_scope scope;
  sbx_part old;
  char id[33], old_id[33];
  bool ok = false;

  if (sbx__incoming_place(in, id) && sbx__scope_enter_with(&scope, store, id)) {
    /* Under the writer's lock, so that no abort can come in between. */
    ok = upload_there(store, upload_id);
    if (ok && part_row(store, upload_id, part->number, &old, old_id))
      sbx__doom_on_commit(store, old_id);
    ok = ok && part_insert(store, upload_id, id, sbx__incoming_size(in), part);
    ok = sbx__scope_leave(&scope, ok);
  }
  sbx_incoming_discard(in);
  return ok;
}

/* ---- the end of an upload ---- */

static bool doom_parts(sbx_store *store, const char *upload_id) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_PART_EACH))
    return false;
  sbx__query_text(&q, 1, upload_id);
  sbx__query_int(&q, 2, 0);
  while (sbx__query_row(&q))
    sbx__doom_on_commit(store, sbx__query_column(&q, 6));
  sbx__query_end(&q);
  return true;
}

static bool delete_by_id(sbx_store *store, store_stmt stmt, const char *id) {
  store_query q;

  if (!sbx__query_begin(&q, store, stmt))
    return false;
  sbx__query_text(&q, 1, id);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  return ok;
}

/* Within a scope. */
static bool upload_forget(sbx_store *store, const char *id) {
  return doom_parts(store, id) && delete_by_id(store, STMT_PARTS_DELETE, id) &&
         delete_by_id(store, STMT_UPLOAD_DELETE, id);
}

bool sbx_upload_abort(sbx_store *store, const char *id) {
  store_scope scope;

  if (!sbx__scope_enter(&scope, store))
    return false;
  return sbx__scope_leave(&scope, upload_forget(store, id));
}

static bool append_file(sbx_incoming *in, int fd, unsigned char *buffer, size_t cap,
                        void (*tee)(void *payload, const void *data, size_t n), void *payload) {
  for (;;) {
    ssize_t n = read(fd, buffer, cap);
    if (n <= 0)
      return n == 0;
    if (tee)
      tee(payload, buffer, (size_t)n);
    if (!sbx_incoming_write(in, buffer, (size_t)n))
      return false;
  }
}

sbx_incoming *sbx_upload_assemble(sbx_store *store, const char *upload_id, const unsigned *numbers,
                                  size_t count,
                                  void (*tee)(void *payload, const void *data, size_t n),
                                  void *payload) {
  const size_t cap = 1u << 20;
  unsigned char *buffer = igt__malloc(cap);
  sbx_incoming *in = sbx_incoming_new(store);
  bool ok = buffer && in;

  for (size_t i = 0; ok && i < count; i++) {
    sbx_part part;
    char id[33], path[48];
    ok = part_row(store, upload_id, numbers[i], &part, id);
    if (!ok)
      break;
    sbx__object_path(id, path);
    int fd = openat(store->dir_fd, path, O_RDONLY | O_CLOEXEC);
    ok = fd >= 0 && append_file(in, fd, buffer, cap, tee, payload);
    if (fd >= 0)
      close(fd);
  }
  igt__free(buffer);
  if (ok)
    return in;
  sbx_incoming_discard(in);
  return NULL;
}

static bool object_parts_insert(sbx_store *store, const char *upload_id, const char *file,
                                const unsigned *numbers, size_t count) {
  uint64_t start = 0;

  for (size_t i = 0; i < count; i++) {
    sbx_part part;
    store_query q;
    if (!part_row(store, upload_id, numbers[i], &part, NULL) ||
        !sbx__query_begin(&q, store, STMT_OBJECT_PART_PUT))
      return false;
    /* partNumber=N of a GET counts from one, whatever numbers the uploader chose. */
    sbx__query_text(&q, 1, file);
    sbx__query_int(&q, 2, (int64_t)i + 1);
    sbx__query_int(&q, 3, (int64_t)start);
    sbx__query_int(&q, 4, (int64_t)part.size);
    sbx__query_text(&q, 5, part.checksum);
    bool ok = sbx__query_done(&q);
    sbx__query_end(&q);
    if (!ok)
      return false;
    start += part.size;
  }
  return true;
}

bool sbx_upload_commit(sbx_store *store, const char *bucket, const char *upload_id,
                       const unsigned *numbers, size_t count, sbx_incoming *in,
                       const sbx_object *object) {
  store_scope scope;
  char id[33];
  bool ok = false;

  if (sbx__incoming_place(in, id) && sbx__scope_enter_with(&scope, store, id)) {
    ok = upload_there(store, upload_id) &&
         sbx__object_insert(store, bucket, id, sbx__incoming_size(in), object) &&
         object_parts_insert(store, upload_id, id, numbers, count) &&
         upload_forget(store, upload_id);
    ok = sbx__scope_leave(&scope, ok);
  }
  sbx_incoming_discard(in);
  return ok;
}
