/* SPDX-License-Identifier: MIT */
/* igt_verify: finds the project and its institutes, opens the local folder, and walks both sides on
 * the run's lister thread. Folders are matched with the cloud's studies like those of an upload
 * (upload/match.c); each pair, each study without a folder and each folder without a study goes to
 * verify_study.c. */
#include "transfer/verify/verify.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/unicode.h"
#include "cloud/credentials.h"
#include "journal/journal.h"
#include "transfer/engine/institutes.h"
#include "transfer/engine/tree.h"
#include "transfer/upload/match.h"
#include "transfer/upload/select.h"

/* ---- one institute ---- */

typedef struct institute_run {
  igt__verify *v;
  const igt_institute *institute;
  igt__studies *studies;
} institute_run;

/* path: of its folder, below the root; NULL: none. */
static void fail_study(igt__verify *v, const igt_institute *institute, const char *study,
                       const char *path, const igt_error *err) {
  char *folder = path ? igt__path_join(igt__root_path(v->root), path) : NULL;

  igt__report_failed_study(&v->run, igt__text_of(&institute->name), study, folder, err);
  igt__free(folder);
}

/* A folder that cannot be matched, unless it is certainly not selected. */
static void fail_folder(const institute_run *ir, const igt__candidate *c, const igt_error *err) {
  igt__verify *v = ir->v;

  if (igt__may_be_selected(&v->run, &v->found, v->root, c))
    fail_study(v, ir->institute, c->human ? c->human : "", c->folder, err);
}

static void stray(void *payload, const char *path, const char *why, const igt_error *err) {
  const institute_run *ir = payload;
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = ir->institute ? igt__text_of(&ir->institute->name) : "",
                            .path = path,
                            .text = why ? why : "it is not in the folder of a study"};
  igt_error linked = IGT_ERROR_INIT;

  if (!err && why && !ir->institute && igt__institute_link(&ir->v->found, path, &linked) != IGT_OK)
    err = &linked;
  if (err && !ir->institute && ir->v->found.by_name &&
      !igt__found_selects_name(&ir->v->found, igt__path_base(path))) {
    item.text = err->text; /* another institute was selected */
  } else if (err) {        /* it may be a study */
    item.result = IGT_RESULT_FAILED;
    item.text = "";
    item.error = err;
  }

  (void)igt__leave_clutter(&ir->v->run, igt__path_base(path), &item);
  igt__run_item(&ir->v->run, &item);
}

static bool is_selected(igt__verify *v, const igt__known *known) {
  if (!known->selected || !igt__in_shard(known->id, v->run.options.shard, v->run.options.shards))
    return false;
  pthread_mutex_lock(&v->run.lock);
  v->run.summary.studies_undated += known->undated;
  pthread_mutex_unlock(&v->run.lock);
  return true;
}

/* Whether a folder that is not a study of the cloud is selected, by its name and its study.json. */
static bool is_wanted(igt__verify *v, const igt__candidate *c) {
  return !v->found.selection->settled &&
         igt__in_shard(c->human, v->run.options.shard, v->run.options.shards) &&
         igt__may_be_selected(&v->run, &v->found, v->root, c);
}

static igt_status find_study(institute_run *ir, const char *path, const igt__folder *folder,
                             igt__known **known, igt_error *err) {
  igt__folder described = *folder;
  igt__json *doc = NULL;
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  igt_status status =
      absolute ? igt__sidecar_read(ir->v->root, absolute, &doc, err) : igt__fail_memory(err);

  described.doc = doc;
  if (status == IGT_OK)
    status = igt__studies_match(ir->studies, &described, known, err);
  igt__json_free(doc);
  igt__free(absolute);
  return status;
}

/* path: of the study's folder, below the root. */
static void verify_folder(institute_run *ir, const char *path, const igt__folder *folder) {
  igt__verify *v = ir->v;
  igt_error err = IGT_ERROR_INIT;
  igt__known *known = NULL;
  char *human =
      folder->patient ? igt__path_join(folder->patient, folder->name) : igt__strdup(folder->name);
  const igt__candidate c = {ir->institute, path, human, true, 0};
  igt_status status = human ? find_study(ir, path, folder, &known, &err) : igt__fail_memory(&err);

  if (status == IGT_OK && known && is_selected(v, known))
    status = igt__verify_study(v, ir->institute, *known->human ? known->human : known->id,
                               known->id, known->s3_prefix, path, &err);
  else if (status == IGT_OK && !known && is_wanted(v, &c))
    status = igt__verify_study(v, ir->institute, human, "", NULL, path, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "the folder '%s'", path);
    fail_folder(ir, &c, &err);
  }
  igt__free(human);
}

