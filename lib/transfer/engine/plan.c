/* SPDX-License-Identifier: MIT */
/* What planning a study needs in every direction: the semaphore that bounds the studies in
 * progress, the categories of files, and the folder name of a study. Called by the planning threads
 * of download, upload and verify. */
#include "transfer/engine/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/thread.h"
#include "transfer/engine/tree.h"

/* Enough to keep all connections busy even if each study has one file. */
#define STUDIES_AT_ONCE 64

void igt__semaphore_init(igt__semaphore *slots, igt__run *run) {
  slots->run = run;
  slots->taken = 0;
  slots->limit =
      run->options.concurrent_studies ? run->options.concurrent_studies : STUDIES_AT_ONCE;
  pthread_mutex_init(&slots->lock, NULL);
  igt__cond_init(&slots->changed);
}

void igt__semaphore_finish(igt__semaphore *slots) {
  pthread_cond_destroy(&slots->changed);
  pthread_mutex_destroy(&slots->lock);
}

bool igt__semaphore_acquire(igt__semaphore *slots) {
  bool stopping = igt__run_stopping(slots->run);

  pthread_mutex_lock(&slots->lock);
  while (slots->taken >= slots->limit && !stopping) {
    (void)igt__cond_wait_for(&slots->changed, &slots->lock, 1000);
    pthread_mutex_unlock(&slots->lock);
    stopping = igt__run_stopping(slots->run);
    pthread_mutex_lock(&slots->lock);
  }
  slots->taken += !stopping;
  pthread_mutex_unlock(&slots->lock);
  return !stopping;
}

void igt__semaphore_release(igt__semaphore *slots) {
  pthread_mutex_lock(&slots->lock);
  slots->taken--;
  pthread_cond_signal(&slots->changed);
  pthread_mutex_unlock(&slots->lock);
}

igt_status igt__list_fail(const igt__quota *lists, const char *what, const char *advice,
                          igt_error *err) {
  bool all = lists->whole && igt__quota_refused(lists->whole);
  char size[24];

  if (!igt__quota_refused(lists))
    return igt__fail_memory(err);
  igt__format_bytes(all ? lists->whole->most : lists->most, size, sizeof size);
  return igt__fail(err, IGT_E_LIMIT, "the list of its %s exceeds the memory limit (%s%s); %s", what,
                   size, all ? " for all lists at once" : "", advice);
}

const igt__category igt__categories[IGT__CATEGORY_COUNT] = {
    {IGT_CATEGORY_FILES, "files", "files/"},
    {IGT_CATEGORY_DICOM, "dicom", "0/"},
    {IGT_CATEGORY_ANNOTATIONS, "annotations", "annotations/"},
};

igt_status igt__group_each_file(const igt__group *group, const char *project_id, bool auxiliary,
                                igt_files_fn each, void *payload, igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_client *client = group->run->client;

  if (project_id)
    return igt_get_project_files_each(client, project_id, NULL, each, payload, err);
  if (auxiliary)
    options.auxiliary = "True";
  return igt_get_study_files_each(client, group->institute_id, group->study_id, &options, each,
                                  payload, err);
}

igt_status igt__listed_key_check(const igt_file *file, const char *s3_prefix, igt_error *err) {
  if (!igt__has_key(file))
    return igt__fail(err, IGT_E_REQUIRED, "the cloud lists it without a key");
  if (strlen(file->key.v) > IGT__S3_MAX_KEY)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "its key is longer than S3's %u bytes",
                     IGT__S3_MAX_KEY);
  if (!igt__str_starts(file->key.v, s3_prefix)) /* another patient's, if the credentials reach */
    return igt__fail(err, IGT_E_PROTOCOL,
                     "the cloud lists it with a key that is not below the s3Prefix '%s'; report it "
                     "to the cloud's support",
                     s3_prefix);
  return IGT_OK;
}

igt_status igt__listed_check(const igt_file *file, const char *s3_prefix, igt_error *err) {
  igt_status status = igt__listed_key_check(file, s3_prefix, err);

  if (status != IGT_OK)
    return status;
  if (file->file_size.is != IGT_SET || file->file_size.v < 0 ||
      (uint64_t)file->file_size.v > IGT__S3_MAX_OBJECT)
    return igt__fail(err, IGT_E_TYPE, "the cloud lists it with an invalid size");
  return IGT_OK;
}

static void report_failure(igt__run *run, const char *institute, const char *study,
                           const char *folder, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_STUDY,
                            .result = IGT_RESULT_FAILED,
                            .institute = institute,
                            .study = study,
                            .local_path = folder,
                            .error = err};

  igt__run_item(run, &item);
}

