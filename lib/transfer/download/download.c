/* SPDX-License-Identifier: MIT */
/* igt_download and igt_download_start: check and copy the options, and make a transfer, whose job
 * finds the project and its institutes and opens the target folder. A task on the run's lister
 * thread then walks the institutes and puts each selected study into ahead.c's queue; another
 * thread takes them from there and hands them to download_study.c, while the job's thread waits for
 * the run. At the end durable.c syncs the file system. */
#include "transfer/download/download.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/thread.h"
#include "transfer/download/kept.h"
#include "transfer/engine/ahead.h"

#define MAX_DELETE 100

/* ---- institutes and studies ---- */

static void begin_institute(void *payload, const igt_institute *institute) {
  igt__download *d = payload;

  (void)institute;
  d->run.summary.institutes++;
}

static igt_status each_study(void *payload, const igt_institute *institute, igt_root_study *study,
                             bool undated) {
  igt__download *d = payload;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  if (d->manifest) {
    igt__manifest_study *listed =
        igt__manifest_find(d->manifest, igt__text_of(&study->study_database_id));
    if (!listed)
      return IGT_OK;
    listed->seen = true;
  }
  pthread_mutex_lock(&d->run.lock);
  d->run.summary.studies_undated += undated;
  pthread_mutex_unlock(&d->run.lock);
  status = igt__ahead_put(d->ahead, institute, study, &err);
  if (status == IGT_E_NO_MEMORY)
    igt__run_fatal(&d->run, &err);
  return status == IGT_OK && igt__quota_refused(&d->lists) ? IGT_E_LIMIT : status;
}

/* Begins the studies of the list, in its order, as others are done. On a thread of its own: it
 * waits for the list, which a pool without memory would run behind it. */
static void *begin_studies(void *arg) {
  igt__download *d = arg;
  const igt_institute *institute;
  igt_root_study *study;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  while ((status = igt__ahead_take(d->ahead, &institute, &study, &err)) == IGT_OK && study) {
    status = igt__download_study(d, institute, study, &err);
    igt_model_free(&study->model);
    if (status != IGT_OK || igt__quota_refused(&d->lists))
      break;
  }
  if (status == IGT_OK && igt__quota_refused(&d->lists))
    status = igt__list_fail(&d->lists, "studies", "process one institute at a time", &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED)
    igt__run_fatal(&d->run, &err);
  igt__run_task_end(&d->run);
  return NULL;
}

/* Its studies could not be listed; the others go on. */
static igt_status report_institute(void *payload, const igt_institute *institute,
                                   const igt_error *err) {
  igt__download *d = payload;

  if (igt__status_is_fatal(err->status))
    return err->status;
  if (d->manifest)
    igt__manifest_skip_institute(d->manifest, igt__text_of(&institute->name));
  igt__report_institute(&d->run, institute, err);
  return IGT_OK;
}

static igt_status list_studies(igt__download *d, igt_error *err) {
  static const igt__selected_fns fns = {begin_institute, each_study, report_institute};
  igt_status status = igt__each_selected(d->run.client, &d->found, d->run.options.shard,
                                         d->run.options.shards, &fns, d, err);

  return igt__quota_refused(&d->lists)
             ? igt__list_fail(&d->lists, "studies", "process one institute at a time", err)
             : status;
}

static void list_studies_task(void *arg) {
  igt__download *d = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = list_studies(d, &err);

  if (status == IGT_OK && d->manifest)
    igt__manifest_report_vanished(d->manifest, &d->run);
  if (status == IGT_OK)
    status = igt__report_unmatched(&d->run, &d->found, NULL, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED)
    igt__run_fatal(&d->run, &err);
  igt__ahead_close(d->ahead);
  igt__run_task_end(&d->run);
}

static void report_elsewhere(igt__download *d) {
  char text[IGT_ERROR_TEXT_MAX];

  if (igt__other_categories_text(&d->elsewhere, text, sizeof text))
    igt__run_message(&d->run, IGT_OK, "%s", text);
}

