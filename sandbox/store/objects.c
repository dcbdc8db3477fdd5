/* SPDX-License-Identifier: MIT */
/* Objects: rows in SQLite and one file each below DIR/objects. A body is collected in an incoming
 * (a buffer, and beyond its size a temporary file), put in place under a new id, and only then
 * referenced by a row; the replaced file is removed after the commit. Reads of rows go through
 * cache.c. With --s3-endpoint, commits and reads go to s3_backend.c instead. The S3 side, and the
 * REST side for seeds, imports and previews, call these through store.h. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/root.h"
#include "crypto/crypto.h"

/* Bodies up to this size are written to disk with one write; most files of a study are smaller. */
#define INCOMING_BUFFER (64u * 1024)

struct sbx_incoming {
  sbx_store *store;
  char id[33];
  int fd; /* -1 until the buffer first overflows */
  bool failed;
  uint64_t size;
  size_t held;
  unsigned char buffer[INCOMING_BUFFER];
};

/* ---- bodies ---- */

/* Makes a unique id: a counter of this run, and eight random bytes of the run. The counter's last
 * byte comes first and names the folder, so that all folders fill evenly. */
static void make_id(sbx_store *store, char *id) {
  unsigned char bytes[16];
  uint64_t number = atomic_fetch_add(&store->next_id, 1);

  for (size_t i = 0; i < 8; i++)
    bytes[i] = (unsigned char)(number >> (8 * i));
  memcpy(bytes + 8, store->run, sizeof store->run);
  igt__hex(bytes, sizeof bytes, id);
}

sbx_incoming *sbx_incoming_new(sbx_store *store) {
  sbx_incoming *in = igt__malloc(sizeof *in);

  if (!in)
    return NULL;
  in->store = store;
  in->fd = -1;
  in->failed = false;
  in->size = 0;
  in->held = 0;
  make_id(store, in->id);
  return in;
}

static void incoming_path(const sbx_incoming *in, char *path) {
  snprintf(path, 48, "incoming/%s", in->id);
}

