/* SPDX-License-Identifier: MIT */
/* One run: creates and ends the pools, the scheduler and the S3 state, and keeps the counters. The
 * calling thread waits in igt__run_wait, where it delivers events (events.c), writes the journal,
 * keeps the session alive and reports progress until no task and no group is left. The first fatal
 * error, or a cancellation, stops the scheduler and drops what has not started. Called by
 * igt_download, igt_upload, igt_verify, single.c and uploads.c. */
#include "transfer/engine/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/sized.h"
#include "base/str.h"
#include "base/thread.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/plan.h"

/* Concurrent listings and planning: each blocks on one request at a time. */
#define PRODUCERS_MAX 16
/* Only this many for studies with many files, so that memory does not grow with their size: 16
 * studies of 10,000 files took 10 MiB. Reading their lists is bound by bandwidth, not latency. */
#define PRODUCERS_LEAST 3
#define PLANNED_BYTES (1024u * 1024)
/* Starting, completing and reporting a large file takes round trips, which must overlap with those
 * of many others; its transfer takes longer than they do. */
#define HELPERS_MAX 80
/* A study with small files needs new credentials after a few round trips. */
#define CREDENTIAL_WORKERS_MAX 16
#define PROGRESS_MS 100
#define SLOW_LINE 4e6 /* bytes a second */
#define KEEP_SESSION_US 500000

/* ---- start and end ---- */

/* This boot's id; "?" where the system does not provide one. */
static void read_boot_id(char *out, size_t cap) {
  igt__os_boot_id(out, cap);
  if (!*out)
    igt__str_copy(out, cap, "?");
}

static void open_journal(igt__run *run) {
  igt_error err = IGT_ERROR_INIT;
  bool moved = false;

  igt__str_copy(run->boot, sizeof run->boot, "?");
  if (run->options.no_journal || run->options.dry_run)
    return;
  read_boot_id(run->boot, sizeof run->boot);
  if (igt__journal_open(run->options.journal, run->cancel, &run->journal, &moved, &err) != IGT_OK)
    igt__run_message(run, err.status,
                     "%s; continuing without it: large files are not resumed after an interruption",
                     err.text);
  else if (moved)
    igt__run_message(
        run, IGT_E_PARSE,
        "the journal was damaged: it was moved aside (.damaged) and a new one started");
}

static unsigned at_most(unsigned a, unsigned b) {
  return a && a < b ? a : b;
}

static igt_status make_planners(igt__run *run, igt_error *err) {
  run->lister = igt__pool_new("igt-list", 1);
  run->producers =
      igt__pool_new("igt-plan", at_most(run->options.concurrent_studies, PRODUCERS_MAX));
  if (run->producers) /* until the studies' sizes are known */
    igt__pool_limit(run->producers, PRODUCERS_LEAST);
  return run->lister && run->producers ? IGT_OK : igt__fail_memory(err);
}

bool igt__movers_start(igt__movers *movers) {
  movers->helpers = igt__pool_new("igt-help", HELPERS_MAX);
  movers->hashers = igt__pool_new("igt-hash", igt__os_cores());
  movers->credential_workers = igt__pool_new("igt-credentials", CREDENTIAL_WORKERS_MAX);
  return movers->helpers && movers->hashers && movers->credential_workers;
}

void igt__movers_stop(igt__movers *movers) {
  igt__pool_free(movers->hashers);
  igt__pool_free(movers->helpers);
  igt__pool_free(movers->credential_workers);
}

static void share_movers(igt__run *run, const igt__movers *movers) {
  run->helpers = igt__pool_share(movers->helpers);
  run->hashers = igt__pool_share(movers->hashers);
  run->credential_workers = igt__pool_share(movers->credential_workers);
}

static void start_movers(igt__run *run) {
  igt__movers own = {NULL, NULL, NULL};

  (void)igt__movers_start(&own);
  run->helpers = own.helpers;
  run->hashers = own.hashers;
  run->credential_workers = own.credential_workers;
}

static igt_status make_movers(igt__run *run, const igt__movers *movers, igt_error *err) {
  run->sched =
      igt__sched_new(igt__client_connections(run->client), igt__client_max_connections(run->client),
                     run->options.concurrent_files);
  if (movers)
    share_movers(run, movers);
  else
    start_movers(run);
  return run->sched && run->helpers && run->hashers && run->credential_workers
             ? IGT_OK
             : igt__fail_memory(err);
}

