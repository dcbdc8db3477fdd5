/* SPDX-License-Identifier: MIT */
/* Finished files. The threads that move bytes report them as fast as small files are moved, so they
 * are queued in memory and written by the thread that waits for the run (igt__journal_flush). The
 * common tail of the object's key and the file's path is stored once, in the file's row, and the
 * parts before it (the study's prefix, the study's folder) in one row for all files of the study:
 * with both in each row the journal took a fifth of the time of small files. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "journal/internal.h"

/* A run writes ten times a second; if the queue gets this long, nobody writes it. */
#define QUEUE_MOST 8192
/* Far more than the studies that move concurrently; then the cache starts over. */
#define FOLDERS_MOST 4096
#define FOLDER_MAX (32 * 1024)

struct igt__finished {
  igt__finished *next;
  const char *origin, *key, *local; /* in text */
  igt__journal_file file;
  char text[];
};

/* ---- splitting a name ---- */

/* The length of the common tail of key and local, in whole path components; 0: none. */
static size_t common_tail(const char *key, size_t key_len, const char *local, size_t local_len) {
  size_t n = 0, tail = 0;

  while (n < key_len && n < local_len && key[key_len - n - 1] == local[local_len - n - 1]) {
    if (key[key_len - n - 1] == '/')
      tail = n;
    n++;
  }
  return tail;
}

typedef struct split {
  const char *origin, *key, *local, *name;
  int key_len, local_len; /* of what precedes the name, without its slash */
} split;

static split split_names(const char *origin, const char *key, const char *local) {
  size_t key_len = strlen(key), local_len = strlen(local);
  size_t tail = common_tail(key, key_len, local, local_len);
  size_t cut = tail ? tail + 1 : 0;

  return (split){
      origin, key, local, key + (key_len - tail), (int)(key_len - cut), (int)(local_len - cut)};
}

/* ---- folders ---- */

void igt__folders_forget_locked(igt__journal *journal) {
  igt__map_free(journal->folders);
  journal->folders = NULL;
}

static sqlite3_stmt *bind_folder(igt__journal *journal, igt__statement which, const split *s) {
  sqlite3_stmt *stmt = journal->stmt[which];

  igt__bind_text(stmt, 1, s->origin);
  (void)sqlite3_bind_text(stmt, 2, s->key, s->key_len, SQLITE_STATIC);
  (void)sqlite3_bind_text(stmt, 3, s->local, s->local_len, SQLITE_STATIC);
  return stmt;
}

/* -1: it has no row. */
static sqlite3_int64 find_folder_locked(igt__journal *journal, const split *s) {
  sqlite3_stmt *stmt = bind_folder(journal, FIND_FOLDER, s);
  sqlite3_int64 id = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;

  (void)sqlite3_reset(stmt);
  return id;
}

static sqlite3_int64 ask_folder_locked(igt__journal *journal, const split *s, bool make) {
  sqlite3_int64 id = find_folder_locked(journal, s);

  if (id >= 0 || !make)
    return id;
  (void)bind_folder(journal, PUT_FOLDER, s);
  igt__journal_write_locked(journal, PUT_FOLDER);
  return find_folder_locked(journal, s);
}

static sqlite3_int64 folder_of_locked(igt__journal *journal, const split *s, bool make) {
  sqlite3_int64 id = -1;
  igt__buf name;
  void *known;

  igt__buf_init(&name, FOLDER_MAX);
  igt__buf_puts(&name, s->origin);
  igt__buf_putc(&name, '\n');
  igt__buf_append(&name, s->key, (size_t)s->key_len);
  igt__buf_putc(&name, '\n');
  igt__buf_append(&name, s->local, (size_t)s->local_len);
  known = name.failed ? NULL : igt__map_get(journal->folders, name.data);
  if (known) {
    id = (sqlite3_int64)(uintptr_t)known - 1;
  } else if ((id = ask_folder_locked(journal, s, make)) >= 0 && !name.failed) {
    if (igt__map_count(journal->folders) >= FOLDERS_MOST)
      igt__folders_forget_locked(journal);
    if (!journal->folders)
      journal->folders = igt__map_new();
    if (journal->folders)
      (void)igt__map_set(journal->folders, name.data, (void *)(uintptr_t)(id + 1));
  }
  igt__buf_finish(&name);
  return id;
}

/* ---- the queue ---- */

