/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "journal/internal.h"

#define JOURNAL_VERSION 2
/* Between the ticks of a run; a commit is a write of the pages that changed. */
#define COMMIT_AFTER_WRITES 2048
#define CREATED_KEPT_S (24 * 60 * 60)

static const char *const sql[STATEMENT_COUNT] = {
    [FIND_FOLDER] = "SELECT id FROM folder WHERE origin=?1 AND key=?2 AND local=?3",
    [PUT_FOLDER] = "INSERT OR IGNORE INTO folder(origin, key, local) VALUES(?1,?2,?3)",
    [FIND_FILE] = "SELECT size, mtime, etag, digest, verified FROM finished"
                  " WHERE folder=?1 AND name=?2",
    [PUT_FILE] = "INSERT OR REPLACE INTO finished(folder, name, size, mtime, etag, digest,"
                 " verified) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [FIND_DOWNLOAD] = "SELECT size, range_size, etag, ranges, count FROM download"
                      " WHERE local=?1 AND key=?2",
    [PUT_DOWNLOAD] = "INSERT OR REPLACE INTO download(local, key, size, range_size, etag, ranges,"
                     " count) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [DROP_DOWNLOAD] = "DELETE FROM download WHERE local=?1",
    [FIND_UPLOAD] = "SELECT size, mtime, inode, part_size, upload_id FROM upload"
                    " WHERE origin=?1 AND key=?2 AND (?3 IS NULL OR local=?3)",
    [PUT_UPLOAD] = "INSERT OR REPLACE INTO upload(origin, key, local, size, mtime, inode,"
                   " part_size, upload_id, prefix, project, place, began, worked)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?12)",
    [DROP_UPLOAD] = "DELETE FROM upload WHERE origin=?1 AND key=?2 AND upload_id=?3",
    [EACH_UPLOAD] = "SELECT key, local, size, mtime, inode, part_size, upload_id, prefix, project,"
                    " place, began, worked FROM upload WHERE origin=?1 ORDER BY key",
    [WORKED_ON] = "UPDATE upload SET worked=?3 WHERE origin=?1 AND key=?2",
    [PUT_PART] = "INSERT OR REPLACE INTO part(origin, key, number, etag, sha256)"
                 " VALUES(?1,?2,?3,?4,?5)",
    [DROP_PARTS] = "DELETE FROM part WHERE origin=?1 AND key=?2",
    [DROP_LOST_PARTS] = "DELETE FROM part WHERE origin=?1 AND key=?2 AND NOT EXISTS"
                        " (SELECT 1 FROM upload WHERE origin=?1 AND key=?2)",
    [LIST_PARTS] = "SELECT number, etag, sha256 FROM part WHERE origin=?1 AND key=?2"
                   " ORDER BY number",
    [FIND_CREATED] = "SELECT id FROM created WHERE origin=?1 AND institute=?2 AND name=?3",
    [PUT_CREATED] = "INSERT OR REPLACE INTO created(origin, institute, name, id, at)"
                    " VALUES(?1,?2,?3,?4,?5)",
    [FORGET_CREATED] = "DELETE FROM created WHERE at<?1",
    [OLDEST_RUN] = "SELECT min(began) FROM run WHERE target=?1 AND boot<>?2",
    [PUT_RUN] = "INSERT OR REPLACE INTO run(target, boot, scope, process, began)"
                " VALUES(?1,?2,?3,?4,?5)",
    [DROP_RUN] = "DELETE FROM run WHERE target=?1 AND boot=?2 AND scope=?3 AND process=?4",
    [DROP_RUNS] = "DELETE FROM run WHERE target=?1 AND boot<>?2 AND scope=?3",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS folder(id INTEGER PRIMARY KEY, origin TEXT NOT NULL,"
    " key TEXT NOT NULL, local TEXT NOT NULL, UNIQUE(origin, key, local));"
    "CREATE TABLE IF NOT EXISTS finished(folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER,"
    " mtime INTEGER, etag TEXT, digest TEXT, verified TEXT, PRIMARY KEY(folder, name))"
    " WITHOUT ROWID;"
    /* For people who look into it. */
    "CREATE VIEW IF NOT EXISTS file AS SELECT origin,"
    " CASE name WHEN '' THEN key ELSE key||'/'||name END AS key,"
    " CASE name WHEN '' THEN local ELSE local||'/'||name END AS local,"
    " size, mtime, etag, digest, verified FROM finished JOIN folder ON folder.id=folder;"
    "CREATE TABLE IF NOT EXISTS download(local TEXT PRIMARY KEY, key TEXT NOT NULL, size INTEGER,"
    " range_size INTEGER, etag TEXT, ranges BLOB, count INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS upload(origin TEXT NOT NULL, key TEXT NOT NULL,"
    " local TEXT NOT NULL, size INTEGER, mtime INTEGER, inode INTEGER, part_size INTEGER,"
    " upload_id TEXT, prefix INTEGER, project TEXT, place TEXT, began INTEGER, worked INTEGER,"
    " PRIMARY KEY(origin, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS part(origin TEXT NOT NULL, key TEXT NOT NULL,"
    " number INTEGER NOT NULL, etag TEXT, sha256 BLOB, PRIMARY KEY(origin, key, number))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS created(origin TEXT NOT NULL, institute TEXT NOT NULL,"
    " name TEXT NOT NULL, id TEXT, at INTEGER, PRIMARY KEY(origin, institute, name))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS run(target TEXT NOT NULL, scope TEXT NOT NULL, boot TEXT NOT NULL,"
    " process INTEGER, began INTEGER, PRIMARY KEY(target, scope, boot, process)) WITHOUT ROWID;"
    "PRAGMA user_version=2;";

/* Format 1 had all names of a finished file in each row: what it remembered of those is looked up
 * anew. Uploads had fewer columns. */
static const char from_1[] = "DROP TABLE IF EXISTS file;"
                             "ALTER TABLE upload ADD COLUMN prefix INTEGER;"
                             "ALTER TABLE upload ADD COLUMN project TEXT;"
                             "ALTER TABLE upload ADD COLUMN place TEXT;"
                             "ALTER TABLE upload ADD COLUMN began INTEGER;"
                             "ALTER TABLE upload ADD COLUMN worked INTEGER;"
                             "PRAGMA user_version=2;";

/* ---- opening ---- */

static igt_status default_path(char **out, igt_error *err) {
  const char *state = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  char *base = NULL;

  if (state && state[0] == '/')
    base = igt__strdup(state);
  else if (home && home[0] == '/')
    base = igt__path_join(home, ".local/state");
  else
    return igt__fail(err, IGT_E_NO_FILE,
                     "there is no folder for the journal: set HOME or XDG_STATE_HOME");
  *out = base ? igt__path_join(base, "igtcloud/journal.db") : NULL;
  igt__free(base);
  return *out ? IGT_OK : igt__fail_memory(err);
}

static igt_status make_folder(const char *path, igt_error *err) {
  char *folder = igt__strdup(path);
  igt_status status = IGT_OK;

  if (!folder)
    return igt__fail_memory(err);
  for (char *p = strchr(folder + 1, '/'); p && status == IGT_OK; p = strchr(p + 1, '/')) {
    *p = '\0';
    if (mkdir(folder, 0700) != 0 && errno != EEXIST && errno != EISDIR)
      status = igt__fail_errno(err, errno, "the journal's folder %s cannot be made", folder);
    *p = '/';
  }
  igt__free(folder);
  return status;
}

static igt_status sqlite_fail(igt__journal *journal, int rc, const char *path, igt_error *err) {
  const char *why = journal->db ? sqlite3_errmsg(journal->db) : sqlite3_errstr(rc);

  if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
    return igt__fail(err, IGT_E_PARSE, "the journal %s is damaged: %s", path, why);
  if (rc == SQLITE_FULL)
    return igt__fail(err, IGT_E_NO_SPACE, "the journal %s cannot be written: %s", path, why);
  return igt__fail(err, IGT_E_IO, "the journal %s cannot be used: %s", path, why);
}

static int read_version(igt__journal *journal, int *version) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(journal->db, "PRAGMA user_version", -1, &stmt, NULL);

  *version = 0;
  if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    *version = sqlite3_column_int(stmt, 0);
    rc = SQLITE_OK;
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* Another process may be at it, or faster. */
static int leave_format_1(igt__journal *journal) {
  int version, rc = sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  if (rc == SQLITE_OK && (rc = read_version(journal, &version)) == SQLITE_OK && version == 1)
    rc = sqlite3_exec(journal->db, from_1, NULL, NULL, NULL);
  if (rc == SQLITE_OK)
    return sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL);
  (void)sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
  return rc;
}

static igt_status check_version(igt__journal *journal, const char *path, igt_error *err) {
  int version, rc = read_version(journal, &version);

  if (rc != SQLITE_OK)
    return sqlite_fail(journal, rc, path, err);
  if (version > JOURNAL_VERSION)
    return igt__fail(err, IGT_E_UNSUPPORTED,
                     "the journal %s was written by a newer igtcloud (format %d, this one knows "
                     "%d): use that one, or name another with --journal",
                     path, version, JOURNAL_VERSION);
  rc = version == 1 ? leave_format_1(journal) : SQLITE_OK;
  return rc == SQLITE_OK ? IGT_OK : sqlite_fail(journal, rc, path, err);
}

static igt_status open_at(igt__journal *journal, const char *path, igt_error *err) {
  mode_t mask = umask(0077);
  int rc = sqlite3_open_v2(
      path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
  igt_status status;

  umask(mask);
  if (rc != SQLITE_OK)
    return sqlite_fail(journal, rc, path, err);
  (void)sqlite3_busy_timeout(journal->db, 10000);
  status = check_version(journal, path, err);
  if (status != IGT_OK)
    return status;
  /* WAL: two processes may share the journal, and a commit is one write. */
  rc = sqlite3_exec(journal->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", NULL, NULL,
                    NULL);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec(journal->db, schema, NULL, NULL, NULL);
  for (int i = 0; rc == SQLITE_OK && i < STATEMENT_COUNT; i++)
    rc = sqlite3_prepare_v3(journal->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &journal->stmt[i],
                            NULL);
  return rc == SQLITE_OK ? IGT_OK : sqlite_fail(journal, rc, path, err);
}

static void shut(igt__journal *journal) {
  for (int i = 0; i < STATEMENT_COUNT; i++) {
    sqlite3_finalize(journal->stmt[i]);
    journal->stmt[i] = NULL;
  }
  sqlite3_close(journal->db);
  journal->db = NULL;
}

static bool move_aside(const char *path) {
  static const char *const tails[] = {"", "-wal", "-shm"};
  bool moved = false;

  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    char from[IGT_ERROR_TEXT_MAX * 4], to[sizeof from + 16];
    if (snprintf(from, sizeof from, "%s%s", path, tails[i]) >= (int)sizeof from)
      return false;
    (void)snprintf(to, sizeof to, "%s.damaged%s", path, tails[i]);
    if (rename(from, to) == 0 && i == 0)
      moved = true;
  }
  return moved;
}

static igt_status name_claims(igt__journal *journal, const char *path, igt_error *err) {
  size_t n = strlen(path) + sizeof ".lock";

  journal->claims_path = igt__malloc(n);
  if (!journal->claims_path)
    return igt__fail_memory(err);
  (void)snprintf(journal->claims_path, n, "%s.lock", path);
  return IGT_OK;
}

igt_status igt__journal_open(const char *path, igt__journal **out, bool *moved_aside,
                             igt_error *err) {
  igt__journal *journal = igt__calloc(1, sizeof *journal);
  char *own = NULL;
  igt_status status = IGT_OK;

  *out = NULL;
  *moved_aside = false;
  if (!journal)
    return igt__fail_memory(err);
  (void)pthread_mutex_init(&journal->lock, NULL);
  (void)pthread_mutex_init(&journal->queue_lock, NULL);
  journal->queue_tail = &journal->queue;
  journal->claims = -1;
  if (!path && (status = default_path(&own, err)) == IGT_OK)
    path = own;
  if (status == IGT_OK)
    status = make_folder(path, err);
  if (status == IGT_OK)
    status = open_at(journal, path, err);
  if (status == IGT_E_PARSE) {
    shut(journal);
    if (move_aside(path)) {
      *moved_aside = true;
      status = open_at(journal, path, err);
    }
  }
  if (status == IGT_OK)
    status = name_claims(journal, path, err);
  if (status == IGT_OK)
    *out = journal;
  else
    igt__journal_close(journal);
  igt__free(own);
  return status;
}

/* ---- batches ---- */

static void note_broken_locked(igt__journal *journal, const char *what) {
  if (journal->said_broken)
    return;
  journal->said_broken = true;
  igt__log(IGT_LOG_WARNING, IGT_LOG_JOURNAL,
           "the journal cannot be written (%s: %s): this run cannot be resumed from where it is",
           what, sqlite3_errmsg(journal->db));
}

static int commit_locked(igt__journal *journal) {
  int rc = SQLITE_OK;

  if (!journal->open_batch)
    return rc;
  rc = sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL);
  if (rc != SQLITE_OK) {
    note_broken_locked(journal, "commit");
    (void)sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
    igt__folders_forget_locked(journal);
  }
  journal->open_batch = false;
  return rc;
}

