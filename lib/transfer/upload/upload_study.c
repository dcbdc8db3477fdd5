/* SPDX-License-Identifier: MIT */
/* One study folder: matches it with a study of the institute (match.c) and starts an upload_plan.c
 * for its files; a study that does not exist is described (study_fields.c) and created first
 * (new_study.c). Refuses copies of another study's folder, and reports what lies beside "files".
 * Called by upload_institute.c. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/walk.h"
#include "model/model.h"
#include "transfer/engine/layout.h"
#include "transfer/upload/create.h"
#include "transfer/upload/plan_internal.h"
#include "transfer/upload/upload_internal.h"

typedef igt__upload_plan plan;

/* ---- siblings of a study's folder "files" ---- */

typedef struct rest {
  igt__upload *u;
  const igt_institute *institute;
  const char *folder;                    /* of the study */
  unsigned long long dicom, annotations; /* files in these folders */
} rest;

static bool is_below(const char *path, const char *folder) {
  return igt__str_starts(path, folder) && path[strlen(folder)] == '/';
}

/* Those of another category are reported in one message, however many there are; the others are
 * listed by name. */
static int each_beside(void *payload, const igt__walk_entry *e) {
  rest *r = payload;
  igt__run *run = &r->u->run;
  bool dicom = is_below(e->path, "dicom"), annotations = is_below(e->path, "annotations");
  char *path = igt__path_join(r->folder, e->path);
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = igt__text_of(&r->institute->name),
                            .path = path,
                            .text = dicom ? "it is in the folder of category dicom"
                                    : annotations
                                        ? "it is in the folder of category annotations"
                                        : "of a study with a folder 'files' or 'dicom', only "
                                          "what is in 'files' is uploaded",
                            .minor = dicom || annotations};

  if (e->kind == IGT__WALK_DIR || strcmp(e->path, IGT__SIDECAR) == 0) {
    igt__free(path);
    return e->kind == IGT__WALK_DIR && strcmp(e->path, "files") == 0;
  }
  if (!igt__leave_clutter(run, e->path, &item)) {
    r->dicom += dicom;
    r->annotations += annotations;
  }
  igt__run_item(run, &item);
  igt__free(path);
  igt__run_wait_events(run);
  return igt__run_stopping(run) ? 2 : 0;
}

static igt_status fail_dicom_alone(igt_error *err) {
  return igt__fail(err, IGT_E_NO_FILE,
                   "it has a folder 'dicom' but no folder 'files', so there is nothing to upload "
                   "as files; --category dicom sends DICOM to the institute's import");
}

static void say_left_out(const rest *r) {
  igt__run *run = &r->u->run;
  const char *path = r->folder;

  if (r->dicom)
    igt__run_message(run, IGT_OK,
                     "%s/dicom: left out (%llu file%s): --category dicom sends DICOM to the "
                     "institute's import",
                     path, r->dicom, r->dicom == 1 ? "" : "s");
  if (r->annotations)
    igt__run_message(run, IGT_OK,
                     "%s/annotations: left out (%llu file%s): --category annotations sends them",
                     path, r->annotations, r->annotations == 1 ? "" : "s");
}

static igt_status report_rest(rest *r, igt_error *err) {
  igt_status status = igt__walk(r->u->root, r->folder, each_beside, r, NULL, err);

  say_left_out(r);
  return status;
}

/* Of a folder that is not a study of the cloud and has no place for files. */
static igt_status leave_all(const igt__upload_institute *in, const char *path, igt_error *err) {
  rest r = {.u = in->u, .institute = in->institute, .folder = path};
  igt_status status = report_rest(&r, err);

  return status == IGT_OK ? fail_dicom_alone(err) : status;
}

igt_status igt__upload_leave_rest(const plan *p, igt_error *err) {
  rest r = {.u = p->u, .institute = p->institute, .folder = p->study_folder};
  bool is_folder = false;
  igt_status status = report_rest(&r, err);

  if (status == IGT_OK)
    status = igt__folder_look(p->u->root, p->folder, &is_folder, err);
  return status == IGT_OK && !is_folder ? fail_dicom_alone(err) : status;
}

