/* SPDX-License-Identifier: MIT */
/* Unfinished transfers: downloads in ranges, uploads in parts. A download's finished ranges are a
 * bitmap and the partly received ones a list of pairs, both encoded as blobs in one row; an upload
 * is a row with its id, and a row for each stored part. Called by download/fetch_resume.c,
 * upload/send_parts.c and upload/uploads.c. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/internal.h"

/* ---- downloads ---- */

/* A pair is 8 bytes, little-endian. */
enum { PAIR = 8 };

static void put_uint32(unsigned char *out, uint32_t v) {
  for (unsigned i = 0; i < 4; i++)
    out[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_uint32(const unsigned char *in) {
  return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

/* NULL: none, or out of memory: then they are fetched again. */
static unsigned char *encode_begun(const igt__journal_download *download) {
  size_t n = download->begun_count;
  unsigned char *blob = n ? igt__malloc(n * PAIR) : NULL;

  for (size_t i = 0; blob && i < n; i++) {
    put_uint32(blob + i * PAIR, download->begun[i].range);
    put_uint32(blob + i * PAIR + 4, download->begun[i].bytes);
  }
  return blob;
}

static void decode_begun(const unsigned char *blob, size_t bytes, igt__journal_download *out) {
  size_t n = bytes / PAIR;

  out->begun = blob && n ? igt__malloc(n * sizeof *out->begun) : NULL;
  for (size_t i = 0; out->begun && i < n; i++) {
    igt__journal_begun one = {get_uint32(blob + i * PAIR), get_uint32(blob + i * PAIR + 4)};
    if (one.range < out->range_count && one.bytes <= out->range_size)
      out->begun[out->begun_count++] = one;
  }
}

bool igt__journal_has_downloads(igt__journal *journal) {
  return journal && journal->any_download;
}

bool igt__journal_find_download(igt__journal *journal, const char *local, const char *key,
                                igt__journal_download *out) {
  sqlite3_stmt *stmt;
  bool found = false;

  memset(out, 0, sizeof *out);
  if (!igt__journal_has_downloads(journal))
    return false;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, FIND_DOWNLOAD, local, key);
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    size_t bytes = (size_t)sqlite3_column_bytes(stmt, 3);
    out->size = (uint64_t)sqlite3_column_int64(stmt, 0);
    out->range_size = (uint64_t)sqlite3_column_int64(stmt, 1);
    igt__column_text(stmt, 2, out->etag, sizeof out->etag);
    out->range_count = (size_t)sqlite3_column_int64(stmt, 4);
    out->ranges = bytes == (out->range_count + 7) / 8 && bytes ? igt__malloc(bytes) : NULL;
    if (out->ranges) {
      memcpy(out->ranges, sqlite3_column_blob(stmt, 3), bytes);
      decode_begun(sqlite3_column_blob(stmt, 5), (size_t)sqlite3_column_bytes(stmt, 5), out);
      if (sqlite3_column_type(stmt, 6) == SQLITE_NULL) /* of an earlier version */
        igt__str_copy(out->boot, sizeof out->boot, "?");
      else
        igt__column_text(stmt, 6, out->boot, sizeof out->boot);
      out->doubt = sqlite3_column_int64(stmt, 7);
      out->noted = sqlite3_column_int64(stmt, 8);
      found = true;
    }
  }
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_download(igt__journal *journal, const char *local, const char *key,
                               const igt__journal_download *download) {
  unsigned char *begun;
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  begun = encode_begun(download);
  pthread_mutex_lock(&journal->lock);
  journal->any_download = true;
  stmt = igt__journal_start_locked(journal, PUT_DOWNLOAD, local, key);
  igt__bind_int(stmt, 3, download->size);
  igt__bind_int(stmt, 4, download->range_size);
  igt__bind_text(stmt, 5, download->etag);
  (void)sqlite3_bind_blob(stmt, 6, download->ranges, (int)((download->range_count + 7) / 8),
                          SQLITE_STATIC);
  igt__bind_int(stmt, 7, download->range_count);
  (void)sqlite3_bind_blob(stmt, 8, begun, begun ? (int)(download->begun_count * PAIR) : 0,
                          SQLITE_STATIC);
  igt__bind_text(stmt, 9, download->boot);
  igt__bind_int(stmt, 10, (uint64_t)download->doubt);
  igt__bind_int(stmt, 11, (uint64_t)igt__wall_seconds());
  igt__journal_write_locked(journal, PUT_DOWNLOAD);
  pthread_mutex_unlock(&journal->lock);
  igt__free(begun);
}

void igt__journal_mark_downloads(igt__journal *journal, const char *target, const char *from,
                                 const char *to) {
  if (!journal || !journal->any_download)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__bind_text(igt__journal_start_locked(journal, MARK_DOWNLOADS, target, from), 3, to);
  igt__journal_write_locked(journal, MARK_DOWNLOADS);
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_drop_download(igt__journal *journal, const char *local) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  (void)igt__journal_start_locked(journal, DROP_DOWNLOAD, local, NULL);
  igt__journal_write_locked(journal, DROP_DOWNLOAD);
  pthread_mutex_unlock(&journal->lock);
}

/* ---- uploads ---- */

bool igt__journal_find_upload(igt__journal *journal, const char *origin, const char *key,
                              const char *local, igt__journal_upload *out) {
  sqlite3_stmt *stmt;
  bool found;

  memset(out, 0, sizeof *out);
  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, FIND_UPLOAD, origin, key);
  igt__bind_text(stmt, 3, local);
  found = sqlite3_step(stmt) == SQLITE_ROW;
  if (found) {
    out->size = (uint64_t)sqlite3_column_int64(stmt, 0);
    out->mtime_ns = sqlite3_column_int64(stmt, 1);
    out->inode = (uint64_t)sqlite3_column_int64(stmt, 2);
    out->part_size = (uint64_t)sqlite3_column_int64(stmt, 3);
    igt__column_text(stmt, 4, out->upload_id, sizeof out->upload_id);
  }
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_upload(igt__journal *journal, const char *origin, const char *key,
                             const char *local, const igt__journal_upload *upload) {
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, PUT_UPLOAD, origin, key);
  igt__bind_text(stmt, 3, local);
  igt__bind_int(stmt, 4, upload->size);
  igt__bind_int(stmt, 5, (uint64_t)upload->mtime_ns);
  igt__bind_int(stmt, 6, upload->inode);
  igt__bind_int(stmt, 7, upload->part_size);
  igt__bind_text(stmt, 8, upload->upload_id);
  igt__bind_int(stmt, 9, upload->prefix_len);
  igt__bind_text(stmt, 10, upload->project ? upload->project : "");
  igt__bind_text(stmt, 11, upload->place ? upload->place : "");
  igt__bind_int(stmt, 12, (uint64_t)igt__wall_seconds());
  igt__journal_write_locked(journal, PUT_UPLOAD);
  (void)igt__journal_start_locked(journal, DROP_PARTS, origin, key);
  igt__journal_write_locked(journal, DROP_PARTS);
  /* A forgotten upload id costs money until somebody finds it. */
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_drop_upload(igt__journal *journal, const char *origin, const char *key,
                              const char *upload_id) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__bind_text(igt__journal_start_locked(journal, DROP_UPLOAD, origin, key), 3, upload_id);
  igt__journal_write_locked(journal, DROP_UPLOAD);
  (void)igt__journal_start_locked(journal, DROP_LOST_PARTS, origin, key);
  igt__journal_write_locked(journal, DROP_LOST_PARTS);
  pthread_mutex_unlock(&journal->lock);
}

/* A part without an ETag is in flight; instead of a digest it has the number `before`. */
static void write_part_locked(igt__journal *journal, const char *origin, const char *key,
                              unsigned number, const char *etag, const void *blob, int len) {
  sqlite3_stmt *stmt = igt__journal_start_locked(journal, PUT_PART, origin, key);

  igt__bind_int(stmt, 3, number);
  igt__bind_text(stmt, 4, etag);
  (void)sqlite3_bind_blob(stmt, 5, blob, len, SQLITE_STATIC);
  igt__journal_write_locked(journal, PUT_PART);
}

void igt__journal_begin_part(igt__journal *journal, const char *origin, const char *key,
                             unsigned number, unsigned before) {
  unsigned char blob[4];

  if (!journal)
    return;
  put_uint32(blob, before);
  pthread_mutex_lock(&journal->lock);
  write_part_locked(journal, origin, key, number, "", blob, sizeof blob);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_drop_begun_parts(igt__journal *journal, const char *origin, const char *key) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  (void)igt__journal_start_locked(journal, DROP_BEGUN_PARTS, origin, key);
  igt__journal_write_locked(journal, DROP_BEGUN_PARTS);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_put_part(igt__journal *journal, const char *origin, const char *key,
                           const igt__journal_part *part) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  write_part_locked(journal, origin, key, part->number, part->etag, part->sha256,
                    sizeof part->sha256);
  igt__bind_int(igt__journal_start_locked(journal, WORKED_ON, origin, key), 3,
                (uint64_t)igt__wall_seconds());
  igt__journal_write_locked(journal, WORKED_ON);
  pthread_mutex_unlock(&journal->lock);
}

static const char *text_at(sqlite3_stmt *stmt, int at) {
  const char *text = (const char *)sqlite3_column_text(stmt, at);

  return text ? text : "";
}

static igt__journal_unfinished unfinished_at(sqlite3_stmt *stmt) {
  igt__journal_unfinished one = {.key = text_at(stmt, 0),
                                 .local = text_at(stmt, 1),
                                 .upload = {.size = (uint64_t)sqlite3_column_int64(stmt, 2),
                                            .mtime_ns = sqlite3_column_int64(stmt, 3),
                                            .inode = (uint64_t)sqlite3_column_int64(stmt, 4),
                                            .part_size = (uint64_t)sqlite3_column_int64(stmt, 5),
                                            .prefix_len = (size_t)sqlite3_column_int64(stmt, 7),
                                            .project = text_at(stmt, 8),
                                            .place = text_at(stmt, 9)},
                                 .began = sqlite3_column_int64(stmt, 10),
                                 .worked = sqlite3_column_int64(stmt, 11)};

  igt__column_text(stmt, 6, one.upload.upload_id, sizeof one.upload.upload_id);
  return one;
}

igt_status igt__journal_each_upload(igt__journal *journal, const char *origin,
                                    igt__journal_upload_fn fn, void *payload, igt_error *err) {
  sqlite3_stmt *stmt;
  igt_status status = IGT_OK;
  int rc = SQLITE_DONE;

  if (!journal)
    return IGT_OK;
  pthread_mutex_lock(&journal->lock);
  (void)igt__journal_commit_locked(
      journal); /* a batch sees nothing that others wrote after it began */
  stmt = igt__journal_start_locked(journal, EACH_UPLOAD, origin, NULL);
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    igt__journal_unfinished one = unfinished_at(stmt);
    if (!fn(payload, &one))
      break;
  }
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    status =
        igt__fail(err, IGT_E_IO, "the journal cannot be read: %s", sqlite3_errmsg(journal->db));
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return status;
}