void igt__report_institute(igt__run *run, const igt_institute *institute, const igt_error *err) {
  report_failure(run, igt__text_of(&institute->name), NULL, NULL, err);
}

void igt__report_failed_study(igt__run *run, const char *institute, const char *study,
                              const char *folder, const igt_error *err) {
  report_failure(run, institute, study, folder, err);
  if (igt__status_is_fatal(err->status))
    igt__run_fatal(run, err);
}

static void report_unmatched(void *payload, const char *study, const igt_error *err) {
  igt__run *run = payload;

  report_failure(run, NULL, study, NULL, err);
  igt__run_wait_events(run);
}

igt_status igt__report_unmatched(igt__run *run, const igt__found *found, const char *source,
                                 igt_error *err) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_status status = igt__found_end(found, source, report_unmatched, run, text, sizeof text, err);

  if (*text)
    igt__run_message(run, IGT_OK, "%s", text);
  return status;
}

void igt__report_no_type(igt__run *run, const char *ext, const igt_transfer_summary *s) {
  uint64_t files = s->files_done + s->files_skipped + s->files_failed + s->files_same +
                   s->files_different + s->files_missing_here + s->files_missing_there +
                   s->files_unchecked;

  if (!ext || files)
    return;
  igt__run_message(run, IGT_E_NOT_FOUND, "no file of these studies has the type '%s'%s", ext,
                   *ext == '.' ? "" : "; types begin with a dot");
  igt__run_deliver(run);
}

igt_status igt__fail_counts(const char *what, const igt__count *counts, igt_error *err) {
  const char *separator = ": ";

  (void)igt__fail(err, IGT_E_SOME_FAILED, "%s", what);
  for (; counts->name; counts++)
    if (counts->n) {
      igt__error_append(err, "%s%s: %llu", separator, counts->name, (unsigned long long)counts->n);
      separator = ", ";
    }
  return IGT_E_SOME_FAILED;
}

bool igt__leave_clutter(igt__run *run, const char *path, igt_transfer_item *item) {
  if (run->options.include_clutter || !igt__is_clutter(path))
    return false;
  (void)igt__wanted(run, path); /* a pattern for it has matched something */
  item->result = IGT_RESULT_IGNORED;
  item->text = "metadata of macOS, Windows or a NAS (use --include-clutter to include it)";
  item->minor = true;
  pthread_mutex_lock(&run->lock);
  run->summary.files_clutter++;
  pthread_mutex_unlock(&run->lock);
  return true;
}

static igt_status flat_folder(const char *human_id, igt__name_rules rules, char **out,
                              igt_error *err) {
  igt__buf folder;
  igt_status status;

  igt__buf_init(&folder, IGT__MAX_JOINED);
  for (const char *p = human_id; *p; p++)
    igt__buf_puts(&folder, *p == '/' ? "---" : (char[]){*p, '\0'});
  status = folder.failed ? igt__fail_memory(err)
                         : igt__name_to_local(folder.data, rules, "the study's folder", out, err);
  igt__buf_finish(&folder);
  return status;
}

/* Each component is one folder: none is truncated. */
static igt_status deep_folder(const char *human_id, igt__name_rules rules, char **out,
                              igt_error *err) {
  igt__buf folder;
  igt_status status = igt__path_check_cloud(human_id, strlen(human_id), "the study's folder", err);

  igt__buf_init(&folder, IGT__MAX_JOINED);
  for (const char *p = human_id; *p && status == IGT_OK;) {
    size_t n = strcspn(p, "/");
    char *name = igt__strndup(p, n), *local = NULL;
    status = name ? igt__name_to_local(name, rules, "the study's folder", &local, err)
                  : igt__fail_memory(err);
    if (status == IGT_OK)
      igt__buf_printf(&folder, "%s%s", local, p[n] ? "/" : "");
    igt__free(local);
    igt__free(name);
    p += n + (p[n] == '/');
  }
  if (status == IGT_OK)
    status = folder.failed ? igt__fail_memory(err)
                           : igt__path_check(folder.data, folder.len, "the study's folder", err);
  if (status == IGT_OK && !(*out = igt__buf_take(&folder)))
    status = igt__fail_memory(err);
  igt__buf_finish(&folder);
  return status;
}

igt_status igt__study_folder(const char *human_id, igt_folder_structure structure,
                             igt__name_rules rules, char **out, igt_error *err) {
  *out = NULL;
  return structure == IGT_FLAT ? flat_folder(human_id, rules, out, err)
                               : deep_folder(human_id, rules, out, err);
}
