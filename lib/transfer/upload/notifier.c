/* SPDX-License-Identifier: MIT */
#include "transfer/upload/notifier.h"

#include "igtcloud/models.h"
#include "transfer/engine/run.h"

void igt__notifier_init(igt__notifier *notifier) {
  (void)pthread_mutex_init(&notifier->lock, NULL);
  notifier->operation = igt__operation_named("post_study_files_upload_completed");
  notifier->calls = 0;
  notifier->first = NULL;
  notifier->last = &notifier->first;
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

static void fill(completion *c, const igt__group *group, const char *path) {
  *c = (completion){.path = {{.text = group->institute_id}, {.text = group->study_id}}};
  c->body.uploaded_path.is = IGT_SET;
  c->body.uploaded_path.v = path;
  c->body.trigger_action.is = IGT_SET;
  c->body.trigger_action.v = true;
  c->call.operation = group->run->notifier.operation;
  c->call.path = c->path;
  c->call.body = &c->body;
}

igt_status igt__notify_blocking(const igt__group *group, const char *path, igt_error *err) {
  completion c;

  fill(&c, group, path);
  return igt__call_run(group->run->client, &c.call, NULL, err);
}

/* ---- on the loops ---- */

static void on_notified(void *payload, igt_status status, const igt_error *failure);

static void blocking_task(void *arg);

/* A call takes about as long as the PUT before it. Half as many again as may be PUT at once, so
 * that files do not queue up behind it, and no connection more. */
static bool has_space_locked(const igt__run *run) {
  return run->notifier.calls < igt__client_api_connections(igt__sched_slots(run->sched));
}

static igt__notification *take_locked(igt__notifier *notifier) {
  igt__notification *file = notifier->first;

  if (file)
    notifier->first = file->next;
  if (!notifier->first)
    notifier->last = &notifier->first;
  return file;
}

static void begin(igt__notification *file) {
  igt__run *run = file->group->run;
  completion c;

  fill(&c, file->group, file->path);
  if (!igt__call_submit(run->client, &c.call, file->loop, on_notified, file))
    igt__pool_add(run->helpers, blocking_task, file);
}

/* Those that wait for room, until a call is under way for each place. */
static void begin_more(igt__run *run) {
  igt__notifier *notifier = &run->notifier;
  igt__notification *file;

  do {
    pthread_mutex_lock(&notifier->lock);
    file = has_space_locked(run) ? take_locked(notifier) : NULL;
    if (file)
      notifier->calls++;
    pthread_mutex_unlock(&notifier->lock);
    if (file)
      begin(file);
  } while (file);
}

/* The run may be gone once done is called. */
static void finish(igt__notification *file, igt_status status, igt_error *err) {
  igt__run *run = file->group->run;

  pthread_mutex_lock(&run->notifier.lock);
  run->notifier.calls--;
  pthread_mutex_unlock(&run->notifier.lock);
  begin_more(run);
  file->done(file, status, err);
}

static void blocking_task(void *arg) {
  igt__notification *file = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__notify_blocking(file->group, file->path, &err);

  finish(file, status, &err);
}

static void on_notified(void *payload, igt_status status, const igt_error *failure) {
  igt__notification *file = payload;
  igt_error err = *failure;

  if (status == IGT_E_UNAUTHORIZED)
    igt__pool_add(file->group->run->helpers, blocking_task, file);
  else
    finish(file, status, &err);
}

void igt__notify(igt__notification *file) {
  igt__run *run = file->group->run;
  igt__notifier *notifier = &run->notifier;

  file->next = NULL;
  pthread_mutex_lock(&notifier->lock);
  *notifier->last = file;
  notifier->last = &file->next;
  pthread_mutex_unlock(&notifier->lock);
  begin_more(run);
}
