/* SPDX-License-Identifier: MIT */
/* The annotations of a study: the files of its folder, or of the folder "annotations" in it, go to
 * a study that exists; none is created. Every .json is parsed before anything is sent. Called by
 * upload_institute.c for each study folder. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/walk.h"
#include "model/model.h"
#include "transfer/engine/layout.h"
#include "transfer/upload/upload_internal.h"

typedef igt__upload_plan plan;

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
static igt_status annotations_folder(const igt__upload_institute *in, const char *path, char **out,
                                     bool *whole, igt_error *err) {
  char *below = igt__path_join(path, "annotations"), *other = NULL;
  bool own = false;
  igt_status status =
      below ? igt__content_folder(in->u->root, path, &other, whole, err) : igt__fail_memory(err);

  *out = NULL;
  igt__free(other);
  if (status == IGT_OK && !*whole)
    status = igt__folder_look(in->u->root, below, &own, err);
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

static igt_status begin_annotations(igt__upload_institute *in, const char *path, const char *name,
                                    const igt__known *known, igt_error *err) {
  bool whole;
  char *folder;
  igt_status status = igt__studies_check_prefix(in->studies, known->id, known->s3_prefix, err);
  plan *p = NULL;

  if (status == IGT_OK)
    status = annotations_folder(in, path, &folder, &whole, err);
  if (status == IGT_OK && !(p = igt__upload_plan_new(in->u, in->institute, folder, name)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = check_json(in->u, p->folder, whole, err);
  if (status == IGT_OK) {
    p->list = "annotations";
    p->sidecar = whole ? IGT__SIDECAR_ON_TOP : IGT__SIDECAR_NONE;
    if (!igt__upload_plan_open(p, name, known->id, known->s3_prefix, "annotations/",
                               igt__upload_only_settled))
      status = igt__fail_memory(err);
  }
  if (status == IGT_OK)
    igt__upload_plan_begin(p);
  else if (p)
    igt__upload_plan_free(p);
  return status;
}

void igt__upload_annotations(igt__upload_institute *in, const char *path, const char *patient,
                             const char *name, bool only) {
  igt__upload *u = in->u;
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
    status = igt__studies_existing(in->studies, &folder, &known, &err);
  igt__json_free(doc);
  const char *human = known && *known->human ? known->human : name;
  if (!igt__in_shard(human, u->run.options.shard, u->run.options.shards))
    return;
  if (status == IGT_OK && !known)
    status = igt__fail(&err, IGT_E_NOT_FOUND, "the institute has no study '%s%s%s'",
                       patient ? patient : "", patient ? "/" : "", name);
  if (status == IGT_OK && !igt__semaphore_acquire(&u->studies)) {
    igt__run_not_begun(&u->run);
    return;
  }
  if (status == IGT_OK && (status = begin_annotations(in, path, human, known, &err)) != IGT_OK)
    igt__semaphore_release(&u->studies);
  if (status != IGT_OK)
    igt__upload_study_failed(u, igt__upload_institute_name(in), human, path, &err);
}
