/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_RUN_H
#define IGT_TRANSFER_RUN_H

/* One run of igt_download, igt_upload or igt_verify: its shared state (run.c), the groups of its
 * files (group.c), and what it reports to the calling thread (events.c, progress.c).
 *
 * They share this header because they share the structs: a group's counters and a run's totals are
 * guarded by the run's one lock and change together, and whoever has one of them needs the other.
 */

#include <pthread.h>

#include "api/client.h"
#include "base/fingerprints.h"
#include "base/queue.h"
#include "base/quota.h"
#include "igtcloud/transfer.h"
#include "journal/journal.h"
#include "s3/s3.h"
#include "transfer/engine/filter.h"
#include "transfer/engine/pool.h"
#include "transfer/engine/sched.h"

typedef struct igt__run igt__run;
typedef struct igt__group igt__group;

struct igt__run {
  igt_transfer *transfer; /* whose events these are; NULL: of a call that calls back itself */
  igt_client *client;
  igt__http *http;
  igt__s3 *s3;
  igt__journal *journal;
  igt__cancel *cancel;
  const char *origin;
  igt_transfer_callbacks own_callbacks;    /* all NULL if the caller has none */
  const igt_transfer_callbacks *callbacks; /* own_callbacks */
  igt_transfer_options options;
  igt__sched *sched;
  igt__pool *lister;             /* walks institutes and studies */
  igt__pool *producers;          /* list and plan studies; wait for a slot */
  igt__pool *helpers;            /* short calls: completions, checks; never wait for a slot */
  igt__pool *credential_workers; /* credentials: what helpers wait for must not queue behind them */
  igt__pool *hashers;            /* digests of local files, one thread per core */
  /* Of uploads that are runs of their own, as those of a program's threads: which one continues
   * after a loss (upload/send_retry.c). NULL: a run of many files, where flow.c decides. */
  _Atomic(const void *) *turn;
  igt__quota lists;   /* lists that must be complete in memory, of all studies in progress */
  unsigned next_loop; /* atomic */
  bool single;        /* of one file */
  /* Of a download of one file, which has no igt__durable: the syncs that it shares with others.
   * NULL: a run of many files. */
  struct igt__sync_group *syncs;
  bool keeping; /* atomic; the session is being checked */
  /* To detect a loss of power: this boot's id ("?": unknown), and since when runs of other boots
   * have been open below the target (download/durable.h; 0: there are none). */
  char boot[64];
  int64_t doubt;
  igt__filter *filter; /* of files */
  bool said_no_time;   /* atomic: reported once that the file system does not store times */

  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* guarded by lock */
  igt__fingerprints *prefixes; /* of the studies that had a group (cloud/prefix.h) */
  IGT__QUEUE(struct igt__event) events;
  size_t event_count;
  igt_transfer_summary summary;
  igt_transfer_progress totals;
  uint64_t waiting;      /* studies that are known and have no group yet */
  uint64_t passed, left; /* by the lister, and to come: igt__run_expect */
  bool studies_known;    /* all studies were listed */
  igt__group *groups;    /* that are open */
  size_t group_count;    /* number of open groups */
  unsigned tasks;        /* listers and planners in progress */
  uint64_t list_each;    /* of a study's list, by the last few */
  igt_status fatal;      /* the first error that ends the whole run */
  igt_error fatal_error;
  int64_t began_us;
  uint64_t requests_before;                /* that the client had sent before */
  uint64_t space_waiting, space_unchecked; /* space.h; atomic */
};

/* A study's (or project's) files of one run. */
struct igt__group {
  igt__run *run;
  igt__group *next, **prev; /* in run->groups; guarded by run->lock */
  igt__sched_queue *queue;
  char *institute; /* name; "" for project files */
  char *institute_id;
  char *study; /* "patient/study" or "" */
  char *study_id;
  char *s3_prefix;
  char *folder;                          /* of the study on this machine, absolute; NULL: none */
  char *label;                           /* for display: "institute: patient/study" */
  bool import;                           /* it is a DICOM import and no study */
  const char *note;                      /* a literal for the study's item; NULL: none */
  void *owner;                           /* the command's own */
  void (*on_settled)(igt__group *group); /* on a helper thread, before the group is freed */
  igt_transfer_study progress;           /* guarded by run->lock, as are the following */
  uint64_t failed, done_files, skipped;
  igt_transfer_result
      compared;     /* verify: the first result other than "same", else "same"; 0: none yet */
  bool begun;       /* bytes of a file were moved, also if they did not last */
  igt_error own;    /* why it failed as a whole, beside its files */
  uint64_t dropped; /* files not started because the run ends */
  /* upload: number of files that may still be written, by their age; recent: one of them. Written
   * by the plan before it closes the group. */
  uint64_t recent_files;
  char recent[256];
};

/* ---- run.c ---- */

/* Signs in, opens the journal (failure is reported as a message, not an error), creates the pools
 * and the scheduler. */
igt_status igt__run_init(igt__run *run, igt_client *client, const igt_transfer_options *options,
                         const igt_transfer_callbacks *callbacks, igt_error *err);
/* Threads that runs of single files share. */
typedef struct igt__movers {
  igt__pool *helpers, *hashers, *credential_workers; /* as in igt__run */
} igt__movers;

/* False: no memory or no threads; igt__movers_stop frees in any case. */
bool igt__movers_start(igt__movers *movers);
void igt__movers_stop(igt__movers *movers);
/* The same for single files, with providers and threads of the caller's: nothing lists or plans,
 * and a small file costs less than starting threads. */