/* Finds what is selected, and opens the target. */
static igt_status find_and_open(igt__download *d, igt_error *err) {
  const igt_download_options *o = d->options;
  igt_status status =
      d->manifest ? igt__manifest_check_cloud(d->manifest, d->run.origin, err) : IGT_OK;

  if (status == IGT_OK)
    status = igt__find(d->run.client, d->shared.selection, !o->project_files, &d->found, err);
  if (status == IGT_OK && d->manifest)
    status = igt__manifest_choose(d->manifest, &d->found, err);
  if (status == IGT_OK)
    status = igt__root_open(o->target, !o->transfer->dry_run, &d->root, err);
  if (status == IGT_E_NO_FILE && o->transfer->dry_run) /* no local files: all would be fetched */
    status = IGT_OK;
  return status;
}

/* What the target's file system can hold, and the lists of what was assigned to names. */
static igt_status make_lists(igt__download *d, igt_error *err) {
  const igt_download_options *o = d->options;

  d->target = igt__path_absolute(o->target);
  d->folds = d->root && !o->transfer->dry_run && igt__root_folds(d->root);
  d->rules = o->transfer->portable_names ? IGT__NAMES_PORTABLE : IGT__NAMES_POSIX;
  if (d->root && !o->transfer->dry_run && d->rules == IGT__NAMES_POSIX)
    d->rules = igt__root_names(d->root);
  igt__quota_init(&d->lists, d->run.lists.most / 2, NULL);
  d->folders = igt__fingerprints_new(false, &d->lists);
  d->institutes = igt__map_new();
  d->ahead = igt__ahead_new(&d->run);
  if (!d->folders || !d->institutes || !d->target || !d->ahead)
    return igt__fail_memory(err);
  uint64_t most = o->max_delete == UINT64_MAX ? 0 : o->max_delete ? o->max_delete : MAX_DELETE;
  return o->delete_extra ? igt__surplus_init(&d->extra, most, err) : IGT_OK;
}

static igt_status run_project_files(igt__download *d, igt_transfer_summary *summary,
                                    igt_error *err) {
  igt__run_task_begin(&d->run);
  igt__pool_add(d->run.lister, igt__download_project_files, d);
  return igt__run_wait(&d->run, summary, err);
}

static igt_status run_studies(igt__download *d, igt_transfer_summary *summary, igt_error *err) {
  igt_status status;
  pthread_t beginner;
  int os_error;

  igt__run_task_begin(&d->run);
  os_error = igt__thread_start(&beginner, "igt-begin", IGT__THREAD_STACK, begin_studies, d);
  if (os_error) {
    igt__run_task_end(&d->run);
    return igt__fail_errno(err, os_error, "the download's thread could not be started");
  }
  igt__run_task_begin(&d->run);
  igt__pool_add(d->run.lister, list_studies_task, d);
  status = igt__run_wait(&d->run, summary, err);
  (void)pthread_join(beginner, NULL);
  return status;
}

static igt_status transfer(igt__download *d, igt_transfer_summary *summary, igt_error *err) {
  const igt_download_options *o = d->options;
  igt_status status;

  igt__durable_begin(&d->durable, &d->run, o, d->shared.selection, d->target);
  status = o->project_files ? run_project_files(d, summary, err) : run_studies(d, summary, err);
  if (status == IGT_OK) {
    igt__report_no_type(&d->run, d->options->selection->ext, summary);
    report_elsewhere(d);
  }
  if (status == IGT_OK && o->delete_extra)
    status = igt__kept_report(d, summary, err);
  if (status == IGT_OK && o->delete_extra)
    status = igt__surplus_delete(d, summary, err);
  status = igt__durable_end(&d->durable, &d->run, d->root, status, err);
  igt__run_deliver(&d->run);
  igt__run_last_end(&d->run, &d->last, status, summary);
  return status;
}

static igt_status move(igt__download *d, igt_transfer_summary *summary, igt_error *err) {
  const igt_download_options *o = d->options;
  igt_status status = find_and_open(d, err);

  if (status == IGT_OK)
    status = make_lists(d, err);
  if (status == IGT_OK && !o->project_files)
    status = igt__run_last_begin(&d->run, &d->last, d->shared.selection, "download", d->target,
                                 o->categories, igt__client_cloud_seconds(d->run.client), err);
  return status == IGT_OK ? transfer(d, summary, err) : status;
}