bool igt__journal_begin_locked(igt__journal *journal) {
  if (journal->open_batch)
    return true;
  /* DEFERRED would fail busy in the middle when another process writes. */
  if (sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
    note_broken_locked(journal, "begin");
    return false;
  }
  journal->open_batch = true;
  journal->batch_writes = 0;
  return true;
}

void igt__journal_write_locked(igt__journal *journal, igt__statement which) {
  sqlite3_stmt *stmt = journal->stmt[which];

  if (igt__journal_begin_locked(journal)) {
    if (sqlite3_step(stmt) != SQLITE_DONE)
      note_broken_locked(journal, "write");
    journal->batch_writes++;
  }
  (void)sqlite3_reset(stmt);
  if (journal->batch_writes >= COMMIT_AFTER_WRITES)
    (void)commit_locked(journal);
}

igt_status igt__journal_flush(igt__journal *journal, igt_error *err) {
  int rc;

  if (!journal)
    return IGT_OK;
  pthread_mutex_lock(&journal->lock);
  igt__finished_write_locked(journal);
  rc = commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
  return rc == SQLITE_OK ? IGT_OK : igt__fail(err, IGT_E_IO, "the journal cannot be written");
}

void igt__journal_close(igt__journal *journal) {
  if (!journal)
    return;
  if (journal->db) {
    igt__finished_write_locked(journal);
    (void)commit_locked(journal);
  }
  igt__finished_drop(journal);
  igt__folders_forget_locked(journal);
  shut(journal);
  if (journal->claims >= 0)
    close(journal->claims);
  igt__free(journal->claims_path);
  (void)pthread_mutex_destroy(&journal->queue_lock);
  (void)pthread_mutex_destroy(&journal->lock);
  igt__free(journal);
}