static igt_status begin(igt__run *run, igt_client *client, const igt_transfer_options *options,
                        const igt_transfer_callbacks *callbacks, const igt__movers *movers,
                        igt_error *err) {
  igt_status status;

  memset(run, 0, sizeof *run);
  run->client = client;
  run->http = igt__client_http(client);
  run->cancel = igt__client_cancel(client);
  run->origin = igt__client_origin(client);
  run->callbacks = &run->own_callbacks;
  run->options = *options;
  igt__queue_init(&run->events);
  igt__quota_init(&run->lists, IGT__MAX_RUN_MEMORY, NULL);
  run->next_loop = igt__http_any_loop(run->http); /* of many runs with one file each */
  run->began_us = igt__mono_us();
  run->totals.listing = true;
  run->totals.seconds_left = -1;
  (void)pthread_mutex_init(&run->lock, NULL);
  igt__cond_init(&run->changed);
  status = igt__options_read(&run->own_callbacks, sizeof run->own_callbacks, callbacks,
                             "igt_transfer_callbacks", err);
  if (status == IGT_OK && !(run->prefixes = igt__fingerprints_new(true, NULL)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt_client_sign_in(client, err);
  run->requests_before = igt__http_requests(run->http);
  if (status == IGT_OK)
    status = igt__s3_new(run->http, &run->s3, err);
  if (status == IGT_OK)
    status = igt__filter_new(options, options->filters, &run->filter, err);
  if (status == IGT_OK)
    status = make_movers(run, movers, err);
  if (status == IGT_OK)
    open_journal(run);
  igt__http_patient(run->http, true);
  return status;
}

igt_status igt__run_init_file(igt__run *run, igt_client *client,
                              const igt_transfer_options *options,
                              const igt_transfer_callbacks *callbacks, const igt__movers *movers,
                              igt_error *err) {
  igt_status status = begin(run, client, options, callbacks, movers, err);

  run->single = true;
  return status;
}

igt_status igt__run_init(igt__run *run, igt_client *client, const igt_transfer_options *options,
                         const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_status status = begin(run, client, options, callbacks, NULL, err);

  igt__quota_init_fair(&run->lists, IGT__MAX_RUN_MEMORY);
  return status == IGT_OK ? make_planners(run, err) : status;
}

igt_status igt__run_begin(igt__run *run, igt_transfer *transfer,
                          const igt_transfer_options *options, igt_error *err) {
  igt_status status = igt__run_init(run, igt__transfer_client(transfer), options,
                                    igt__transfer_callbacks(transfer), err);

  run->transfer = transfer;
  return status;
}

void igt__run_finish(igt__run *run) {
  igt__http_patient(run->http, false);
  igt__pool_free(run->lister);
  igt__pool_free(run->producers);
  igt__pool_free(run->hashers);
  igt__pool_free(run->helpers);
  igt__pool_free(run->credential_workers);
  igt__sched_free(run->sched);
  igt__s3_free(run->s3);
  igt__journal_close(run->journal);
  igt__run_drop_events(run);
  igt__filter_free(run->filter);
  igt__fingerprints_free(run->prefixes);
  (void)pthread_cond_destroy(&run->changed);
  (void)pthread_mutex_destroy(&run->lock);
}

void igt__run_task_begin(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->tasks++;
  pthread_mutex_unlock(&run->lock);
}

void igt__run_task_end(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->tasks--;
  if (run->tasks == 0)
    run->totals.listing = false;
  pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

void igt__run_listed(igt__run *run, const igt__quota *lists) {
  uint64_t used = igt__quota_used(lists) + 1, fit;

  pthread_mutex_lock(&run->lock);
  run->list_each = run->list_each ? (run->list_each * 7 + used) / 8 : used;
  fit = PLANNED_BYTES / run->list_each;
  pthread_mutex_unlock(&run->lock);
  igt__pool_limit(run->producers, fit > PRODUCERS_LEAST ? (unsigned)fit : PRODUCERS_LEAST);
}

/* ---- stopping ---- */

bool igt__run_stopping(igt__run *run) {
  bool fatal;

  if (igt__cancel_is_set(run->cancel))
    return true;
  pthread_mutex_lock(&run->lock);
  fatal = run->fatal != IGT_OK;
  pthread_mutex_unlock(&run->lock);
  return fatal;
}

bool igt__run_stopping_arg(void *run) {
  return igt__run_stopping(run);
}

bool igt__status_is_fatal(igt_status status) {
  switch (status) {
  case IGT_E_NO_SPACE:
  case IGT_E_READ_ONLY:
  case IGT_E_LOGIN:
  case IGT_E_EXPIRED:
  case IGT_E_UNAUTHORIZED:
  case IGT_E_NO_SESSION:
  case IGT_E_NO_MEMORY:
    return true;
  default:
    return false;
  }
}

void igt__run_fatal(igt__run *run, const igt_error *err) {
  pthread_mutex_lock(&run->lock);
  if (run->fatal == IGT_OK) {
    run->fatal = err->status;
    igt__error_keep(&run->fatal_error, err);
  }
  pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

/* ---- waiting ---- */

static bool over(igt__run *run) {
  bool yes;

  pthread_mutex_lock(&run->lock);
  yes = run->tasks == 0 && run->group_count == 0;
  pthread_mutex_unlock(&run->lock);
  return yes;
}

static void wait_changed(igt__run *run, unsigned ms) {
  pthread_mutex_lock(&run->lock);
  if (!run->events.first && (run->tasks || run->group_count))
    (void)igt__cond_wait_for(&run->changed, &run->lock, ms);
  pthread_mutex_unlock(&run->lock);
}

/* False: whoever dispatches the transfer is behind; some time has passed waiting for that, and
 * producers pause meanwhile. */
static bool deliver(igt__run *run, unsigned ms) {
  if (run->transfer && !igt__transfer_wait_space(run->transfer, ms))
    return false;
  igt__run_deliver(run);
  return true;
}

/* "Everything else" would be nothing. */
static const char *rest_of(const igt_transfer_summary *s) {
  bool any = s->files_done || s->files_skipped || s->files_same || s->imports;

  return any ? "; everything else succeeded" : "";
}

static igt_status some_failed(const igt_transfer_summary *s, igt_error *err) {
  unsigned long long files = s->files_failed, studies = s->studies_failed;
  const char *rest = rest_of(s);

  if (!files && !studies)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu DICOM import%s failed%s",
                     (unsigned long long)s->imports_failed, s->imports_failed == 1 ? "" : "s",
                     rest);
  if (!files)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu %s failed%s", studies,
                     studies == 1 ? "study" : "studies", rest);
  if (!studies)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu %s failed%s", files,
                     files == 1 ? "file" : "files", rest);
  return igt__fail(err, IGT_E_SOME_FAILED, "%llu file%s and %llu %s failed%s", files,
                   files == 1 ? "" : "s", studies, studies == 1 ? "study" : "studies", rest);
}

/* No group was opened for them; those of an estimate do not count. */
static void count_not_started(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->summary.studies_not_started += run->waiting + (run->studies_known ? run->left : 0);
  pthread_mutex_unlock(&run->lock);
}

static igt_status outcome(igt__run *run, igt_transfer_summary *summary, igt_error *err) {
  igt_transfer_summary *s = &run->summary;

  if (igt__run_stopping(run))
    count_not_started(run);
  s->requests = igt__http_requests(run->http) - run->requests_before;
  s->seconds = (double)(igt__mono_us() - run->began_us) / 1e6;
  *summary = *s;
  if (run->fatal != IGT_OK) {
    if (err)
      igt__error_copy(err, &run->fatal_error);
    return run->fatal;
  }
  if (igt__cancel_is_set(run->cancel))
    return igt__fail(err, IGT_E_CANCELLED, "interrupted: run the same command again to continue");
  if (s->files_failed || s->studies_failed || s->imports_failed)
    return some_failed(s, err);
  return IGT_OK;
}

static void keep_session_task(void *arg) {
  igt__run *run = arg;

  igt__session_keep(igt__client_session(run->client));
  __atomic_store_n(&run->keeping, false, __ATOMIC_RELEASE);
}

/* One large file may take longer than a token lives, without any REST call meanwhile. */
static void keep_session(igt__run *run) {
  if (!__atomic_exchange_n(&run->keeping, true, __ATOMIC_ACQUIRE))
    igt__pool_add(run->helpers, keep_session_task, run);
}

static void note_slow_line(igt__run *run) {
  double rate = igt__sched_rate(run->sched);

  igt__http_set_slow_line(run->http, rate > 0 && rate < SLOW_LINE);
}

static void report_pattern(void *run, const char *text) {
  igt__run_message(run, IGT_OK, "%s", text);
}

igt_status igt__run_wait(igt__run *run, igt_transfer_summary *summary, igt_error *err) {
  unsigned step = run->callbacks->progress_ms ? run->callbacks->progress_ms : PROGRESS_MS;
  int64_t shown = 0, kept = igt__mono_us();
  uint64_t slow_downs = igt__http_slow_downs(run->http);
  igt__speed speed = {.recent = {.n = 0}};
  bool stopped = false;

  for (;;) {
    bool done = over(run), delivered = deliver(run, done ? 0 : step);
    int64_t now = igt__mono_us();
    if (!stopped && igt__run_stopping(run)) {
      stopped = true;
      igt__sched_stop(run->sched);
    }
    if (run->callbacks->on_progress && (done || now - shown >= (int64_t)step * 1000)) {
      igt__run_show(run, &speed);
      shown = now;
    }
    if (slow_downs != igt__http_slow_downs(run->http)) {
      slow_downs = igt__http_slow_downs(run->http);
      igt__sched_slow_down(run->sched);
    }
    note_slow_line(run);
    (void)igt__journal_flush(run->journal, NULL);
    if (done)
      break;
    if (!stopped && now - kept >= KEEP_SESSION_US) {
      keep_session(run);
      kept = now;
    }
    if (delivered)
      wait_changed(run, step);
  }
  if (!igt__run_stopping(run))
    igt__filter_report(run->filter, report_pattern, run);
  igt__run_deliver(run);
  return outcome(run, summary, err);
}

unsigned igt__run_loop(igt__run *run) {
  return __atomic_fetch_add(&run->next_loop, 1, __ATOMIC_RELAXED);
}