static void write_locked(igt__journal *journal, const igt__finished *f) {
  split s = split_names(f->origin, f->key, f->local);
  sqlite3_int64 folder;
  sqlite3_stmt *stmt;

  /* Begins the batch first, to see a folder that another program added before it. */
  if (!igt__journal_begin_locked(journal) || (folder = folder_of_locked(journal, &s, true)) < 0)
    return;
  stmt = journal->stmt[PUT_FILE];
  (void)sqlite3_bind_int64(stmt, 1, folder);
  igt__bind_text(stmt, 2, s.name);
  igt__bind_int(stmt, 3, f->file.size);
  igt__bind_int(stmt, 4, (uint64_t)f->file.mtime_ns);
  igt__bind_text(stmt, 5, f->file.etag);
  igt__bind_text(stmt, 6, f->file.digest);
  igt__bind_text(stmt, 7, f->file.verified);
  igt__bind_int(stmt, 8, (uint64_t)f->file.ctime_ns);
  igt__bind_int(stmt, 9, f->file.inode);
  igt__journal_write_locked(journal, PUT_FILE);
}

static igt__finished *take_queue(igt__journal *journal) {
  igt__finished *list;

  pthread_mutex_lock(&journal->queue_lock);
  list = igt__queue_take_all(&journal->queue);
  journal->queued = 0;
  pthread_mutex_unlock(&journal->queue_lock);
  return list;
}

void igt__finished_write_locked(igt__journal *journal) {
  igt__finished *f, *next;

  for (f = take_queue(journal); f; f = next) {
    next = f->next;
    write_locked(journal, f);
    igt__free(f);
  }
}

void igt__finished_drop(igt__journal *journal) {
  igt__finished *f, *next;

  for (f = take_queue(journal); f; f = next) {
    next = f->next;
    igt__free(f);
  }
}

static igt__finished *finished_new(const char *origin, const char *key, const char *local,
                                   const igt__journal_file *file) {
  size_t origin_size = strlen(origin) + 1, key_size = strlen(key) + 1;
  size_t local_size = strlen(local) + 1;
  igt__finished *f = igt__malloc(sizeof *f + origin_size + key_size + local_size);

  if (!f)
    return NULL;
  f->file = *file;
  f->origin = memcpy(f->text, origin, origin_size);
  f->key = memcpy(f->text + origin_size, key, key_size);
  f->local = memcpy(f->text + origin_size + key_size, local, local_size);
  return f;
}

void igt__journal_put_file(igt__journal *journal, const char *origin, const char *key,
                           const char *local, const igt__journal_file *file) {
  igt__finished *f = journal ? finished_new(origin, key, local, file) : NULL;
  bool full;

  if (!f)
    return; /* it is only a cache: without the entry the file is examined again */
  pthread_mutex_lock(&journal->queue_lock);
  igt__queue_add(&journal->queue, f);
  full = ++journal->queued >= QUEUE_MOST;
  pthread_mutex_unlock(&journal->queue_lock);
  if (!full)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__finished_write_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

bool igt__journal_find_file(igt__journal *journal, const char *origin, const char *key,
                            const char *local, igt__journal_file *out) {
  split s = split_names(origin, key, local);
  sqlite3_int64 folder;
  sqlite3_stmt *stmt;
  bool found = false;

  memset(out, 0, sizeof *out);
  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  igt__finished_write_locked(journal);
  folder = folder_of_locked(journal, &s, false);
  if (folder >= 0) {
    stmt = journal->stmt[FIND_FILE];
    (void)sqlite3_bind_int64(stmt, 1, folder);
    igt__bind_text(stmt, 2, s.name);
    found = sqlite3_step(stmt) == SQLITE_ROW;
    if (found) {
      out->size = (uint64_t)sqlite3_column_int64(stmt, 0);
      out->mtime_ns = sqlite3_column_int64(stmt, 1);
      igt__column_text(stmt, 2, out->etag, sizeof out->etag);
      igt__column_text(stmt, 3, out->digest, sizeof out->digest);
      igt__column_text(stmt, 4, out->verified, sizeof out->verified);
      out->ctime_ns = sqlite3_column_int64(stmt, 5);
      out->inode = (uint64_t)sqlite3_column_int64(stmt, 6);
    }
    (void)sqlite3_reset(stmt);
  }
  pthread_mutex_unlock(&journal->lock);
  return found;
}
