/* SPDX-License-Identifier: MIT */
/* Examines a journal without changing it, for a diagnosis: on a connection of its own that only
 * reads, within a time limit, which a progress handler of SQLite enforces. Opening it the usual way
 * (journal.c) would create what is missing and move a damaged file aside. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/str.h"
#include "igtcloud/probe.h"
#include "journal/internal.h"

#define STEPS_BETWEEN_LOOKS 10000

typedef struct inspection {
  sqlite3 *db;
  int64_t deadline_us;
  igt_journal_info *out;
} inspection;

static int is_late(void *payload) {
  const inspection *in = payload;

  return igt__mono_us() > in->deadline_us;
}

static igt_status explain(inspection *in, int rc, igt_error *err) {
  const char *path = in->out->path, *why = in->db ? sqlite3_errmsg(in->db) : sqlite3_errstr(rc);

  if (rc == SQLITE_INTERRUPT)
    return igt__fail(err, IGT_E_TIMEOUT, "the journal %s could not be checked in time", path);
  if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
    igt__str_copy(in->out->damage, sizeof in->out->damage, why);
    return igt__fail(err, IGT_E_PARSE, "the journal %s is damaged: %s", path, why);
  }
  if (rc == SQLITE_CANTOPEN || rc == SQLITE_PERM)
    return igt__fail(err, IGT_E_PERMISSION, "the journal %s cannot be opened", path);
  return igt__fail(err, IGT_E_IO, "the journal %s cannot be read: %s", path, why);
}

/* A table that an earlier format lacks is empty. */
static int count(inspection *in, const char *query, uint64_t *n, int64_t *second) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(in->db, query, -1, &stmt, NULL);

  if (rc == SQLITE_ERROR)
    return SQLITE_OK;
  if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    *n = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (second)
      *second = sqlite3_column_int64(stmt, 1);
    rc = SQLITE_OK;
  }
  sqlite3_finalize(stmt);
  return rc;
}

static int check(inspection *in) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(in->db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);

  if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(stmt, 0);
    in->out->is_intact = text && strcmp(text, "ok") == 0;
    if (!in->out->is_intact)
      igt__str_copy(in->out->damage, sizeof in->out->damage, text ? text : "");
    rc = SQLITE_OK;
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* A connection that may only read leaves the files of the write-ahead log behind, which one that
 * may write removes with its end. */
static int open_db(inspection *in) {
  int rc = sqlite3_open_v2(in->out->path, &in->db, SQLITE_OPEN_READWRITE, NULL);

  if (rc == SQLITE_OK)
    return sqlite3_exec(in->db, "PRAGMA query_only=1", NULL, NULL, NULL);
  sqlite3_close(in->db);
  return sqlite3_open_v2(in->out->path, &in->db, SQLITE_OPEN_READONLY, NULL);
}

static igt_status read_all(inspection *in, igt_error *err) {
  igt_journal_info *out = in->out;
  int rc = open_db(in);

  if (rc == SQLITE_OK) {
    (void)sqlite3_busy_timeout(in->db, 1000);
    sqlite3_progress_handler(in->db, STEPS_BETWEEN_LOOKS, is_late, in);
    rc = check(in);
  }
  if (rc == SQLITE_OK)
    rc = count(in, "SELECT count(*) FROM finished", &out->files, NULL);
  if (rc == SQLITE_OK)
    rc = count(in, "SELECT count(*) FROM download", &out->downloads, NULL);
  if (rc == SQLITE_OK)
    rc = count(in, "SELECT count(*), min(nullif(began, 0)) FROM upload", &out->uploads,
               &out->oldest_start);
  if (rc == SQLITE_OK && !out->is_intact)
    return igt__fail(err, IGT_E_PARSE, "the journal %s is damaged: %s", out->path, out->damage);
  return rc == SQLITE_OK ? IGT_OK : explain(in, rc, err);
}

static uint64_t size_of(const char *path, const char *tail) {
  char name[IGT_ERROR_TEXT_MAX * 4];
  igt__stat st;

  if (snprintf(name, sizeof name, "%s%s", path, tail) >= (int)sizeof name ||
      igt__os_stat(name, &st) != 0)
    return 0;
  return (uint64_t)st.st_size;
}

/* SQLite would wait for the writer of a FIFO. */
static igt_status look(inspection *in, igt_error *err) {
  igt__stat st;

  in->out->exists = igt__os_stat_with_owner(in->out->path, &st) == 0;
  if (!in->out->exists)
    return IGT_OK;
  in->out->mode = st.st_mode & 07777;
  in->out->bytes = size_of(in->out->path, "") + size_of(in->out->path, "-wal");
  if (!S_ISREG(st.st_mode))
    return igt__fail(err, IGT_E_IO, "the journal %s is not a regular file; remove it",
                     in->out->path);
  return read_all(in, err);
}

igt_status igt__journal_inspect(const char *path, unsigned limit_ms, igt_journal_info *out,
                                igt_error *err) {
  inspection in = {.out = out, .deadline_us = igt__mono_us() + (int64_t)limit_ms * 1000};
  char *own = NULL;
  igt_status status = path ? IGT_OK : igt__journal_default_path(&own, err);

  if (status != IGT_OK)
    return status;
  igt__str_copy(out->path, sizeof out->path, path ? path : own);
  igt__free(own);
  status = look(&in, err);
  sqlite3_close(in.db);
  return status;
}