/* *any: it has a place for files. Nothing is created for a folder without one. */
static igt_status see_content(igt__upload_institute *in, const char *path, bool *any,
                              igt_error *err) {
  bool whole;
  char *folder;
  igt_status status = igt__content_folder(in->u->root, path, &folder, &whole, err);

  *any = whole;
  if (status == IGT_OK && !whole)
    status = igt__folder_look(in->u->root, folder, any, err);
  igt__free(folder);
  return status;
}

/* ---- a study folder ---- */

static igt_status study_plan(igt__upload_institute *in, const char *path, const char *name,
                             plan **out, igt_error *err) {
  bool whole;
  char *folder;
  igt_status status = igt__content_folder(in->u->root, path, &folder, &whole, err);

  *out = NULL;
  if (status != IGT_OK)
    return status;
  plan *p = igt__upload_plan_new(in->u, in->institute, folder, name);
  if (!p)
    return igt__fail_memory(err);
  p->sidecar = whole ? IGT__SIDECAR_ON_TOP : IGT__SIDECAR_NONE;
  p->divided = !whole;
  p->registered = true;
  p->list = "files";
  p->study_folder = igt__strdup(path);
  if (!p->study_folder) {
    igt__upload_plan_free(p);
    return igt__fail_memory(err);
  }
  *out = p;
  return IGT_OK;
}

/* The study is known, or described by create, whose ownership is taken. The caller has acquired a
 * slot for it. */
static igt_status begin_study(igt__upload_institute *in, const char *path, const char *name,
                              const igt__folder *folder, const igt__known *known,
                              igt_root_study *create, igt_error *err) {
  plan *p = NULL;
  igt_status status =
      known ? igt__studies_check_prefix(in->studies, known->id, known->s3_prefix, err) : IGT_OK;

  if (status == IGT_OK)
    status = study_plan(in, path, name, &p, err);
  if (status != IGT_OK) {
    igt_model_free(create ? &create->model : NULL);
    return status;
  }
  bool good = create ? igt__upload_new_study(p, folder, in->studies, create)
                     : igt__upload_plan_open(p, igt__upload_study_name(known->human, p), known->id,
                                             known->s3_prefix, "files/", igt__upload_study_settled);
  if (good)
    igt__upload_plan_begin(p);
  else
    igt__upload_plan_free(p);
  return good ? IGT_OK : igt__fail_memory(err);
}

/* Bytes of the path of the folder above. */
static size_t parent_length(const char *path) {
  const char *base = igt__path_base(path);

  return base > path ? (size_t)(base - path) - 1 : 0;
}

/* The folder has another name, but the id of a study that has its own folder here: it is a copy of
 * that one, and its files would be mixed into it. */
static igt_status see_original(const igt__upload_institute *in, const char *path,
                               const igt__folder *folder, const igt__known *known, igt_error *err) {
  char *below = NULL, *own = NULL, *above = igt__strndup(path, parent_length(path));
  igt__json *doc = NULL;
  const char *id;
  bool there = false;
  igt_status status =
      igt__study_folder(*known->human ? known->human : known->id, in->u->run.options.structure,
                        IGT__NAMES_POSIX, &below, err);

  if (above && folder->patient)
    above[parent_length(above)] = '\0';
  own = status == IGT_OK && above ? igt__path_join(above, below) : NULL;
  if (status == IGT_E_UNSAFE_NAME)
    status = IGT_OK; /* it cannot have a folder */
  else if (status == IGT_OK && !own)
    status = igt__fail_memory(err);
  if (status == IGT_OK && own)
    status = igt__folder_look(in->u->root, own, &there, err);
  if (status == IGT_OK && there)
    status = igt__sidecar_read(in->u->root, own, &doc, err);
  id = igt__json_get_str(doc, "studyDatabaseId");
  if (status == IGT_OK && there && (!id || !*id || strcmp(id, known->id) == 0))
    status = igt__fail(err, IGT_E_COLLISION,
                       "its study.json has the studyDatabaseId of '%s' (%s), which has a folder of "
                       "that name here: put the right studyDatabaseId into it, or remove it",
                       known->human, known->id);
  igt__json_free(doc);
  igt__free(own);
  igt__free(below);
  igt__free(above);
  return status;
}

