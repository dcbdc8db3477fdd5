/* SPDX-License-Identifier: MIT */
/* The files of one study (or of the project) in a run: counted and reported together. A plan opens
 * the group, adds jobs to its queue in the scheduler, and closes it; when the queue has settled, a
 * helper thread reports the study and frees the group. All groups of a run are in a list, for
 * progress. Called by the planning and by the jobs of every transfer. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cloud/prefix.h"
#include "transfer/engine/run.h"

static void group_free(igt__group *group) {
  igt__free(group->institute);
  igt__free(group->institute_id);
  igt__free(group->study);
  igt__free(group->study_id);
  igt__free(group->s3_prefix);
  igt__free(group->folder);
  igt__free(group->label);
  igt__free(group);
}

static char *group_label(const char *institute, const char *study) {
  size_t n = strlen(institute) + strlen(study) + 3;
  char *label = igt__malloc(n);

  if (label)
    (void)snprintf(label, n, "%s%s%s", institute, *institute && *study ? ": " : "", study);
  return label;
}

static void group_settled_task(void *arg);

static void group_settled(void *payload) {
  igt__group *group = payload;

  /* This may be a loop's thread: what follows a whole study may wait. A single file has no more. */
  if (group->run->single && !group->on_settled)
    group_settled_task(group);
  else
    igt__pool_add(group->run->helpers, group_settled_task, group);
}

bool igt__run_claim_prefix(igt__run *run, const char *s3_prefix, const char *study_id) {
  bool good;

  pthread_mutex_lock(&run->lock);
  good = !*study_id || igt__prefix_claim(run->prefixes, s3_prefix, study_id);
  pthread_mutex_unlock(&run->lock);
  return good;
}

igt_status igt__run_check_prefix(igt__run *run, const char *s3_prefix, const char *study_id,
                                 igt_error *err) {
  igt_status status;

  pthread_mutex_lock(&run->lock);
  status = igt__prefix_check(run->prefixes, s3_prefix, study_id, err);
  pthread_mutex_unlock(&run->lock);
  return status;
}

igt_status igt__group_check_prefix(const igt__group *group, igt_error *err) {
  return igt__run_check_prefix(group->run, group->s3_prefix, group->study_id, err);
}

igt__group *igt__group_open(igt__run *run, const char *institute, const char *institute_id,
                            const char *study, const char *study_id, const char *s3_prefix) {
  igt__group *group = igt__calloc(1, sizeof *group);

  if (!group)
    return NULL;
  group->run = run;
  group->own = (igt_error)IGT_ERROR_INIT;
  group->institute = igt__strdup(institute);
  group->institute_id = igt__strdup(institute_id);
  group->study = igt__strdup(study);
  group->study_id = igt__strdup(study_id);
  group->s3_prefix = igt__strdup(s3_prefix);
  group->label = *study ? group_label(institute, study) : igt__strdup("project files");
  group->queue = igt__sched_open(run->sched, group_settled, group);
  if (!group->institute || !group->institute_id || !group->study || !group->study_id ||
      !group->s3_prefix || !group->label || !group->queue ||
      !igt__run_claim_prefix(run, group->s3_prefix, group->study_id)) {
    igt__free(group->queue);
    group_free(group);
    return NULL;
  }
  group->progress.name = group->label;
  pthread_mutex_lock(&run->lock);
  /* The oldest one first. */
  group->prev = &run->groups;
  while (*group->prev)
    group->prev = &(*group->prev)->next;
  *group->prev = group;
  run->group_count++;
  run->totals.studies += *study != '\0';
  run->waiting -= *study && run->waiting;
  pthread_mutex_unlock(&run->lock);
  return group;
}

void igt__group_set_folder(igt__group *group, const char *folder) {
  group->folder = folder ? igt__strdup(folder) : NULL; /* without memory the item has none */
}

void igt__group_is_import(igt__group *group) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->import = true;
  run->totals.studies--;
  pthread_mutex_unlock(&run->lock);
}

void igt__run_expect(igt__run *run, uint64_t passed, uint64_t left, bool known) {
  pthread_mutex_lock(&run->lock);
  run->passed = passed;
  run->left = left;
  run->studies_known = known;
  pthread_mutex_unlock(&run->lock);
}