static int create(const sbx_incoming *in, const char *path) {
  return openat(in->store->dir_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static bool incoming_flush(sbx_incoming *in, const void *data, size_t n) {
  if (in->fd < 0) {
    char path[48];
    incoming_path(in, path);
    in->fd = create(in, path);
    if (in->fd < 0)
      return false;
  }
  bool ok = igt__fd_write(in->fd, in->buffer, in->held) && igt__fd_write(in->fd, data, n);
  in->held = 0;
  return ok;
}

bool sbx_incoming_write(sbx_incoming *in, const void *data, size_t n) {
  in->size += n;
  if (in->failed)
    return false;
  if (n <= sizeof in->buffer - in->held) {
    memcpy(in->buffer + in->held, data, n);
    in->held += n;
    return true;
  }
  in->failed = !incoming_flush(in, data, n);
  return !in->failed;
}

void sbx_incoming_discard(sbx_incoming *in) {
  if (!in)
    return;
  if (in->fd >= 0) {
    char path[48];
    incoming_path(in, path);
    close(in->fd);
    unlinkat(in->store->dir_fd, path, 0);
  }
  igt__free(in);
}

uint64_t sbx__incoming_size(const sbx_incoming *in) {
  return in->size;
}

/* Whether an object's folder was missing and is there now. All 256 at once would be most of what
 * the start of a new sandbox takes. */
static bool made_folder(sbx_incoming *in, const char *to) {
  char folder[sizeof "objects/00"];

  if (errno != ENOENT)
    return false;
  snprintf(folder, sizeof folder, "%.10s", to);
  return mkdirat(in->store->dir_fd, folder, 0700) == 0 || errno == EEXIST;
}

/* A body that fits in the buffer needs no temporary name: until a row references it, it is not an
 * object, and the sweep removes what a crash leaves. */
static bool place_buffer(sbx_incoming *in, const char *to) {
  int fd = create(in, to);

  if (fd < 0 && made_folder(in, to))
    fd = create(in, to);
  if (fd < 0)
    return false;
  bool ok = igt__fd_write(fd, in->buffer, in->held);
  return close(fd) == 0 && ok;
}

static bool renamed(sbx_incoming *in, const char *from, const char *to) {
  return renameat(in->store->dir_fd, from, in->store->dir_fd, to) == 0;
}

static bool place_file(sbx_incoming *in, const char *to) {
  char from[48];
  bool ok = incoming_flush(in, "", 0);

  ok = close(in->fd) == 0 && ok;
  in->fd = -1;
  incoming_path(in, from);
  if (ok && (renamed(in, from, to) || (made_folder(in, to) && renamed(in, from, to))))
    return true;
  unlinkat(in->store->dir_fd, from, 0);
  return false;
}

bool sbx__incoming_place(sbx_incoming *in, char *id) {
  char to[48];

  sbx__object_path(in->id, to);
  memcpy(id, in->id, sizeof in->id);
  if (in->failed)
    return false;
  if (in->fd < 0 ? place_buffer(in, to) : place_file(in, to))
    return true;
  sbx__object_unlink(in->store, id);
  return false;
}

bool sbx__scope_enter_with(store_scope *scope, sbx_store *store, const char *id) {
  if (!sbx__scope_enter(scope, store)) {
    sbx__object_unlink(store, id);
    return false;
  }
  sbx__doom_on_rollback(store, id);
  return true;
}

/* ---- objects ---- */

void sbx_object_finish(sbx_object *object) {
  if (!object)
    return;
  igt__free(object->key);
  igt__free(object->content_type);
  igt__free(object->metadata);
  *object = (sbx_object){0};
}

/* ---- cached rows ---- */

/* As stored in the cache; followed by its strings that are not NULL, each with its NUL. */
typedef struct cached_row {
  sbx_object object;
  char id[33];
  bool has_type, has_metadata;
} cached_row;

static bool append_text(igt__buf *out, const char *text) {
  return !text || igt__buf_append(out, text, strlen(text) + 1);
}

static bool row_pack(igt__buf *out, const sbx_object *object, const char *id) {
  cached_row row = {.object = *object,
                    .has_type = object->content_type != NULL,
                    .has_metadata = object->metadata != NULL};

  row.object.key = row.object.content_type = row.object.metadata = NULL;
  snprintf(row.id, sizeof row.id, "%s", id);
  igt__buf_init(out, INT_MAX);
  return igt__buf_reserve(out, sizeof row + 1024) && igt__buf_append(out, &row, sizeof row) &&
         append_text(out, object->key) && append_text(out, object->content_type) &&
         append_text(out, object->metadata);
}

static bool take_text(const char **at, bool there, char **out) {
  if (!there)
    return true;
  *out = igt__strdup(*at);
  *at += strlen(*at) + 1;
  return *out != NULL;
}

/* payload: where the row is stored. */
static bool row_unpack(void *payload, const char *value, size_t n) {
  cached_row *out = payload;
  const char *at = value + sizeof *out;

  (void)n;
  memcpy(out, value, sizeof *out);
  if (take_text(&at, true, &out->object.key) &&
      take_text(&at, out->has_type, &out->object.content_type) &&
      take_text(&at, out->has_metadata, &out->object.metadata))
    return true;
  sbx_object_finish(&out->object);
  return false;
}

static void cache_put(sbx_store *store, uint64_t stamp, const char *bucket,
                      const sbx_object *object, const char *id) {
  igt__buf row;

  if (row_pack(&row, object, id))
    sbx__cache_put(store->objects, stamp, bucket, object->key, row.data, row.len);
  igt__buf_finish(&row);
}

static void cache_stage(sbx_store *store, const char *bucket, const sbx_object *object,
                        const char *id) {
  igt__buf row;

  if (row_pack(&row, object, id))
    sbx__cache_stage(store->objects, bucket, object->key, row.data, row.len);
  igt__buf_finish(&row);
}

/* ---- writing ---- */

/* Before each write of an object's row: marks the key's current file, if any, for removal. */
static bool object_drop_file(sbx_store *store, const char *bucket, const char *key) {
  store_query q;
  char id[33] = "";

  sbx__cache_drop(store->objects, bucket, key);
  if (!sbx__query_begin(&q, store, STMT_OBJECT_FILE))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, key);
  if (sbx__query_row(&q))
    snprintf(id, sizeof id, "%s", sbx__query_column(&q, 0));
  sbx__query_end(&q);
  if (id[0] == '\0')
    return true;
  sbx__doom_on_commit(store, id);
  if (!sbx__query_begin(&q, store, STMT_OBJECT_PARTS_DELETE))
    return false;
  sbx__query_text(&q, 1, id);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  return ok;
}

bool sbx__object_insert(sbx_store *store, const char *bucket, const char *id, uint64_t size,
                        const sbx_object *object) {
  store_query q;

  if (!object_drop_file(store, bucket, object->key) ||
      !sbx__query_begin(&q, store, STMT_OBJECT_PUT))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, object->key);
  sbx__query_text(&q, 3, id);
  sbx__query_int(&q, 4, (int64_t)size);
  sbx__query_text(&q, 5, object->etag);
  sbx__query_int(&q, 6, object->modified);
  sbx__query_text(&q, 7, object->content_type);
  sbx__query_text(&q, 8, object->metadata);
  sbx__query_text(&q, 9, object->sse);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  if (ok) {
    sbx_object row = *object;
    row.size = size;
    cache_stage(store, bucket, &row, id);
  }
  return ok;
}

