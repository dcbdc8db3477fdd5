/* SPDX-License-Identifier: MIT */
/* igt_manifest_verify: whether the cloud still has what a manifest lists. The run's lister walks
 * the institutes of the manifest; for each of its studies a producer lists the files and hands
 * those of the manifest to a pool that asks the store for size, ETag and digest, one request each.
 * Files and studies that were not listed are missing there. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sized.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/manifest.h"
#include "transfer/engine/options.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/pool.h"

typedef struct verifying {
  igt__run run;
  igt_transfer_options transfer;
  const igt_manifest *manifest; /* the caller's */
  igt__selection *selection;
  igt__found found;
  igt__semaphore studies;
  igt__pool *head_pool;
} verifying;

/* One study. */
typedef struct plan {
  verifying *v;
  const igt__manifest_study *listed;
  igt__group *group;
  igt__quota lists;
  igt__manifest_table table;
  igt__s3_provider *providers[IGT__CATEGORY_COUNT];
  const igt__category *category;
} plan;

/* One file, until the store has responded. */
typedef struct ask {
  igt__job job;
  igt__group *group;
  igt__pool *head_pool;
  igt__s3_provider *provider;
  char *key, *path, *digest, *etag;
  uint64_t size;
  bool begun;
} ask;

/* ---- one file ---- */

static void report(igt__group *group, const char *path, const char *key, uint64_t size,
                   igt_transfer_result result, const char *text, const char *digest,
                   const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = result,
                            .path = path,
                            .key = key,
                            .size = size,
                            .digest = digest,
                            .verified = result == IGT_RESULT_SAME ? "manifest" : "",
                            .text = text,
                            .error = err};

  igt__group_item(group, &item);
}

static void ask_free(ask *a) {
  igt__s3_provider_unref(a->provider);
  igt__free(a->key);
  igt__free(a->path);
  igt__free(a->digest);
  igt__free(a->etag);
  igt__free(a);
}

/* NULL: it is the object of the manifest. */
static const char *difference(const ask *a, const igt__stored *now, char *text, size_t cap) {
  if (now->size_known && now->size != a->size)
    (void)snprintf(text, cap, "it has %llu bytes in the cloud and %llu in the manifest",
                   (unsigned long long)now->size, (unsigned long long)a->size);
  else if (*a->digest && *now->digest && strcmp(a->digest, now->digest) != 0)
    (void)snprintf(text, cap, "its content was changed after the manifest was written");
  else if (*a->etag && strcmp(a->etag, now->etag) != 0 &&
           !(*a->digest && strcmp(a->digest, now->digest) == 0))
    (void)snprintf(text, cap, "it was replaced after the manifest was written: its ETag differs");
  else
    return NULL;
  return text;
}

static void ask_task(void *arg) {
  ask *a = arg;
  igt__run *run = a->group->run;
  igt__fetch_file file = {
      .group = a->group, .provider = a->provider, .key = a->key, .size = a->size};
  igt_error err = IGT_ERROR_INIT;
  igt__stored now;
  char text[160];
  const char *why;
  igt_status status = igt__fetch_stored(&file, &now, &err);

  if (status == IGT_E_NOT_FOUND)
    report(a->group, a->path, a->key, a->size, IGT_RESULT_MISSING_THERE,
           "the cloud lists it, but the store has no such object", "", NULL);
  else if (status == IGT_E_CANCELLED || (status != IGT_OK && igt__run_stopping(run)))
    igt__group_dropped(a->group);
  else if (status != IGT_OK)
    report(a->group, a->path, a->key, a->size, IGT_RESULT_FAILED, "", "", &err);
  else if ((why = difference(a, &now, text, sizeof text)) != NULL)
    report(a->group, a->path, a->key, a->size, IGT_RESULT_DIFFERENT, why, now.digest, NULL);
  else
    report(a->group, a->path, a->key, a->size, IGT_RESULT_SAME, "", now.digest, NULL);
  igt__sched_job_done(run->sched, &a->job);
  ask_free(a);
  igt__sched_part_done(run->sched, 0);
}

static bool take(igt__job *job, unsigned *number, bool *more) {
  ask *a = (ask *)job;
  bool any = !a->begun;

  a->begun = true;
  *number = 0;
  *more = false;
  return any;
}

static void start(igt__job *job, unsigned number) {
  (void)number;
  igt__pool_add(((ask *)job)->head_pool, ask_task, job);
}

static void drop(igt__job *job) {
  ask *a = (ask *)job;

  igt__group_dropped(a->group);
  igt__sched_job_done(a->group->run->sched, &a->job);
  ask_free(a);
}

static igt_status add_ask(plan *p, const char *key, const char *path,
                          const igt__manifest_entry *entry) {
  ask *a = igt__calloc(1, sizeof *a);

  if (!a)
    return IGT_E_NO_MEMORY;
  a->group = p->group;
  a->head_pool = p->v->head_pool;
  a->provider = igt__s3_provider_ref(p->providers[p->category - igt__categories]);
  a->key = igt__strdup(key);
  a->path = igt__strdup(path);
  a->digest = igt__strdup(entry->digest);
  a->etag = igt__strdup(entry->etag);
  a->size = entry->size;
  a->job.take = take;
  a->job.start = start;
  a->job.drop = drop;
  if (!a->key || !a->path || !a->digest || !a->etag) {
    ask_free(a);
    return IGT_E_NO_MEMORY;
  }
  igt__group_found(p->group, 0);
  igt__sched_add(p->v->run.sched, p->group->queue, &a->job);
  return IGT_OK;
}

