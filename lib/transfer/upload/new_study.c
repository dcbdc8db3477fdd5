/* SPDX-License-Identifier: MIT */
/* A study that has to be created before its files are uploaded. igt__upload_new_study prepares the
 * plan of its folder; on a producer's thread open_created then looks at the folder, since one from
 * which nothing is uploaded creates no study, and creates it (create.c) with the fields that
 * study_fields.c derived. Called by upload_study.c. */
#include <string.h>

#include "base/mem.h"
#include "model/model.h"
#include "transfer/upload/create.h"
#include "transfer/upload/upload_internal.h"

typedef igt__upload_plan plan;

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

static igt_status open_dry(plan *p, const igt__folder *folder, igt_error *err) {
  const creation *c = p->own;
  char *name = igt__name_of_split(c->before, folder);
  bool good =
      igt__upload_plan_open(p, name ? name : p->name, "", "", "", igt__upload_study_settled);

  igt__free(name);
  if (!good)
    return igt__fail_memory(err);
  p->group->note = "the study would be created";
  count_created(&p->u->run);
  return IGT_OK;
}

/* A folder from which nothing is uploaded creates no study. With a group, everything in it is
 * reported by name. */
static igt_status open_nothing(plan *p, const igt__outlook *outlook, igt_error *err) {
  p->only_named = outlook->any;
  if (!outlook->any)
    igt__upload_ignored_folder(p->u, igt__text_of(&p->institute->name), p->folder,
                               "it contains no files, so no study was created");
  else if (!igt__upload_plan_open(p, p->name, "", "", "", igt__upload_only_settled))
    return igt__fail_memory(err);
  return IGT_OK;
}

/* Sends the request, and opens the group of the study that it returns. */
static igt_status create_and_open(plan *p, const igt__folder *folder, igt_error *err) {
  const creation *c = p->own;
  igt_root_study *made = NULL;
  igt__created created;
  igt_status status = igt__create_study(&p->u->run, p->institute, folder, c->study, c->before,
                                        &made, &created, err);

  if (status != IGT_OK) {
    igt__error_prefix(err, "the study '%s' was not created", p->name);
    return status;
  }
  if (created != IGT__CREATED_BEFORE)
    count_created(&p->u->run);
  const char *id = igt__text_of(&made->study_database_id);
  const char *prefix = igt__text_of(&made->s3_prefix);
  status = igt__studies_check_prefix(c->before, id, prefix, err);
  if (status == IGT_OK &&
      !igt__upload_plan_open(
          p, igt__upload_study_name(igt__text_of(&made->study_id_human_readable), p), id, prefix,
          "files/", igt__upload_study_settled))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    p->group->note =
        created != IGT__CREATED_BEFORE ? "the study was created" : "another run created the study";
  p->is_new = created == IGT__CREATED_NOW;
  igt_model_free(&made->model);
  return status;
}

static igt_status open_created(plan *p, igt_error *err) {
  const creation *c = p->own;
  const igt__folder folder = {.patient = c->patient,
                              .name = c->name,
                              .doc = c->doc,
                              .only = c->only,
                              .whole_name = c->whole_name,
                              .trust = c->trust};
  igt__outlook outlook;
  igt_status status = igt__upload_plan_look(p, &outlook, err);

  if (status != IGT_OK)
    return status;
  /* Scripts create studies from a study.json alone; where files are left out, it would be empty. */
  if (!outlook.sendable && (outlook.content || !igt__asks_for_study(&folder)))
    return open_nothing(p, &outlook, err);
  return p->u->run.options.dry_run ? open_dry(p, &folder, err) : create_and_open(p, &folder, err);
}

static void give_up(plan *p, const igt_error *err) {
  if (err->status != IGT_OK && err->status != IGT_E_CANCELLED)
    igt__upload_study_failed(p->u, igt__text_of(&p->institute->name), p->name, p->study_folder,
                             err);
  igt__semaphore_release(&p->u->studies);
}

bool igt__upload_new_study(plan *p, const igt__folder *folder, igt__studies *before,
                           igt_root_study *study) {
  p->own = creation_new(folder, before, study);
  if (!p->own)
    return false;
  p->open = open_created;
  p->give_up = give_up;
  p->release = release_creation;
  return true;
}

const char *igt__upload_study_name(const char *human, const plan *p) {
  return *human ? human : p->name;
}
