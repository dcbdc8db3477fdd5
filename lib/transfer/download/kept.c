/* SPDX-License-Identifier: MIT */
/* Finds the folders of studies that were removed from the cloud, or got another name there. A run
 * with delete_extra deletes files in the folders of studies alone, so these would stay for years
 * without a word. A folder counts if its study.json names a study of this project, and no study of
 * this run has that folder. Called by download.c at the end. */
#include "transfer/download/kept.h"

#include <string.h>

#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/walk.h"
#include "transfer/download/download.h"
#include "transfer/engine/tree.h"

#define NO_MEMORY 3 /* ends a walk, beside 2 (stopped) */

typedef struct looking {
  igt__download *d;
  const char *institute; /* its folder below the target */
  uint64_t count;
} looking;

static bool is_complete(const igt__download *d) {
  const igt__selection *s = d->shared.selection;

  return !igt__selection_is_narrow(s) && !s->by_date && !s->options.limit &&
         d->run.options.shards < 2;
}

static void report(looking *l, const char *below, const igt__json *study) {
  char *local = igt__path_join(l->d->target, below);
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .study_id = igt__json_get_str(study, "studyDatabaseId"),
                            .path = below,
                            .local_path = local,
                            .text = "the cloud no longer has this study, or not under this name; "
                                    "its folder was kept"};

  l->count++;
  igt__run_folder(&l->d->run, &item);
  igt__run_deliver(&l->d->run);
  igt__free(local);
}

/* A study.json without a project, as somebody may have written it, is not ours to judge. */
static bool is_of_project(const igt__download *d, const igt__json *study) {
  const char *id = igt__json_get_str(study, "studyDatabaseId");
  const char *project = igt__json_get_str(study, "projectId");

  return id && *id && project && strcmp(project, igt__text_of(&d->found.project->id)) == 0;
}

/* 1: the folder is a study's. */
static int look_at(looking *l, const char *below) {
  igt__json *study = NULL;
  bool claimed, found;

  if (igt__download_is_claimed(l->d, below, &claimed, NULL) != IGT_OK)
    return NO_MEMORY;
  if (claimed || igt__sidecar_read(l->d->root, below, &study, NULL) != IGT_OK)
    return 1;
  found = study && is_of_project(l->d, study);
  if (found)
    report(l, below, study);
  igt__json_free(study);
  return found || l->d->run.options.structure == IGT_FLAT;
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  looking *l = payload;
  char *below;
  int next;

  if (igt__run_stopping(&l->d->run))
    return 2;
  if (e->kind != IGT__WALK_DIR)
    return 0;
  if (igt__is_clutter(e->path))
    return 1;
  below = igt__path_join(l->institute, e->path);
  next = below ? look_at(l, below) : NO_MEMORY;
  igt__free(below);
  return next;
}

static void pass_by(void *payload, const char *path, const char *why, const igt_error *err) {
  (void)payload;
  (void)path;
  (void)why;
  (void)err;
}

static igt_status walk_institutes(looking *l, const igt__folders *folders, igt_error *err) {
  igt_status status = IGT_OK;
  int ended = 0;

  for (size_t i = 0; i < folders->count && status == IGT_OK; i++) {
    if (l->d->found.by_name && !igt__found_selects_name(&l->d->found, folders->cloud[i]))
      continue;
    l->institute = folders->v[i];
    status = igt__walk(l->d->root, folders->v[i], each_entry, l, &ended, err);
    if (status == IGT_OK && ended)
      status = ended == NO_MEMORY ? igt__fail_memory(err) : IGT_E_CANCELLED;
  }
  return status;
}

igt_status igt__kept_report(igt__download *d, igt_transfer_summary *summary, igt_error *err) {
  looking l = {.d = d};
  igt__folders folders = {0};
  igt_status status = IGT_OK;

  if (!d->root || !is_complete(d))
    return IGT_OK;
  status = igt__folders_in(d->root, "", pass_by, NULL, &folders, err);
  if (status == IGT_OK)
    status = walk_institutes(&l, &folders, err);
  summary->folders_kept = l.count;
  igt__folders_free(&folders);
  return status;
}
