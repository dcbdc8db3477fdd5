/* SPDX-License-Identifier: MIT */
/* The study folders of one institute: walks patients and studies, matches each folder with a study
 * of the cloud (match.c), describes and creates missing ones (study_fields.c, create.c), and starts
 * an upload_plan.c for its files. Annotations, copies of a study's folder, and folders beside
 * "files" are handled separately or reported. Called by upload.c for each institute. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "model/model.h"
#include "transfer/upload/create.h"
#include "transfer/upload/select.h"
#include "transfer/upload/upload.h"

typedef igt__upload_plan plan;

/* One institute while its folders are processed. */
typedef struct visit {
  igt__upload *u;
  const igt_institute *institute;
  igt__studies *studies;
} visit;

static const char *institute_name(const visit *v) {
  return igt__text_of(&v->institute->name);
}

static bool is_chosen(const visit *v, const char *path) {
  return igt__is_chosen_at(&v->u->chosen, v->u->source, path);
}

static void stray(void *payload, const char *path, const char *why, const igt_error *err) {
  const visit *v = payload;

  igt__upload_stray(v->u, institute_name(v), path, why, err);
}

/* ---- all files of a study are finished ---- */

/* The response describes the study after the request, as far as the cloud fills it in. */
static igt_status check_submitted(const igt__group *group, const igt_root_study *study,
                                  igt_error *err) {
  const char *id = igt__text_of(&study->study_database_id);
  const char *state = igt__text_of(&study->electronic_record_state);

  if (*id && strcmp(id, group->study_id) != 0)
    return igt__fail(err, IGT_E_PROTOCOL, "the cloud responded with another study (%s)", id);
  if (*state && !igt__str_eq_nocase(state, "submitted"))
    return igt__fail(err, IGT_E_PROTOCOL, "the cloud responded that its state is '%s'", state);
  return IGT_OK;
}

static igt_status submit(const igt__upload *u, igt__group *group, igt_error *err) {
  igt_electronic_record_state body = {0};
  igt_root_study *study = NULL;
  igt_status status;

  body.username.is = body.password.is = body.electronic_record_state.is = IGT_SET;
  body.username.v = u->identity.user;
  body.password.v = u->options->submit_password;
  body.electronic_record_state.v = "submitted";
  status = igt_set_study_electronic_record_state(u->run.client, group->institute_id,
                                                 group->study_id, &body, &study, err);
  if (status == IGT_OK && study)
    status = check_submitted(group, study, err);
  igt_model_free(study ? &study->model : NULL);
  return status;
}

static void submit_settled(igt__upload *u, igt__group *group) {
  igt_error err = IGT_ERROR_INIT;

  if (group->failed) {
    igt__run_message(&u->run, IGT_E_SOME_FAILED, "%s was not submitted: not all files are uploaded",
                     group->label);
  } else if (group->recent_files) {
    (void)igt__fail(&err, IGT_E_CHANGED,
                    "the study was not submitted: '%s' was changed a short time ago, and may still "
                    "be written; run the same command again later, or with --min-age 0",
                    group->recent);
    igt__group_failed(group, &err);
  } else if (submit(u, group, &err) != IGT_OK) {
    igt__error_prefix(&err, "all files are uploaded, but the study was not submitted");
    igt__group_failed(group, &err);
  }
}

static void study_settled(igt__group *group) {
  igt__upload *u = group->owner;

  if (u->options->submit_password && !group->dropped && !u->run.options.dry_run)
    submit_settled(u, group);
  igt__semaphore_release(&u->studies);
}

static void only_settled(igt__group *group) {
  igt__semaphore_release(&((igt__upload *)group->owner)->studies);
}

/* ---- a study that has to be created ---- */

/* Bytes of the path of the folder above. */
static size_t parent_length(const char *path) {
  const char *base = igt__path_base(path);

  return base > path ? (size_t)(base - path) - 1 : 0;
}

