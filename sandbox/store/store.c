/* SPDX-License-Identifier: MIT */
/* The database: one connection for writing and a pool for reading, the prepared statements of
 * internal.h, transactions and their scopes, and opening and closing DIR. A transaction belongs to
 * a thread; other writers wait for it. Files that a transaction makes or replaces are listed, and
 * removed when its end is certain. After a crash, which the lock file shows, opening removes
 * incoming bodies and object files without a row. The other files of this folder run their
 * statements through the sbx__query_* functions. */
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/crypto.h"

/* seq keeps the order of insertion. Keys are compared as bytes, which is the order that S3 uses for
 * UTF-8. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS docs(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
    "  id TEXT NOT NULL, parent TEXT, doc TEXT NOT NULL, UNIQUE(kind, id));"
    "CREATE INDEX IF NOT EXISTS docs_kind ON docs(kind, seq);"
    "CREATE INDEX IF NOT EXISTS docs_parent ON docs(kind, parent, seq);"
    "CREATE TABLE IF NOT EXISTS kv(kind TEXT, key TEXT, value TEXT NOT NULL, expires INTEGER, "
    "  PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS files(seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, "
    "  key TEXT NOT NULL, size INTEGER, completed INTEGER, UNIQUE(owner, key));"
    "CREATE INDEX IF NOT EXISTS files_owner ON files(owner, seq);"
    "CREATE TABLE IF NOT EXISTS objects(bucket TEXT, key TEXT, file TEXT NOT NULL, size INTEGER, "
    "  etag TEXT, modified INTEGER, content_type TEXT, metadata TEXT, sse TEXT, "
    "  PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS object_parts(file TEXT, number INTEGER, start INTEGER, "
    "  size INTEGER, checksum TEXT, PRIMARY KEY(file, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, bucket TEXT, key TEXT, "
    "  initiated INTEGER, content_type TEXT, metadata TEXT, sse TEXT, checksum TEXT) "
    "  WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uploads_key ON uploads(bucket, key, id);"
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT, number INTEGER, file TEXT NOT NULL, "
    "  size INTEGER, etag TEXT, checksum TEXT, modified INTEGER, PRIMARY KEY(upload, number)) "
    "  WITHOUT ROWID;"
    "DROP INDEX IF EXISTS objects_file; DROP INDEX IF EXISTS parts_file;"; /* see sweep */

static const struct {
  store_kind kind;
  const char *sql;
} statements[STMT_COUNT] = {
#define X(name, kind, sql) [STMT_##name] = {STORE_##kind, sql},
    SBX_STATEMENTS(X)
#undef X
};

/* The store in which this thread has an open transaction. */
static _Thread_local sbx_store *transaction_of;

/* ---- connections ---- */

static void conn_free(store_conn *conn) {
  if (!conn)
    return;
  for (size_t i = 0; i < STMT_COUNT; i++)
    sqlite3_finalize(conn->stmts[i]);
  sqlite3_close(conn->db);
  igt__free(conn);
}

static bool conn_exec(store_conn *conn, const char *sql) {
  return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* SQLite creates its database with mode 0644 less the umask, and its log files with the database's
 * mode. One created by an earlier version is closed to others here, too; a wrong owner is detected
 * on opening. */
static void keep_private(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    return;
  (void)fchmod(fd, 0600);
  close(fd);
}

static store_conn *conn_new(const char *dir) {
  char path[4096];
  store_conn *conn = igt__calloc(1, sizeof *conn);

  if (!conn || snprintf(path, sizeof path, "%s/sandbox.db", dir) >= (int)sizeof path)
    goto fail;
  /* A connection belongs to one thread at a time, so SQLite's own locks are not needed. The
   * database belongs to this process alone, which DIR/lock ensures: "unix-excl" keeps others out
   * while it is open, and keeps the log's index and its locks in memory, where each read and each
   * write would otherwise take and release several file locks. */
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path, &conn->db, flags, "unix-excl") != SQLITE_OK)
    goto fail;
  sqlite3_busy_timeout(conn->db, 10000);
  /* NORMAL in WAL mode: a commit is in the log file, not yet on the medium. It survives the death
   * of the process; a power failure may lose the last commits, but never corrupts the database. */
  if (!conn_exec(conn, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                       "PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;"))
    goto fail;
  return conn;

fail:
  conn_free(conn);
  return NULL;
}

