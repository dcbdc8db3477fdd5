/* SPDX-License-Identifier: MIT */
#include "transfer/tell.h"

#include "igtcloud/models.h"
#include "transfer/run.h"

void igt__teller_init(igt__teller *teller) {
  (void)pthread_mutex_init(&teller->lock, NULL);
  teller->operation = igt__operation_named("post_study_files_upload_completed");
  teller->calls = 0;
  teller->first = NULL;
  teller->last = &teller->first;
}

void igt__teller_finish(igt__teller *teller) {
  (void)pthread_mutex_destroy(&teller->lock);
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
  c->call.operation = group->run->teller.operation;
  c->call.path = c->path;
  c->call.body = &c->body;
}

igt_status igt__tell_blocking(const igt__group *group, const char *path, igt_error *err) {
  completion c;

  fill(&c, group, path);
  return igt__call_run(group->run->client, &c.call, NULL, err);
}

/* ---- on the loops ---- */

static void on_told(void *payload, igt_status status, const igt_error *failure);

static void blocking_task(void *arg);

/* A call takes about as long as the PUT before it. Half as many again as may be PUT at once, so
 * that files do not queue up behind it, and no connection more. */
static bool has_room_locked(const igt__run *run) {
  return run->teller.calls < igt__client_api_connections(igt__sched_slots(run->sched));
}

static igt__told *take_locked(igt__teller *teller) {
  igt__told *file = teller->first;

  if (file)
    teller->first = file->next;
  if (!teller->first)
    teller->last = &teller->first;
  return file;
}

static void begin(igt__told *file) {
  igt__run *run = file->group->run;
  completion c;

  fill(&c, file->group, file->path);
  if (!igt__call_submit(run->client, &c.call, file->loop, on_told, file))
    igt__pool_add(run->helpers, blocking_task, file);
}

/* Those that wait for room, until a call is under way for each place. */
static void begin_more(igt__run *run) {
  igt__teller *teller = &run->teller;
  igt__told *file;

  do {
    pthread_mutex_lock(&teller->lock);
    file = has_room_locked(run) ? take_locked(teller) : NULL;
    if (file)
      teller->calls++;
    pthread_mutex_unlock(&teller->lock);
    if (file)
      begin(file);
  } while (file);
}

/* The run may be gone once done is called. */
static void finish(igt__told *file, igt_status status, igt_error *err) {
  igt__run *run = file->group->run;

  pthread_mutex_lock(&run->teller.lock);
  run->teller.calls--;
  pthread_mutex_unlock(&run->teller.lock);
  begin_more(run);
  file->done(file, status, err);
}

static void blocking_task(void *arg) {
  igt__told *file = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__tell_blocking(file->group, file->path, &err);

  finish(file, status, &err);
}

static void on_told(void *payload, igt_status status, const igt_error *failure) {
  igt__told *file = payload;
  igt_error err = *failure;

  if (status == IGT_E_UNAUTHORIZED)
    igt__pool_add(file->group->run->helpers, blocking_task, file);
  else
    finish(file, status, &err);
}

void igt__tell(igt__told *file) {
  igt__run *run = file->group->run;
  igt__teller *teller = &run->teller;

  file->next = NULL;
  pthread_mutex_lock(&teller->lock);
  *teller->last = file;
  teller->last = &file->next;
  pthread_mutex_unlock(&teller->lock);
  begin_more(run);
}
