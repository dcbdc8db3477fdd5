/* SPDX-License-Identifier: MIT */
/* The folders of one institute: walks patients and studies, and calls upload_study.c or
 * upload_annotations.c for each study folder, in the order of the selection. What is neither a
 * patient nor a study is reported. upload.c calls igt__upload_studies for each institute. */
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "model/model.h"
#include "transfer/upload/select.h"
#include "transfer/upload/upload_internal.h"

const char *igt__upload_institute_name(const igt__upload_institute *in) {
  return igt__text_of(&in->institute->name);
}

static bool is_chosen(const igt__upload_institute *in, const char *path) {
  return igt__is_chosen_at(&in->u->chosen, in->u->source, path);
}

static void stray(void *payload, const char *path, const char *why, const igt_error *err) {
  const igt__upload_institute *in = payload;

  igt__upload_stray(in->u, igt__upload_institute_name(in), path, why, err);
}

static void no_memory(const igt__upload_institute *in, const char *study, const char *path) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__fail_memory(&err);
  igt__upload_study_failed(in->u, igt__upload_institute_name(in), study, path, &err);
}

/* A study folder of a patient, or a folder that is part of the longer names of several studies.
 * name: below the patient; names: how many levels it is below the institute. */
static void each_study(igt__upload_institute *in, const char *path, const char *patient,
                       const char *name, size_t names, bool only, igt__upload_folder_fn *fn) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders below;

  if (in->u->run.options.structure == IGT_FLAT || !igt__holds_studies(in->u->root, path, names)) {
    in->u->studies_passed++;
    fn(in, path, patient, name, only);
    return;
  }
  if (igt__folders_in(in->u->root, path, stray, in, &below, &err) != IGT_OK) {
    igt__upload_study_failed(in->u, igt__upload_institute_name(in), name, path, &err);
    return;
  }
  for (size_t i = 0; i < below.count && !igt__run_stopping(&in->u->run); i++) {
    char *folder = igt__path_join(path, below.v[i]), *longer = igt__path_join(name, below.cloud[i]);
    if (!folder || !longer)
      no_memory(in, name, path);
    else if (is_chosen(in, folder))
      each_study(in, folder, patient, longer, names + 1, false, fn);
    igt__free(folder);
    igt__free(longer);
  }
  igt__folders_free(&below);
}

static void each_patient(igt__upload_institute *in, const char *path, const char *patient,
                         igt__upload_folder_fn *fn) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders studies = {0};
  igt_status status = igt__patient_check(in->u->root, path, &err);

  if (status == IGT_OK)
    status = igt__folders_in(in->u->root, path, stray, in, &studies, &err);
  if (status == IGT_OK && studies.count == 0 &&
      in->u->options->category == IGT_CATEGORY_ANNOTATIONS)
    status = igt__fail(&err, IGT_E_NOT_FOUND,
                       "the institute has no study '%s', and there is no folder of a study in '%s'",
                       patient, path);
  if (status == IGT_OK) {
    status = igt__folders_check(&studies, path, &err);
    if (status != IGT_OK && studies.files)
      igt__error_append(&err, ", or use --folder-structure flat");
  }
  if (status != IGT_OK)
    igt__upload_study_failed(in->u, igt__upload_institute_name(in), patient, path, &err);
  bool only = igt__folders_undescribed(in->u->root, path, &studies) < 2;
  for (size_t i = 0; i < studies.count && !igt__run_stopping(&in->u->run); i++) {
    char *folder = igt__path_join(path, studies.v[i]);
    if (!folder)
      no_memory(in, studies.cloud[i], path);
    else if (is_chosen(in, folder))
      each_study(in, folder, patient, studies.cloud[i], 2, only, fn);
    igt__free(folder);
  }
  igt__folders_free(&studies);
}

/* Annotations accept both forms, whatever the folder structure: a folder named like a study (with
 * "---" for "/") is that study, any other one a patient. */