static store_conn *reader_take(sbx_store *store) {
  pthread_mutex_lock(&store->pool_lock);
  store_conn *conn = store->readers;
  if (conn)
    store->readers = conn->next;
  pthread_mutex_unlock(&store->pool_lock);
  return conn ? conn : conn_new(store->dir);
}

static void reader_give(sbx_store *store, store_conn *conn) {
  pthread_mutex_lock(&store->pool_lock);
  conn->next = store->readers;
  store->readers = conn;
  pthread_mutex_unlock(&store->pool_lock);
}

/* ---- statements ---- */

/* Removes the prepared statement from the connection, so that a callback that runs the same one
 * gets another. */
static sqlite3_stmt *stmt_take(store_conn *conn, store_stmt id) {
  sqlite3_stmt *stmt = conn->stmts[id];

  conn->stmts[id] = NULL;
  if (!stmt && sqlite3_prepare_v3(conn->db, statements[id].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &stmt, NULL) != SQLITE_OK)
    return NULL;
  return stmt;
}

static void stmt_give(store_conn *conn, store_stmt id, sqlite3_stmt *stmt) {
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  if (conn->stmts[id])
    sqlite3_finalize(stmt);
  else
    conn->stmts[id] = stmt;
}

static bool lock_writer(sbx_store *store, store_kind kind) {
  if (kind == STORE_WRITE)
    return pthread_mutex_lock(&store->write_lock) == 0;
  return kind == STORE_ROW && pthread_mutex_trylock(&store->write_lock) == 0;
}

bool sbx__query_begin(store_query *q, sbx_store *store, store_stmt id) {
  *q = (store_query){.store = store, .id = id};
  if (transaction_of == store) {
    q->conn = store->writer;
  } else if (lock_writer(store, statements[id].kind)) {
    q->locked = true;
    q->conn = store->writer;
  } else {
    q->conn = reader_take(store);
    q->pooled = true;
  }
  q->stmt = q->conn ? stmt_take(q->conn, id) : NULL;
  if (q->stmt)
    return true;
  sbx__query_end(q);
  return false;
}

void sbx__query_end(store_query *q) {
  if (q->stmt)
    stmt_give(q->conn, q->id, q->stmt);
  if (q->pooled && q->conn)
    reader_give(q->store, q->conn);
  if (q->locked)
    pthread_mutex_unlock(&q->store->write_lock);
  *q = (store_query){0};
}

void sbx__query_text(store_query *q, int i, const char *text) {
  if (text)
    sqlite3_bind_text(q->stmt, i, text, -1, SQLITE_STATIC);
  else
    sqlite3_bind_null(q->stmt, i);
}

void sbx__query_int(store_query *q, int i, int64_t value) {
  sqlite3_bind_int64(q->stmt, i, value);
}

bool sbx__query_row(store_query *q) {
  return sqlite3_step(q->stmt) == SQLITE_ROW;
}

bool sbx__query_done(store_query *q) {
  return sqlite3_step(q->stmt) == SQLITE_DONE;
}

const char *sbx__query_column(store_query *q, int i) {
  return (const char *)sqlite3_column_text(q->stmt, i);
}

/* ---- transactions ---- */

static bool run_on_writer(sbx_store *store, store_stmt id) {
  sqlite3_stmt *stmt = stmt_take(store->writer, id);

  if (!stmt)
    return false;
  bool ok = sqlite3_step(stmt) == SQLITE_DONE;
  stmt_give(store->writer, id, stmt);
  return ok;
}

static bool doom(store_doomed *list, const char *id) {
  if (list->count == list->cap) {
    size_t cap = list->cap ? list->cap * 2 : 16;
    void *ids = igt__realloc(list->ids, cap * sizeof *list->ids);
    if (!ids)
      return false; /* the file stays until the sweep after the next crash */
    list->ids = ids;
    list->cap = cap;
  }
  snprintf(list->ids[list->count++], sizeof *list->ids, "%s", id);
  return true;
}

void sbx__doom_on_commit(sbx_store *store, const char *id) {
  doom(&store->on_commit, id);
}

void sbx__doom_on_rollback(sbx_store *store, const char *id) {
  doom(&store->on_rollback, id);
}

void sbx__object_unlink(sbx_store *store, const char *id) {
  char path[48];

  sbx__object_path(id, path);
  unlinkat(store->dir_fd, path, 0);
}

uint64_t sbx_store_people(sbx_store *store) {
  return atomic_load(&store->people);
}

