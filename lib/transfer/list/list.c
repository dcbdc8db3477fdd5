/* SPDX-License-Identifier: MIT */
/* The studies of institutes with their files. The list of studies is read on the calling thread.
 * With files, each study becomes an entry of a queue, and its files are listed on a pool; the
 * oldest entry is waited for and handed on whenever the queue gets long, so that studies come in
 * the cloud's order and memory stays bounded. A list of files takes one request; DICOM and
 * annotations share one. Called by csv.c and list_studies.c. */
#include "transfer/list/list.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "api/client.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/pool.h"

typedef struct igt__list {
  const igt__list_options *options;
  igt__list_counts *counts;
  igt__cancel *cancel;
  unsigned categories, concurrency, waiting;
  const igt_institute *institute; /* being listed */
  igt__quota quota;               /* of all entries */
  igt__pool *pool;
  IGT__QUEUE(igt__listed) queue;
  pthread_mutex_t lock;
  pthread_cond_t entry_done;
  bool ended;      /* a callback failed: nothing more is handed on */
  igt_error error; /* of a callback that ended the list */
} igt__list;

/* ---- the files of one study ---- */

/* Its type is usually the end of its name, which is then not stored twice. */
static const char *keep_type(igt__listed *e, const igt__listed_file *file, const char *type) {
  size_t n = strlen(type), all = strlen(file->name);

  if (n <= all && strcmp(file->name + all - n, type) == 0)
    return file->name + all - n;
  return igt__arena_strdup(e->arena, type);
}

static bool keep_file(igt__listed *e, size_t category, const igt_file *from) {
  const char *name = igt__text_of(&from->file_name);
  size_t n = strlen(name) + 1;
  igt__listed_file *file = igt__arena_alloc(e->arena, offsetof(igt__listed_file, name) + n);

  if (!file)
    return false;
  file->category = (unsigned char)category;
  file->size = from->file_size.is == IGT_SET ? from->file_size.v : -1;
  file->is_complete = from->is_completed.is == IGT_SET && from->is_completed.v;
  memcpy(file->name, name, n);
  if (!(file->type = keep_type(e, file, igt__text_of(&from->type))))
    return false;
  igt__queue_add(&e->by_category[category], file);
  e->files++;
  e->bytes += file->size > 0 ? (uint64_t)file->size : 0;
  e->incomplete += !file->is_complete;
  return true;
}

static uint64_t size_of(const igt_file *file) {
  return file->file_size.is == IGT_SET && file->file_size.v > 0 ? (uint64_t)file->file_size.v : 0;
}

