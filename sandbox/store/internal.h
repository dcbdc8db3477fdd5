/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_STORE_INTERNAL_H
#define SANDBOX_STORE_INTERNAL_H

/* What the files of the store share: connections, prepared statements, transactions, and the files
 * to be removed when a transaction ends. */

#include <pthread.h>
#include <sqlite3.h>

#include "store/s3_backend.h"
#include "store/store.h"

/* WRITE: needs the writer. ROW: reads one row, and no other store function is called between its
 * begin and its end. READ: any other. */
typedef enum store_kind { STORE_READ, STORE_ROW, STORE_WRITE } store_kind;

/* Name, kind, SQL. */
#define SBX_STATEMENTS(X)                                                                          \
  X(BEGIN, WRITE, "BEGIN IMMEDIATE")                                                               \
  X(COMMIT, WRITE, "COMMIT")                                                                       \
  X(ROLLBACK, WRITE, "ROLLBACK")                                                                   \
  X(DOC_PUT, WRITE,                                                                                \
    "INSERT INTO docs(kind, id, parent, doc) VALUES(?1, ?2, ?3, ?4) "                              \
    "ON CONFLICT(kind, id) DO UPDATE SET parent = ?3, doc = ?4")                                   \
  X(DOC_GET, ROW, "SELECT doc FROM docs WHERE kind = ?1 AND id = ?2")                              \
  X(DOC_DELETE, WRITE, "DELETE FROM docs WHERE kind = ?1 AND id = ?2")                             \
  X(DOC_PAGE, READ,                                                                                \
    "SELECT seq, id, doc FROM docs WHERE kind = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")            \
  X(DOC_PAGE_PARENT, READ,                                                                         \
    "SELECT seq, id, doc FROM docs WHERE kind = ?1 AND parent = ?4 AND seq > ?2 "                  \
    "ORDER BY seq LIMIT ?3")                                                                       \
  X(DOC_COUNT, READ, "SELECT count(*) FROM docs WHERE kind = ?1")                                  \
  X(DOC_COUNT_PARENT, READ, "SELECT count(*) FROM docs WHERE kind = ?1 AND parent = ?2")           \
  X(KV_PUT, WRITE, "INSERT OR REPLACE INTO kv(kind, key, value, expires) VALUES(?1, ?2, ?3, ?4)")  \
  X(KV_GET, ROW,                                                                                   \
    "SELECT value, expires FROM kv WHERE kind = ?1 AND key = ?2 AND (expires = 0 OR expires > "    \
    "?3)")                                                                                         \
  X(KV_DELETE, WRITE, "DELETE FROM kv WHERE kind = ?1 AND key = ?2")                               \
  X(FILE_PUT, WRITE,                                                                               \
    "INSERT INTO files(owner, key, size, completed) VALUES(?1, ?2, ?3, ?4) "                       \
    "ON CONFLICT(owner, key) DO UPDATE SET size = ?3, completed = ?4")                             \
  X(FILE_ADD, WRITE,                                                                               \
    "INSERT OR IGNORE INTO files(owner, key, size, completed) VALUES(?1, ?2, ?3, ?4)")             \
  X(FILE_COMPLETE, WRITE,                                                                          \
    "UPDATE files SET size = ?3, completed = ?4 WHERE owner = ?1 AND key = ?2")                    \
  X(FILE_GET, ROW, "SELECT size, completed FROM files WHERE owner = ?1 AND key = ?2")              \
  X(FILE_DELETE, WRITE, "DELETE FROM files WHERE owner = ?1 AND key = ?2")                         \
  X(FILE_EACH, READ, "SELECT key, size, completed FROM files WHERE owner = ?1 ORDER BY seq")       \
  X(OBJECT_FILE, ROW, "SELECT file FROM objects WHERE bucket = ?1 AND key = ?2")                   \
  X(OBJECT_PUT, WRITE,                                                                             \
    "INSERT OR REPLACE INTO objects(bucket, key, file, size, etag, modified, content_type, "       \
    "metadata, sse) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                   \
  X(OBJECT_GET, ROW,                                                                               \
    "SELECT key, size, etag, modified, content_type, metadata, sse, file FROM objects "            \
    "WHERE bucket = ?1 AND key = ?2")                                                              \
  X(OBJECT_DELETE, WRITE, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2")                    \
  X(OBJECT_EACH, READ,                                                                             \
    "SELECT key, size, etag, modified, content_type, metadata, sse, file FROM objects "            \
    "WHERE bucket = ?1 AND key >= ?2 ORDER BY key")                                                \
  X(OBJECT_PARTS_DELETE, WRITE, "DELETE FROM object_parts WHERE file = ?1")                        \
  X(OBJECT_PART_PUT, WRITE,                                                                        \
    "INSERT INTO object_parts(file, number, start, size, checksum) VALUES(?1, ?2, ?3, ?4, ?5)")    \
  X(OBJECT_PART, ROW,                                                                              \
    "SELECT p.number, p.size, p.start, '', p.checksum, o.modified FROM objects o "                 \
    "JOIN object_parts p ON p.file = o.file "                                                      \
    "WHERE o.bucket = ?1 AND o.key = ?2 AND o.etag = ?3 AND p.number = ?4")                        \
  X(UPLOAD_PUT, WRITE,                                                                             \
    "INSERT INTO uploads(id, bucket, key, initiated, content_type, metadata, sse, checksum) "      \
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                      \
  X(UPLOAD_GET, ROW,                                                                               \
    "SELECT id, key, initiated, content_type, metadata, sse, checksum FROM uploads "               \
    "WHERE bucket = ?1 AND key = ?2 AND id = ?3")                                                  \
  X(UPLOAD_HAS, ROW, "SELECT 1 FROM uploads WHERE id = ?1")                                        \
  X(UPLOAD_DELETE, WRITE, "DELETE FROM uploads WHERE id = ?1")                                     \
  X(UPLOAD_EACH, READ,                                                                             \
    "SELECT id, key, initiated, content_type, metadata, sse, checksum FROM uploads "               \
    "WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND key >= ?4 ORDER BY key, id")                   \
  X(PART_PUT, WRITE,                                                                               \
    "INSERT OR REPLACE INTO parts(upload, number, file, size, etag, checksum, modified) "          \
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                          \
  X(PART_GET, ROW,                                                                                 \
    "SELECT number, size, 0, etag, checksum, modified, file FROM parts "                           \
    "WHERE upload = ?1 AND number = ?2")                                                           \
  X(PART_EACH, READ,                                                                               \
    "SELECT number, size, 0, etag, checksum, modified, file FROM parts "                           \
    "WHERE upload = ?1 AND number > ?2 ORDER BY number")                                           \
  X(PARTS_DELETE, WRITE, "DELETE FROM parts WHERE upload = ?1")                                    \
  X(FILE_KNOWN, READ,                                                                              \
    "SELECT 1 FROM objects WHERE file = ?1 UNION ALL SELECT 1 FROM parts WHERE file = ?1 "         \
    "LIMIT 1")

typedef enum store_stmt {
#define X(name, kind, sql) STMT_##name,
  SBX_STATEMENTS(X)
#undef X
      STMT_COUNT
} store_stmt;

typedef struct store_conn {
  sqlite3 *db;
  sqlite3_stmt *stmts[STMT_COUNT]; /* cached while not in use */
  struct store_conn *next;
} store_conn;

/* Ids of object files to remove, depending on how the transaction ends. */
typedef struct store_doomed {
  char (*ids)[33];
  size_t count, cap;
} store_doomed;

typedef struct store_cache store_cache;

struct sbx_store {
  char *dir;
  struct sbx_s3_backend *backend; /* NULL: objects are files below dir */
  int dir_fd;
  int lock_fd;

  pthread_mutex_t write_lock; /* guards the writer and the state of its transaction */
  store_conn *writer;
  store_doomed on_commit;   /* files of replaced or deleted rows: removed once it has committed */
  store_doomed on_rollback; /* files placed for rows that will not exist */

  pthread_mutex_t pool_lock;
  store_conn *readers; /* those not in use */

  _Atomic uint64_t next_id; /* of the next file */
  unsigned char run[8];     /* random, so that ids differ from those of earlier runs */

  store_cache *objects; /* by bucket and key */
  store_cache *docs;    /* by kind and id */

  _Atomic uint64_t people; /* sbx_store_people */
  bool people_written;     /* by the open transaction */
};

/* One execution of one statement: on the writer, with its lock held, when it writes or when this
 * thread has a transaction; otherwise on a connection for reading. A single row is read on the
 * writer when it is free: what others wrote is in its page cache, while a reader drops all its
 * pages after each commit. */
typedef struct store_query {
  sbx_store *store;
  store_conn *conn;
  sqlite3_stmt *stmt;
  store_stmt id;
  bool locked;
  bool pooled;
} store_query;

/* False: failed, nothing to end. Text is not copied; NULL binds null. */
bool sbx__query_begin(store_query *q, sbx_store *store, store_stmt id);
void sbx__query_text(store_query *q, int i, const char *text);
void sbx__query_int(store_query *q, int i, int64_t value);
bool sbx__query_row(store_query *q);  /* true: there is a row */
bool sbx__query_done(store_query *q); /* runs a write; true on success */
void sbx__query_end(store_query *q);
const char *sbx__query_column(store_query *q, int i); /* NULL: SQL null */

/* A transaction, or a nested scope in this thread's open transaction. */
typedef struct store_scope {
  sbx_store *store;
  bool own;
} store_scope;
bool sbx__scope_enter(store_scope *scope, sbx_store *store);
/* ok false: rolls back (if the transaction is its own). True when committed. */
bool sbx__scope_leave(store_scope *scope, bool ok);

bool sbx__in_transaction(const sbx_store *store); /* this thread */
/* Call after writing a row of that kind. */
void sbx__wrote(sbx_store *store, const char *kind);

/* ---- cache.c: rows, never older than the last commit ---- */
store_cache *sbx__cache_new(void);
void sbx__cache_free(store_cache *cache);
/* Not within a transaction, which must see its own writes. take copies what it needs of the value,
 * under the cache's lock; false: out of memory. Whether found or not, *stamp is for the put of what
 * is then read from the database. */
bool sbx__cache_get(store_cache *cache, const char *space, const char *key,
                    bool (*take)(void *payload, const char *value, size_t n), void *payload,
                    uint64_t *stamp);
void sbx__cache_put(store_cache *cache, uint64_t stamp, const char *space, const char *key,
                    const char *value, size_t n);
/* Within a transaction: drop before it writes a row; stage after it has written one that will most
 * likely be requested next (as $file-upload-completed does); end when it has ended. */
void sbx__cache_drop(store_cache *cache, const char *space, const char *key);
void sbx__cache_stage(store_cache *cache, const char *space, const char *key, const char *value,
                      size_t n);
void sbx__cache_settle(store_cache *cache, bool committed);

/* Below DIR: "objects/ab/abcd…" and "incoming/…". path: at least 48 bytes. */
void sbx__object_path(const char *id, char *path);
void sbx__doom_on_commit(sbx_store *store, const char *id);
void sbx__doom_on_rollback(sbx_store *store, const char *id);

void sbx__object_unlink(sbx_store *store, const char *id);

/* Puts the bytes in place under a new id: before the transaction, so that others can write
 * meanwhile. id: 33 bytes. */
bool sbx__incoming_place(sbx_incoming *in, char *id);
/* Starts the transaction of rows that reference the file; if that fails, the file is removed. */
bool sbx__scope_enter_with(store_scope *scope, sbx_store *store, const char *id);
bool sbx__object_insert(sbx_store *store, const char *bucket, const char *id, uint64_t size,
                        const sbx_object *object);
uint64_t sbx__incoming_size(const sbx_incoming *in);

#endif