static bool commit_backend(sbx_store *store, sbx_incoming *in, const sbx_object *object) {
  bool ok = !in->failed && incoming_flush(in, "", 0) &&
            sbx_s3_backend_put(store->backend, in->fd, in->size, object);

  sbx_incoming_discard(in);
  return ok;
}

void sbx_store_set_backend(sbx_store *store, struct sbx_s3_backend *backend) {
  store->backend = backend;
}

bool sbx_object_commit(sbx_store *store, const char *bucket, sbx_incoming *in,
                       const sbx_object *object) {
  store_scope scope;
  char id[33];
  bool ok = false;

  if (store->backend)
    return commit_backend(store, in, object);
  if (sbx__incoming_place(in, id) && sbx__scope_enter_with(&scope, store, id)) {
    ok = sbx__object_insert(store, bucket, id, in->size, object);
    ok = sbx__scope_leave(&scope, ok);
  }
  sbx_incoming_discard(in);
  return ok;
}

/* The row's strings as they are in SQLite, valid until the next step. */
static void object_view(store_query *q, sbx_object *out) {
  const char *etag = sbx__query_column(q, 2), *sse = sbx__query_column(q, 6);

  *out = (sbx_object){.size = (uint64_t)sqlite3_column_int64(q->stmt, 1),
                      .modified = sqlite3_column_int64(q->stmt, 3)};
  snprintf(out->etag, sizeof out->etag, "%s", etag ? etag : "");
  snprintf(out->sse, sizeof out->sse, "%s", sse ? sse : "");
}

static bool object_copy(store_query *q, sbx_object *out) {
  const char *type = sbx__query_column(q, 4), *metadata = sbx__query_column(q, 5);

  object_view(q, out);
  out->key = igt__strdup(sbx__query_column(q, 0));
  out->content_type = igt__strdup(type);
  out->metadata = igt__strdup(metadata);
  if (out->key && (!type || out->content_type) && (!metadata || out->metadata))
    return true;
  sbx_object_finish(out);
  return false;
}

/* id: 33 bytes for the file's id. */
static bool object_row(sbx_store *store, const char *bucket, const char *key, sbx_object *out,
                       char *id) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_OBJECT_GET))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, key);
  bool found = sbx__query_row(&q) && object_copy(&q, out);
  if (found)
    snprintf(id, 33, "%s", sbx__query_column(&q, 7));
  sbx__query_end(&q);
  return found;
}

