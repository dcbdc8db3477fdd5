/* SPDX-License-Identifier: MIT */
#include "transfer/run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Listings and planning at once: each blocks on one request at a time. */
#define PRODUCERS_MAX 16
/* The cloud wants to hear of each file that is complete: a round trip each, which must overlap.
 * With 16, two thousand small files from 50 ms away went up in 7 s, of which 1.6 s were PUTs. */
#define HELPERS_MAX 48
/* A study with small files needs new credentials after a few round trips. */
#define GRANTERS_MAX 16
/* Events that wait for the calling thread before producers pause. */
#define EVENTS_MAX 4096
#define PROGRESS_MS 100
#define KEEP_SESSION_US 500000

struct igt__event {
  struct igt__event *next;
  bool is_message;
  igt_status status;
  igt_item item;
  igt_error error;
  char text[];
};

/* ---- begin and end ---- */

static void open_journal(igt__run *run) {
  igt_error err = IGT_ERROR_INIT;
  bool moved = false;

  if (run->options.no_journal || run->options.dry_run)
    return;
  if (igt__journal_open(run->options.journal, &run->journal, &moved, &err) != IGT_OK)
    igt__run_message(run, err.status,
                     "%s; going on without it: an interrupted run starts large files anew",
                     err.text);
  else if (moved)
    igt__run_message(run, IGT_E_PARSE,
                     "the journal was damaged: it was moved aside (.damaged) and begun anew");
}

static unsigned at_most(unsigned a, unsigned b) {
  return a && a < b ? a : b;
}

static igt_status make_pools(igt__run *run, igt_error *err) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);

  run->sched =
      igt__sched_new(igt__client_connections(run->client), igt__client_max_connections(run->client),
                     run->options.concurrent_files);
  run->lister = igt__pool_new(1);
  run->producers = igt__pool_new(at_most(run->options.concurrent_studies, PRODUCERS_MAX));
  run->helpers = igt__pool_new(HELPERS_MAX);
  run->granters = igt__pool_new(GRANTERS_MAX);
  run->hashers = igt__pool_new(cores > 1 ? (unsigned)cores : 1);
  if (!run->sched || !run->lister || !run->producers || !run->helpers || !run->granters ||
      !run->hashers)
    return igt__fail_memory(err);
  return IGT_OK;
}

igt_status igt__run_init(igt__run *run, igt_client *client, const igt_transfer_options *options,
                         const igt_callbacks *callbacks, igt_error *err) {
  static const igt_callbacks none = {0};
  igt_status status;

  memset(run, 0, sizeof *run);
  run->client = client;
  run->http = igt__client_http(client);
  run->cancel = igt__client_cancel(client);
  run->origin = igt__client_origin(client);
  run->callbacks = callbacks ? callbacks : &none;
  run->options = *options;
  run->events_tail = &run->events;
  run->began_us = igt__mono_us();
  run->totals.listing = true;
  run->totals.seconds_left = -1;
  (void)pthread_mutex_init(&run->lock, NULL);
  (void)pthread_cond_init(&run->changed, NULL);
  status = igt_client_sign_in(client, err);
  run->requests_before = igt__http_requests(run->http);
  if (status == IGT_OK)
    status = igt__s3_new(run->http, &run->s3, err);
  if (status == IGT_OK)
    status = make_pools(run, err);
  if (status == IGT_OK)
    open_journal(run);
  return status;
}

void igt__run_finish(igt__run *run) {
  igt__pool_free(run->lister);
  igt__pool_free(run->producers);
  igt__pool_free(run->hashers);
  igt__pool_free(run->helpers);
  igt__pool_free(run->granters);
  igt__sched_free(run->sched);
  igt__s3_free(run->s3);
  igt__journal_close(run->journal);
  while (run->events) {
    struct igt__event *event = run->events;
    run->events = event->next;
    igt__free(event);
  }
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
    run->fatal_error = *err;
  }
  pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

/* ---- events ---- */