void sbx__wrote(sbx_store *store, const char *kind) {
  static const char *const people[] = {"user", "service", "session", "secret"};

  for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
    if (strcmp(kind, people[i]) != 0)
      continue;
    if (transaction_of == store)
      store->people_written = true; /* others see it once it is committed */
    else
      atomic_fetch_add(&store->people, 1);
  }
}

/* Ends the transaction. Files are removed once other threads can write again. */
static void leave(sbx_store *store, bool committed) {
  store_doomed *gone = committed ? &store->on_commit : &store->on_rollback;
  store_doomed *kept = committed ? &store->on_rollback : &store->on_commit;
  store_doomed files = *gone;

  *gone = (store_doomed){0};
  kept->count = 0;
  transaction_of = NULL;
  sbx__cache_settle(store->objects, committed);
  sbx__cache_settle(store->docs, committed);
  if (store->people_written)
    atomic_fetch_add(&store->people, 1);
  store->people_written = false;
  pthread_mutex_unlock(&store->write_lock);
  for (size_t i = 0; i < files.count; i++)
    sbx__object_unlink(store, files.ids[i]);
  igt__free(files.ids);
}

bool sbx_store_begin(sbx_store *store) {
  if (transaction_of)
    return false;
  pthread_mutex_lock(&store->write_lock);
  if (!run_on_writer(store, STMT_BEGIN)) {
    pthread_mutex_unlock(&store->write_lock);
    return false;
  }
  transaction_of = store;
  return true;
}

bool sbx_store_commit(sbx_store *store) {
  if (transaction_of != store)
    return false;
  bool ok = run_on_writer(store, STMT_COMMIT);
  if (!ok)
    run_on_writer(store, STMT_ROLLBACK);
  leave(store, ok);
  return ok;
}

void sbx_store_rollback(sbx_store *store) {
  if (transaction_of != store)
    return;
  run_on_writer(store, STMT_ROLLBACK);
  leave(store, false);
}

bool sbx__in_transaction(const sbx_store *store) {
  return transaction_of == store;
}

bool sbx__scope_enter(store_scope *scope, sbx_store *store) {
  *scope = (store_scope){.store = store, .own = transaction_of != store};
  return !scope->own || sbx_store_begin(store);
}

bool sbx__scope_leave(store_scope *scope, bool ok) {
  if (!scope->own)
    return ok;
  if (ok)
    return sbx_store_commit(scope->store);
  sbx_store_rollback(scope->store);
  return false;
}

/* ---- opening ---- */

void sbx__object_path(const char *id, char *path) {
  snprintf(path, 48, "objects/%.2s/%.32s", id, id);
}

static bool make_dirs(sbx_store *store) {
  return (mkdirat(store->dir_fd, "objects", 0700) == 0 || errno == EEXIST) &&
         (mkdirat(store->dir_fd, "incoming", 0700) == 0 || errno == EEXIST);
}

/* The lock file contains a byte while the store is open: finding one means that the last process
 * did not close the store. */
static bool lock_dir(sbx_store *store, bool *crashed, char *error, size_t cap) {
  struct stat st;

  store->lock_fd = openat(store->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (store->lock_fd < 0 || fstat(store->lock_fd, &st) != 0) {
    snprintf(error, cap, "%s/lock cannot be opened: %s", store->dir, strerror(errno));
    return false;
  }
  if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
    snprintf(error, cap, "%s is in use by another sandbox", store->dir);
    return false;
  }
  *crashed = st.st_size > 0;
  if (pwrite(store->lock_fd, "1", 1, 0) != 1) {
    snprintf(error, cap, "%s/lock cannot be written: %s", store->dir, strerror(errno));
    return false;
  }
  return true;
}

/* Calls fn for each name in DIR/path. */
static void each_name(sbx_store *store, const char *path,
                      void (*fn)(sbx_store *store, const char *path, const char *name)) {
  int fd = openat(store->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

  if (!dir) {
    if (fd >= 0)
      close(fd);
    return;
  }
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] != '.')
      fn(store, path, entry->d_name);
  }
  closedir(dir);
}

static void remove_name(sbx_store *store, const char *path, const char *name) {
  char full[320];

  snprintf(full, sizeof full, "%s/%s", path, name);
  unlinkat(store->dir_fd, full, 0);
}

static void remove_unknown(sbx_store *store, const char *path, const char *name) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_FILE_KNOWN))
    return;
  sbx__query_text(&q, 1, name);
  int rc = sqlite3_step(q.stmt);
  sbx__query_end(&q);
  if (rc == SQLITE_DONE)
    remove_name(store, path, name);
}