/* ---- one study ---- */

static igt_status each_file(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  igt__run *run = &p->v->run;
  const char *path = *igt__text_of(&file->file_name) ? file->file_name.v
                                                     : igt__path_base(igt__text_of(&file->key));
  bool complete = file->is_completed.is == IGT_SET && file->is_completed.v;
  igt__manifest_entry *entry;
  igt_error err = IGT_ERROR_INIT;

  if (igt__run_stopping(run))
    return IGT_E_CANCELLED;
  if (list && strcmp(list, p->category->folder) != 0)
    return IGT_OK;
  entry = igt__manifest_table_find(&p->table, p->category->folder, path);
  if (igt__has_key(file) && (!entry || entry->seen || !complete))
    return IGT_OK;
  if (entry)
    entry->seen = true;
  igt__run_wait_events(run);
  if (igt__listed_key_check(file, p->group->s3_prefix, &err) != IGT_OK) {
    igt__group_found(p->group, 0);
    report(p->group, *path ? path : "?", igt__text_of(&file->key), entry ? entry->size : 0,
           IGT_RESULT_FAILED, "", "", &err);
    return IGT_OK;
  }
  igt__sched_wait_backlog(run->sched, IGT__BACKLOG, igt__run_stopping_arg, run);
  return add_ask(p, file->key.v, path, entry);
}

static igt_status list_category(plan *p, size_t c, igt_error *err) {
  igt__buf prefix;

  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s%s", p->group->s3_prefix, igt__categories[c].prefix);
  p->category = &igt__categories[c];
  p->providers[c] = prefix.failed ? NULL : igt__run_provider(&p->v->run, "GET", prefix.data);
  igt__buf_finish(&prefix);
  if (!p->providers[c])
    return igt__fail_memory(err);
  return igt__group_each_file(p->group, NULL, igt__categories[c].bit != IGT_CATEGORY_FILES,
                              each_file, p, err);
}

static void report_unseen(plan *p) {
  const char *key;
  void *value;

  for (size_t i = 0; igt__map_at(p->table.files, i, &key, &value); i++) {
    const igt__manifest_entry *entry = value;
    if (entry->seen)
      continue;
    igt__group_found(p->group, 0);
    report(p->group, strchr(key, '/') + 1, "", entry->size, IGT_RESULT_MISSING_THERE, "", "", NULL);
    igt__run_wait_events(&p->v->run);
  }
}

static igt_status compare_study(plan *p, igt_error *err) {
  unsigned wanted = 0;
  const char *key;
  void *value;
  igt_status status = igt__group_check_prefix(p->group, err);

  if (status == IGT_OK)
    status = igt__manifest_table_open(p->v->manifest, p->listed, &p->lists, &p->table, err);
  for (size_t i = 0; status == IGT_OK && igt__map_at(p->table.files, i, &key, &value); i++)
    wanted |= ((const igt__manifest_entry *)value)->category;
  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK; c++)
    if (wanted & igt__categories[c].bit)
      status = list_category(p, c, err);
  if (status == IGT_OK)
    report_unseen(p);
  return status;
}

static void plan_free(plan *p) {
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    igt__s3_provider_unref(p->providers[c]);
  igt__manifest_table_close(&p->table);
  igt__free(p);
}

static void plan_task(void *arg) {
  plan *p = arg;
  igt__run *run = &p->v->run;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = compare_study(p, &err);

  igt__group_planned(p->group, status, &err);
  plan_free(p);
  igt__run_task_end(run);
}

static void release_slot(igt__group *group) {
  igt__semaphore_release(&((verifying *)group->owner)->studies);
}

static igt_status each_study(void *payload, const igt_institute *institute, igt_root_study *study,
                             bool undated) {
  verifying *v = payload;
  const char *id = igt__text_of(&study->study_database_id);
  igt__manifest_study *listed = igt__manifest_find(v->manifest, id);
  plan *p;

  (void)undated;
  if (!listed)
    return IGT_OK;
  listed->seen = true;
  if (!igt__semaphore_acquire(&v->studies))
    return IGT_E_CANCELLED;
  p = igt__calloc(1, sizeof *p);
  if (p) {
    p->v = v;
    p->listed = listed;
    igt__quota_init_part(&p->lists, &v->run.lists);
    p->group =
        igt__group_open(&v->run, igt__text_of(&institute->name), igt__text_of(&institute->id),
                        listed->name, id, igt__text_of(&study->s3_prefix));
  }
  if (!p || !p->group) {
    igt__free(p);
    igt__semaphore_release(&v->studies);
    return IGT_E_NO_MEMORY;
  }
  p->group->owner = v;
  p->group->on_settled = release_slot;
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.producers, plan_task, p);
  return IGT_OK;
}