static void push_event(igt__run *run, struct igt__event *event) {
  pthread_mutex_lock(&run->lock);
  *run->events_tail = event;
  run->events_tail = &event->next;
  run->event_count++;
  /* The calling thread looks by itself ten times a second; waking it for each file costs more than
   * the file. */
  if (run->event_count == EVENTS_MAX / 4)
    pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

void igt__run_wait_events(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  while (run->event_count >= EVENTS_MAX && run->fatal == IGT_OK &&
         !igt__cancel_is_set(run->cancel)) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    (void)pthread_cond_timedwait(&run->changed, &run->lock, &until);
  }
  pthread_mutex_unlock(&run->lock);
}

void igt__run_message(igt__run *run, igt_status status, const char *fmt, ...) {
  char text[IGT_ERROR_TEXT_MAX];
  struct igt__event *event;
  va_list args;

  va_start(args, fmt);
  (void)vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  igt__log(status == IGT_OK ? IGT_LOG_INFO : IGT_LOG_WARNING, IGT_LOG_TRANSFER, "%s", text);
  if (!run->callbacks->on_message)
    return;
  event = igt__calloc(1, sizeof *event + strlen(text) + 1);
  if (!event)
    return;
  event->is_message = true;
  event->status = status;
  strcpy(event->text, text);
  push_event(run, event);
}

static void count_item_locked(igt__run *run, const igt_item *item) {
  igt_summary *s = &run->summary;

  if (item->kind == IGT_ITEM_STUDY) {
    run->totals.studies_settled++;
    s->studies_failed += item->result == IGT_RESULT_FAILED;
    return;
  }
  switch (item->result) {
  case IGT_RESULT_DONE:
  case IGT_RESULT_PLANNED:
    s->files_done++;
    s->bytes_done += item->size;
    s->bytes_moved += item->moved;
    s->files_unverified += item->result == IGT_RESULT_DONE && item->verified[0] == '\0';
    break;
  case IGT_RESULT_SKIPPED:
    s->files_skipped++;
    s->bytes_skipped += item->size;
    run->totals.files_skipped++;
    break;
  case IGT_RESULT_FAILED:
    s->files_failed++;
    s->bytes_moved += item->moved;
    run->totals.files_failed++;
    break;
  case IGT_RESULT_IGNORED:
    s->files_ignored++;
    break;
  case IGT_RESULT_SAME:
    s->files_same++;
    s->bytes_same += item->size;
    break;
  case IGT_RESULT_DIFFERENT:
    s->files_different++;
    break;
  case IGT_RESULT_MISSING_HERE:
    s->files_missing_here++;
    break;
  case IGT_RESULT_MISSING_THERE:
    s->files_missing_there++;
    break;
  case IGT_RESULT_UNCHECKED:
    s->files_unchecked++;
    break;
  }
}

/* The strings of an item, in the order in which they are copied behind its event. */
static const char **item_string(igt_item *item, unsigned i) {
  const char **const strings[] = {&item->institute, &item->study,      &item->study_id,
                                  &item->path,      &item->local_path, &item->key,
                                  &item->digest,    &item->verified,   &item->text};
  return i < sizeof strings / sizeof *strings ? strings[i] : NULL;
}

static struct igt__event *copy_item(const igt_item *item) {
  igt_item copy = *item;
  size_t need = 0;
  struct igt__event *event;

  for (unsigned i = 0; item_string(&copy, i); i++)
    need += strlen(*item_string(&copy, i)) + 1;
  event = igt__malloc(sizeof *event + need);
  if (!event)
    return NULL;
  memset(event, 0, sizeof *event);
  event->item = copy;
  char *at = event->text;
  for (unsigned i = 0; item_string(&event->item, i); i++) {
    const char **s = item_string(&event->item, i);
    size_t n = strlen(*s) + 1;
    memcpy(at, *s, n);
    *s = at;
    at += n;
  }
  if (item->error) {
    event->error = *item->error;
    event->item.error = &event->error;
  }
  return event;
}

void igt__run_item(igt__run *run, const igt_item *item) {
  igt_item filled = *item;
  struct igt__event *event;

  for (unsigned i = 0; item_string(&filled, i); i++)
    if (!*item_string(&filled, i))
      *item_string(&filled, i) = "";
  pthread_mutex_lock(&run->lock);
  count_item_locked(run, &filled);
  pthread_mutex_unlock(&run->lock);
  if (filled.result == IGT_RESULT_FAILED && filled.error)
    igt__log(IGT_LOG_ERROR, IGT_LOG_TRANSFER, "%s %s: %s", filled.study, filled.path,
             filled.error->text);
  if (run->callbacks->on_item && (event = copy_item(&filled)) != NULL)
    push_event(run, event);
}