static igt_status folders_below(institute_run *ir, const char *path, igt__folders *out,
                                igt_error *err) {
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  igt_status status;

  memset(out, 0, sizeof *out);
  if (!absolute)
    return igt__fail_memory(err);
  status = igt__folders_in(ir->v->root, absolute, stray, ir, out, err);
  igt__free(absolute);
  return status;
}

static bool is_only(const institute_run *ir, const char *path, const igt__folders *list) {
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  bool only = absolute && igt__folders_undescribed(ir->v->root, absolute, list) < 2;

  igt__free(absolute);
  return only;
}

/* A study folder of a patient, or a folder that is part of the longer names of several studies. */
static void each_study(institute_run *ir, const char *path, const igt__folder *folder,
                       size_t names) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders below;
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  bool part = absolute && ir->v->run.options.structure == IGT_HIERARCHICAL &&
              igt__holds_studies(ir->v->root, absolute, names);

  igt__free(absolute);
  if (!part) {
    verify_folder(ir, path, folder);
    return;
  }
  if (folders_below(ir, path, &below, &err) != IGT_OK) {
    fail_study(ir->v, ir->institute, folder->name, path, &err);
    return;
  }
  for (size_t i = 0; i < below.count && !igt__run_stopping(&ir->v->run); i++) {
    char *child = igt__path_join(path, below.v[i]);
    char *longer = igt__path_join(folder->name, below.cloud[i]);
    igt__folder nested = {.patient = folder->patient, .name = longer, .trust = folder->trust};
    if (!child || !longer)
      fail_study(ir->v, ir->institute, folder->name, path, (igt__fail_memory(&err), &err));
    else if (igt__is_chosen(&ir->v->chosen, child))
      each_study(ir, child, &nested, names + 1);
    igt__free(child);
    igt__free(longer);
  }
  igt__folders_free(&below);
}

static void each_folder(institute_run *ir, const char *path, const char *patient);

/* In a hierarchical tree a patient's folder, or a study whose name has one level. */
static void each_patient(institute_run *ir, const char *path, const char *name) {
  igt_error err = IGT_ERROR_INIT;
  igt__folder folder = {.name = name, .only = true, .trust = ir->v->run.options.trust_study_json};
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  bool mixed = false;
  igt_status status = absolute ? IGT_OK : igt__fail_memory(&err);

  if (status == IGT_OK && igt__sidecar_names(ir->v->root, absolute) != 1) {
    each_folder(ir, path, name);
  } else if (status == IGT_OK) {
    status = igt__holds_described(ir->v->root, absolute, &mixed, &err);
    if (status == IGT_OK && mixed)
      status = igt__fail(&err, IGT_E_COLLISION, IGT__MIXED_STUDIES, path);
    if (status == IGT_OK)
      verify_folder(ir, path, &folder);
  }
  if (status != IGT_OK)
    fail_folder(ir, &(igt__candidate){ir->institute, path, name, false, 1}, &err);
  igt__free(absolute);
}

/* No study is in it, so none is missing. */
static void report_empty(const institute_run *ir, const char *path, const char *patient) {
  igt__verify *v = ir->v;
  const igt_transfer_options *o = &v->run.options;
  char *local = igt__path_join(igt__root_path(v->root), path);
  const igt__candidate c = {ir->institute, path, patient, false, 1};
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = igt__text_of(&ir->institute->name),
                            .path = path,
                            .local_path = local,
                            .text = "it contains no study"};

  if ((o->shards < 2 || o->shard == 1) && !v->found.selection->settled &&
      igt__may_be_selected(&v->run, &v->found, v->root, &c))
    igt__run_folder(&v->run, &item);
  igt__free(local);
}

