/* SPDX-License-Identifier: MIT */
/* REST documents, small values and registered files as rows. Documents are JSON texts by kind and
 * id; reads go through the cache of cache.c, lists through a cursor that reads a page of rows at a
 * time. Small values (kv) may expire. The functions run prepared statements of internal.h, inside
 * the thread's transaction if it has one. The REST side calls them through store.h. */
#include "store/internal.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/scan.h"

/* Rows that a cursor reads ahead. Between pages it holds no database resources, so that a slow
 * reader of a long list blocks neither writers nor the truncation of the write-ahead log. */
#define PAGE 128

/* ---- documents ---- */

static bool put_row(sbx_store *store, const char *kind, const char *id, const char *parent,
                    const igt__buf *text) {
  store_query q;

  sbx__cache_drop(store->docs, kind, id);
  if (!sbx__query_begin(&q, store, STMT_DOC_PUT))
    return false;
  sbx__query_text(&q, 1, kind);
  sbx__query_text(&q, 2, id);
  sbx__query_text(&q, 3, parent);
  sqlite3_bind_text(q.stmt, 4, text->data, (int)text->len, SQLITE_STATIC);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  sbx__wrote(store, kind);
  return ok;
}

bool sbx_doc_put(sbx_store *store, const char *kind, const char *id, const char *parent,
                 const igt__json *doc) {
  store_scope scope;
  igt__buf text;

  igt__buf_init(&text, INT_MAX);
  bool ok = igt__json_write(&text, doc, IGT__JSON_COMPACT) && sbx__scope_enter(&scope, store) &&
            sbx__scope_leave(&scope, put_row(store, kind, id, parent, &text));
  igt__buf_finish(&text);
  return ok;
}

/* payload: an empty buffer. */
static bool take_text(void *payload, const char *value, size_t n) {
  return igt__buf_append(payload, value, n);
}

/* False: not found. Finish the buffer in any case. */
static bool doc_find(sbx_store *store, const char *kind, const char *id, igt__buf *text) {
  store_query q;
  uint64_t stamp = 0;
  bool own = sbx__in_transaction(store);

  igt__buf_init(text, INT_MAX);
  if (!own && sbx__cache_get(store->docs, kind, id, take_text, text, &stamp))
    return true;
  if (!sbx__query_begin(&q, store, STMT_DOC_GET))
    return false;
  sbx__query_text(&q, 1, kind);
  sbx__query_text(&q, 2, id);
  bool found = sbx__query_row(&q) &&
               take_text(text, sbx__query_column(&q, 0), (size_t)sqlite3_column_bytes(q.stmt, 0));
  sbx__query_end(&q);
  if (found && !own)
    sbx__cache_put(store->docs, stamp, kind, id, text->data, text->len);
  return found;
}

igt__json *sbx_doc_get(sbx_store *store, const char *kind, const char *id) {
  igt__json *doc = NULL;
  igt__buf text;

  if (doc_find(store, kind, id, &text) &&
      igt__json_parse(text.data, text.len, kind, &doc, NULL) != IGT_OK)
    doc = NULL;
  igt__buf_finish(&text);
  return doc;
}

bool sbx_doc_has(sbx_store *store, const char *kind, const char *id) {
  igt__buf text;
  bool found = doc_find(store, kind, id, &text);

  igt__buf_finish(&text);
  return found;
}

static char *text_of(const igt__slice *slice) {
  char *text = igt__malloc(slice->len + 1);

  if (text)
    igt__slice_unescape(slice, text);
  return text;
}

/* True when all members were read. */
static bool take_texts(const char *doc, size_t n, const char *const *names, char **out,
                       size_t count) {
  igt__scan scan;
  bool first = true;

  igt__scan_init(&scan, doc, n);
  if (!igt__scan_open(&scan, '{'))
    return false;
  while (igt__scan_more(&scan, '}', &first)) {
    igt__slice name, value;
    if (!igt__scan_key(&scan, &name))
      return false;
    size_t i = 0;
    while (i < count && (strlen(names[i]) != name.len || memcmp(names[i], name.at, name.len) != 0))
      i++;
    bool wanted = i < count && !out[i] && igt__scan_peek(&scan) == '"';
    if (!(wanted ? igt__scan_string(&scan, &value) : igt__scan_skip(&scan)))
      return false;
    if (wanted && !(out[i] = text_of(&value)))
      return false;
  }
  return !scan.problem;
}

bool sbx_doc_texts(sbx_store *store, const char *kind, const char *id, const char *const *names,
                   char **out, size_t count) {
  igt__buf doc;

  memset(out, 0, count * sizeof *out);
  bool ok = doc_find(store, kind, id, &doc) && take_texts(doc.data, doc.len, names, out, count);
  igt__buf_finish(&doc);
  for (size_t i = 0; !ok && i < count; i++) {
    igt__free(out[i]);
    out[i] = NULL;
  }
  return ok;
}