static void deliver(igt__run *run, struct igt__event *event) {
  const igt_callbacks *cb = run->callbacks;

  if (event->is_message)
    cb->on_message(cb->payload, event->status, event->text);
  else
    cb->on_item(cb->payload, &event->item);
  igt__free(event);
}

static bool deliver_all(igt__run *run) {
  struct igt__event *list;

  pthread_mutex_lock(&run->lock);
  list = run->events;
  run->events = NULL;
  run->events_tail = &run->events;
  if (run->event_count >= EVENTS_MAX) /* producers wait */
    pthread_cond_broadcast(&run->changed);
  run->event_count = 0;
  pthread_mutex_unlock(&run->lock);
  if (!list)
    return false;
  while (list) {
    struct igt__event *event = list;
    list = event->next;
    deliver(run, event);
  }
  return true;
}

/* ---- progress ---- */

struct rate {
  int64_t at_us[32];
  uint64_t bytes[32];
  unsigned n;
};

/* Over the last three seconds or so: steady enough to read, quick enough to be true. */
static double rate_add(struct rate *rate, int64_t now, uint64_t bytes) {
  unsigned slot = rate->n % 32, oldest;

  rate->at_us[slot] = now;
  rate->bytes[slot] = bytes;
  rate->n++;
  oldest = rate->n > 31 ? rate->n % 32 : 0;
  while (oldest != slot && now - rate->at_us[oldest] > 3000000)
    oldest = (oldest + 1) % 32;
  if (oldest == slot || now == rate->at_us[oldest])
    return 0;
  return (double)(bytes - rate->bytes[oldest]) * 1e6 / (double)(now - rate->at_us[oldest]);
}

static void fill_running_locked(igt__run *run, igt_progress *out) {
  out->running_count = 0;
  out->running_more = 0;
  for (igt__group *group = run->groups; group; group = group->next) {
    if (group->progress.files == group->progress.files_settled)
      continue;
    if (out->running_count < IGT_RUNNING_MAX)
      out->running[out->running_count++] = group->progress;
    else
      out->running_more++;
  }
}

static void show_progress(igt__run *run, struct rate *rate) {
  igt_progress progress;
  char names[IGT_RUNNING_MAX][256];
  int64_t now = igt__mono_us();
  uint64_t left;

  pthread_mutex_lock(&run->lock);
  progress = run->totals;
  fill_running_locked(run, &progress);
  for (size_t i = 0; i < progress.running_count; i++) {
    (void)snprintf(names[i], sizeof names[i], "%s", progress.running[i].name);
    progress.running[i].name = names[i];
  }
  pthread_mutex_unlock(&run->lock);
  progress.milliseconds = (now - run->began_us) / 1000;
  progress.bytes_per_second = rate_add(rate, now, progress.bytes_settled);
  left = progress.bytes > progress.bytes_settled ? progress.bytes - progress.bytes_settled : 0;
  progress.seconds_left =
      progress.bytes_per_second > 1 ? (int64_t)((double)left / progress.bytes_per_second) : -1;
  run->callbacks->on_progress(run->callbacks->payload, &progress);
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
  struct timespec until;

  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += (long)ms * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&run->lock);
  if (!run->events && (run->tasks || run->group_count))
    (void)pthread_cond_timedwait(&run->changed, &run->lock, &until);
  pthread_mutex_unlock(&run->lock);
}

static igt_status some_failed(const igt_summary *s, igt_error *err) {
  unsigned long long files = s->files_failed, studies = s->studies_failed;

  if (!files)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu studies failed; the rest is done", studies);
  if (!studies)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu files failed; the rest is done", files);
  return igt__fail(err, IGT_E_SOME_FAILED, "%llu files and %llu studies failed; the rest is done",
                   files, studies);
}