/* Of a hierarchical tree it would be a patient, whose studies would become one. */
static igt_status see_whose_it_is(igt__upload_institute *in, const char *path,
                                  const igt__folder *folder, igt_error *err) {
  igt__buf names;
  size_t count = 0;
  igt_status status = IGT_OK;

  if (!igt__may_be_patient(in->studies, folder))
    return IGT_OK;
  igt__buf_init(&names, IGT__MAX_JOINED);
  status = igt__folders_only(in->u->root, path, &names, &count, err);
  if (status == IGT_OK && count > 0)
    status = igt__fail(err, IGT_E_COLLISION,
                       "it has no study.json and no files of its own, only %s (%s), so it may be a "
                       "patient's folder with %s in it: use --folder-structure hierarchical, or "
                       "--flat-names whole if it is one study",
                       count == 1 ? "a folder" : "folders", names.data ? names.data : "",
                       count == 1 ? "a study" : "studies");
  igt__buf_finish(&names);
  return status;
}

/* Nothing but a warning: both may be right. */
static void say_alike(igt__upload_institute *in, const char *path, const igt_root_study *study) {
  igt__like like = igt__studies_like(in->studies, study);

  if (like.what)
    igt__run_message(&in->u->run, IGT_E_AMBIGUOUS,
                     "the folder '%s': the %s '%s' is new, and differs from '%s' only in case or "
                     "blanks: did you mean '%s'?",
                     path, like.what, like.name, like.other, like.other);
}

/* any: the folder has a place for files. One that has only a folder "dicom" may be that of a study
 * with such a folder in the cloud. */
static igt_status match(igt__upload_institute *in, const char *path, const igt__folder *folder,
                        bool any, igt__known **known, igt_root_study **create, igt_error *err) {
  igt_status status = igt__studies_match(in->studies, folder, known, err);

  if (status == IGT_OK && *known && (*known)->renamed && !folder->trust)
    status = see_original(in, path, folder, *known, err);
  if (status != IGT_OK && *known)
    (*known)->used = false; /* by this folder: the study's own may follow */
  if (status != IGT_OK || *known)
    return status;
  if (!any)
    return leave_all(in, path, err);
  status = see_whose_it_is(in, path, folder, err);
  if (status == IGT_OK)
    status = igt__study_from_folder(in->studies, in->institute, folder, create, err);
  if (status == IGT_OK)
    say_alike(in, path, *create);
  return status;
}

void igt__upload_study(igt__upload_institute *in, const char *path, const char *patient,
                       const char *name, bool only) {
  igt__upload *u = in->u;
  igt_error err = IGT_ERROR_INIT;
  igt__json *doc = NULL;
  igt__known *known = NULL;
  igt_root_study *create = NULL;
  bool any = false;
  char *human = patient ? igt__path_join(patient, name) : igt__strdup(name);
  igt_status status = human ? igt__sidecar_read(u->root, path, &doc, &err) : igt__fail_memory(&err);
  igt__folder folder = {.patient = patient,
                        .name = name,
                        .doc = doc,
                        .only = only,
                        .whole_name = u->options->whole_flat_names,
                        .trust = u->run.options.trust_study_json};

  if (human && !igt__in_shard(human, u->run.options.shard, u->run.options.shards))
    goto out;
  if (status == IGT_OK)
    status = see_content(in, path, &any, &err);
  if (status == IGT_OK && !doc && u->run.options.structure == IGT_FLAT)
    status = igt__flat_check(u->root, path, &err);
  if (status == IGT_OK)
    status = match(in, path, &folder, any, &known, &create, &err);
  if (status == IGT_OK && !igt__semaphore_acquire(&u->studies)) {
    igt__run_not_begun(&u->run);
    igt_model_free(create ? &create->model : NULL);
    goto out;
  }
  if (status == IGT_OK &&
      (status = begin_study(in, path, human, &folder, known, create, &err)) != IGT_OK)
    igt__semaphore_release(&u->studies);
  if (status != IGT_OK) {
    igt__error_prefix(&err, "the folder '%s'", path);
    igt__upload_study_failed(u, igt__upload_institute_name(in), human ? human : name, path, &err);
  }
out:
  igt__json_free(doc);
  igt__free(human);
}