/* The same, through the cache. */
static bool object_find(sbx_store *store, const char *bucket, const char *key, sbx_object *out,
                        char *id) {
  uint64_t stamp = 0;
  cached_row row;

  if (sbx__in_transaction(store))
    return object_row(store, bucket, key, out, id);
  if (sbx__cache_get(store->objects, bucket, key, row_unpack, &row, &stamp)) {
    *out = row.object;
    memcpy(id, row.id, sizeof row.id);
    return true;
  }
  if (!object_row(store, bucket, key, out, id))
    return false;
  cache_put(store, stamp, bucket, out, id);
  return true;
}

bool sbx_object_get(sbx_store *store, const char *bucket, const char *key, sbx_object *out) {
  char id[33];

  if (store->backend)
    return sbx_s3_backend_get(store->backend, key, out);
  return object_find(store, bucket, key, out, id);
}

int sbx_object_open(sbx_store *store, const char *bucket, const char *key, sbx_object *out) {
  if (store->backend)
    return sbx_s3_backend_open(store->backend, key, out);
  /* A writer may replace the object between reading the row and opening its file; then the row is
   * read again. */
  for (int attempt = 0; attempt < 8; attempt++) {
    char id[33], path[48];
    if (!object_find(store, bucket, key, out, id))
      return -1;
    sbx__object_path(id, path);
    int fd = openat(store->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
      return fd;
    sbx_object_finish(out);
    if (errno != ENOENT)
      return -1;
  }
  return -1;
}

bool sbx_object_delete(sbx_store *store, const char *bucket, const char *key) {
  store_scope scope;
  store_query q;

  if (store->backend)
    return sbx_s3_backend_delete(store->backend, key);
  if (!sbx__scope_enter(&scope, store))
    return false;
  bool ok = object_drop_file(store, bucket, key) && sbx__query_begin(&q, store, STMT_OBJECT_DELETE);
  if (ok) {
    sbx__query_text(&q, 1, bucket);
    sbx__query_text(&q, 2, key);
    ok = sbx__query_done(&q);
    sbx__query_end(&q);
  }
  return sbx__scope_leave(&scope, ok);
}

bool sbx_object_each(sbx_store *store, const char *bucket, const char *prefix, const char *after,
                     bool (*fn)(void *payload, const sbx_object *object), void *payload) {
  store_query q;
  size_t n = strlen(prefix);

  if (store->backend)
    return sbx_s3_backend_each(store->backend, prefix, after, fn, payload);
  if (!sbx__query_begin(&q, store, STMT_OBJECT_EACH))
    return false;
  sbx__query_text(&q, 1, bucket);
  /* One bound, the higher: with two, SQLite would seek to the first and read up to the second. */
  sbx__query_text(&q, 2, strcmp(after, prefix) > 0 ? after : prefix);
  while (sbx__query_row(&q)) {
    sbx_object object;
    if (strcmp(sbx__query_column(&q, 0), after) == 0)
      continue;
    object_view(&q, &object);
    /* sbx_object owns its strings elsewhere, so its members are not const. */
    object.key = (char *)(uintptr_t)sbx__query_column(&q, 0);
    object.content_type = (char *)(uintptr_t)sbx__query_column(&q, 4);
    object.metadata = (char *)(uintptr_t)sbx__query_column(&q, 5);
    if (strncmp(object.key, prefix, n) != 0 || !fn(payload, &object))
      break;
  }
  sbx__query_end(&q);
  return true;
}

bool sbx_object_part(sbx_store *store, const char *bucket, const char *key, const char *etag,
                     unsigned number, sbx_part *out) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_OBJECT_PART))
    return false;
  sbx__query_text(&q, 1, bucket);
  sbx__query_text(&q, 2, key);
  sbx__query_text(&q, 3, etag);
  sbx__query_int(&q, 4, number);
  bool found = sbx__query_row(&q);
  if (found) {
    const char *checksum = sbx__query_column(&q, 4);
    *out = (sbx_part){.number = number,
                      .size = (uint64_t)sqlite3_column_int64(q.stmt, 1),
                      .offset = (uint64_t)sqlite3_column_int64(q.stmt, 2)};
    snprintf(out->checksum, sizeof out->checksum, "%s", checksum ? checksum : "");
  }
  sbx__query_end(&q);
  return found;
}