static igt_status outcome(igt__run *run, igt_summary *summary, igt_error *err) {
  igt_summary *s = &run->summary;

  s->requests = igt__http_requests(run->http) - run->requests_before;
  s->seconds = (double)(igt__mono_us() - run->began_us) / 1e6;
  *summary = *s;
  if (run->fatal != IGT_OK) {
    if (err)
      *err = run->fatal_error;
    return run->fatal;
  }
  if (igt__cancel_is_set(run->cancel))
    return igt__fail(err, IGT_E_CANCELLED,
                     "interrupted: run the same command again to go on from here");
  if (s->files_failed || s->studies_failed)
    return some_failed(s, err);
  return IGT_OK;
}

static void keep_session_task(void *arg) {
  igt__run *run = arg;

  igt__session_keep(igt__client_session(run->client));
  __atomic_store_n(&run->keeping, false, __ATOMIC_RELEASE);
}

/* One large file may take longer than a token lives, and asks the REST API nothing meanwhile. */
static void keep_session(igt__run *run) {
  if (!__atomic_exchange_n(&run->keeping, true, __ATOMIC_ACQUIRE))
    igt__pool_add(run->helpers, keep_session_task, run);
}

igt_status igt__run_wait(igt__run *run, igt_summary *summary, igt_error *err) {
  unsigned step = run->callbacks->progress_ms ? run->callbacks->progress_ms : PROGRESS_MS;
  int64_t shown = 0, kept = igt__mono_us();
  uint64_t slow_downs = igt__http_slow_downs(run->http);
  struct rate rate = {{0}, {0}, 0};
  bool stopped = false;

  for (;;) {
    bool done = over(run);
    int64_t now = igt__mono_us();
    (void)deliver_all(run);
    if (!stopped && igt__run_stopping(run)) {
      stopped = true;
      igt__sched_stop(run->sched);
    }
    if (run->callbacks->on_progress && (done || now - shown >= (int64_t)step * 1000)) {
      show_progress(run, &rate);
      shown = now;
    }
    if (slow_downs != igt__http_slow_downs(run->http)) {
      slow_downs = igt__http_slow_downs(run->http);
      igt__sched_slow_down(run->sched);
    }
    (void)igt__journal_flush(run->journal, NULL);
    if (done)
      break;
    if (!stopped && now - kept >= KEEP_SESSION_US) {
      keep_session(run);
      kept = now;
    }
    wait_changed(run, step);
  }
  (void)deliver_all(run);
  return outcome(run, summary, err);
}

/* ---- groups ---- */

static void group_free(igt__group *group) {
  igt__free(group->institute);
  igt__free(group->institute_id);
  igt__free(group->study);
  igt__free(group->study_id);
  igt__free(group->s3_prefix);
  igt__free(group->label);
  igt__free(group);
}

static char *group_label(const char *institute, const char *study) {
  size_t n = strlen(institute) + strlen(study) + 3;
  char *label = igt__malloc(n);

  if (label)
    (void)snprintf(label, n, "%s%s%s", institute, *institute && *study ? ": " : "", study);
  return label;
}

static void group_settled_task(void *arg);

static void group_settled(void *payload) {
  igt__group *group = payload;
  igt__pool_add(group->run->helpers, group_settled_task, group);
}

igt__group *igt__group_open(igt__run *run, const char *institute, const char *institute_id,
                            const char *study, const char *study_id, const char *s3_prefix) {
  igt__group *group = igt__calloc(1, sizeof *group);

  if (!group)
    return NULL;
  group->run = run;
  group->own = (igt_error)IGT_ERROR_INIT;
  group->institute = igt__strdup(institute);
  group->institute_id = igt__strdup(institute_id);
  group->study = igt__strdup(study);
  group->study_id = igt__strdup(study_id);
  group->s3_prefix = igt__strdup(s3_prefix);
  group->label = *study ? group_label(institute, study) : igt__strdup("project files");
  group->lane = igt__sched_open(run->sched, group_settled, group);
  if (!group->institute || !group->institute_id || !group->study || !group->study_id ||
      !group->s3_prefix || !group->label || !group->lane) {
    igt__free(group->lane);
    group_free(group);
    return NULL;
  }
  group->progress.name = group->label;
  pthread_mutex_lock(&run->lock);
  /* The oldest first, as people read. */
  group->prev = &run->groups;
  while (*group->prev)
    group->prev = &(*group->prev)->next;
  *group->prev = group;
  run->group_count++;
  run->totals.studies += *study != '\0';
  run->summary.studies += *study != '\0';
  pthread_mutex_unlock(&run->lock);
  return group;
}

