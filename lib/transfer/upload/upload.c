/* SPDX-License-Identifier: MIT */
/* igt_upload: finds the project and its institutes, opens the source folder, and walks its top
 * level on the run's lister thread. The folder of an institute goes to upload_study.c or
 * upload_import.c, project files to upload_plan.c; anything else is reported. The calling thread
 * waits for the run and delivers its events. */
#include "transfer/upload/upload.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/unicode.h"
#include "transfer/engine/institutes.h"
#include "transfer/upload/select.h"

/* Folders and files of the studies that are read concurrently, the journal, the program's own. */
#define FILES_BESIDE_CONNECTIONS 128

void igt__upload_ignored(igt__upload *u, const char *institute, const char *path, const char *why) {
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = institute,
                            .path = path,
                            .text = why};

  (void)igt__leave_clutter(&u->run, igt__path_base(path), &item);
  igt__run_item(&u->run, &item);
}

void igt__upload_ignored_folder(igt__upload *u, const char *institute, const char *path,
                                const char *why) {
  const igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                                  .result = IGT_RESULT_IGNORED,
                                  .institute = institute,
                                  .path = path,
                                  .text = why};

  igt__run_folder(&u->run, &item);
}

void igt__upload_stray(igt__upload *u, const char *institute, const char *path, const char *why,
                       const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_FAILED,
                            .institute = institute,
                            .path = path,
                            .error = err};

  if (err) /* it may be a study */
    igt__run_item(&u->run, &item);
  else
    igt__upload_ignored(u, institute, path,
                        why ? why : "it is not a folder, and only folders are uploaded from here");
}

void igt__upload_study_failed(igt__upload *u, const char *institute, const char *study,
                              const char *folder, const igt_error *err) {
  igt__report_failed_study(&u->run, institute, study, folder, err);
}

/* ---- one of the source's folders ---- */

static void upload_institute(igt__upload *u, const igt_institute *institute, const char *path) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  u->run.summary.institutes++;
  status = igt__institute_alone(&u->found, institute, &err);
  if (status != IGT_OK) {
    igt__upload_study_failed(u, igt__text_of(&institute->name), "", path, &err);
    return;
  }
  if (u->options->category == IGT_CATEGORY_DICOM)
    status = igt__upload_import(u, institute, path, &err);
  else
    status = igt__upload_studies(u, institute, path, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "institute '%s'", igt__text_of(&institute->name));
    igt__upload_study_failed(u, igt__text_of(&institute->name), "", path, &err);
  }
}

/* Studies are divided among the shards; what belongs to no study is handled by the first shard. */
static void upload_project_files(igt__upload *u, const char *path) {
  igt_error err = IGT_ERROR_INIT;
  igt__upload_plan *p;

  if (u->run.options.shards && u->run.options.shard != 1)
    return;
  p = igt__upload_plan_new(u, NULL, igt__strdup(path), "");
  if (!p ||
      !igt__upload_plan_open(p, "", "", igt__text_of(&u->found.project->s3_prefix), "", NULL)) {
    (void)igt__fail_memory(&err);
    igt__run_fatal(&u->run, &err);
    if (p)
      igt__upload_plan_free(p);
    return;
  }
  p->registered = true;
  p->list = "files";
  igt__upload_plan_begin(p);
}

static void upload_unknown(igt__upload *u, const char *name, const char *cloud, bool *any) {
  size_t files;

  igt__unknown_folder(&u->run, u->root, &u->found, name, cloud, IGT_RESULT_FAILED, &files);
  *any |= files > 0;
}

/* cloud: the folder's name in the cloud. */
static void upload_folder(igt__upload *u, const char *name, const char *cloud, bool *any) {
  unsigned category = u->options->category;
  char *path = igt__path_join(u->source, name);
  const igt_institute *institute = igt__institute_named(&u->found, cloud);

  if (!path) {
    igt_error err = IGT_ERROR_INIT;
    (void)igt__fail_memory(&err);
    igt__run_fatal(&u->run, &err);
    return;
  }
  if (strcmp(name, "files") == 0 && !institute) {
    if (!category || category == IGT_CATEGORY_FILES) {
      upload_project_files(u, path);
      *any = true;
    } else {
      igt__upload_ignored_folder(u, "", path,
                                 "use no --category to upload the project's own files");
    }
  } else if (!institute) {
    upload_unknown(u, name, cloud, any);
  } else if (igt__found_selects(&u->found, institute)) {
    upload_institute(u, institute, path);
    *any = true;
  }
  igt__free(path);
}

/* why: it is a link. */
static void stray(void *payload, const char *path, const char *why, const igt_error *err) {
  igt__upload *u = payload;
  igt_error linked = IGT_ERROR_INIT;

  if (!err && why && igt__institute_link(&u->found, path, &linked) != IGT_OK)
    err = &linked;
  if (err && u->found.by_name && !igt__found_selects_name(&u->found, igt__path_base(path)))
    igt__upload_stray(u, "", path, err->text, NULL); /* another institute was selected */
  else
    igt__upload_stray(u, "", path, why, err);
}