/* ---- the run ---- */

static void each_institute(void *payload, const igt_institute *institute) {
  (void)institute;
  ((verifying *)payload)->run.summary.institutes++;
}

static igt_status failed_institute(void *payload, const igt_institute *institute,
                                   const igt_error *err) {
  verifying *v = payload;

  if (igt__status_is_fatal(err->status))
    return err->status;
  igt__manifest_skip_institute(v->manifest, igt__text_of(&institute->name));
  igt__report_institute(&v->run, institute, err);
  return IGT_OK;
}

static void list_task(void *arg) {
  static const igt__selected_fns fns = {each_institute, each_study, failed_institute};
  verifying *v = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__each_selected(v->run.client, &v->found, v->run.options.shard,
                                         v->run.options.shards, &fns, v, &err);

  if (status == IGT_OK)
    igt__manifest_report_vanished(v->manifest, &v->run);
  else if (status != IGT_E_CANCELLED)
    igt__run_fatal(&v->run, &err);
  igt__run_task_end(&v->run);
}

static igt_status outcome(const igt_transfer_summary *s, igt_status status, igt_error *err) {
  uint64_t differ = s->files_different + s->files_missing_there;

  if ((status != IGT_OK && status != IGT_E_SOME_FAILED) || (!differ && status == IGT_OK))
    return status;
  return igt__fail_counts("the cloud does not match the manifest",
                          (const igt__count[]){{"different", s->files_different},
                                               {"missing there", s->files_missing_there},
                                               {"files that failed", s->files_failed},
                                               {"studies that failed", s->studies_failed},
                                               {NULL, 0}},
                          err);
}

static igt_status run(verifying *v, igt_transfer_summary *summary, igt_error *err) {
  igt_status status = igt__manifest_check_cloud(v->manifest, v->run.origin, err);

  if (status == IGT_OK)
    status = igt__find(v->run.client, v->selection, true, &v->found, err);
  if (status == IGT_OK)
    status = igt__manifest_choose(v->manifest, &v->found, err);
  if (status != IGT_OK)
    return status;
  if (!(v->head_pool = igt__pool_new("igt-head", igt__client_connections(v->run.client))))
    return igt__fail_memory(err);
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.lister, list_task, v);
  return outcome(summary, igt__run_wait(&v->run, summary, err), err);
}

static igt_status verify(igt_transfer *transfer, void *job, igt_error *err) {
  verifying *v = job;
  igt_status status = igt__run_begin(&v->run, transfer, &v->transfer, err);

  igt__semaphore_init(&v->studies, &v->run);
  if (status == IGT_OK)
    status = run(v, igt__transfer_summary(transfer), err);
  igt__pool_free(v->head_pool);
  igt__run_finish(&v->run);
  igt__semaphore_finish(&v->studies);
  igt__found_free(&v->found);
  return status;
}

static void release(void *job) {
  verifying *v = job;

  igt__selection_free(v->selection);
  igt__free(v);
}

typedef struct arguments {
  const igt_manifest *manifest;
  const igt_transfer_options *transfer;
} arguments;

/* Shared with nobody: what else the options say, the manifest decides. */
static igt_status read_options(void *job, const void *options, igt_error *err) {
  verifying *v = job;
  const arguments *a = options;
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  igt_transfer_options theirs, *own = &v->transfer;
  igt_status status;

  *own = (igt_transfer_options)IGT_TRANSFER_OPTIONS_INIT;
  if (!a->manifest)
    return igt__fail(err, IGT_E_INVALID, "no manifest was given");
  v->manifest = a->manifest;
  status = igt__options_read(&theirs, sizeof theirs, a->transfer, "igt_transfer_options", err);
  if (status != IGT_OK)
    return status;
  own->concurrent_studies = theirs.concurrent_studies;
  own->concurrent_files = theirs.concurrent_files;
  own->shard = theirs.shard;
  own->shards = theirs.shards;
  own->no_journal = true;
  status = igt__shard_check(own->shard, own->shards, err);
  selection.project = a->manifest->info.project;
  if (status == IGT_OK)
    status = igt__selection_new(&selection, &v->selection, err);
  if (status == IGT_OK)
    igt__manifest_forget(a->manifest);
  return status;
}

static const igt__transfer_call call = {
    .kind = {verify, release}, .job_size = sizeof(verifying), .read = read_options};

igt_status igt_manifest_verify_start(igt_client *client, const igt_manifest *manifest,
                                     const igt_transfer_options *transfer,
                                     const igt_transfer_callbacks *callbacks, igt_transfer **out,
                                     igt_error *err) {
  const arguments a = {manifest, transfer};

  return igt__transfer_call_start(&call, client, &a, callbacks, out, err);
}

igt_status igt_manifest_verify(igt_client *client, const igt_manifest *manifest,
                               const igt_transfer_options *transfer,
                               const igt_transfer_callbacks *callbacks,
                               igt_transfer_summary *summary, igt_error *err) {
  const arguments a = {manifest, transfer};

  return igt__transfer_call_run(&call, client, &a, callbacks, summary, NULL, err);
}