typedef struct creation {
  igt_root_study *study;
  igt__json *doc; /* what the folder was matched by, for another lookup */
  igt__studies *before;
  char *patient, *name;
  bool only, whole_name, trust;
} creation;

static void creation_free(creation *c) {
  igt_model_free(c->study ? &c->study->model : NULL);
  igt__json_free(c->doc);
  igt__studies_free(c->before);
  igt__free(c->patient);
  igt__free(c->name);
  igt__free(c);
}

static void release_creation(plan *p) {
  creation_free(p->own);
}

/* Takes ownership of study. */
static creation *creation_new(const igt__folder *folder, igt__studies *before,
                              igt_root_study *study) {
  creation *c = igt__calloc(1, sizeof *c);

  if (!c) {
    igt_model_free(&study->model);
    return NULL;
  }
  c->study = study;
  c->before = igt__studies_ref(before);
  c->doc = folder->doc ? igt__json_copy(folder->doc) : NULL;
  c->patient = folder->patient ? igt__strdup(folder->patient) : NULL;
  c->name = igt__strdup(folder->name);
  c->only = folder->only;
  c->whole_name = folder->whole_name;
  c->trust = folder->trust;
  if (c->name && (c->patient || !folder->patient) && (c->doc || !folder->doc))
    return c;
  creation_free(c);
  return NULL;
}

static void count_created(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->summary.studies_created++;
  pthread_mutex_unlock(&run->lock);
}

static igt_status open_dry(plan *p, igt_error *err) {
  if (!igt__upload_plan_open(p, p->name, "", "", "", study_settled))
    return igt__fail_memory(err);
  p->group->note = "the study would be created";
  count_created(&p->u->run);
  return IGT_OK;
}

static const char *name_of(const char *human, const plan *p) {
  return *human ? human : p->name;
}

/* A folder of which nothing is uploaded creates no study. With a group, everything in it is
 * reported by name. */
static igt_status open_nothing(plan *p, const igt__outlook *outlook, igt_error *err) {
  p->only_named = outlook->any;
  if (!outlook->any)
    igt__upload_ignored(p->u, igt__text_of(&p->institute->name), p->folder,
                        "it contains no files, so no study was created");
  else if (!igt__upload_plan_open(p, p->name, "", "", "", only_settled))
    return igt__fail_memory(err);
  return IGT_OK;
}

static igt_status open_created(plan *p, igt_error *err) {
  const creation *c = p->own;
  igt__folder folder = {.patient = c->patient,
                        .name = c->name,
                        .doc = c->doc,
                        .only = c->only,
                        .whole_name = c->whole_name,
                        .trust = c->trust};
  igt_root_study *made = NULL;
  igt__created created;
  igt__outlook outlook;
  igt_status status = igt__upload_plan_look(p, &outlook, err);

  if (status != IGT_OK)
    return status;
  /* Scripts create studies from a study.json alone; where files are left out, it would be empty. */
  if (!outlook.sendable && (outlook.content || !igt__asks_for_study(&folder)))
    return open_nothing(p, &outlook, err);
  if (p->u->run.options.dry_run)
    return open_dry(p, err);
  status = igt__create_study(&p->u->run, p->institute, &folder, c->study, c->before, &made,
                             &created, err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "the study '%s' was not created", p->name);
    return status;
  }
  if (created != IGT__CREATED_BEFORE)
    count_created(&p->u->run);
  status = igt__studies_check_prefix(c->before, igt__text_of(&made->study_database_id),
                                     igt__text_of(&made->s3_prefix), err);
  if (status == IGT_OK &&
      !igt__upload_plan_open(p, name_of(igt__text_of(&made->study_id_human_readable), p),
                             igt__text_of(&made->study_database_id), igt__text_of(&made->s3_prefix),
                             "files/", study_settled))
    status = igt__fail_memory(err);
  else if (status == IGT_OK)
    p->group->note =
        created != IGT__CREATED_BEFORE ? "the study was created" : "another run created the study";
  p->is_new = created == IGT__CREATED_NOW;
  igt_model_free(&made->model);
  return status;
}