void igt__run_not_begun(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->waiting++;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_close(igt__group *group) {
  pthread_mutex_lock(&group->run->lock);
  group->run->totals.studies_planned += *group->study && !group->import;
  pthread_mutex_unlock(&group->run->lock);
  igt__sched_close(group->run->sched, group->queue);
}

static void report_study(igt__group *group) {
  igt_transfer_item item = {.kind = group->import ? IGT_ITEM_IMPORT : IGT_ITEM_STUDY,
                            .result = IGT_RESULT_DONE,
                            .local_path = group->folder,
                            .text = group->note};

  if (group->failed) {
    igt_error err = group->own;
    if (err.status == IGT_OK)
      (void)igt__fail(&err, IGT_E_SOME_FAILED, "%llu of its files failed",
                      (unsigned long long)group->failed);
    item.result = IGT_RESULT_FAILED;
    item.error = &err;
    igt__group_item(group, &item);
    return;
  }
  if (group->compared)
    item.result = group->compared;
  else if (group->run->options.dry_run && (group->done_files || group->note))
    item.result = IGT_RESULT_PLANNED;
  else if (!group->done_files && !group->note)
    item.result = IGT_RESULT_SKIPPED;
  igt__group_item(group, &item);
}

/* Its files were not all tried, as the run ended before. */
static void count_left_locked(const igt__group *group) {
  igt_transfer_summary *s = &group->run->summary;
  bool begun =
      group->done_files || group->skipped || group->failed || group->compared || group->begun;

  if (*group->study && !group->import)
    *(begun ? &s->studies_unfinished : &s->studies_not_started) += 1;
}

static void group_settled_task(void *arg) {
  igt__group *group = arg;
  igt__run *run = group->run;
  bool whole; /* a study whose files were all tried; the run may have ended before */

  if (group->on_settled)
    group->on_settled(group);
  whole = *group->study && (!group->dropped || group->own.status != IGT_OK);
  if (whole)
    report_study(group);
  pthread_mutex_lock(&run->lock);
  *(group->import ? &run->summary.imports : &run->summary.studies) += whole && !group->failed;
  if (!whole)
    count_left_locked(group);
  *group->prev = group->next;
  if (group->next)
    group->next->prev = group->prev;
  run->group_count--;
  if (run->group_count == 0)
    pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
  group_free(group);
}

void igt__group_found(igt__group *group, uint64_t size) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.files++;
  group->progress.bytes += size;
  run->totals.files++;
  run->totals.bytes += size;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_present(igt__group *group, uint64_t bytes) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.bytes_moved += bytes;
  group->begun |= bytes > 0;
  run->totals.bytes_settled += bytes;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_moved(igt__group *group, uint64_t bytes) {
  igt__group_present(group, bytes);
  igt__sched_moved(group->run->sched, bytes);
}

void igt__group_unmoved(igt__group *group, uint64_t bytes) {
  igt__run *run = group->run;

  pthread_mutex_lock(&run->lock);
  group->progress.bytes_moved -=
      bytes < group->progress.bytes_moved ? bytes : group->progress.bytes_moved;
  run->totals.bytes_settled -=
      bytes < run->totals.bytes_settled ? bytes : run->totals.bytes_settled;
  pthread_mutex_unlock(&run->lock);
}

void igt__group_item(igt__group *group, igt_transfer_item *item) {
  igt__run *run = group->run;

  item->institute = group->institute;
  item->study = group->study;
  item->study_id = group->study_id;
  if (item->kind == IGT_ITEM_FILE) {
    pthread_mutex_lock(&run->lock);
    group->failed += item->result == IGT_RESULT_FAILED;
    group->done_files += item->result == IGT_RESULT_DONE || item->result == IGT_RESULT_PLANNED;
    group->skipped += item->result == IGT_RESULT_SKIPPED;
    if (item->result > group->compared && item->result >= IGT_RESULT_SAME &&
        group->compared <= IGT_RESULT_SAME)
      group->compared = item->result;
    if (item->result != IGT_RESULT_SKIPPED && item->result != IGT_RESULT_IGNORED) {
      group->progress.files_settled++;
      run->totals.files_settled++;
    }
    pthread_mutex_unlock(&run->lock);
  }
  igt__run_item(run, item);
  if (item->error && igt__status_is_fatal(item->error->status))
    igt__run_fatal(run, item->error);
}

void igt__group_dropped(igt__group *group) {
  pthread_mutex_lock(&group->run->lock);
  group->dropped++;
  pthread_mutex_unlock(&group->run->lock);
}

void igt__group_failed(igt__group *group, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER, .result = IGT_RESULT_FAILED, .error = err};

  pthread_mutex_lock(&group->run->lock);
  group->failed++;
  if (group->own.status == IGT_OK)
    igt__error_keep(&group->own, err);
  pthread_mutex_unlock(&group->run->lock);
  if (!*group->study) /* a project's files have no study to report it */
    igt__group_item(group, &item);
  else if (igt__status_is_fatal(err->status))
    igt__run_fatal(group->run, err);
}

void igt__group_planned(igt__group *group, igt_status status, const igt_error *err) {
  if (status == IGT_E_CANCELLED || (status != IGT_OK && igt__run_stopping(group->run)))
    igt__group_dropped(group);
  else if (status != IGT_OK)
    igt__group_failed(group, err);
  igt__group_close(group);
}
