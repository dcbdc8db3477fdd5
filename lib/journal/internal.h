/* SPDX-License-Identifier: MIT */
#ifndef IGT_JOURNAL_INTERNAL_H
#define IGT_JOURNAL_INTERNAL_H

/* Shared by the files of lib/journal. Functions named _locked are called with journal->lock
 * held. */

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "base/str.h"
#include "journal/journal.h"

typedef enum igt__statement {
  FIND_FOLDER,
  PUT_FOLDER,
  FIND_FILE,
  PUT_FILE,
  ANY_DOWNLOAD,
  FIND_DOWNLOAD,
  PUT_DOWNLOAD,
  DROP_DOWNLOAD,
  MARK_DOWNLOADS,
  FIND_UPLOAD,
  PUT_UPLOAD,
  DROP_UPLOAD,
  EACH_UPLOAD,
  PUT_PART,
  WORKED_ON,
  DROP_BEGUN_PARTS,
  DROP_PARTS,
  DROP_LOST_PARTS,
  LIST_PARTS,
  FIND_CREATED,
  FIND_CREATOR,
  PUT_CREATED,
  FORGET_CREATED,
  OLDEST_RUN,
  PUT_RUN,
  DROP_RUN,
  DROP_RUNS,
  LOSE_RUN,
  FIND_COMPLETE,
  PUT_COMPLETE,
  STATEMENT_COUNT
} igt__statement;

/* A finished file that is queued for the database. */
typedef struct igt__finished igt__finished;

struct igt__journal {
  pthread_mutex_t lock; /* protects the members that follow */
  sqlite3 *db;
  char *claims_path;
  int claims; /* a file of which a byte is locked for each study under creation; -1: not open */
  sqlite3_stmt *stmt[STATEMENT_COUNT];
  igt__map *folders; /* the folders' rows, as (id + 1) in place of a pointer */
  bool open_batch;
  unsigned batch_writes;
  bool said_broken;
  bool damaged; /* a write found a page that is none of the database's */
  igt__cancel *cancel;
  int64_t busy_since;       /* of the lock that is waited for */
  int64_t cancelled_at;     /* when a wait first noticed it; 0: not yet */
  atomic_bool any_download; /* when it was opened, or since */

  pthread_mutex_t queue_lock; /* protects the members that follow; taken last */
  IGT__QUEUE(igt__finished) queue;
  size_t queued;
};

/* ---- journal.c ---- */

igt_status igt__journal_default_path(char **out, igt_error *err); /* igt__free(*out) */

/* True: a batch is open, and sees what others wrote before. */
bool igt__journal_begin_locked(igt__journal *journal);
/* Runs it and resets it; commits the batch if it has grown large or is old. */
void igt__journal_write_locked(igt__journal *journal, igt__statement which);
int igt__journal_commit_locked(igt__journal *journal);
/* The statement with its first two parameters bound; second NULL: only the first. */
sqlite3_stmt *igt__journal_start_locked(igt__journal *journal, igt__statement which,
                                        const char *first, const char *second);
void igt__bind_text(sqlite3_stmt *stmt, int at, const char *text);
void igt__bind_int(sqlite3_stmt *stmt, int at, uint64_t v);
void igt__column_text(sqlite3_stmt *stmt, int at, char *out, size_t cap);

/* ---- finished.c ---- */

void igt__finished_write_locked(igt__journal *journal); /* all that is queued */
void igt__finished_drop(igt__journal *journal);         /* the queue, at its end */
void igt__folders_forget_locked(
    igt__journal *journal); /* a batch that inserted new ones was rolled back */

#endif
