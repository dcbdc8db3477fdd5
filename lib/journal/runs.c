/* SPDX-License-Identifier: MIT */
/* Runs that write below a folder and have not synced it to the disk yet, and when the last complete
 * one began. */

#include "base/clock.h"
#include "base/os/os.h"
#include "journal/internal.h"

static void change_run_locked(igt__journal *journal, const igt__journal_run *run,
                              igt__statement which) {
  sqlite3_stmt *stmt = igt__journal_start_locked(journal, which, run->target, run->boot);

  igt__bind_text(stmt, 3, run->scope);
  if (which != DROP_RUNS)
    igt__bind_int(stmt, 4, (uint64_t)igt__os_process_id());
  igt__journal_write_locked(journal, which);
}

/* Only this commit must reach the disk: a row that a loss of power removes together with the files
 * that it refers to would be useless. */
static void put_run_locked(igt__journal *journal, const igt__journal_run *run) {
  sqlite3_stmt *stmt;

  (void)igt__journal_commit_locked(journal);
  (void)sqlite3_exec(journal->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
  stmt = igt__journal_start_locked(journal, PUT_RUN, run->target, run->boot);
  igt__bind_text(stmt, 3, run->scope);
  igt__bind_int(stmt, 4, (uint64_t)igt__os_process_id());
  igt__bind_int(stmt, 5, (uint64_t)igt__wall_seconds());
  igt__journal_write_locked(journal, PUT_RUN);
  (void)igt__journal_commit_locked(journal);
  (void)sqlite3_exec(journal->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
}

static int64_t oldest_locked(igt__journal *journal, const char *target, const char *boot) {
  sqlite3_stmt *stmt = igt__journal_start_locked(journal, OLDEST_RUN, target, boot);
  int64_t since = 0;

  if (sqlite3_step(stmt) == SQLITE_ROW)
    since = sqlite3_column_int64(stmt, 0);
  (void)sqlite3_reset(stmt);
  return since;
}

int64_t igt__journal_doubt(igt__journal *journal, const char *target, const char *boot) {
  int64_t since;

  if (!journal)
    return 0;
  pthread_mutex_lock(&journal->lock);
  since = oldest_locked(journal, target, boot);
  pthread_mutex_unlock(&journal->lock);
  return since;
}

int64_t igt__journal_begin_run(igt__journal *journal, const igt__journal_run *run) {
  int64_t since;

  if (!journal)
    return 0;
  pthread_mutex_lock(&journal->lock);
  since = oldest_locked(journal, run->target, run->boot);
  put_run_locked(journal, run);
  pthread_mutex_unlock(&journal->lock);
  return since;
}

void igt__journal_end_run(igt__journal *journal, const igt__journal_run *run, bool whole) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  change_run_locked(journal, run, DROP_RUN);
  if (whole)
    change_run_locked(journal, run, DROP_RUNS);
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

void igt__journal_lose_run(igt__journal *journal, const igt__journal_run *run) {
  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  change_run_locked(journal, run, LOSE_RUN);
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}

bool igt__journal_find_complete(igt__journal *journal, const char *target, const char *source,
                                int64_t *began) {
  sqlite3_stmt *stmt;
  bool found;

  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, FIND_COMPLETE, target, source);
  found = sqlite3_step(stmt) == SQLITE_ROW;
  if (found)
    *began = sqlite3_column_int64(stmt, 0);
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_complete(igt__journal *journal, const char *target, const char *source,
                               int64_t began) {
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, PUT_COMPLETE, target, source);
  igt__bind_int(stmt, 3, (uint64_t)began);
  igt__journal_write_locked(journal, PUT_COMPLETE);
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}