static bool is_patient(const igt__upload_institute *in, const char *path, const char *name) {
  igt__known *known = NULL;
  igt__json *doc = NULL;
  bool described;

  if (in->u->options->category != IGT_CATEGORY_ANNOTATIONS)
    return in->u->run.options.structure == IGT_HIERARCHICAL &&
           igt__sidecar_names(in->u->root, path) != 1;
  described = igt__sidecar_read(in->u->root, path, &doc, NULL) != IGT_OK || doc;
  igt__json_free(doc);
  if (described || strstr(name, "---"))
    return false;
  return igt__studies_by_name(in->studies, NULL, name, &known, NULL) == IGT_OK && !known;
}

/* A folder that is a study whose name has one component. If it also contains other studies, its own
 * files cannot be distinguished from theirs. */
static void single_study(igt__upload_institute *in, const char *path, const char *name,
                         igt__upload_folder_fn *fn) {
  igt_error err = IGT_ERROR_INIT;
  bool mixed = false;
  igt_status status = IGT_OK;

  if (in->u->run.options.structure == IGT_HIERARCHICAL)
    status = igt__holds_described(in->u->root, path, &mixed, &err);
  if (status == IGT_OK && mixed)
    status = igt__fail(&err, IGT_E_COLLISION, IGT__MIXED_STUDIES, path);
  in->u->studies_passed++;
  if (status == IGT_OK)
    fn(in, path, NULL, name, true);
  else
    igt__upload_study_failed(in->u, igt__upload_institute_name(in), name, path, &err);
}

/* As many studies in each patient's folder as in those before, at least one. */
static uint64_t studies_in(const igt__upload *u, uint64_t folders) {
  return u->folders_passed && u->studies_passed > u->folders_passed
             ? (uint64_t)((double)u->studies_passed / (double)u->folders_passed * (double)folders)
             : folders;
}

/* left: folders of this institute. The total of the job is estimated from the folders alone, which
 * are counted before the first is uploaded. */
static void expect(const igt__upload_institute *in, uint64_t left) {
  igt__upload *u = in->u;
  const igt_transfer_options *o = &u->run.options;
  unsigned shards = o->shards ? o->shards : 1;
  bool flat = o->structure == IGT_FLAT && u->options->category != IGT_CATEGORY_ANNOTATIONS;

  left += u->folders_later;
  if (u->chosen.count)
    igt__run_expect(&u->run, u->chosen.count, 0, true);
  else
    igt__run_expect(&u->run, u->studies_passed / shards, studies_in(u, left) / shards,
                    flat && shards == 1);
}

static void each_folder(igt__upload_institute *in, const char *path, const igt__folders *folders,
                        igt__upload_folder_fn *fn) {
  size_t i;

  for (i = 0; i < folders->count && !igt__run_stopping(&in->u->run); i++) {
    char *folder = igt__path_join(path, folders->v[i]);
    expect(in, folders->count - i);
    if (!folder)
      no_memory(in, folders->cloud[i], path);
    else if (is_chosen(in, folder) && is_patient(in, folder, folders->cloud[i]))
      each_patient(in, folder, folders->cloud[i], fn);
    else if (is_chosen(in, folder))
      single_study(in, folder, folders->cloud[i], fn);
    igt__free(folder);
    in->u->folders_passed++;
  }
  expect(in, folders->count - i);
}

igt_status igt__upload_studies(igt__upload *u, const igt_institute *institute, const char *path,
                               igt_error *err) {
  igt__upload_institute in = {u, institute, NULL};
  igt__folders folders = {0};
  igt_status status =
      igt__studies_load(u->run.client, institute, NULL, NULL, &u->run.lists, &in.studies, err);

  if (status == IGT_OK) {
    igt__studies_remember(in.studies, u->run.journal, u->run.origin);
    igt__studies_know_institutes(in.studies, u->found.institutes);
    status = igt__folders_in(u->root, path, stray, &in, &folders, err);
  }
  if (status == IGT_OK)
    status = igt__folders_check(&folders, path, err);
  igt__upload_sort(u, u->selected, path, &folders);
  if (status == IGT_OK)
    each_folder(&in, path, &folders,
                u->options->category == IGT_CATEGORY_ANNOTATIONS ? igt__upload_annotations
                                                                 : igt__upload_study);
  igt__folders_free(&folders);
  igt__studies_free(in.studies);
  return status;
}
