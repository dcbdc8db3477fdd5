/* SPDX-License-Identifier: MIT */
/* Transfers as handles (igtcloud/transfer.h): the job's thread, the queue between it and the
 * program's thread, and the descriptor that says when the queue is worth a look. handle.h has a
 * diagram. The descriptor is written when the first thing waits and read when all was delivered,
 * not for each event; after the end it stays readable.
 *
 * igt_download, igt_upload, igt_verify and igt_csv make a transfer, with their job's run function
 * and copies of their options; the blocking forms are igt__transfer_run around it. */
#include "transfer/engine/handle.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "api/client.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/queue.h"
#include "base/sized.h"
#include "base/thread.h"
#include "transfer/engine/events.h"
#include "transfer/engine/options.h"

struct igt_transfer {
  igt__transfer_kind kind;
  void *job;
  igt_client *client; /* a view */
  igt__cancel *cancel;
  igt_transfer_callbacks callbacks;
  igt__arena *strings;
  char *secret;
  bool no_memory; /* for a string */
  bool started;
  pthread_t thread;
  igt_transfer_summary summary; /* the job's until it has ended, as is csv */
  igt_csv_summary csv;
  igt__snapshot shown; /* the dispatching thread's */
  int fd;              /* -1: the system has none */

  pthread_mutex_t lock;
  pthread_cond_t changed; /* something waits, or the end: for igt_transfer_wait */
  pthread_cond_t taken;   /* for the job */
  /* guarded by lock */
  IGT__QUEUE(struct igt__event) events;
  size_t event_count;
  bool has_progress;
  igt__snapshot progress;
  igt_write_fn write; /* NULL: no content waits */
  void *write_payload;
  const void *data;
  size_t data_len;
  igt_status write_status;
  bool readable;  /* fd was written */
  bool abandoned; /* by igt_transfer_free: nothing is delivered any more */
  bool ended;
  igt_status status;
  igt_error err;
  bool dispatching;
  pthread_t dispatcher;
  bool freed; /* by a callback: its dispatch frees it */
};

/* ---- making one ---- */

static igt_status make(igt_transfer *t, igt_client *client, const igt_transfer_callbacks *callbacks,
                       igt_error *err) {
  t->fd = -1;
  t->err = (igt_error)IGT_ERROR_INIT;
  t->summary = (igt_transfer_summary)IGT_TRANSFER_SUMMARY_INIT;
  t->csv = (igt_csv_summary)IGT_CSV_SUMMARY_INIT;
  igt__queue_init(&t->events);
  (void)pthread_mutex_init(&t->lock, NULL);
  igt__cond_init(&t->changed);
  igt__cond_init(&t->taken);
  if (!client)
    return igt__fail(err, IGT_E_INVALID, "no client was given");
  t->cancel = igt__cancel_below(igt__client_cancel(client), NULL);
  t->client = t->cancel ? igt__client_view(client, t->cancel) : NULL;
  t->strings = igt__arena_new(0);
  if (!t->client || !t->strings)
    return igt__fail_memory(err);
  return igt__options_read(&t->callbacks, sizeof t->callbacks, callbacks, "igt_transfer_callbacks",
                           err);
}

/* After the job's thread. */
static void destroy(igt_transfer *t) {
  struct igt__event *event;

  while ((event = igt__queue_take(&t->events)) != NULL)
    igt__event_free(event);
  t->kind.release(t->job);
  if (t->fd >= 0)
    igt__os_event_close(t->fd);
  if (t->secret)
    igt__wipe(t->secret, strlen(t->secret));
  igt__free(t->secret);
  igt__arena_free(t->strings);
  igt_client_free(t->client);
  igt__cancel_unref(t->cancel);
  (void)pthread_cond_destroy(&t->taken);
  (void)pthread_cond_destroy(&t->changed);
  (void)pthread_mutex_destroy(&t->lock);
  igt__free(t);
}

igt_status igt__transfer_new(igt_client *client, const igt_transfer_callbacks *callbacks,
                             const igt__transfer_kind *kind, void *job, igt_transfer **out,
                             igt_error *err) {
  igt_transfer *t = igt__calloc(1, sizeof *t);
  igt_status status;

  *out = NULL;
  if (!t) {
    kind->release(job);
    return igt__fail_memory(err);
  }
  t->kind = *kind;
  t->job = job;
  status = make(t, client, callbacks, err);
  if (status == IGT_OK)
    *out = t;
  else
    destroy(t);
  return status;
}

const char *igt__transfer_keep(igt_transfer *t, const char *text) {
  const char *copy = text ? igt__arena_strdup(t->strings, text) : NULL;

  t->no_memory |= text && !copy;
  return copy;
}