/* A mistyped folder must not look like a success. */
static void nothing_found(igt__upload *u) {
  const igt_institute *only = igt__found_only(&u->found);
  igt_error err = IGT_ERROR_INIT;

  if (only)
    (void)igt__fail(&err, IGT_E_NO_FILE, "nothing to upload: '%s' has no folder '%s'", u->source,
                    igt__text_of(&only->name));
  else if (u->found.by_name)
    (void)igt__fail(&err, IGT_E_NO_FILE,
                    "nothing to upload: '%s' has no folder named after one of the selected "
                    "institutes",
                    u->source);
  else
    (void)igt__fail(
        &err, IGT_E_NO_FILE,
        "nothing to upload: '%s' has no folder named after an institute of the project '%s'",
        u->source, igt__text_of(&u->found.project->name));
  igt__run_fatal(&u->run, &err);
}

static void institute_twice(igt__upload *u, const char *name, const igt_error *err) {
  char *path = igt__path_join(u->source, name);

  igt__upload_study_failed(u, name, "", path, err);
  igt__free(path);
}

/* The folders of an institute; of an import they are nobody's. */
static uint64_t count_in(const igt__upload *u, const char *name, const char *cloud) {
  char *path = igt__path_join(u->source, name);
  uint64_t count = path && igt__found_selects_name(&u->found, cloud) &&
                           u->options->category != IGT_CATEGORY_DICOM
                       ? igt__folders_count(u->root, path)
                       : 0;

  igt__free(path);
  return count;
}

/* In each of them, for the total of the progress; NULL: it is not needed, or there is no memory. */
static uint64_t *count_later(igt__upload *u, const igt__folders *folders) {
  uint64_t *counts = u->chosen.count || folders->count < 2 || !u->run.callbacks->on_progress
                         ? NULL
                         : igt__calloc(folders->count + 1, sizeof *counts);

  u->folders_later = 0;
  for (size_t i = 0; counts && i < folders->count && !igt__run_stopping(&u->run); i++)
    u->folders_later += counts[i] = count_in(u, folders->v[i], folders->cloud[i]);
  return counts;
}

static void upload_folders(igt__upload *u, const igt__folders *folders) {
  igt_error err = IGT_ERROR_INIT;
  uint64_t *counts = count_later(u, folders);
  bool any = false;

  for (size_t i = 0; i < folders->count && !igt__run_stopping(&u->run); i++) {
    u->folders_later -= counts ? counts[i] : 0;
    if (!igt__is_chosen(&u->chosen, folders->v[i]))
      continue;
    else if (igt__institute_twice(&u->found, folders, i, &err))
      institute_twice(u, folders->v[i], &err);
    else
      upload_folder(u, folders->v[i], folders->cloud[i], &any);
  }
  igt__free(counts);
  if (!any && !igt__run_stopping(&u->run))
    nothing_found(u);
  igt__suggest_parent(&u->run, &u->found, u->source, folders);
}

/* *any: there is something to upload. */
static igt_status select_folders(igt__upload *u, bool *any, igt_error *err) {
  igt_status status;

  *any = true;
  if (!igt__upload_selects(u->shared.selection))
    return IGT_OK;
  status = igt__upload_select(u, &u->selected, err);
  *any = u->chosen.count > 0;
  return status == IGT_OK && !igt__run_stopping(&u->run)
             ? igt__report_unmatched(&u->run, &u->found, u->source, err)
             : status;
}

static void upload_task(void *arg) {
  igt__upload *u = arg;
  igt_error err = IGT_ERROR_INIT;
  igt__folders folders = {0};
  bool any;
  igt_status status = select_folders(u, &any, &err);

  if (status == IGT_OK && any)
    status = igt__folders_in(u->root, u->source, stray, u, &folders, &err);
  if (status != IGT_OK)
    igt__run_fatal(&u->run, &err);
  if (status == IGT_OK && any) {
    igt__upload_sort(u, u->selected, u->source, &folders);
    upload_folders(u, &folders);
  }
  igt__folders_free(&folders);
  igt__run_task_end(&u->run);
}

static igt_status move(igt__upload *u, igt_transfer_summary *summary, igt_error *err) {
  igt_status status;

  igt_identity_init(&u->identity, sizeof u->identity);
  status = igt_client_identity(u->run.client, &u->identity, err);
  if (status == IGT_OK)
    status = igt__find(u->run.client, u->shared.selection, true, &u->found, err);
  if (status == IGT_OK) /* by the clock that dates the files */
    status = igt__run_last_begin(&u->run, &u->last, u->shared.selection, "upload", u->source,
                                 u->options->category, igt__wall_seconds(), err);
  if (status != IGT_OK)
    return status;
  u->sender.project = igt__text_of(&u->found.project->name);
  igt__run_task_begin(&u->run);
  igt__pool_add(u->run.lister, upload_task, u);
  status = igt__run_wait(&u->run, summary, err);
  if (status == IGT_OK)
    igt__report_no_type(&u->run, u->options->selection->ext, summary);
  igt__run_last_end(&u->run, &u->last, status, summary);
  return status;
}