/* A write with two text arguments, the first a kind or an owner; true when it changed a row. */
static bool delete_by_two(sbx_store *store, store_stmt id, const char *a, const char *b) {
  store_query q;

  if (!sbx__query_begin(&q, store, id))
    return false;
  sbx__query_text(&q, 1, a);
  sbx__query_text(&q, 2, b);
  bool ok = sbx__query_done(&q) && sqlite3_changes(q.conn->db) > 0;
  sbx__query_end(&q);
  return ok;
}

bool sbx_doc_delete(sbx_store *store, const char *kind, const char *id) {
  store_scope scope;

  if (!sbx__scope_enter(&scope, store))
    return false;
  sbx__cache_drop(store->docs, kind, id);
  bool deleted = delete_by_two(store, STMT_DOC_DELETE, kind, id);
  sbx__wrote(store, kind);
  return sbx__scope_leave(&scope, deleted);
}

int64_t sbx_doc_count(sbx_store *store, const char *kind, const char *parent) {
  store_query q;

  if (!sbx__query_begin(&q, store, parent ? STMT_DOC_COUNT_PARENT : STMT_DOC_COUNT))
    return 0;
  sbx__query_text(&q, 1, kind);
  if (parent)
    sbx__query_text(&q, 2, parent);
  int64_t count = sbx__query_row(&q) ? sqlite3_column_int64(q.stmt, 0) : 0;
  sbx__query_end(&q);
  return count;
}

struct sbx_cursor {
  sbx_store *store;
  char *kind;
  char *parent;
  int64_t seq;   /* of the last row read */
  igt__buf text; /* id NUL doc NUL ... of the page */
  struct {
    size_t id, doc, len;
  } rows[PAGE];
  size_t count, at;
  bool last; /* this is the last page */
};

sbx_cursor *sbx_doc_cursor(sbx_store *store, const char *kind, const char *parent) {
  sbx_cursor *cursor = igt__calloc(1, sizeof *cursor);

  if (!cursor)
    return NULL;
  igt__buf_init(&cursor->text, INT_MAX);
  cursor->store = store;
  cursor->kind = igt__strdup(kind);
  cursor->parent = igt__strdup(parent);
  if (!cursor->kind || (parent && !cursor->parent)) {
    sbx_cursor_free(cursor);
    return NULL;
  }
  return cursor;
}

void sbx_cursor_free(sbx_cursor *cursor) {
  if (!cursor)
    return;
  igt__buf_finish(&cursor->text);
  igt__free(cursor->kind);
  igt__free(cursor->parent);
  igt__free(cursor);
}

static bool cursor_add(sbx_cursor *cursor, store_query *q) {
  size_t id_len = (size_t)sqlite3_column_bytes(q->stmt, 1);
  size_t doc_len = (size_t)sqlite3_column_bytes(q->stmt, 2);
  size_t at = cursor->text.len;

  cursor->rows[cursor->count].id = at;
  cursor->rows[cursor->count].doc = at + id_len + 1;
  cursor->rows[cursor->count].len = doc_len;
  if (!igt__buf_append(&cursor->text, sbx__query_column(q, 1), id_len) ||
      !igt__buf_putc(&cursor->text, '\0') ||
      !igt__buf_append(&cursor->text, sbx__query_column(q, 2), doc_len) ||
      !igt__buf_putc(&cursor->text, '\0'))
    return false;
  cursor->seq = sqlite3_column_int64(q->stmt, 0);
  cursor->count++;
  return true;
}

static bool cursor_page(sbx_cursor *cursor) {
  store_query q;

  cursor->count = cursor->at = 0;
  igt__buf_clear(&cursor->text);
  if (cursor->last ||
      !sbx__query_begin(&q, cursor->store, cursor->parent ? STMT_DOC_PAGE_PARENT : STMT_DOC_PAGE))
    return false;
  sbx__query_text(&q, 1, cursor->kind);
  sbx__query_int(&q, 2, cursor->seq);
  sbx__query_int(&q, 3, PAGE);
  if (cursor->parent)
    sbx__query_text(&q, 4, cursor->parent);
  bool ok = true;
  while (ok && cursor->count < PAGE && sbx__query_row(&q))
    ok = cursor_add(cursor, &q);
  sbx__query_end(&q);
  cursor->last = cursor->count < PAGE;
  return ok && cursor->count > 0;
}

bool sbx_cursor_next(sbx_cursor *cursor, const char **id, const char **doc, size_t *n) {
  if (cursor->at == cursor->count && !cursor_page(cursor))
    return false;
  *id = cursor->text.data + cursor->rows[cursor->at].id;
  *doc = cursor->text.data + cursor->rows[cursor->at].doc;
  *n = cursor->rows[cursor->at].len;
  cursor->at++;
  return true;
}