const char *igt__transfer_keep_secret(igt_transfer *t, const char *text) {
  t->secret = text ? igt__strdup(text) : NULL;
  t->no_memory |= text && !t->secret;
  return t->secret;
}

void igt__transfer_keep_list(igt_transfer *t, const char *const **list, size_t count) {
  const char **copy = count ? igt__arena_calloc(t->strings, count, sizeof *copy) : NULL;

  t->no_memory |= count && !copy;
  for (size_t i = 0; copy && i < count; i++)
    copy[i] = igt__transfer_keep(t, (*list)[i]);
  *list = copy;
}

void igt__transfer_keep_filters(igt_transfer *t, igt_filters *filters) {
  igt__transfer_keep_list(t, &filters->include, filters->include_count);
  igt__transfer_keep_list(t, &filters->exclude, filters->exclude_count);
  igt__transfer_keep_list(t, &filters->rules, filters->rule_count);
  if (filters->names && filters->name_count)
    igt__transfer_keep_list(t, &filters->names, filters->name_count);
}

void igt__transfer_keep_shared(igt_transfer *t, igt_transfer_options *options) {
  igt__transfer_keep_list(t, &options->include, options->include_count);
  igt__transfer_keep_list(t, &options->exclude, options->exclude_count);
  options->journal = igt__transfer_keep(t, options->journal);
}

/* ---- something waits ---- */

static void signal_locked(igt_transfer *t) {
  if (!t->readable && t->fd >= 0)
    igt__os_event_set(t->fd);
  t->readable = true;
  pthread_cond_broadcast(&t->changed);
}

static bool waits_locked(const igt_transfer *t) {
  return t->events.first || t->has_progress || t->write;
}

static void unsignal_locked(igt_transfer *t) {
  if (t->ended || waits_locked(t) || !t->readable)
    return;
  t->readable = false;
  if (t->fd >= 0)
    igt__os_event_clear(t->fd);
}

/* ---- on the job's thread ---- */

igt_client *igt__transfer_client(const igt_transfer *t) {
  return t->client;
}

const igt_transfer_callbacks *igt__transfer_callbacks(const igt_transfer *t) {
  return &t->callbacks;
}

igt_transfer_summary *igt__transfer_summary(igt_transfer *t) {
  return &t->summary;
}

igt_csv_summary *igt__transfer_csv_summary(igt_transfer *t) {
  return &t->csv;
}

static bool has_space_locked(const igt_transfer *t) {
  return t->abandoned || t->event_count < IGT__EVENTS_MAX;
}

bool igt__transfer_wait_space(igt_transfer *t, unsigned ms) {
  bool space;

  pthread_mutex_lock(&t->lock);
  if (!has_space_locked(t))
    igt__cond_wait_for(&t->taken, &t->lock, ms);
  space = has_space_locked(t);
  pthread_mutex_unlock(&t->lock);
  return space;
}

static void free_events(struct igt__event *event) {
  while (event) {
    struct igt__event *next = event->next;

    igt__event_free(event);
    event = next;
  }
}

void igt__transfer_push_all(igt_transfer *t, struct igt__event *first, struct igt__event **last,
                            size_t count) {
  if (!first)
    return;
  pthread_mutex_lock(&t->lock);
  if (!t->abandoned) {
    *t->events.last = first;
    t->events.last = last;
    t->event_count += count;
    first = NULL;
    signal_locked(t);
  }
  pthread_mutex_unlock(&t->lock);
  free_events(first);
}

void igt__transfer_push(igt_transfer *t, struct igt__event *event) {
  event->next = NULL;
  pthread_mutex_lock(&t->lock);
  while (!has_space_locked(t) && !igt__cancel_is_set(t->cancel))
    igt__cond_wait_for(&t->taken, &t->lock, 100); /* a cancel wakes nobody */
  pthread_mutex_unlock(&t->lock);
  igt__transfer_push_all(t, event, &event->next, 1);
}

void igt__transfer_progress(igt_transfer *t, const igt__snapshot *snapshot) {
  pthread_mutex_lock(&t->lock);
  igt__snapshot_copy(&t->progress, snapshot);
  t->has_progress = !t->abandoned;
  signal_locked(t);
  pthread_mutex_unlock(&t->lock);
}

igt_status igt__transfer_write(igt_transfer *t, igt_write_fn write, void *payload, const void *data,
                               size_t n) {
  igt_status status;

  if (write == igt_write_fd)
    return write(payload, data, n);
  pthread_mutex_lock(&t->lock);
  if (!t->abandoned) {
    t->write_payload = payload;
    t->data = data;
    t->data_len = n;
    t->write_status = IGT_OK;
    t->write = write;
    signal_locked(t);
  }
  while (t->write && !t->abandoned)
    pthread_cond_wait(&t->taken, &t->lock);
  status = t->abandoned ? IGT_E_CANCELLED : t->write_status;
  pthread_mutex_unlock(&t->lock);
  return status;
}