/* The study folders in one folder, which is an institute's or (patient not NULL) a patient's. */
static void each_folder(institute_run *ir, const char *path, const char *patient) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders list = {0};
  bool flat = ir->v->run.options.structure == IGT_FLAT;

  if (folders_below(ir, path, &list, &err) != IGT_OK ||
      igt__folders_check(&list, path, &err) != IGT_OK) {
    fail_folder(ir, &(igt__candidate){ir->institute, path, patient, false, 1}, &err);
    igt__folders_free(&list);
    return;
  }
  if (patient && list.count == 0 && list.files == 0 && list.links == 0)
    report_empty(ir, path, patient);
  bool only = flat || is_only(ir, path, &list);
  for (size_t i = 0; i < list.count && !igt__run_stopping(&ir->v->run); i++) {
    char *below = igt__path_join(path, list.v[i]);
    const char *name = list.cloud[i];
    igt__folder folder = {.patient = patient,
                          .name = name,
                          .only = only,
                          .trust = ir->v->run.options.trust_study_json};
    if (!below)
      fail_study(ir->v, ir->institute, name, path, (igt__fail_memory(&err), &err));
    else if (igt__is_chosen(&ir->v->chosen, below) && (flat || patient))
      each_study(ir, below, &folder, 2);
    else if (igt__is_chosen(&ir->v->chosen, below))
      each_patient(ir, below, name);
    igt__free(below);
  }
  igt__folders_free(&list);
}

/* Studies without a folder. */
static igt_status each_unused(institute_run *ir, igt_error *err) {
  igt_status status = IGT_OK;
  const igt__known *known;

  for (size_t i = 0; status == IGT_OK && (known = igt__studies_at(ir->studies, i)) != NULL; i++)
    if (!known->used && is_selected(ir->v, known))
      status = igt__verify_study(ir->v, ir->institute, *known->human ? known->human : known->id,
                                 known->id, known->s3_prefix, NULL, err);
  return status;
}

static uint64_t count_folders(igt__verify *v, const char *folder) {
  char *path = folder ? igt__path_join(igt__root_path(v->root), folder) : NULL;
  uint64_t count = path ? igt__folders_count(v->root, path) : 0;

  igt__free(path);
  return count;
}

/* The studies of this institute, here or in the cloud, and the folders of those to come. */
static void expect(institute_run *ir, const char *folder) {
  igt__verify *v = ir->v;
  const igt_transfer_options *o = &v->run.options;
  uint64_t here, there = 0;
  const igt__known *known;

  if (!v->run.callbacks->on_progress || v->chosen.count)
    return;
  here = count_folders(v, folder) / (o->shards ? o->shards : 1);
  for (size_t i = 0; (known = igt__studies_at(ir->studies, i)) != NULL; i++)
    there += known->selected && igt__in_shard(known->id, o->shard, o->shards);
  if (igt__selection_is_narrow(v->found.selection))
    here = 0;
  v->expected += here > there ? here : there;
  igt__run_expect(&v->run, v->expected, v->folders_later, false);
}

/* folder NULL: the institute has no local folder. */
static void verify_institute(igt__verify *v, const igt_institute *institute, const char *folder) {
  institute_run ir = {v, institute, NULL};
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__found_enter(v->run.client, &v->found, institute, &err);

  v->run.summary.institutes++;
  if (status == IGT_OK)
    status = igt__studies_load(v->run.client, institute, NULL, &v->found, &v->run.lists,
                               &ir.studies, &err);
  if (status != IGT_OK)
    v->found.selection->incomplete = true;
  if (status == IGT_OK) {
    igt__studies_remember(ir.studies, v->run.journal, v->run.origin);
    igt__studies_know_institutes(ir.studies, v->found.institutes);
  }
  if (status == IGT_OK)
    expect(&ir, folder);
  if (status == IGT_OK && folder)
    each_folder(&ir, folder, NULL);
  if (status == IGT_OK && !v->chosen.count)
    status = each_unused(&ir, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "institute '%s'", igt__text_of(&institute->name));
    fail_study(v, institute, "", folder, &err);
  }
  igt__studies_free(ir.studies);
}

/* ---- the run ---- */

static bool is_called(const igt__verify *v, const char *cloud, const igt_institute *institute) {
  return igt__institute_named(&v->found, cloud) == institute;
}

/* The folder of an institute: the one with exactly its name, else a variant of it. NULL: none; a
 * second variant is reported as an error. */
static const char *folder_named(const igt__verify *v, const igt__folders *list,
                                const igt_institute *institute) {
  const char *found = NULL;

  for (size_t i = 0; i < list->count; i++) {
    if (strcmp(list->cloud[i], igt__text_of(&institute->name)) == 0)
      return list->v[i];
    if (!found && is_called(v, list->cloud[i], institute))
      found = list->v[i];
  }
  return found;
}