bool sbx_doc_each(sbx_store *store, const char *kind, const char *parent,
                  bool (*fn)(void *payload, const char *id, const char *doc, size_t n),
                  void *payload) {
  const char *id, *doc;
  size_t n;
  sbx_cursor *cursor = sbx_doc_cursor(store, kind, parent);

  if (!cursor)
    return false;
  while (sbx_cursor_next(cursor, &id, &doc, &n) && fn(payload, id, doc, n)) {
  }
  sbx_cursor_free(cursor);
  return true;
}

/* ---- small values ---- */

bool sbx_kv_put(sbx_store *store, const char *kind, const char *key, const char *value,
                int64_t expires) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_KV_PUT))
    return false;
  sbx__query_text(&q, 1, kind);
  sbx__query_text(&q, 2, key);
  sbx__query_text(&q, 3, value);
  sbx__query_int(&q, 4, expires);
  bool ok = sbx__query_done(&q);
  sbx__query_end(&q);
  sbx__wrote(store, kind);
  return ok;
}

char *sbx_kv_get(sbx_store *store, const char *kind, const char *key) {
  int64_t expires;

  return sbx_kv_get_until(store, kind, key, &expires);
}

char *sbx_kv_get_until(sbx_store *store, const char *kind, const char *key, int64_t *expires) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_KV_GET))
    return NULL;
  sbx__query_text(&q, 1, kind);
  sbx__query_text(&q, 2, key);
  sbx__query_int(&q, 3, igt__wall_seconds());
  char *value = sbx__query_row(&q) ? igt__strdup(sbx__query_column(&q, 0)) : NULL;
  *expires = value ? sqlite3_column_int64(q.stmt, 1) : 0;
  sbx__query_end(&q);
  return value;
}

bool sbx_kv_delete(sbx_store *store, const char *kind, const char *key) {
  bool deleted = delete_by_two(store, STMT_KV_DELETE, kind, key);

  sbx__wrote(store, kind);
  return deleted;
}

/* ---- registered files ---- */

/* *changed: a row was written. */
static bool write_file(sbx_store *store, store_stmt id, const char *owner, const char *key,
                       int64_t size, bool completed, bool *changed) {
  store_query q;

  *changed = false;
  if (!sbx__query_begin(&q, store, id))
    return false;
  sbx__query_text(&q, 1, owner);
  sbx__query_text(&q, 2, key);
  sbx__query_int(&q, 3, size);
  sbx__query_int(&q, 4, completed);
  bool ok = sbx__query_done(&q);
  *changed = ok && sqlite3_changes(q.conn->db) > 0;
  sbx__query_end(&q);
  return ok;
}

bool sbx_file_put(sbx_store *store, const char *owner, const char *key, int64_t size,
                  bool completed) {
  bool changed;

  return write_file(store, STMT_FILE_PUT, owner, key, size, completed, &changed);
}

bool sbx_file_add(sbx_store *store, const char *owner, const char *key, int64_t size, bool *known) {
  bool added;
  bool ok = write_file(store, STMT_FILE_ADD, owner, key, size, false, &added);

  *known = !added;
  return ok;
}

bool sbx_file_complete(sbx_store *store, const char *owner, const char *key, int64_t size,
                       bool *known) {
  return write_file(store, STMT_FILE_COMPLETE, owner, key, size, true, known);
}

bool sbx_file_get(sbx_store *store, const char *owner, const char *key, int64_t *size,
                  bool *completed) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_FILE_GET))
    return false;
  sbx__query_text(&q, 1, owner);
  sbx__query_text(&q, 2, key);
  bool found = sbx__query_row(&q);
  if (found && size)
    *size = sqlite3_column_int64(q.stmt, 0);
  if (found && completed)
    *completed = sqlite3_column_int(q.stmt, 1) != 0;
  sbx__query_end(&q);
  return found;
}

bool sbx_file_delete(sbx_store *store, const char *owner, const char *key) {
  return delete_by_two(store, STMT_FILE_DELETE, owner, key);
}

bool sbx_file_each(sbx_store *store, const char *owner,
                   bool (*fn)(void *payload, const sbx_file *file), void *payload) {
  store_query q;

  if (!sbx__query_begin(&q, store, STMT_FILE_EACH))
    return false;
  sbx__query_text(&q, 1, owner);
  while (sbx__query_row(&q)) {
    sbx_file file = {.key = sbx__query_column(&q, 0),
                     .size = sqlite3_column_int64(q.stmt, 1),
                     .completed = sqlite3_column_int(q.stmt, 2) != 0};
    if (!fn(payload, &file))
      break;
  }
  sbx__query_end(&q);
  return true;
}