/* Adds the statement's row to a list of count elements. False: no memory. */
typedef bool (*push_fn)(void *list, size_t count, sqlite3_stmt *stmt);

/* Those that are stored, or those that are in flight; returns how many. */
static size_t list_parts(igt__journal *journal, const char *origin, const char *key, bool stored,
                         push_fn push, void *list) {
  sqlite3_stmt *stmt;
  size_t count = 0;

  if (!journal)
    return 0;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, LIST_PARTS, origin, key);
  igt__bind_int(stmt, 3, stored);
  while (sqlite3_step(stmt) == SQLITE_ROW && push(list, count, stmt))
    count++;
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return count;
}

/* Space for one more; capacity doubles. NULL: no memory. */
static void *grow(void *list, size_t count, size_t size) {
  return count & (count - 1) ? list : igt__realloc(list, (count ? count * 2 : 1) * size);
}

static bool push_part(void *list, size_t count, sqlite3_stmt *stmt) {
  igt__journal_part **parts = list, *grown = grow(*parts, count, sizeof *grown);

  if (!grown)
    return false;
  *parts = grown;
  memset(&grown[count], 0, sizeof *grown);
  grown[count].number = (unsigned)sqlite3_column_int(stmt, 0);
  igt__column_text(stmt, 1, grown[count].etag, sizeof grown[count].etag);
  if (sqlite3_column_bytes(stmt, 2) == (int)sizeof grown[count].sha256)
    memcpy(grown[count].sha256, sqlite3_column_blob(stmt, 2), sizeof grown[count].sha256);
  return true;
}

size_t igt__journal_parts(igt__journal *journal, const char *origin, const char *key,
                          igt__journal_part **out) {
  *out = NULL;
  return list_parts(journal, origin, key, true, push_part, out);
}

typedef struct begun_parts {
  unsigned *numbers, before;
} begun_parts;

static bool push_begun(void *list, size_t count, sqlite3_stmt *stmt) {
  begun_parts *begun = list;
  unsigned *grown = grow(begun->numbers, count, sizeof *grown);

  if (!grown)
    return false;
  begun->numbers = grown;
  grown[count] = (unsigned)sqlite3_column_int(stmt, 0);
  if (sqlite3_column_bytes(stmt, 2) == 4)
    begun->before = get_uint32(sqlite3_column_blob(stmt, 2));
  return true;
}

size_t igt__journal_begun_parts(igt__journal *journal, const char *origin, const char *key,
                                unsigned **numbers, unsigned *before) {
  begun_parts begun = {.numbers = NULL};
  size_t count = list_parts(journal, origin, key, false, push_begun, &begun);

  *numbers = begun.numbers;
  *before = begun.before;
  return count;
}
