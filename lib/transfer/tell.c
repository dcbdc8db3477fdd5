/* SPDX-License-Identifier: MIT */
#include "transfer/tell.h"

#include "igtcloud/models.h"
#include "transfer/run.h"

void igt__teller_init(igt__teller *teller, unsigned most) {
  (void)pthread_mutex_init(&teller->lock, NULL);
  teller->operation = igt__operation_named("post_study_files_upload_completed");
  teller->calls = 0;
  teller->most = most;
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

static void begin(igt__told *file) {
  igt__run *run = file->group->run;
  completion c;

  fill(&c, file->group, file->path);
  if (!igt__call_submit(run->client, &c.call, file->loop, on_told, file))
    igt__pool_add(run->helpers, blocking_task, file);
}

/* The next one, if there is one, takes this one's place. The run may be gone once done is called.
 */
static void finish(igt__told *file, igt_status status, igt_error *err) {
  igt__teller *teller = &file->group->run->teller;
  igt__told *next;

  pthread_mutex_lock(&teller->lock);
  next = teller->first;
  if (next)
    teller->first = next->next;
  else
    teller->calls--;
  if (!teller->first)
    teller->last = &teller->first;
  pthread_mutex_unlock(&teller->lock);
  if (next)
    begin(next);
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
  igt__teller *teller = &file->group->run->teller;
  bool now;

  file->next = NULL;
  pthread_mutex_lock(&teller->lock);
  now = teller->calls < teller->most;
  if (now) {
    teller->calls++;
  } else {
    *teller->last = file;
    teller->last = &file->next;
  }
  pthread_mutex_unlock(&teller->lock);
  if (now)
    begin(file);
}