/* After a crash: removes incomplete bodies, and object files that no row references (the process
 * died between the file and the row, or between the row and the removal of the old file). Rows
 * are looked up by file only here, so the indexes are temporary: file names have no order, and each
 * PUT would write another page of them. */
static void sweep(sbx_store *store) {
  char path[48];

  conn_exec(store->writer, "CREATE INDEX IF NOT EXISTS objects_file ON objects(file);"
                           "CREATE INDEX IF NOT EXISTS parts_file ON parts(file);");
  for (unsigned i = 0; i < 256; i++) {
    snprintf(path, sizeof path, "objects/%02x", i);
    each_name(store, path, remove_unknown);
  }
  conn_exec(store->writer, "DROP INDEX IF EXISTS objects_file; DROP INDEX IF EXISTS parts_file;");
}

static void purge_expired(sbx_store *store) {
  char sql[96];

  snprintf(sql, sizeof sql, "DELETE FROM kv WHERE expires != 0 AND expires <= %lld",
           (long long)igt__wall_seconds());
  conn_exec(store->writer, sql);
}

static bool open_dir(sbx_store *store, const char *dir, char *error, size_t cap) {
  if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
    snprintf(error, cap, "%s cannot be created: %s", dir, strerror(errno));
    return false;
  }
  store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (store->dir_fd < 0) {
    snprintf(error, cap, "%s cannot be opened: %s", dir, strerror(errno));
    return false;
  }
  return true;
}

static bool open_database(sbx_store *store, char *error, size_t cap) {
  char path[4096];

  if (snprintf(path, sizeof path, "%s/sandbox.db", store->dir) < (int)sizeof path)
    keep_private(path);
  store->writer = conn_new(store->dir);
  if (!store->writer || !conn_exec(store->writer, schema)) {
    snprintf(error, cap, "%s/sandbox.db cannot be opened as a database%s%s", store->dir,
             store->writer ? ": " : "", store->writer ? sqlite3_errmsg(store->writer->db) : "");
    return false;
  }
  return true;
}

/* Connections belong to one thread at a time, and memory statistics are not used: both would cost a
 * mutex shared by all threads. */
static void configure_sqlite(void) {
  sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

sbx_store *sbx_store_open(const char *dir, char *error, size_t error_cap) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  bool crashed = false;
  sbx_store *store = igt__calloc(1, sizeof *store);

  pthread_once(&once, configure_sqlite);
  if (!store) {
    snprintf(error, error_cap, "out of memory");
    return NULL;
  }
  store->dir_fd = store->lock_fd = -1;
  pthread_mutex_init(&store->write_lock, NULL);
  pthread_mutex_init(&store->pool_lock, NULL);
  store->dir = igt__strdup(dir);
  store->objects = sbx__cache_new();
  store->docs = sbx__cache_new();
  if (!store->dir || !store->objects || !store->docs || !open_dir(store, dir, error, error_cap) ||
      !lock_dir(store, &crashed, error, error_cap))
    goto fail;
  if (!make_dirs(store)) {
    snprintf(error, error_cap, "%s: folders cannot be created: %s", dir, strerror(errno));
    goto fail;
  }
  if (!open_database(store, error, error_cap))
    goto fail;
  if (!igt__random(store->run, sizeof store->run)) {
    snprintf(error, error_cap, "the system has no random numbers");
    goto fail;
  }
  each_name(store, "incoming", remove_name);
  if (crashed)
    sweep(store);
  purge_expired(store);
  return store;

fail:
  sbx_store_close(store);
  return NULL;
}

void sbx_store_close(sbx_store *store) {
  if (!store)
    return;
  while (store->readers) {
    store_conn *conn = store->readers;
    store->readers = conn->next;
    conn_free(conn);
  }
  bool was_open = store->writer != NULL;
  conn_free(store->writer);
  if (store->lock_fd >= 0) {
    if (was_open && ftruncate(store->lock_fd, 0) != 0)
      was_open = false; /* only costs a sweep at the next start */
    close(store->lock_fd);
  }
  if (store->dir_fd >= 0)
    close(store->dir_fd);
  pthread_mutex_destroy(&store->write_lock);
  pthread_mutex_destroy(&store->pool_lock);
  sbx__cache_free(store->objects);
  sbx__cache_free(store->docs);
  igt__free(store->on_commit.ids);
  igt__free(store->on_rollback.ids);
  igt__free(store->dir);
  igt__free(store);
}
