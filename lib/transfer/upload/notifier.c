/* SPDX-License-Identifier: MIT */
/* The completion notifier: queues stored files and notifies the cloud of each
 * ($file-upload-completed) by calls on the HTTP loops, one and a half times as many as there may be
 * PUTs. If the session has to be renewed first, the call is made on a helper's thread, which may
 * block. Called by send.c when a file is stored, and by uploads.c. */
#include "transfer/upload/notifier.h"

#include "igtcloud/models.h"

void igt__notifier_init(igt__notifier *notifier, igt__run *run) {
  notifier->run = run;
  (void)pthread_mutex_init(&notifier->lock, NULL);
  notifier->operation = igt__operation_named("post_study_files_upload_completed");
  notifier->calls = 0;
  igt__queue_init(&notifier->waiting);
}

void igt__notifier_finish(igt__notifier *notifier) {
  (void)pthread_mutex_destroy(&notifier->lock);
}

/* ---- a call ---- */

typedef struct completion {
  igt_file_upload_completed body;
  igt__arg path[2];
  igt__call call;
} completion;

static void fill(completion *c, const igt__notification *file) {
  const igt__group *group = file->group;

  *c = (completion){.path = {{.text = group->institute_id}, {.text = group->study_id}}};
  c->body.uploaded_path.is = IGT_SET;
  c->body.uploaded_path.v = file->path;
  c->body.trigger_action.is = IGT_SET;
  c->body.trigger_action.v = true;
  c->call.operation = file->notifier->operation;
  c->call.path = c->path;
  c->call.body = &c->body;
}

igt_status igt__notify_blocking(const igt__notification *file, igt_error *err) {
  completion c;

  fill(&c, file);
  return igt__call_run(file->notifier->run->client, &c.call, NULL, err);
}

/* ---- on the loops ---- */

static void on_notified(void *payload, igt_status status, const igt_error *failure);

static void blocking_task(void *arg);

/* A call takes about as long as the PUT before it. One and a half times as many calls as
 * there may be PUTs, so that files do not queue up behind it, and no more connections. */
static bool has_space_locked(const igt__notifier *notifier) {
  return notifier->calls < igt__client_api_connections(igt__sched_slots(notifier->run->sched));
}

static void begin(igt__notification *file) {
  igt__run *run = file->notifier->run;
  completion c;

  fill(&c, file);
  if (!igt__call_submit(run->client, &c.call, file->loop, on_notified, file))
    igt__pool_add(run->helpers, blocking_task, file);
}

/* Starts waiting notifications until all slots are taken. */
static void begin_more(igt__notifier *notifier) {
  igt__notification *file;

  do {
    pthread_mutex_lock(&notifier->lock);
    file = has_space_locked(notifier) ? igt__queue_take(&notifier->waiting) : NULL;
    if (file)
      notifier->calls++;
    pthread_mutex_unlock(&notifier->lock);
    if (file)
      begin(file);
  } while (file);
}

/* The run and the notifier may be gone once done is called. */
static void finish(igt__notification *file, igt_status status, igt_error *err) {
  igt__notifier *notifier = file->notifier;

  pthread_mutex_lock(&notifier->lock);
  notifier->calls--;
  pthread_mutex_unlock(&notifier->lock);
  begin_more(notifier);
  file->done(file, status, err);
}

static void blocking_task(void *arg) {
  igt__notification *file = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__notify_blocking(file, &err);

  finish(file, status, &err);
}

static void on_notified(void *payload, igt_status status, const igt_error *failure) {
  igt__notification *file = payload;
  igt_error err = *failure;

  if (status == IGT_E_UNAUTHORIZED)
    igt__pool_add(file->notifier->run->helpers, blocking_task, file);
  else
    finish(file, status, &err);
}

void igt__notify(igt__notification *file) {
  igt__notifier *notifier = file->notifier;

  pthread_mutex_lock(&notifier->lock);
  igt__queue_add(&notifier->waiting, file);
  pthread_mutex_unlock(&notifier->lock);
  begin_more(notifier);
}