void igt__group_close(igt__group *group) {
  igt__sched_close(group->run->sched, group->lane);
}

static void report_study(igt__group *group) {
  igt_item item = {.kind = IGT_ITEM_STUDY, .result = IGT_RESULT_DONE, .text = group->note};

  if (group->failed) {
    igt_error err = group->own;
    if (err.status == IGT_OK)
      (void)igt__fail(&err, IGT_E_SOME_FAILED, "%llu of its files failed",
                      (unsigned long long)group->failed);
    item.result = IGT_RESULT_FAILED;
    item.error = &err;
    igt__group_item(group, &item);
    return;
  }
  if (group->compared)
    item.result = group->compared;
  else if (group->run->options.dry_run && (group->done_files || group->note))
    item.result = IGT_RESULT_PLANNED;
  else if (!group->done_files && !group->note)
    item.result = IGT_RESULT_SKIPPED;
  igt__group_item(group, &item);
}

static void group_settled_task(void *arg) {
  igt__group *group = arg;
  igt__run *run = group->run;

  if (group->on_settled)
    group->on_settled(group);
  if (*group->study && (!group->dropped || group->own.status != IGT_OK))
    report_study(group);
  pthread_mutex_lock(&run->lock);
  *group->prev = group->next;
  if (group->next)
    group->next->prev = group->prev;
  run->group_count--;
  if (run->group_count == 0)
    pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
  group_free(group);
}

void igt__group_found(igt__group *group, uint64_t size) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.files++;
  group->progress.bytes += size;
  run->totals.files++;
  run->totals.bytes += size;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_moved(igt__group *group, uint64_t bytes) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.bytes_moved += bytes;
  run->totals.bytes_settled += bytes;
  pthread_mutex_unlock(&run->lock);
  igt__sched_moved(run->sched, bytes);
}

void igt__group_unmoved(igt__group *group, uint64_t bytes) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.bytes_moved -=
      bytes < group->progress.bytes_moved ? bytes : group->progress.bytes_moved;
  run->totals.bytes_settled -=
      bytes < run->totals.bytes_settled ? bytes : run->totals.bytes_settled;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_item(igt__group *group, igt_item *item) {
  igt__run *run = group->run;

  item->institute = group->institute;
  item->study = group->study;
  item->study_id = group->study_id;
  if (item->kind == IGT_ITEM_FILE) {
    pthread_mutex_lock(&run->lock);
    group->failed += item->result == IGT_RESULT_FAILED;
    group->done_files += item->result == IGT_RESULT_DONE || item->result == IGT_RESULT_PLANNED;
    group->skipped += item->result == IGT_RESULT_SKIPPED;
    if (item->result > group->compared && item->result >= IGT_RESULT_SAME &&
        group->compared <= IGT_RESULT_SAME)
      group->compared = item->result;
    if (item->result != IGT_RESULT_SKIPPED && item->result != IGT_RESULT_IGNORED) {
      group->progress.files_settled++;
      run->totals.files_settled++;
    }
    pthread_mutex_unlock(&run->lock);
  }
  igt__run_item(run, item);
  if (item->error && igt__status_is_fatal(item->error->status))
    igt__run_fatal(run, item->error);
}

void igt__group_dropped(igt__group *group) {
  pthread_mutex_lock(&group->run->lock);
  group->dropped++;
  pthread_mutex_unlock(&group->run->lock);
}

void igt__group_failed(igt__group *group, const igt_error *err) {
  igt_item item = {.kind = IGT_ITEM_OTHER, .result = IGT_RESULT_FAILED, .error = err};

  pthread_mutex_lock(&group->run->lock);
  group->failed++;
  if (group->own.status == IGT_OK)
    group->own = *err;
  pthread_mutex_unlock(&group->run->lock);
  if (!*group->study) /* a project's files have no study that could tell */
    igt__group_item(group, &item);
  else if (igt__status_is_fatal(err->status))
    igt__run_fatal(group->run, err);
}

unsigned igt__run_loop(igt__run *run) {
  return __atomic_fetch_add(&run->next_loop, 1, __ATOMIC_RELAXED);
}