/* list: NULL where the response has a single one. */
static igt_status each_file(void *payload, const char *list, igt_file *file) {
  igt__listed *e = payload;
  const igt__list *l = e->list;
  const char *ext = l->options->ext;
  igt_error err = IGT_ERROR_INIT;
  size_t c = 0;

  while (list && c < IGT__CATEGORY_COUNT && strcmp(list, igt__categories[c].folder) != 0)
    c++;
  if (c == IGT__CATEGORY_COUNT || !(e->wanted & igt__categories[c].bit))
    return IGT_OK;
  e->any = true;
  if (igt__listed_key_check(file, e->study ? igt__text_of(&e->study->s3_prefix) : "", &err) !=
      IGT_OK) {
    igt__failure_keep(&e->wrong, &err);
    return err.status;
  }
  if (ext && !igt__str_eq_nocase(ext, igt__text_of(&file->type)))
    return IGT_OK;
  if (!igt__filter_path(l->options->filter, igt__text_of(&file->file_name)) ||
      !igt__filter_size(l->options->filter, size_of(file)))
    return IGT_OK;
  return keep_file(e, c, file) ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status list_files(igt__listed *e) {
  const igt__list *l = e->list;
  igt_get_study_files_options auxiliary = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_client *client = l->options->client;
  igt_status status = IGT_OK;

  e->wanted = l->categories & IGT_CATEGORY_FILES;
  if (!e->study)
    return igt_get_project_files_each(client, l->options->project_id, NULL, each_file, e,
                                      &e->error);
  const char *institute = igt__text_of(&e->institute->id);
  const char *id = igt__text_of(&e->study->study_database_id);
  auxiliary.auxiliary = "True";
  if (e->wanted)
    status = igt_get_study_files_each(client, institute, id, NULL, each_file, e, &e->error);
  e->wanted = l->categories & (IGT_CATEGORY_DICOM | IGT_CATEGORY_ANNOTATIONS);
  if (status == IGT_OK && e->wanted)
    status = igt_get_study_files_each(client, institute, id, &auxiliary, each_file, e, &e->error);
  return status;
}

static void entry_task(void *arg) {
  igt__listed *e = arg;
  igt__list *l = e->list;
  const igt__list_options *o = l->options;
  igt_status status = list_files(e);

  if (e->wrong) /* the call only says that it was stopped */
    igt__error_copy(&e->error, e->wrong);
  if (status == IGT_E_NO_MEMORY)
    status = igt__list_fail(&e->quota, "files", o->too_many, &e->error);
  if (status == IGT_OK && !e->any && !o->categories && e->study)
    igt__other_categories_look(&l->counts->elsewhere, o->client, igt__text_of(&e->institute->id),
                               igt__text_of(&e->study->study_database_id));
  if (status == IGT_OK && o->prepare)
    status = o->prepare(o->payload, e, &e->error);
  pthread_mutex_lock(&l->lock);
  e->status = status;
  e->done = true;
  pthread_cond_signal(&l->entry_done);
  pthread_mutex_unlock(&l->lock);
}

/* ---- the queue ---- */

static void entry_free(const igt__list *l, igt__listed *e) {
  if (e->prepared)
    l->options->release(e->prepared);
  igt_model_free(e->copy ? &e->copy->model : NULL);
  igt__arena_free(e->arena);
  igt__free(e->wrong);
  igt__free(e);
}

static igt__listed *wait_oldest(igt__list *l) {
  igt__listed *e = l->queue.first;

  pthread_mutex_lock(&l->lock);
  while (!e->done)
    pthread_cond_wait(&l->entry_done, &l->lock);
  pthread_mutex_unlock(&l->lock);
  (void)igt__queue_take(&l->queue);
  l->waiting--;
  return e;
}

static igt_status hand_on(igt__list *l, const igt__listed *e, igt_error *err) {
  igt__list_counts *counts = l->counts;

  if (e->status == IGT_E_CANCELLED || e->status == IGT_E_NO_MEMORY) {
    igt__error_copy(err, &e->error);
    return e->status;
  }
  counts->failed += e->status != IGT_OK;
  counts->files += e->status == IGT_OK ? e->files : 0;
  counts->bytes += e->status == IGT_OK ? e->bytes : 0;
  return l->options->on_study(l->options->payload, e, err);
}

/* Waits for the oldest entry and hands it on, unless that failed before. */
static igt_status finish_entry(igt__list *l, igt_error *err) {
  igt__listed *e = wait_oldest(l);
  igt_status status = l->ended ? IGT_E_CANCELLED : hand_on(l, e, err);

  l->ended = status != IGT_OK;
  entry_free(l, e);
  return status;
}

static igt__listed *entry_new(igt__list *l, const igt_root_study *study) {
  igt__listed *e = igt__calloc(1, sizeof *e);

  if (!e)
    return NULL;
  e->list = l;
  e->error = (igt_error)IGT_ERROR_INIT;
  e->institute = study ? l->institute : NULL;
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    igt__queue_init(&e->by_category[c]);
  igt__quota_init_part(&e->quota, &l->quota);
  e->arena = igt__arena_new(0);
  e->copy = study ? (igt_root_study *)igt_model_copy(&study->model) : NULL;
  e->study = e->copy;
  if (!e->arena || (study && !e->copy)) {
    entry_free(l, e);
    return NULL;
  }
  igt__arena_bound(e->arena, UINT64_MAX, &e->quota);
  return e;
}

static igt_status add_entry(igt__list *l, const igt_root_study *study, igt_error *err) {
  igt__listed *e = entry_new(l, study);
  igt_status status = IGT_OK;

  if (!e)
    return igt__fail_memory(err);
  igt__queue_add(&l->queue, e);
  l->waiting++;
  igt__pool_add(l->pool, entry_task, e);
  while (l->waiting >= l->concurrency * 2 && status == IGT_OK)
    status = finish_entry(l, err);
  return status;
}

/* ---- studies ---- */

static igt_status take_study(igt__list *l, const igt_root_study *study, igt_error *err) {
  const igt__list_options *o = l->options;
  igt__listed found = {.list = l, .institute = l->institute, .study = study};
  bool wanted = true;
  igt_status status = o->on_found ? o->on_found(o->payload, &found, &wanted, err) : IGT_OK;

  if (status != IGT_OK || !wanted)
    return status;
  l->counts->studies++;
  return o->files ? add_entry(l, study, err) : o->on_study(o->payload, &found, err);
}

static igt_status each_study(void *payload, const igt_institute *institute, igt_root_study *study,
                             bool undated) {
  igt__list *l = payload;

  if (igt__cancel_is_set(l->cancel))
    return igt__fail(&l->error, IGT_E_CANCELLED, "interrupted");
  l->institute = institute;
  l->counts->undated += undated;
  return take_study(l, study, &l->error);
}

static void begin_institute(void *payload, const igt_institute *institute) {
  igt__list *l = payload;

  l->institute = institute;
  l->counts->institutes++;
  if (l->options->on_institute)
    l->options->on_institute(l->options->payload, institute);
}

static igt_status list_selected(igt__list *l, igt_error *err) {
  static const igt__selected_fns fns = {begin_institute, each_study, NULL};
  const igt__list_options *o = l->options;
  igt_status status;

  if (o->only) {
    begin_institute(l, o->found->institutes->v[0]);
    return take_study(l, o->only, err);
  }
  status = igt__each_selected(o->client, o->found, o->shard, o->shards, &fns, l, err);
  if (status == IGT_OK || l->error.status == IGT_OK)
    return status;
  igt__error_copy(err, &l->error); /* of a callback */
  return l->error.status;
}

/* What was listed before an error is handed on, too. */
static igt_status list_all(igt__list *l, igt_error *err) {
  igt_error other = IGT_ERROR_INIT;
  igt_status status = l->options->project_id ? add_entry(l, NULL, err) : list_selected(l, err);

  while (l->queue.first) {
    igt_status one = finish_entry(l, status == IGT_OK ? err : &other);
    status = status == IGT_OK ? one : status;
  }
  return status;
}

igt_status igt__list_studies(const igt__list_options *options, igt__list_counts *counts,
                             igt_error *err) {
  igt__list l = {.options = options, .counts = counts, .error = IGT_ERROR_INIT};
  igt_error mine = IGT_ERROR_INIT;
  igt_status status;

  err = err ? err : &mine;
  l.cancel = igt__client_cancel(options->client);
  l.categories = options->categories ? options->categories : IGT_CATEGORY_FILES;
  l.concurrency =
      options->concurrency ? options->concurrency : igt__client_connections(options->client);
  igt__queue_init(&l.queue);
  igt__quota_init_fair(&l.quota, IGT__MAX_RUN_MEMORY);
  if (options->files && !(l.pool = igt__pool_new("igt-list-files", l.concurrency)))
    return igt__fail_memory(err);
  pthread_mutex_init(&l.lock, NULL);
  pthread_cond_init(&l.entry_done, NULL);
  status = list_all(&l, err);
  igt__pool_free(l.pool);
  pthread_cond_destroy(&l.entry_done);
  pthread_mutex_destroy(&l.lock);
  return status;
}