static igt_status check_options(const igt_upload_options *o, const igt__selection *selection,
                                igt_error *err) {
  igt__stat st;

  if (!o->source || !*o->source)
    return igt__fail(err, IGT_E_INVALID, "no folder to upload was given");
  if (o->category & (o->category - 1) || o->category & ~7u)
    return igt__fail(err, IGT_E_INVALID, "only one category can be uploaded at a time");
  if (o->category == IGT_CATEGORY_DICOM && (o->folder_count || igt__upload_selects(selection)))
    return igt__fail(err, IGT_E_INVALID, "an import has no folders of studies to choose from");
  if (igt__os_stat(o->source, &st) != 0)
    return igt__fail_errno(err, errno, "cannot read the folder '%s'", o->source);
  if (!S_ISDIR(st.st_mode))
    return igt__fail(err, IGT_E_NO_FILE, "'%s' is not a folder", o->source);
  igt_status status =
      igt__chosen_check(&(igt__chosen){.v = o->folders, .count = o->folder_count}, err);
  return status == IGT_OK ? igt__shard_check(o->transfer->shard, o->transfer->shards, err) : status;
}

/* An upload reports files that are too young, and does not submit their studies. */
static void take_min_age(igt__upload *u) {
  if (u->shared.filters.min_age > 0 && u->shared.filters.min_age > u->own.min_age)
    u->own.min_age = u->shared.filters.min_age;
  u->shared.filters.min_age = 0;
}

static igt_status read_options(void *job, const void *options, igt_error *err) {
  igt__upload *u = job;
  igt_upload_options *own = &u->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_upload_options", err);

  u->options = own;
  if (status == IGT_OK)
    status = igt__shared_options_read(&u->shared, &own->transfer, &own->selection, err);
  if (status == IGT_OK)
    take_min_age(u);
  return status == IGT_OK ? check_options(own, u->shared.selection, err) : status;
}

/* Studies are created before their files are opened: a run that cannot open them would leave empty
 * studies behind. */
static igt_status check_open_files(const igt__run *run, igt_error *err) {
  unsigned needed = FILES_BESIDE_CONNECTIONS + igt__client_max_connections(run->client);
  unsigned most = igt__os_open_files();

  if (most >= needed || run->options.dry_run)
    return IGT_OK;
  return igt__fail(
      err, IGT_E_LIMIT,
      "nothing was uploaded: this process may have %u files open, and an upload needs up "
      "to %u; raise the limit (`ulimit -n %u`), or use fewer connections (--connections)",
      most, needed, needed);
}

static igt_status upload(igt_transfer *transfer, void *job, igt_error *err) {
  igt__upload *u = job;
  igt_status status;

  u->chosen = (igt__chosen){.v = u->options->folders, .count = u->options->folder_count};
  u->source = igt__path_absolute(u->options->source);
  status = u->source ? igt__run_begin(&u->run, transfer, u->options->transfer, err)
                     : igt__fail_memory(err);
  igt__sender_init(&u->sender, &u->run);
  igt__semaphore_init(&u->studies, &u->run);
  if (status == IGT_OK)
    status = check_open_files(&u->run, err);
  if (status == IGT_OK)
    status = igt__root_open(u->source, false, &u->root, err);
  if (status == IGT_OK && u->options->transfer->follow_links)
    igt__root_follow_links(u->root);
  if (status == IGT_OK)
    status = move(u, igt__transfer_summary(transfer), err);
  if (u->source)
    igt__run_finish(&u->run);
  igt__sender_finish(&u->sender);
  igt__semaphore_finish(&u->studies);
  igt__found_free(&u->found);
  igt__upload_selected_free(u->selected);
  igt__root_close(u->root);
  igt__free(u->source);
  return status;
}

static void release(void *job) {
  igt__upload *u = job;

  igt__shared_options_finish(&u->shared);
  igt__free(u);
}

static void keep(igt_transfer *transfer, void *job) {
  igt__upload *u = job;

  u->own.source = igt__transfer_keep(transfer, u->own.source);
  igt__transfer_keep_list(transfer, &u->own.folders, u->own.folder_count);
  u->own.submit_password = igt__transfer_keep_secret(transfer, u->own.submit_password);
  igt__transfer_keep_shared(transfer, &u->shared.transfer);
  igt__transfer_keep_filters(transfer, &u->shared.filters);
}

static const igt__transfer_call call = {
    .kind = {upload, release}, .job_size = sizeof(igt__upload), .read = read_options, .keep = keep};

igt_status igt_upload_start(igt_client *client, const igt_upload_options *options,
                            const igt_transfer_callbacks *callbacks, igt_transfer **out,
                            igt_error *err) {
  return igt__transfer_call_start(&call, client, options, callbacks, out, err);
}

igt_status igt_upload(igt_client *client, const igt_upload_options *options,
                      const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary,
                      igt_error *err) {
  return igt__transfer_call_run(&call, client, options, callbacks, summary, NULL, err);
}
