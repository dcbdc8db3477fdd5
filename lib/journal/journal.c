/* SPDX-License-Identifier: MIT */
/* The journal's database: opens the SQLite file (creating it, migrating earlier formats, moving a
 * damaged one aside), prepares all statements, and batches writes into transactions that are
 * committed ten times a second. Before SQLite sees the file, its type, owner and content are
 * checked, because the journal decides what is transferred and what is skipped. The other files of
 * this folder run the statements, under journal->lock; runs in lib/transfer open, flush and close
 * it. */
#include "journal/journal.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "journal/internal.h"

#define JOURNAL_VERSION 4
/* Between the flushes of a run; a commit writes the pages that changed. */
#define COMMIT_AFTER_WRITES 2048
/* How long to wait for another process that writes, also after a cancellation: then in total. */
#define BUSY_US 10000000
#define BUSY_CANCELLED_US 1000000
#define BUSY_POLL_US 10000

static const char *const sql[STATEMENT_COUNT] = {
    [FIND_FOLDER] = "SELECT id FROM folder WHERE origin=?1 AND key=?2 AND local=?3",
    [PUT_FOLDER] = "INSERT OR IGNORE INTO folder(origin, key, local) VALUES(?1,?2,?3)",
    [FIND_FILE] = "SELECT size, mtime, etag, digest, verified, ctime, inode FROM finished"
                  " WHERE folder=?1 AND name=?2",
    [PUT_FILE] = "INSERT OR REPLACE INTO finished(folder, name, size, mtime, etag, digest,"
                 " verified, ctime, inode) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [ANY_DOWNLOAD] = "SELECT 1 FROM download LIMIT 1",
    [FIND_DOWNLOAD] =
        "SELECT size, range_size, etag, ranges, count, begun, boot, doubt, noted FROM download"
        " WHERE local=?1 AND key=?2",
    [PUT_DOWNLOAD] = "INSERT OR REPLACE INTO download(local, key, size, range_size, etag, ranges,"
                     " count, begun, boot, doubt, noted)"
                     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [MARK_DOWNLOADS] = "UPDATE download SET boot=?3 WHERE boot=?2"
                       " AND substr(local, 1, length(?1)+1)=?1||'/'",
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
    [DROP_BEGUN_PARTS] = "DELETE FROM part WHERE origin=?1 AND key=?2 AND etag=''",
    [DROP_PARTS] = "DELETE FROM part WHERE origin=?1 AND key=?2",
    [DROP_LOST_PARTS] = "DELETE FROM part WHERE origin=?1 AND key=?2 AND NOT EXISTS"
                        " (SELECT 1 FROM upload WHERE origin=?1 AND key=?2)",
    [LIST_PARTS] = "SELECT number, etag, sha256 FROM part WHERE origin=?1 AND key=?2"
                   " AND (etag<>'')=?3 ORDER BY number",
    [FIND_CREATED] = "SELECT id FROM created WHERE origin=?1 AND institute=?2 AND name=?3",
    [FIND_CREATOR] =
        "SELECT 1 FROM created WHERE origin=?1 AND institute=?2 AND id=?3 AND name<>?4",
    [PUT_CREATED] = "INSERT OR REPLACE INTO created(origin, institute, name, id, at)"
                    " VALUES(?1,?2,?3,?4,?5)",
    [FORGET_CREATED] = "DELETE FROM created WHERE at<?1",
    [OLDEST_RUN] = "SELECT min(began) FROM run WHERE target=?1 AND boot<>?2",
    [PUT_RUN] = "INSERT OR IGNORE INTO run(target, boot, scope, process, began)"
                " VALUES(?1,?2,?3,?4,?5)",
    [DROP_RUN] = "DELETE FROM run WHERE target=?1 AND boot=?2 AND scope=?3 AND process=?4",
    [DROP_RUNS] = "DELETE FROM run WHERE target=?1 AND boot<>?2 AND scope=?3",
    [LOSE_RUN] = "UPDATE OR IGNORE run SET boot='lost'"
                 " WHERE target=?1 AND boot=?2 AND scope=?3 AND process=?4",
    [FIND_COMPLETE] = "SELECT began FROM complete WHERE target=?1 AND source=?2",
    [PUT_COMPLETE] = "INSERT OR REPLACE INTO complete(target, source, began) VALUES(?1,?2,?3)",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS folder(id INTEGER PRIMARY KEY, origin TEXT NOT NULL,"
    " key TEXT NOT NULL, local TEXT NOT NULL, UNIQUE(origin, key, local));"
    "CREATE TABLE IF NOT EXISTS finished(folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER,"
    " mtime INTEGER, etag TEXT, digest TEXT, verified TEXT, ctime INTEGER, inode INTEGER,"
    " PRIMARY KEY(folder, name))"
    " WITHOUT ROWID;"
    /* For users who inspect the database. */
    "CREATE VIEW IF NOT EXISTS file AS SELECT origin,"
    " CASE name WHEN '' THEN key ELSE key||'/'||name END AS key,"
    " CASE name WHEN '' THEN local ELSE local||'/'||name END AS local,"
    " size, mtime, etag, digest, verified FROM finished JOIN folder ON folder.id=folder;"
    "CREATE TABLE IF NOT EXISTS download(local TEXT PRIMARY KEY, key TEXT NOT NULL, size INTEGER,"
    " range_size INTEGER, etag TEXT, ranges BLOB, count INTEGER, begun BLOB,"
    " boot TEXT, doubt INTEGER, noted INTEGER) WITHOUT ROWID;"
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
    /* Of format 4, too: earlier programs neither need nor mind it. */
    "CREATE TABLE IF NOT EXISTS complete(target TEXT NOT NULL, source TEXT NOT NULL,"
    " began INTEGER, PRIMARY KEY(target, source)) WITHOUT ROWID;"
    "PRAGMA user_version=4;";

/* Format 1 stored the full names of a finished file in each row: those files are examined again.
 * Uploads had fewer columns. */
static const char from_1[] = "DROP TABLE IF EXISTS file;"
                             "ALTER TABLE upload ADD COLUMN prefix INTEGER;"
                             "ALTER TABLE upload ADD COLUMN project TEXT;"
                             "ALTER TABLE upload ADD COLUMN place TEXT;"
                             "ALTER TABLE upload ADD COLUMN began INTEGER;"
                             "ALTER TABLE upload ADD COLUMN worked INTEGER;"
                             "PRAGMA user_version=2;";

/* Format 2 recorded only complete ranges, and less about a finished file. */
static const char from_2[] =
    "CREATE TABLE IF NOT EXISTS finished(folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER,"
    " mtime INTEGER, etag TEXT, digest TEXT, verified TEXT, PRIMARY KEY(folder, name))"
    " WITHOUT ROWID;"
    "ALTER TABLE finished ADD COLUMN ctime INTEGER;"
    "ALTER TABLE finished ADD COLUMN inode INTEGER;"
    "CREATE TABLE IF NOT EXISTS download(local TEXT PRIMARY KEY, key TEXT NOT NULL, size INTEGER,"
    " range_size INTEGER, etag TEXT, ranges BLOB, count INTEGER) WITHOUT ROWID;"
    "ALTER TABLE download ADD COLUMN begun BLOB;"
    "ALTER TABLE download ADD COLUMN boot TEXT;"
    "ALTER TABLE download ADD COLUMN doubt INTEGER;"
    "PRAGMA user_version=3;";

static const char from_3[] = "ALTER TABLE download ADD COLUMN noted INTEGER;"
                             "PRAGMA user_version=4;";

/* ---- opening ---- */

igt_status igt__journal_default_path(char **out, igt_error *err) {
  char base[IGT__OS_PATH_MAX];

  if (!igt__os_state_folder(base, sizeof base))
    return igt__fail(err, IGT_E_NO_FILE,
                     "there is no folder for the journal: set HOME or XDG_STATE_HOME");
  *out = igt__path_join(base, "igtcloud/journal.db");
  return *out ? IGT_OK : igt__fail_memory(err);
}

static igt_status make_folder(const char *path, igt_error *err) {
  char *folder = igt__strdup(path);
  igt_status status = IGT_OK;

  if (!folder)
    return igt__fail_memory(err);
  for (char *p = strchr(folder + 1, '/'); p && status == IGT_OK; p = strchr(p + 1, '/')) {
    *p = '\0';
    if (igt__os_mkdir(folder, 0700) != 0 && errno != EEXIST && errno != EISDIR)
      status = igt__fail_errno(err, errno, "the journal's folder %s cannot be created", folder);
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

/* Another process may be doing the same, or have finished first. */
static int leave_old_format(igt__journal *journal) {
  int version = 0, rc = sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  if (rc == SQLITE_OK && (rc = read_version(journal, &version)) == SQLITE_OK && version == 1)
    rc = sqlite3_exec(journal->db, from_1, NULL, NULL, NULL);
  if (rc == SQLITE_OK && (version == 1 || version == 2))
    rc = sqlite3_exec(journal->db, from_2, NULL, NULL, NULL);
  if (rc == SQLITE_OK && version >= 1 && version <= 3)
    rc = sqlite3_exec(journal->db, from_3, NULL, NULL, NULL);
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
  rc = version > 0 && version < JOURNAL_VERSION ? leave_old_format(journal) : SQLITE_OK;
  return rc == SQLITE_OK ? IGT_OK : sqlite_fail(journal, rc, path, err);
}

/* Each of our formats has one of these tables; a new file has no table at all. */
static igt_status check_ours(igt__journal *journal, const char *path, igt_error *err) {
  static const char query[] =
      "SELECT count(*), total(name IN ('upload','finished')) FROM sqlite_master";
  sqlite3_stmt *stmt = NULL;
  bool ours = true;
  int rc = sqlite3_prepare_v2(journal->db, query, -1, &stmt, NULL);

  if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    ours = sqlite3_column_int(stmt, 0) == 0 || sqlite3_column_int(stmt, 1) > 0;
    rc = SQLITE_OK;
  }
  sqlite3_finalize(stmt);
  if (rc != SQLITE_OK)
    return sqlite_fail(journal, rc, path, err);
  if (ours)
    return IGT_OK;
  return igt__fail(err, IGT_E_UNSUPPORTED,
                   "the journal %s cannot be used: it is a database of another program, which is "
                   "left alone; name another file with --journal",
                   path);
}

/* Called while another process has the file locked; 0: gives up, and SQLite reports SQLITE_BUSY. An
 * interrupted program must end soon, whatever others do with the file. */
static int wait_while_busy(void *arg, int times) {
  igt__journal *journal = arg;
  int64_t now = igt__mono_us();

  if (times == 0)
    journal->busy_since = now;
  if (!journal->cancelled_at && igt__cancel_is_set(journal->cancel))
    journal->cancelled_at = now;
  if (now - journal->busy_since >= BUSY_US ||
      (journal->cancelled_at && now - journal->cancelled_at >= BUSY_CANCELLED_US))
    return 0;
  igt__sleep_us(times < 5 ? 1000 : BUSY_POLL_US);
  return 1;
}

static igt_status open_at(igt__journal *journal, const char *path, igt_error *err) {
  mode_t mode = igt__os_private_mode();
  int rc = sqlite3_open_v2(
      path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
  igt_status status;

  igt__os_restore_mode(mode);
  if (rc != SQLITE_OK)
    return sqlite_fail(journal, rc, path, err);
  (void)sqlite3_busy_handler(journal->db, wait_while_busy, journal);
  status = check_ours(journal, path, err);
  if (status == IGT_OK)
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
  if (rc != SQLITE_OK)
    return sqlite_fail(journal, rc, path, err);
  journal->any_download = sqlite3_step(journal->stmt[ANY_DOWNLOAD]) == SQLITE_ROW;
  (void)sqlite3_reset(journal->stmt[ANY_DOWNLOAD]);
  return IGT_OK;
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
    if (igt__os_rename(from, to) == 0 && i == 0)
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

/* SQLite would block on a FIFO, and so would whoever locks one. */
static igt_status see_files(const char *path, igt_error *err) {
  static const char *const tails[] = {"", "-wal", "-shm", "-journal", ".lock"};

  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    char name[IGT__MAX_PATH + 16];
    igt__stat st;
    if (snprintf(name, sizeof name, "%s%s", path, tails[i]) >= (int)sizeof name)
      return igt__fail(err, IGT_E_LIMIT, "the path of the journal is too long");
    /* The journal itself may be a user's symbolic link; the files beside it may not. */
    if ((i == 0 ? igt__os_stat(name, &st) : igt__os_lstat(name, &st)) == 0 && !S_ISREG(st.st_mode))
      return igt__fail(err, IGT_E_IO,
                       "the journal %s cannot be used: %s is not a regular file; remove it", path,
                       i == 0 ? "it" : name);
  }
  return IGT_OK;
}

/* The journal decides what is sent and what is skipped, and contains patients' names. In a folder
 * that everybody can write to, one that another user has placed there is a trap. */
static igt_status see_owner(const char *path, igt_error *err) {
  size_t n = (size_t)(igt__path_local_base(path) - path);
  char *parent = n ? igt__strndup(path, n) : igt__strdup(".");
  igt__stat st, folder;
  bool planted;

  if (!parent)
    return igt__fail_memory(err);
  planted = igt__os_lstat(path, &st) == 0 && st.st_uid != igt__os_user() && st.st_uid != 0 &&
            igt__os_stat(parent, &folder) == 0 && folder.st_mode & S_IWOTH;
  igt__free(parent);
  if (!planted)
    return IGT_OK;
  return igt__fail(err, IGT_E_PERMISSION,
                   "the journal %s cannot be used: it belongs to another user (uid %lu), in a "
                   "folder that everybody can write to; name another file with --journal",
                   path, (unsigned long)st.st_uid);
}

/* A file that was named by mistake must not be changed. */
static igt_status see_content(const char *path, igt_error *err) {
  static const char magic[16] = "SQLite format 3";
  char head[sizeof magic];
  int fd = igt__os_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  ssize_t n = fd >= 0 ? igt__os_read(fd, head, sizeof head) : 0;

  if (fd >= 0)
    (void)igt__os_close(fd);
  if (n <= 0 || (n == sizeof head && memcmp(head, magic, sizeof head) == 0))
    return IGT_OK;
  return igt__fail(err, IGT_E_UNSUPPORTED,
                   "the journal %s cannot be used: it is another kind of file, which is left "
                   "alone; name another file with --journal",
                   path);
}

static igt_status see(const char *path, bool named, igt_error *err) {
  igt_status status = see_files(path, err);

  if (status == IGT_OK)
    status = see_owner(path, err);
  return status == IGT_OK && named ? see_content(path, err) : status;
}

igt_status igt__journal_open(const char *path, igt__cancel *cancel, igt__journal **out,
                             bool *moved_aside, igt_error *err) {
  igt__journal *journal = igt__calloc(1, sizeof *journal);
  char *own = NULL;
  igt_status status = IGT_OK;

  *out = NULL;
  *moved_aside = false;
  if (!journal)
    return igt__fail_memory(err);
  (void)pthread_mutex_init(&journal->lock, NULL);
  (void)pthread_mutex_init(&journal->queue_lock, NULL);
  igt__queue_init(&journal->queue);
  journal->claims = -1;
  journal->cancel = igt__cancel_ref(cancel);
  if (!path && (status = igt__journal_default_path(&own, err)) == IGT_OK)
    path = own;
  if (status == IGT_OK)
    status = make_folder(path, err);
  if (status == IGT_OK)
    status = see(path, !own, err);
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
  int rc = sqlite3_errcode(journal->db);

  if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
    journal->damaged = true;
  if (journal->said_broken)
    return;
  journal->said_broken = true;
  igt__log(IGT_LOG_WARNING, IGT_LOG_JOURNAL,
           "the journal cannot be written (%s: %s): this run cannot be resumed from where it is",
           what, sqlite3_errmsg(journal->db));
}

int igt__journal_commit_locked(igt__journal *journal) {
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
  /* DEFERRED would fail as busy in the middle of a batch when another process writes. */
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
    (void)igt__journal_commit_locked(journal);
}

igt_status igt__journal_flush(igt__journal *journal, igt_error *err) {
  int rc;

  if (!journal)
    return IGT_OK;
  pthread_mutex_lock(&journal->lock);
  igt__finished_write_locked(journal);
  rc = igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
  return rc == SQLITE_OK ? IGT_OK : igt__fail(err, IGT_E_IO, "the journal cannot be written");
}

/* Only the pages that were used show damage, so opening it did not. */
static void replace_damaged(igt__journal *journal) {
  size_t n = strlen(journal->claims_path) - strlen(".lock");
  char *path = igt__strndup(journal->claims_path, n);

  if (path && move_aside(path))
    igt__log(IGT_LOG_WARNING, IGT_LOG_JOURNAL,
             "the journal was damaged: it was moved aside (.damaged), and the next run starts a "
             "new one");
  igt__free(path);
}

void igt__journal_close(igt__journal *journal) {
  if (!journal)
    return;
  if (journal->db) {
    igt__finished_write_locked(journal);
    (void)igt__journal_commit_locked(journal);
  }
  igt__finished_drop(journal);
  igt__folders_forget_locked(journal);
  shut(journal);
  if (journal->damaged && journal->claims_path)
    replace_damaged(journal);
  if (journal->claims >= 0)
    igt__os_close(journal->claims);
  igt__free(journal->claims_path);
  igt__cancel_unref(journal->cancel);
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

/* origin and key are the first parameters of every statement that has them. */
sqlite3_stmt *igt__journal_start_locked(igt__journal *journal, igt__statement which,
                                        const char *first, const char *second) {
  sqlite3_stmt *stmt = journal->stmt[which];

  igt__bind_text(stmt, 1, first);
  if (second)
    igt__bind_text(stmt, 2, second);
  return stmt;
}

const char *igt__journal_library(void) {
  return sqlite3_libversion();
}