static void *run_job(void *arg) {
  igt_transfer *t = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = t->kind.run(t, t->job, &err);

  pthread_mutex_lock(&t->lock);
  t->status = status;
  t->err = err;
  t->ended = true;
  signal_locked(t);
  pthread_mutex_unlock(&t->lock);
  return NULL;
}

static igt_status start(igt_transfer *t, bool with_fd, igt_error *err) {
  int failure;

  if (t->no_memory)
    return igt__fail_memory(err);
  if (with_fd && (t->fd = igt__os_event_new()) < 0)
    return igt__fail_errno(err, errno, "the transfer's descriptor");
  failure = igt__thread_start(&t->thread, "igt-transfer", 0, run_job, t);
  if (failure)
    return igt__fail_errno(err, failure, "the transfer's thread");
  t->started = true;
  return IGT_OK;
}

igt_status igt__transfer_start(igt_transfer **out, igt_error *err) {
  igt_status status = start(*out, true, err);

  if (status != IGT_OK) {
    destroy(*out);
    *out = NULL;
  }
  return status;
}

/* ---- on the program's thread ---- */

int igt_transfer_fd(const igt_transfer *t) {
  return t ? t->fd : -1;
}

void igt_transfer_cancel(igt_transfer *t) {
  if (t)
    igt__cancel_set(t->cancel);
}

/* Everything that waits now; what comes meanwhile is for the next dispatch. */
typedef struct batch {
  struct igt__event *events;
  bool has_progress;
  igt_write_fn write;
  void *write_payload;
  const void *data;
  size_t data_len;
} batch;

static igt_status begin_dispatch(igt_transfer *t, batch *b, igt_error *err) {
  bool busy;

  pthread_mutex_lock(&t->lock);
  busy = t->dispatching;
  if (!busy) {
    t->dispatching = true;
    t->dispatcher = pthread_self();
    *b = (batch){igt__queue_take_all(&t->events),
                 t->has_progress,
                 t->write,
                 t->write_payload,
                 t->data,
                 t->data_len};
    t->event_count = 0;
    if (b->has_progress)
      igt__snapshot_copy(&t->shown, &t->progress);
    t->has_progress = false;
    pthread_cond_broadcast(&t->taken);
  }
  pthread_mutex_unlock(&t->lock);
  return busy ? igt__fail(err, IGT_E_INVALID,
                          "igt_transfer_dispatch() is already running: neither a callback nor a "
                          "second thread may call it")
              : IGT_OK;
}

static void deliver_write(igt_transfer *t, const batch *b) {
  igt_status status = b->write(b->write_payload, b->data, b->data_len);

  pthread_mutex_lock(&t->lock);
  t->write = NULL;
  t->write_status = status;
  pthread_cond_broadcast(&t->taken);
  pthread_mutex_unlock(&t->lock);
}

/* Callbacks may free the transfer: then the rest is dropped. freed is this thread's while it
 * dispatches. */
static void deliver(igt_transfer *t, const batch *b) {
  struct igt__event *event = b->events;

  while (event) {
    struct igt__event *next = event->next;

    if (!t->freed)
      igt__event_deliver(event, &t->callbacks);
    igt__event_free(event);
    event = next;
  }
  if (b->write && !t->freed)
    deliver_write(t, b);
  if (b->has_progress && !t->freed && t->callbacks.on_progress)
    t->callbacks.on_progress(t->callbacks.payload, &t->shown.progress);
}

static void join_and_destroy(igt_transfer *t) {
  if (t->started)
    pthread_join(t->thread, NULL);
  destroy(t);
}

static bool is_finished_locked(const igt_transfer *t) {
  return t->ended && !waits_locked(t);
}

/* *t NULL: a callback freed it. */
static igt_status dispatch(igt_transfer **handle, bool *finished, igt_error *err) {
  igt_transfer *t = *handle;
  igt_status status;
  batch b = {.events = NULL};

  *finished = false;
  igt__error_clear(err);
  status = t ? begin_dispatch(t, &b, err) : igt__fail(err, IGT_E_INVALID, "no transfer was given");
  if (status != IGT_OK)
    return status;
  deliver(t, &b);
  if (t->freed) {
    join_and_destroy(t);
    *handle = NULL;
    return igt__fail(err, IGT_E_CANCELLED, "the transfer was freed by a callback");
  }
  pthread_mutex_lock(&t->lock);
  t->dispatching = false;
  *finished = is_finished_locked(t);
  unsignal_locked(t);
  pthread_mutex_unlock(&t->lock);
  return IGT_OK;
}

igt_status igt_transfer_dispatch(igt_transfer *t, bool *finished, igt_error *err) {
  bool unasked;

  return dispatch(&t, finished ? finished : &unasked, err);
}