static void report_unknown(igt__verify *v, const igt__folders *folders, bool *project_files) {
  size_t files;

  for (size_t i = 0; i < folders->count && !igt__run_stopping(&v->run); i++) {
    const igt_institute *institute = igt__institute_named(&v->found, folders->cloud[i]);
    igt_error err = IGT_ERROR_INIT;
    if (!igt__is_chosen(&v->chosen, folders->v[i]))
      continue;
    if (igt__institute_twice(&v->found, folders, i, &err))
      fail_study(v, institute, "", folders->v[i], &err);
    if (institute)
      continue;
    if (strcmp(folders->v[i], "files") == 0)
      *project_files = !v->found.by_name;
    else if (igt__may_be_selected(&v->run, &v->found, v->root,
                                  &(igt__candidate){.folder = folders->v[i]}))
      igt__unknown_folder(&v->run, v->root, &v->found, folders->v[i], folders->cloud[i],
                          IGT_RESULT_MISSING_THERE, &files);
  }
  igt__suggest_parent(&v->run, &v->found, igt__root_path(v->root), folders);
}

static void verify_chosen(igt__verify *v, const igt_institute *institute, const char *folder) {
  if (!v->chosen.count || (folder && igt__is_chosen(&v->chosen, folder)))
    verify_institute(v, institute, folder);
}

static bool is_listed(const igt__verify *v, size_t i) {
  const igt_institute *institute = v->found.institutes->v[i];

  return institute && igt__found_selects(&v->found, institute);
}

/* Of each institute, for the total of the progress; NULL: it is not needed, or there is no memory.
 */
static uint64_t *count_later(igt__verify *v, const igt__folders *folders) {
  const igt_institute_list *list = v->found.institutes;
  bool needed = v->run.callbacks->on_progress && !v->chosen.count && list->count > 1 &&
                !igt__selection_is_narrow(v->found.selection);
  uint64_t *counts = needed ? igt__calloc(list->count + 1, sizeof *counts) : NULL;

  for (size_t i = 0; counts && i < list->count && !igt__run_stopping(&v->run); i++)
    if (is_listed(v, i))
      v->folders_later += counts[i] = count_folders(v, folder_named(v, folders, list->v[i]));
  return counts;
}

static void verify_institutes(igt__verify *v, const igt__folders *folders) {
  const igt_institute_list *list = v->found.institutes;
  uint64_t *counts = count_later(v, folders);

  for (size_t i = 0; i < list->count && !igt__run_stopping(&v->run); i++) {
    v->folders_later -= counts ? counts[i] : 0;
    if (is_listed(v, i))
      verify_chosen(v, list->v[i], folder_named(v, folders, list->v[i]));
  }
  igt__free(counts);
}

static igt_status verify_all(igt__verify *v, igt_error *err) {
  institute_run none = {.v = v};
  igt__folders folders = {0};
  bool project_files = v->options->project_files;
  igt_status status = IGT_OK;

  if (!v->options->project_files) {
    status = folders_below(&none, "", &folders, err);
    if (status == IGT_OK)
      report_unknown(v, &folders, &project_files);
    if (status == IGT_OK)
      verify_institutes(v, &folders);
  }
  if (status == IGT_OK && project_files)
    status = igt__verify_study(v, NULL, "", "", igt__text_of(&v->found.project->s3_prefix), "files",
                               err);
  igt__folders_free(&folders);
  return status;
}

static void verify_task(void *arg) {
  igt__verify *v = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_OK;

  if (!v->options->project_files)
    status = igt__found_settle(v->run.client, &v->found, v->run.options.shard,
                               v->run.options.shards, &err);
  if (status == IGT_OK)
    status = verify_all(v, &err);
  if (status == IGT_OK && !v->options->project_files && !igt__run_stopping(&v->run))
    status = igt__report_unmatched(&v->run, &v->found, NULL, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED)
    igt__run_fatal(&v->run, &err);
  igt__run_task_end(&v->run);
}

static igt_status outcome(const igt_transfer_summary *s, igt_status status, igt_error *err) {
  uint64_t differ = s->files_different + s->files_missing_here + s->files_missing_there;

  if ((status != IGT_OK && status != IGT_E_SOME_FAILED) ||
      (!differ && !s->files_unchecked && status == IGT_OK))
    return status;
  return igt__fail_counts("the folder does not match the cloud",
                          (const igt__count[]){{"different", s->files_different},
                                               {"missing here", s->files_missing_here},
                                               {"missing there", s->files_missing_there},
                                               {"cannot be checked", s->files_unchecked},
                                               {"files that failed", s->files_failed},
                                               {"studies that failed", s->studies_failed},
                                               {NULL, 0}},
                          err);
}