igt_status igt__run_init_file(igt__run *run, igt_client *client,
                              const igt_transfer_options *options,
                              const igt_transfer_callbacks *callbacks, const igt__movers *movers,
                              igt_error *err);
/* The same for a transfer's job, on its thread. */
igt_status igt__run_begin(igt__run *run, igt_transfer *transfer,
                          const igt_transfer_options *options, igt_error *err);
/* Joins the pools, closes the journal. */
void igt__run_finish(igt__run *run);

/* Counts a task that may add files to the run; the run ends when no task is left and all groups are
 * finished. */
void igt__run_task_begin(igt__run *run);
void igt__run_task_end(igt__run *run);
/* On the thread that began the run: hands events on until the run ends. Returns its outcome:
 * fatal, cancelled, some failed or IGT_OK. */
igt_status igt__run_wait(igt__run *run, igt_transfer_summary *summary, igt_error *err);

/* A study's list is complete and takes this much memory: fewer large ones are planned concurrently.
 */
void igt__run_listed(igt__run *run, const igt__quota *lists);

bool igt__run_stopping(igt__run *run); /* cancelled or fatal */
bool igt__run_stopping_arg(void *run); /* for igt__sched_wait_backlog */
/* Ends the whole run: nothing new is started. The first error counts. */
void igt__run_fatal(igt__run *run, const igt_error *err);
/* Statuses that make continuing pointless: no space, read-only, no longer signed in. */
bool igt__status_is_fatal(igt_status status);

/* ---- events.c ---- */

/* Keeps the error of a failed file until its requests in flight have ended, in memory that most
 * files never need. *kept: NULL at first; its owner frees it with igt__free. Without memory _get
 * says so. */
void igt__failure_keep(igt_error **kept, const igt_error *err);
void igt__failure_get(const igt_error *kept, igt_error *out);

/* Queue an event; copied. Any thread. igt__run_item also updates the summary. */
void igt__run_item(igt__run *run, const igt_transfer_item *item);
/* The same for an ignored folder, which is in no count of files. */
void igt__run_folder(igt__run *run, const igt_transfer_item *item);
void igt__run_message(igt__run *run, igt_status status, const char *fmt, ...) IGT_PRINTF(3, 4);
/* Blocks a producer while the calling thread is behind. */
void igt__run_wait_events(igt__run *run);

/* On that thread: hands queued events to the transfer, or to the callbacks. */
void igt__run_deliver(igt__run *run);
void igt__run_drop_events(igt__run *run); /* discards undelivered events */

/* ---- progress.c ---- */

#define IGT__SPEED_POINTS 32
typedef struct igt__track {
  int64_t at_us[IGT__SPEED_POINTS];
  uint64_t bytes[IGT__SPEED_POINTS];
  unsigned n;
} igt__track;
typedef struct igt__speed {
  igt__track recent, long_run; /* seconds, for the eye; minutes, for the time left */
} igt__speed;
/* On the calling thread: calls on_progress. */
void igt__run_show(igt__run *run, igt__speed *speed);

/* ---- group.c ---- */

/* A group; NULL without memory. Strings are copied. */
igt__group *igt__group_open(igt__run *run, const char *institute, const char *institute_id,
                            const char *study, const char *study_id, const char *s3_prefix);
/* Right after it was opened: the study's folder, for its item. Copied. */
void igt__group_set_folder(igt__group *group, const char *folder);
/* IGT_E_PROTOCOL: another study of this run has the same s3Prefix. */
igt_status igt__group_check_prefix(const igt__group *group, igt_error *err);
/* The same two steps for a study that has no group (cloud/prefix.h). False: out of memory. */
bool igt__run_claim_prefix(igt__run *run, const char *s3_prefix, const char *study_id);
igt_status igt__run_check_prefix(igt__run *run, const char *s3_prefix, const char *study_id,
                                 igt_error *err);
/* Right after it was opened: it is an import. */
void igt__group_is_import(igt__group *group);
/* Of a run whose list is what lies on this machine: how many studies its lister has passed, begun
 * or not, and how many it expects to come; in place of earlier numbers. known: there are no others.
 */
void igt__run_expect(igt__run *run, uint64_t passed, uint64_t left, bool known);
/* A study that was passed by such a lister and has no group, because the run is ending. */
void igt__run_not_begun(igt__run *run);
/* No more files will be added. */
void igt__group_close(igt__group *group);
/* Totals: a file to transfer was found / bytes moved for it / it is finished. */
void igt__group_found(igt__group *group, uint64_t size);
void igt__group_moved(igt__group *group, uint64_t bytes);   /* over the network */
void igt__group_present(igt__group *group, uint64_t bytes); /* by an earlier run */
void igt__group_unmoved(igt__group *group, uint64_t bytes); /* subtracted after a restart */
/* Fills the item's group fields and reports it. */
void igt__group_item(igt__group *group, igt_transfer_item *item);
/* A file was not started because the run is ending. */
void igt__group_dropped(igt__group *group);
/* The study as a whole failed: its item says why. */
void igt__group_failed(igt__group *group, const igt_error *err);
/* Closes a group whose files are all added, or not, because of err: dropped or failed. */
void igt__group_planned(igt__group *group, igt_status status, const igt_error *err);

/* ---- run.c, provider.c ---- */

unsigned igt__run_loop(igt__run *run); /* loops in turn */

/* A credentials provider for one action ("GET", "PUT") on one prefix of this cloud. */
igt__s3_provider *igt__run_provider(igt__run *run, const char *action, const char *prefix);

#endif
