/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_STORE_INTERNAL_H
#define SANDBOX_STORE_INTERNAL_H

/* What the files of the store share: connections, prepared statements, transactions, and the
 * files whose fate hangs on a transaction. */

#include <pthread.h>
#include <sqlite3.h>

#include "store/s3_backend.h"
#include "store/store.h"

/* WRITE: needs the writer. ROW: reads one, and between its begin and its end nothing else of the
 * store is called. READ: any other. */
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
  sqlite3_stmt *stmts[STMT_COUNT]; /* kept while nobody runs them */
  struct store_conn *next;
} store_conn;

/* Ids of object files, whose end depends on how the transaction ends. */
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

  pthread_mutex_t write_lock; /* guards the writer and what belongs to its transaction */
  store_conn *writer;
  store_doomed on_commit;   /* replaced or deleted: to unlink when it is sure */
  store_doomed on_rollback; /* put in place for rows that will not be */

  pthread_mutex_t pool_lock;
  store_conn *readers; /* those that nobody uses now */

  _Atomic uint64_t next_id; /* of a file */
  unsigned char run[8];     /* random, so that no id is one of an earlier run */

  store_cache *objects; /* by bucket and key */
  store_cache *docs;    /* by kind and id */

  _Atomic uint64_t people; /* sbx_store_people */
  bool people_written;     /* by the transaction that is open */
};

/* One run of one statement: on the writer, with its lock held, when it writes or when this
 * thread has a transaction; else on a connection for reading. A row is read by the writer when
 * nobody has it: what others wrote is in its memory, while a reader drops all that it has read
 * after each commit. */
typedef struct store_query {
  sbx_store *store;
  store_conn *conn;
  sqlite3_stmt *stmt;
  store_stmt id;
  bool locked;
  bool pooled;
} store_query;

/* False: failed, there is nothing to end. Text is not copied; NULL binds null. */
bool sbx__query_begin(store_query *q, sbx_store *store, store_stmt id);
void sbx__query_text(store_query *q, int i, const char *text);
void sbx__query_int(store_query *q, int i, int64_t value);
bool sbx__query_row(store_query *q);  /* true: there is a row */
bool sbx__query_done(store_query *q); /* runs a write: true when it went well */
void sbx__query_end(store_query *q);
const char *sbx__query_column(store_query *q, int i); /* NULL: null */

/* A transaction, or a place in the one that this thread has. */
typedef struct store_scope {
  sbx_store *store;
  bool own;
} store_scope;
bool sbx__scope_enter(store_scope *scope, sbx_store *store);
/* ok false: rolls back (its own one). True when it is committed. */
bool sbx__scope_leave(store_scope *scope, bool ok);

bool sbx__in_transaction(const sbx_store *store); /* this thread */
/* After a write of a row of that kind. */
void sbx__wrote(sbx_store *store, const char *kind);

/* ---- cache.c: rows, never older than the last commit ---- */
store_cache *sbx__cache_new(void);
void sbx__cache_free(store_cache *cache);
/* Not within a transaction, which must see its own writes. take copies what it wants of the value,
 * under the cache's lock; false: no memory. Found or not, *stamp is for the put of what is then
 * read from the database. */
bool sbx__cache_get(store_cache *cache, const char *space, const char *key,
                    bool (*take)(void *payload, const char *value, size_t n), void *payload,
                    uint64_t *stamp);
void sbx__cache_put(store_cache *cache, uint64_t stamp, const char *space, const char *key,
                    const char *value, size_t n);
/* Within a transaction: before it writes a row; after it has written this one, which will most
 * likely be asked for next (as $file-upload-completed does); when it has ended. */
void sbx__cache_drop(store_cache *cache, const char *space, const char *key);
void sbx__cache_stage(store_cache *cache, const char *space, const char *key, const char *value,
                      size_t n);
void sbx__cache_settle(store_cache *cache, bool committed);

/* Below DIR: "objects/ab/abcd…" and "incoming/…". path: at least 48 bytes. */
void sbx__object_path(const char *id, char *path);
void sbx__doom_on_commit(sbx_store *store, const char *id);
void sbx__doom_on_rollback(sbx_store *store, const char *id);

void sbx__object_unlink(sbx_store *store, const char *id);

/* Puts the bytes in place under an id of their own: before the transaction, so that others may
 * write meanwhile. id: 33 bytes. */
bool sbx__incoming_place(sbx_incoming *in, char *id);
/* Begins the transaction of rows that speak of the file; that fails: the file is gone. */
bool sbx__scope_enter_with(store_scope *scope, sbx_store *store, const char *id);
bool sbx__object_insert(sbx_store *store, const char *bucket, const char *id, uint64_t size,
                        const sbx_object *object);
uint64_t sbx__incoming_size(const sbx_incoming *in);

#endif