/* ---- values ---- */

void igt__bind_text(sqlite3_stmt *stmt, int at, const char *text) {
  (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void igt__bind_int(sqlite3_stmt *stmt, int at, uint64_t v) {
  (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)v);
}

void igt__column_text(sqlite3_stmt *stmt, int at, char *out, size_t cap) {
  const unsigned char *text = sqlite3_column_text(stmt, at);
  (void)snprintf(out, cap, "%s", text ? (const char *)text : "");
}

/* origin and key stand first in every statement that has them. */
static sqlite3_stmt *start_locked(igt__journal *journal, igt__statement which, const char *first,
                                  const char *second) {
  sqlite3_stmt *stmt = journal->stmt[which];
  igt__bind_text(stmt, 1, first);
  if (second)
    igt__bind_text(stmt, 2, second);
  return stmt;
}

/* ---- downloads ---- */

bool igt__journal_find_download(igt__journal *journal, const char *local, const char *key,
                                igt__journal_download *out) {
  sqlite3_stmt *stmt;
  bool found = false;

  memset(out, 0, sizeof *out);
  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  stmt = start_locked(journal, FIND_DOWNLOAD, local, key);
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    size_t bytes = (size_t)sqlite3_column_bytes(stmt, 3);
    out->size = (uint64_t)sqlite3_column_int64(stmt, 0);
    out->range_size = (uint64_t)sqlite3_column_int64(stmt, 1);
    igt__column_text(stmt, 2, out->etag, sizeof out->etag);
    out->range_count = (size_t)sqlite3_column_int64(stmt, 4);
    out->ranges = bytes == (out->range_count + 7) / 8 && bytes ? igt__malloc(bytes) : NULL;
    if (out->ranges) {
      memcpy(out->ranges, sqlite3_column_blob(stmt, 3), bytes);
      found = true;
    }
  }
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_download(igt__journal *journal, const char *local, const char *key,
                               const igt__journal_download *download) {
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  stmt = start_locked(journal, PUT_DOWNLOAD, local, key);
  igt__bind_int(stmt, 3, download->size);
  igt__bind_int(stmt, 4, download->range_size);
  igt__bind_text(stmt, 5, download->etag);
  (void)sqlite3_bind_blob(stmt, 6, download->ranges, (int)((download->range_count + 7) / 8),
                          SQLITE_STATIC);
  igt__bind_int(stmt, 7, download->range_count);
  igt__journal_write_locked(journal, PUT_DOWNLOAD);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_drop_download(igt__journal *journal, const char *local) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  (void)start_locked(journal, DROP_DOWNLOAD, local, NULL);
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
  stmt = start_locked(journal, FIND_UPLOAD, origin, key);
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
  stmt = start_locked(journal, PUT_UPLOAD, origin, key);
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
  (void)start_locked(journal, DROP_PARTS, origin, key);
  igt__journal_write_locked(journal, DROP_PARTS);
  /* An upload id that is forgotten costs money until somebody finds it. */
  (void)commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_drop_upload(igt__journal *journal, const char *origin, const char *key,
                              const char *upload_id) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__bind_text(start_locked(journal, DROP_UPLOAD, origin, key), 3, upload_id);
  igt__journal_write_locked(journal, DROP_UPLOAD);
  (void)start_locked(journal, DROP_LOST_PARTS, origin, key);
  igt__journal_write_locked(journal, DROP_LOST_PARTS);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_put_part(igt__journal *journal, const char *origin, const char *key,
                           const igt__journal_part *part) {
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  stmt = start_locked(journal, PUT_PART, origin, key);
  igt__bind_int(stmt, 3, part->number);
  igt__bind_text(stmt, 4, part->etag);
  (void)sqlite3_bind_blob(stmt, 5, part->sha256, sizeof part->sha256, SQLITE_STATIC);
  igt__journal_write_locked(journal, PUT_PART);
  igt__bind_int(start_locked(journal, WORKED_ON, origin, key), 3, (uint64_t)igt__wall_seconds());
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
  (void)commit_locked(journal); /* a batch sees nothing that others wrote since its begin */
  stmt = start_locked(journal, EACH_UPLOAD, origin, NULL);
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

static bool push_part(igt__journal_part **list, size_t count, sqlite3_stmt *stmt) {
  igt__journal_part *grown = *list;

  if ((count & (count - 1)) == 0) {
    grown = igt__realloc(*list, (count ? count * 2 : 1) * sizeof *grown);
    if (!grown)
      return false;
    *list = grown;
  }
  memset(&grown[count], 0, sizeof *grown);
  grown[count].number = (unsigned)sqlite3_column_int(stmt, 0);
  igt__column_text(stmt, 1, grown[count].etag, sizeof grown[count].etag);
  if (sqlite3_column_bytes(stmt, 2) == (int)sizeof grown[count].sha256)
    memcpy(grown[count].sha256, sqlite3_column_blob(stmt, 2), sizeof grown[count].sha256);
  return true;
}

size_t igt__journal_parts(igt__journal *journal, const char *origin, const char *key,
                          igt__journal_part **out) {
  sqlite3_stmt *stmt;
  size_t count = 0;

  *out = NULL;
  if (!journal)
    return 0;
  pthread_mutex_lock(&journal->lock);
  stmt = start_locked(journal, LIST_PARTS, origin, key);
  while (sqlite3_step(stmt) == SQLITE_ROW && push_part(out, count, stmt))
    count++;
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return count;
}

/* ---- claims ---- */

/* A byte for each name; two names that fall together wait for each other, which is no harm. */
static off_t place_of(const char *origin, const char *institute, const char *name) {
  igt__digest *digest = igt__digest_new(IGT__SHA256);
  const char *const parts[] = {origin, institute, name};
  unsigned char out[IGT__DIGEST_MAX];
  uint64_t place = 0;

  if (!digest)
    return 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    igt__digest_update(digest, parts[i], strlen(parts[i]) + 1);
  igt__digest_final(digest, out);
  igt__digest_free(digest);
  memcpy(&place, out, sizeof place);
  return (off_t)(place >> 2);
}

/* Downloads never need it. Without it, two programs at once may create the same study, or one end
 * the other's upload. */
static bool open_claims(igt__journal *journal) {
  pthread_mutex_lock(&journal->lock);
  if (journal->claims < 0)
    journal->claims = open(journal->claims_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  pthread_mutex_unlock(&journal->lock);
  return journal->claims >= 0;
}

static int lock_byte(igt__journal *journal, short type, off_t place) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};

  return fcntl(journal->claims, F_OFD_SETLK, &lock);
}

static bool lock_name(igt__journal *journal, short type, const char *origin, const char *group,
                      const char *name) {
  if (!journal || !open_claims(journal))
    return true;
  return lock_byte(journal, type, place_of(origin, group, name)) == 0 ||
         (errno != EAGAIN && errno != EACCES); /* a file system without locks */
}

bool igt__journal_claim(igt__journal *journal, const char *origin, const char *institute,
                        const char *name) {
  return lock_name(journal, F_WRLCK, origin, institute, name);
}

void igt__journal_unclaim(igt__journal *journal, const char *origin, const char *institute,
                          const char *name) {
  (void)lock_name(journal, F_UNLCK, origin, institute, name);
}

/* No institute has this id. */
#define UPLOADS "uploads"

bool igt__journal_hold_upload(igt__journal *journal, const char *origin, const char *key,
                              bool alone) {
  return lock_name(journal, alone ? F_WRLCK : F_RDLCK, origin, UPLOADS, key);
}

void igt__journal_release_upload(igt__journal *journal, const char *origin, const char *key) {
  (void)lock_name(journal, F_UNLCK, origin, UPLOADS, key);
}

bool igt__journal_upload_is_held(igt__journal *journal, const char *origin, const char *key) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

  if (!journal || !open_claims(journal))
    return false;
  lock.l_start = place_of(origin, UPLOADS, key);
  return fcntl(journal->claims, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* ---- studies that were created ---- */

bool igt__journal_find_created(igt__journal *journal, const char *origin, const char *institute,
                               const char *name, char id[128]) {
  sqlite3_stmt *stmt;
  bool found;

  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  (void)commit_locked(journal); /* a batch sees nothing that others wrote since its begin */
  stmt = start_locked(journal, FIND_CREATED, origin, institute);
  igt__bind_text(stmt, 3, name);
  found = sqlite3_step(stmt) == SQLITE_ROW;
  if (found)
    igt__column_text(stmt, 0, id, 128);
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_created(igt__journal *journal, const char *origin, const char *institute,
                              const char *name, const char *id) {
  int64_t now = igt__wall_seconds();
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__bind_int(journal->stmt[FORGET_CREATED], 1, (uint64_t)(now - CREATED_KEPT_S));
  igt__journal_write_locked(journal, FORGET_CREATED);
  stmt = start_locked(journal, PUT_CREATED, origin, institute);
  igt__bind_text(stmt, 3, name);
  igt__bind_text(stmt, 4, id);
  igt__bind_int(stmt, 5, (uint64_t)now);
  igt__journal_write_locked(journal, PUT_CREATED);
  (void)commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

/* ---- runs ---- */

static void drop_run_locked(igt__journal *journal, const igt__journal_run *run,
                            igt__statement which) {
  sqlite3_stmt *stmt = start_locked(journal, which, run->target, run->boot);

  igt__bind_text(stmt, 3, run->scope);
  if (which == DROP_RUN)
    igt__bind_int(stmt, 4, (uint64_t)getpid());
  igt__journal_write_locked(journal, which);
}

/* A commit reaches the disk only here: a row that a loss of power takes along with the files that
 * it speaks of would be of no use. */
static void put_run_locked(igt__journal *journal, const igt__journal_run *run) {
  sqlite3_stmt *stmt;

  (void)commit_locked(journal);
  (void)sqlite3_exec(journal->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
  stmt = start_locked(journal, PUT_RUN, run->target, run->boot);
  igt__bind_text(stmt, 3, run->scope);
  igt__bind_int(stmt, 4, (uint64_t)getpid());
  igt__bind_int(stmt, 5, (uint64_t)igt__wall_seconds());
  igt__journal_write_locked(journal, PUT_RUN);
  (void)commit_locked(journal);
  (void)sqlite3_exec(journal->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
}

int64_t igt__journal_begin_run(igt__journal *journal, const igt__journal_run *run) {
  sqlite3_stmt *stmt;
  int64_t since = 0;

  if (!journal)
    return 0;
  pthread_mutex_lock(&journal->lock);
  stmt = start_locked(journal, OLDEST_RUN, run->target, run->boot);
  if (sqlite3_step(stmt) == SQLITE_ROW)
    since = sqlite3_column_int64(stmt, 0);
  (void)sqlite3_reset(stmt);
  put_run_locked(journal, run);
  pthread_mutex_unlock(&journal->lock);
  return since;
}

void igt__journal_end_run(igt__journal *journal, const igt__journal_run *run, bool whole) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  drop_run_locked(journal, run, DROP_RUN);
  if (whole)
    drop_run_locked(journal, run, DROP_RUNS);
  (void)commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}