bool igt_transfer_is_finished(igt_transfer *t) {
  bool done;

  if (!t)
    return true;
  pthread_mutex_lock(&t->lock);
  done = is_finished_locked(t);
  pthread_mutex_unlock(&t->lock);
  return done;
}

static void wait_for_more(igt_transfer *t) {
  pthread_mutex_lock(&t->lock);
  while (!waits_locked(t) && !t->ended)
    pthread_cond_wait(&t->changed, &t->lock);
  pthread_mutex_unlock(&t->lock);
}

/* *handle NULL: a callback freed it. */
static igt_status wait_for_end(igt_transfer **handle, igt_error *err) {
  bool finished = false;
  igt_status status = dispatch(handle, &finished, err);

  while (status == IGT_OK && !finished) {
    wait_for_more(*handle);
    status = dispatch(handle, &finished, err);
  }
  if (status != IGT_OK)
    return status;
  if ((*handle)->status != IGT_OK)
    igt__error_copy(err, &(*handle)->err);
  return (*handle)->status;
}

static igt_status wait(igt_transfer *t, igt_transfer_summary *summary, igt_csv_summary *csv,
                       igt_error *err) {
  igt_status status = wait_for_end(&t, err);

  if (t && igt_transfer_is_finished(t)) {
    igt__result_write(summary, &t->summary, sizeof t->summary);
    igt__result_write(csv, &t->csv, sizeof t->csv);
  }
  return status;
}

igt_status igt_transfer_wait(igt_transfer *t, igt_transfer_summary *summary, igt_error *err) {
  igt_status status = igt__result_check(summary, "igt_transfer_summary", err);

  return status == IGT_OK ? wait(t, summary, NULL, err) : status;
}

igt_status igt_csv_wait(igt_transfer *t, igt_csv_summary *summary, igt_error *err) {
  igt_status status = igt__result_check(summary, "igt_csv_summary", err);

  return status == IGT_OK ? wait(t, NULL, summary, err) : status;
}

void igt_transfer_free(igt_transfer *t) {
  bool inside;

  if (!t)
    return;
  igt__cancel_set(t->cancel);
  pthread_mutex_lock(&t->lock);
  t->abandoned = true;
  inside = t->dispatching && pthread_equal(t->dispatcher, pthread_self());
  if (inside)
    t->freed = true;
  pthread_cond_broadcast(&t->taken);
  pthread_mutex_unlock(&t->lock);
  if (!inside)
    join_and_destroy(t);
}

igt_status igt__transfer_run(igt_transfer *t, igt_transfer_summary *summary, igt_csv_summary *csv,
                             igt_error *err) {
  igt_status status = igt_client_sign_in(t->client, err);

  if (status == IGT_OK)
    status = start(t, false, err);
  if (status == IGT_OK)
    status = wait_for_end(&t, err);
  igt__result_write(summary, &t->summary, sizeof t->summary);
  igt__result_write(csv, &t->csv, sizeof t->csv);
  join_and_destroy(t);
  return status;
}

/* ---- both forms of a call ---- */

static igt_status make_job(const igt__transfer_call *call, const void *options, void **job,
                           igt_error *err) {
  igt_status status;

  *job = igt__calloc(1, call->job_size);
  if (!*job)
    return igt__fail_memory(err);
  status = call->read(*job, options, err);
  if (status != IGT_OK)
    call->kind.release(*job);
  return status;
}

static igt_status prepare(const igt__transfer_call *call, igt_client *client, const void *options,
                          const igt_transfer_callbacks *callbacks, igt_transfer **out,
                          igt_error *err) {
  void *job;
  igt_status status = make_job(call, options, &job, err);

  *out = NULL;
  if (status == IGT_OK)
    status = igt__transfer_new(client, callbacks, &call->kind, job, out, err);
  if (status == IGT_OK && call->keep)
    call->keep(*out, job);
  return status;
}

igt_status igt__transfer_call_start(const igt__transfer_call *call, igt_client *client,
                                    const void *options, const igt_transfer_callbacks *callbacks,
                                    igt_transfer **out, igt_error *err) {
  igt_status status = prepare(call, client, options, callbacks, out, err);

  return status == IGT_OK ? igt__transfer_start(out, err) : status;
}

igt_status igt__transfer_call_run(const igt__transfer_call *call, igt_client *client,
                                  const void *options, const igt_transfer_callbacks *callbacks,
                                  igt_transfer_summary *summary, igt_csv_summary *csv,
                                  igt_error *err) {
  igt_transfer *transfer = NULL;
  igt_status status = igt__summary_begin(summary, err);

  if (status == IGT_OK)
    status = prepare(call, client, options, callbacks, &transfer, err);
  return status == IGT_OK ? igt__transfer_run(transfer, summary, csv, err) : status;
}