static igt_status run(igt__verify *v, igt_transfer_summary *summary, igt_error *err) {
  const igt_verify_options *o = v->options;
  igt_status status = igt__root_open(o->local, false, &v->root, err);

  if (status == IGT_OK && o->transfer->follow_links)
    igt__root_follow_links(v->root);
  if (status == IGT_OK)
    status = igt__find(v->run.client, v->shared.selection, !o->project_files, &v->found, err);
  if (status != IGT_OK)
    return status;
  v->is_upload_only = igt__is_upload_only(v->run.client, "GET");
  v->readers = igt__pool_new("igt-verify", igt__client_connections(v->run.client));
  if (!v->readers)
    return igt__fail_memory(err);
  if (!o->project_files)
    status = igt__run_last_begin(&v->run, &v->last, v->shared.selection, "verify",
                                 igt__root_path(v->root), o->categories,
                                 igt__client_cloud_seconds(v->run.client), err);
  if (status != IGT_OK)
    return status;
  v->run.doubt = igt__journal_doubt(v->run.journal, igt__root_path(v->root), v->run.boot);
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.lister, verify_task, v);
  status = outcome(summary, igt__run_wait(&v->run, summary, err), err);
  if (status == IGT_OK)
    igt__report_no_type(&v->run, v->options->selection->ext, summary);
  igt__run_last_end(&v->run, &v->last, status, summary);
  return status;
}

static igt_status check_options(const igt_verify_options *o, igt_error *err) {
  if (!o->local || !*o->local)
    return igt__fail(err, IGT_E_INVALID, "no folder to verify was given");
  if (o->categories & ~7u)
    return igt__fail(err, IGT_E_INVALID, "unknown category");
  igt_status status =
      igt__chosen_check(&(igt__chosen){.v = o->folders, .count = o->folder_count}, err);
  return status == IGT_OK ? igt__shard_check(o->transfer->shard, o->transfer->shards, err) : status;
}

static igt_status read_options(void *job, const void *options, igt_error *err) {
  igt__verify *v = job;
  igt_verify_options *own = &v->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_verify_options", err);

  v->options = own;
  if (status == IGT_OK)
    status = igt__shared_options_read(&v->shared, &own->transfer, &own->selection, err);
  return status == IGT_OK ? check_options(own, err) : status;
}

static igt_status verify(igt_transfer *transfer, void *job, igt_error *err) {
  igt__verify *v = job;
  igt_status status = igt__run_begin(&v->run, transfer, v->options->transfer, err);

  v->chosen = (igt__chosen){.v = v->options->folders, .count = v->options->folder_count};
  igt__semaphore_init(&v->studies, &v->run);
  if (status == IGT_OK)
    status = run(v, igt__transfer_summary(transfer), err);
  igt__pool_free(v->readers);
  igt__run_finish(&v->run);
  igt__semaphore_finish(&v->studies);
  igt__found_free(&v->found);
  igt__root_close(v->root);
  return status;
}

static void release(void *job) {
  igt__verify *v = job;

  igt__shared_options_finish(&v->shared);
  igt__free(v);
}

static void keep(igt_transfer *transfer, void *job) {
  igt__verify *v = job;

  v->own.local = igt__transfer_keep(transfer, v->own.local);
  igt__transfer_keep_list(transfer, &v->own.folders, v->own.folder_count);
  igt__transfer_keep_shared(transfer, &v->shared.transfer);
  igt__transfer_keep_filters(transfer, &v->shared.filters);
}

static const igt__transfer_call call = {
    .kind = {verify, release}, .job_size = sizeof(igt__verify), .read = read_options, .keep = keep};

igt_status igt_verify_start(igt_client *client, const igt_verify_options *options,
                            const igt_transfer_callbacks *callbacks, igt_transfer **out,
                            igt_error *err) {
  return igt__transfer_call_start(&call, client, options, callbacks, out, err);
}

igt_status igt_verify(igt_client *client, const igt_verify_options *options,
                      const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary,
                      igt_error *err) {
  return igt__transfer_call_run(&call, client, options, callbacks, summary, NULL, err);
}