static void give_up(plan *p, const igt_error *err) {
  if (err->status != IGT_OK && err->status != IGT_E_CANCELLED)
    igt__upload_study_failed(p->u, igt__text_of(&p->institute->name), p->name, p->study_folder,
                             err);
  igt__semaphore_release(&p->u->studies);
}

/* ---- siblings of a study's folder "files" ---- */

typedef struct rest {
  visit *v;
  const char *path;
  unsigned long long dicom, annotations; /* files in these folders */
} rest;

static bool is_below(const char *path, const char *folder) {
  return igt__str_starts(path, folder) && path[strlen(folder)] == '/';
}

/* Those of another category are reported in one message, however many there are; the others are
 * listed by name. */
static int each_beside(void *payload, const igt__walk_entry *e) {
  rest *r = payload;
  igt__run *run = &r->v->u->run;
  bool dicom = is_below(e->path, "dicom"), annotations = is_below(e->path, "annotations");
  char *path = igt__path_join(r->path, e->path);
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = institute_name(r->v),
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

static igt_status leave_rest(visit *v, const char *path, igt_error *err) {
  rest r = {.v = v, .path = path};
  igt_status status = igt__walk(v->u->root, path, each_beside, &r, NULL, err);

  if (r.dicom)
    igt__run_message(&v->u->run, IGT_OK,
                     "%s/dicom: left out (%llu file%s): --category dicom sends DICOM to the "
                     "institute's import",
                     path, r.dicom, r.dicom == 1 ? "" : "s");
  if (r.annotations)
    igt__run_message(&v->u->run, IGT_OK,
                     "%s/annotations: left out (%llu file%s): --category annotations sends them",
                     path, r.annotations, r.annotations == 1 ? "" : "s");
  return status;
}

/* Nothing is created for a folder of which no file would be uploaded. */
static igt_status see_content(visit *v, const char *path, igt_error *err) {
  bool whole, is_folder = true;
  char *folder;
  igt_status status = igt__content_folder(v->u->root, path, &folder, &whole, err);

  if (status == IGT_OK && !whole) {
    status = leave_rest(v, path, err);
    if (status == IGT_OK)
      status = igt__folder_look(v->u->root, folder, &is_folder, err);
    if (status == IGT_OK && !is_folder)
      status = igt__fail(err, IGT_E_NO_FILE,
                         "it has a folder 'dicom' but no folder 'files', so there is nothing to "
                         "upload as files; --category dicom sends DICOM to the institute's import");
  }
  igt__free(folder);
  return status;
}

/* ---- a study folder ---- */

static igt_status study_plan(visit *v, const char *path, const char *name, plan **out,
                             igt_error *err) {
  bool whole;
  char *folder;
  igt_status status = igt__content_folder(v->u->root, path, &folder, &whole, err);

  *out = NULL;
  if (status != IGT_OK)
    return status;
  plan *p = igt__upload_plan_new(v->u, v->institute, folder, name);
  if (!p)
    return igt__fail_memory(err);
  p->sidecar = whole ? IGT__SIDECAR_ON_TOP : IGT__SIDECAR_NONE;
  p->registered = true;
  p->list = "files";
  p->give_up = give_up;
  p->study_folder = igt__strdup(path);
  if (!p->study_folder) {
    igt__upload_plan_free(p);
    return igt__fail_memory(err);
  }
  *out = p;
  return IGT_OK;
}

/* The study is known, or described by create, whose ownership is taken. The semaphore was entered.
 */
static igt_status begin_study(visit *v, const char *path, const char *name,
                              const igt__folder *folder, const igt__known *known,
                              igt_root_study *create, igt_error *err) {
  plan *p = NULL;
  igt_status status =
      known ? igt__studies_check_prefix(v->studies, known->id, known->s3_prefix, err) : IGT_OK;
  bool good;

  if (status == IGT_OK)
    status = study_plan(v, path, name, &p, err);
  good = p != NULL;
  if (status != IGT_OK) {
    igt_model_free(create ? &create->model : NULL);
    return status;
  }
  if (create) {
    p->open = open_created;
    p->own = creation_new(folder, v->studies, create);
    p->release = p->own ? release_creation : NULL;
    good = p->own != NULL;
  } else {
    good = igt__upload_plan_open(p, name_of(known->human, p), known->id, known->s3_prefix, "files/",
                                 study_settled);
  }
  if (good)
    igt__upload_plan_begin(p);
  else
    igt__upload_plan_free(p);
  return good ? IGT_OK : igt__fail_memory(err);
}

/* The folder has another name, but the id of a study that has its own folder here: it is a copy of
 * that one, and its files would be mixed into it. */
static igt_status see_original(const visit *v, const char *path, const igt__folder *folder,
                               const igt__known *known, igt_error *err) {
  char *below = NULL, *own = NULL, *above = igt__strndup(path, parent_length(path));
  igt__json *doc = NULL;
  const char *id;
  bool there = false;
  igt_status status = igt__study_folder(*known->human ? known->human : known->id,
                                        v->u->run.options.structure, IGT__NAMES_POSIX, &below, err);

  if (above && folder->patient)
    above[parent_length(above)] = '\0';
  own = status == IGT_OK && above ? igt__path_join(above, below) : NULL;
  if (status == IGT_E_UNSAFE_NAME)
    status = IGT_OK; /* it cannot have a folder */
  else if (status == IGT_OK && !own)
    status = igt__fail_memory(err);
  if (status == IGT_OK && own)
    status = igt__folder_look(v->u->root, own, &there, err);
  if (status == IGT_OK && there)
    status = igt__sidecar_read(v->u->root, own, &doc, err);
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

static igt_status match(visit *v, const char *path, const igt__folder *folder, igt__known **known,
                        igt_root_study **create, igt_error *err) {
  igt_status status = igt__studies_match(v->studies, folder, known, err);

  if (status == IGT_OK && *known && (*known)->renamed && !folder->trust)
    status = see_original(v, path, folder, *known, err);
  if (status != IGT_OK && *known)
    (*known)->used = false; /* by this folder: the study's own may follow */
  if (status != IGT_OK || *known)
    return status;
  return igt__study_from_folder(v->studies, v->institute, folder, create, err);
}

static void upload_study(visit *v, const char *path, const char *patient, const char *name,
                         bool only) {
  igt__upload *u = v->u;
  igt_error err = IGT_ERROR_INIT;
  igt__json *doc = NULL;
  igt__known *known = NULL;
  igt_root_study *create = NULL;
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
    status = see_content(v, path, &err);
  if (status == IGT_OK && !doc && u->run.options.structure == IGT_FLAT)
    status = igt__flat_check(u->root, path, &err);
  if (status == IGT_OK)
    status = match(v, path, &folder, &known, &create, &err);
  if (status == IGT_OK && !igt__semaphore_acquire(&u->studies)) {
    igt_model_free(create ? &create->model : NULL);
    goto out;
  }
  if (status == IGT_OK &&
      (status = begin_study(v, path, human, &folder, known, create, &err)) != IGT_OK)
    igt__semaphore_release(&u->studies);
  if (status != IGT_OK) {
    igt__error_prefix(&err, "the folder '%s'", path);
    igt__upload_study_failed(u, institute_name(v), human ? human : name, path, &err);
  }
out:
  igt__json_free(doc);
  igt__free(human);
}

/* ---- annotations ---- */

typedef struct json_check {
  igt__upload *u;
  const char *folder;
  bool whole; /* it contains a sidecar */
  igt_error *err;
} json_check;

static int parse_json(void *payload, const igt__walk_entry *e) {
  const json_check *c = payload;
  char *text = NULL, *path;
  size_t n;
  igt_status status;

  if (e->kind != IGT__WALK_FILE || !igt__str_ends(e->name, ".json") ||
      (c->whole && strcmp(e->path, IGT__SIDECAR) == 0) ||
      (igt__is_clutter(e->path) && !c->u->run.options.include_clutter) ||
      !igt__wanted(&c->u->run, e->path) ||
      !igt__path_has_extension(e->path, c->u->options->selection->ext) ||
      !igt__filter_size(c->u->run.filter, (uint64_t)e->st.st_size))
    return igt__run_stopping(&c->u->run) ? 3 : 0;
  path = igt__path_join(c->folder, e->path);
  if (!path)
    return 2;
  status = igt__root_read_file(c->u->root, path, IGT__MAX_JSON_BODY, &text, &n, c->err);
  if (status == IGT_OK) {
    const char *json = igt__skip_mark(text, &n);
    status = igt__json_check_file(json, n, path, c->err);
  }
  igt__free(text);
  igt__free(path);
  return status == IGT_OK ? 0 : 2;
}

/* Finds an invalid .json before anything of the study is sent. */
static igt_status check_json(igt__upload *u, const char *folder, bool whole, igt_error *err) {
  json_check c = {u, folder, whole, err};
  int ended = 0;
  igt_status status = igt__walk(u->root, folder, parse_json, &c, &ended, err);

  if (status != IGT_OK || ended != 2)
    return status;
  return err->status != IGT_OK ? err->status : igt__fail_memory(err);
}

/* A download of several categories puts each into a folder of its own. Without one for annotations
 * there are none: images must not become annotations. */
static igt_status annotations_folder(const visit *v, const char *path, char **out, bool *whole,
                                     igt_error *err) {
  char *below = igt__path_join(path, "annotations"), *other = NULL;
  bool own = false;
  igt_status status =
      below ? igt__content_folder(v->u->root, path, &other, whole, err) : igt__fail_memory(err);

  *out = NULL;
  igt__free(other);
  if (status == IGT_OK && !*whole)
    status = igt__folder_look(v->u->root, below, &own, err);
  if (status == IGT_OK && !*whole && !own)
    status =
        igt__fail(err, IGT_E_NO_FILE,
                  "it has a folder 'files' or 'dicom' but no folder 'annotations', so there is "
                  "nothing to upload as annotations");
  if (status == IGT_OK && !(*out = igt__strdup(own ? below : path)))
    status = igt__fail_memory(err);
  igt__free(below);
  return status;
}

static igt_status begin_annotations(visit *v, const char *path, const char *name,
                                    const igt__known *known, igt_error *err) {
  bool whole;
  char *folder;
  igt_status status = igt__studies_check_prefix(v->studies, known->id, known->s3_prefix, err);
  plan *p = NULL;

  if (status == IGT_OK)
    status = annotations_folder(v, path, &folder, &whole, err);
  if (status == IGT_OK && !(p = igt__upload_plan_new(v->u, v->institute, folder, name)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = check_json(v->u, p->folder, whole, err);
  if (status == IGT_OK) {
    p->list = "annotations";
    p->sidecar = whole ? IGT__SIDECAR_ON_TOP : IGT__SIDECAR_NONE;
    if (!igt__upload_plan_open(p, name, known->id, known->s3_prefix, "annotations/", only_settled))
      status = igt__fail_memory(err);
  }
  if (status == IGT_OK)
    igt__upload_plan_begin(p);
  else if (p)
    igt__upload_plan_free(p);
  return status;
}

static void upload_annotations(visit *v, const char *path, const char *patient, const char *name,
                               bool only) {
  igt__upload *u = v->u;
  igt_error err = IGT_ERROR_INIT;
  igt__known *known = NULL;
  igt__json *doc = NULL;
  igt_status status = igt__sidecar_read(u->root, path, &doc, &err);
  igt__folder folder = {.patient = patient,
                        .name = name,
                        .doc = doc,
                        .only = only,
                        .trust = u->run.options.trust_study_json};

  if (status == IGT_OK)
    status = igt__studies_existing(v->studies, &folder, &known, &err);
  igt__json_free(doc);
  const char *human = known && *known->human ? known->human : name;
  if (!igt__in_shard(human, u->run.options.shard, u->run.options.shards))
    return;
  if (status == IGT_OK && !known)
    status = igt__fail(&err, IGT_E_NOT_FOUND, "the institute has no study '%s%s%s'",
                       patient ? patient : "", patient ? "/" : "", name);
  if (status == IGT_OK && !igt__semaphore_acquire(&u->studies))
    return;
  if (status == IGT_OK && (status = begin_annotations(v, path, human, known, &err)) != IGT_OK)
    igt__semaphore_release(&u->studies);
  if (status != IGT_OK)
    igt__upload_study_failed(u, institute_name(v), human, path, &err);
}

/* ---- the folders of an institute ---- */

typedef void (*study_fn)(visit *v, const char *path, const char *patient, const char *name,
                         bool only);

static void no_memory(const visit *v, const char *study, const char *path) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__fail_memory(&err);
  igt__upload_study_failed(v->u, institute_name(v), study, path, &err);
}

/* A study folder of a patient, or a folder that is part of the longer names of several studies.
 * name: below the patient; names: how many levels it is below the institute. */
static void each_study(visit *v, const char *path, const char *patient, const char *name,
                       size_t names, bool only, study_fn fn) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders below;

  if (v->u->run.options.structure == IGT_FLAT || !igt__holds_studies(v->u->root, path, names)) {
    v->u->studies_passed++;
    fn(v, path, patient, name, only);
    return;
  }
  if (igt__folders_in(v->u->root, path, stray, v, &below, &err) != IGT_OK) {
    igt__upload_study_failed(v->u, institute_name(v), name, path, &err);
    return;
  }
  for (size_t i = 0; i < below.count && !igt__run_stopping(&v->u->run); i++) {
    char *folder = igt__path_join(path, below.v[i]), *longer = igt__path_join(name, below.cloud[i]);
    if (!folder || !longer)
      no_memory(v, name, path);
    else if (is_chosen(v, folder))
      each_study(v, folder, patient, longer, names + 1, false, fn);
    igt__free(folder);
    igt__free(longer);
  }
  igt__folders_free(&below);
}

static void each_patient(visit *v, const char *path, const char *patient, study_fn fn) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders studies = {0};
  igt_status status = igt__patient_check(v->u->root, path, &err);

  if (status == IGT_OK)
    status = igt__folders_in(v->u->root, path, stray, v, &studies, &err);
  if (status == IGT_OK && studies.count == 0 && v->u->options->category == IGT_CATEGORY_ANNOTATIONS)
    status = igt__fail(&err, IGT_E_NOT_FOUND,
                       "the institute has no study '%s', and there is no folder of a study in '%s'",
                       patient, path);
  if (status == IGT_OK) {
    status = igt__folders_check(&studies, path, &err);
    if (status != IGT_OK && studies.files)
      igt__error_append(&err, ", or use --folder-structure flat");
  }
  if (status != IGT_OK)
    igt__upload_study_failed(v->u, institute_name(v), patient, path, &err);
  bool only = igt__folders_undescribed(v->u->root, path, &studies) < 2;
  for (size_t i = 0; i < studies.count && !igt__run_stopping(&v->u->run); i++) {
    char *folder = igt__path_join(path, studies.v[i]);
    if (!folder)
      no_memory(v, studies.cloud[i], path);
    else if (is_chosen(v, folder))
      each_study(v, folder, patient, studies.cloud[i], 2, only, fn);
    igt__free(folder);
  }
  igt__folders_free(&studies);
}

/* Annotations accept both forms, whatever the folder structure: a folder named like a study (with
 * "---" for "/") is that study, any other one a patient. */
static bool is_patient(const visit *v, const char *path, const char *name) {
  igt__known *known = NULL;
  igt__json *doc = NULL;
  bool described;

  if (v->u->options->category != IGT_CATEGORY_ANNOTATIONS)
    return v->u->run.options.structure == IGT_HIERARCHICAL &&
           igt__sidecar_names(v->u->root, path) != 1;
  described = igt__sidecar_read(v->u->root, path, &doc, NULL) != IGT_OK || doc;
  igt__json_free(doc);
  if (described || strstr(name, "---"))
    return false;
  return igt__studies_by_name(v->studies, NULL, name, &known, NULL) == IGT_OK && !known;
}

/* A folder that is a study whose name has one component. If it also contains other studies, its own
 * files cannot be distinguished from theirs. */
static void single_study(visit *v, const char *path, const char *name, study_fn fn) {
  igt_error err = IGT_ERROR_INIT;
  bool mixed = false;
  igt_status status = IGT_OK;

  if (v->u->run.options.structure == IGT_HIERARCHICAL)
    status = igt__holds_described(v->u->root, path, &mixed, &err);
  if (status == IGT_OK && mixed)
    status = igt__fail(&err, IGT_E_COLLISION, IGT__MIXED_STUDIES, path);
  v->u->studies_passed++;
  if (status == IGT_OK)
    fn(v, path, NULL, name, true);
  else
    igt__upload_study_failed(v->u, institute_name(v), name, path, &err);
}

/* As many studies in each patient's folder as in those before, at least one. */
static uint64_t studies_in(const igt__upload *u, uint64_t folders) {
  return u->folders_passed && u->studies_passed > u->folders_passed
             ? (uint64_t)((double)u->studies_passed / (double)u->folders_passed * (double)folders)
             : folders;
}

/* left: folders of this institute. What the whole job is comes from the folders alone, which are
 * counted before the first is uploaded. */
static void expect(const visit *v, uint64_t left) {
  igt__upload *u = v->u;
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

static void each_folder(visit *v, const char *path, const igt__folders *folders, study_fn fn) {
  for (size_t i = 0; i < folders->count && !igt__run_stopping(&v->u->run); i++) {
    char *folder = igt__path_join(path, folders->v[i]);
    expect(v, folders->count - i);
    if (!folder)
      no_memory(v, folders->cloud[i], path);
    else if (is_chosen(v, folder) && is_patient(v, folder, folders->cloud[i]))
      each_patient(v, folder, folders->cloud[i], fn);
    else if (is_chosen(v, folder))
      single_study(v, folder, folders->cloud[i], fn);
    igt__free(folder);
    v->u->folders_passed++;
  }
  expect(v, 0);
}

igt_status igt__upload_studies(igt__upload *u, const igt_institute *institute, const char *path,
                               igt_error *err) {
  visit v = {u, institute, NULL};
  igt__folders folders = {0};
  igt_status status =
      igt__studies_load(u->run.client, institute, NULL, NULL, &u->run.lists, &v.studies, err);

  if (status == IGT_OK) {
    igt__studies_remember(v.studies, u->run.journal, u->run.origin);
    status = igt__folders_in(u->root, path, stray, &v, &folders, err);
  }
  if (status == IGT_OK)
    status = igt__folders_check(&folders, path, err);
  igt__upload_sort(u, u->selected, path, &folders);
  if (status == IGT_OK)
    each_folder(&v, path, &folders,
                u->options->category == IGT_CATEGORY_ANNOTATIONS ? upload_annotations
                                                                 : upload_study);
  igt__folders_free(&folders);
  igt__studies_free(v.studies);
  return status;
}