static igt_status check_options(const igt_download_options *o, igt_error *err) {
  if (!o->target || !*o->target)
    return igt__fail(err, IGT_E_INVALID, "no target folder was given");
  if (o->categories & ~7u)
    return igt__fail(err, IGT_E_INVALID, "unknown category");
  if (o->delete_extra && (o->manifest || o->project_files))
    return igt__fail(err, IGT_E_INVALID,
                     "files are deleted only in the folders of studies, and not by a manifest");
  return igt__shard_check(o->transfer->shard, o->transfer->shards, err);
}

static bool has_filters(const igt_transfer_options *o) {
  return o->include_count || o->exclude_count || o->filters;
}

static igt_status fail_selection(igt_error *err) {
  return igt__fail(err, IGT_E_INVALID,
                   "a manifest says which files are downloaded: no others can be selected");
}

/* The manifest is what is selected. */
static igt_status open_manifest(igt__download *d, igt_study_selection *selection, igt_error *err) {
  igt_download_options *own = &d->own;
  igt_status status;

  if (own->selection || own->categories || own->project_files)
    return fail_selection(err);
  status = igt_manifest_open(own->manifest, &d->manifest, err);
  if (status != IGT_OK)
    return status;
  selection->project = d->manifest->info.project;
  own->selection = selection;
  own->categories = d->manifest->categories ? d->manifest->categories : IGT_CATEGORY_FILES;
  return IGT_OK;
}

static igt_status read_options(void *job, const void *options, igt_error *err) {
  igt__download *d = job;
  igt_study_selection listed = IGT_STUDY_SELECTION_INIT;
  igt_download_options *own = &d->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_download_options", err);

  d->options = own;
  if (status == IGT_OK && own->manifest)
    status = open_manifest(d, &listed, err);
  if (status == IGT_OK)
    status = igt__shared_options_read(&d->shared, &own->transfer, &own->selection, err);
  if (status == IGT_OK && d->manifest && has_filters(own->transfer))
    status = fail_selection(err);
  return status == IGT_OK ? check_options(own, err) : status;
}

static igt_status download(igt_transfer *handle, void *job, igt_error *err) {
  igt__download *d = job;
  igt_status status = igt__run_begin(&d->run, handle, d->options->transfer, err);

  igt__semaphore_init(&d->studies, &d->run);
  if (status == IGT_OK)
    status = move(d, igt__transfer_summary(handle), err);
  igt__run_finish(&d->run);
  igt__ahead_free(d->ahead);
  igt__semaphore_finish(&d->studies);
  igt__found_free(&d->found);
  igt__root_close(d->root);
  igt__fingerprints_free(d->folders);
  igt__map_free(d->institutes);
  igt__surplus_finish(&d->extra);
  igt__free(d->target);
  return status;
}

static void release(void *job) {
  igt__download *d = job;

  igt__shared_options_finish(&d->shared);
  igt_manifest_close(d->manifest);
  igt__free(d);
}

static void keep(igt_transfer *handle, void *job) {
  igt__download *d = job;

  d->own.target = igt__transfer_keep(handle, d->own.target);
  igt__transfer_keep_shared(handle, &d->shared.transfer);
  igt__transfer_keep_filters(handle, &d->shared.filters);
}

static const igt__transfer_call call = {.kind = {download, release},
                                        .job_size = sizeof(igt__download),
                                        .read = read_options,
                                        .keep = keep};

igt_status igt_download_start(igt_client *client, const igt_download_options *options,
                              const igt_transfer_callbacks *callbacks, igt_transfer **out,
                              igt_error *err) {
  return igt__transfer_call_start(&call, client, options, callbacks, out, err);
}

igt_status igt_download(igt_client *client, const igt_download_options *options,
                        const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary,
                        igt_error *err) {
  return igt__transfer_call_run(&call, client, options, callbacks, summary, NULL, err);
}
