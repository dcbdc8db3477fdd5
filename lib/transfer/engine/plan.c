/* SPDX-License-Identifier: MIT */
#include "transfer/engine/plan.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "transfer/engine/tree.h"

/* Enough to keep all connections busy even if each study has one file. */
#define STUDIES_AT_ONCE 64

void igt__semaphore_init(igt__semaphore *room, igt__run *run) {
  room->run = run;
  room->taken = 0;
  room->limit = run->options.concurrent_studies ? run->options.concurrent_studies : STUDIES_AT_ONCE;
  pthread_mutex_init(&room->lock, NULL);
  pthread_cond_init(&room->changed, NULL);
}

void igt__semaphore_finish(igt__semaphore *room) {
  pthread_cond_destroy(&room->changed);
  pthread_mutex_destroy(&room->lock);
}

bool igt__semaphore_acquire(igt__semaphore *room) {
  bool stopping = igt__run_stopping(room->run);

  pthread_mutex_lock(&room->lock);
  while (room->taken >= room->limit && !stopping) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_cond_timedwait(&room->changed, &room->lock, &until);
    pthread_mutex_unlock(&room->lock);
    stopping = igt__run_stopping(room->run);
    pthread_mutex_lock(&room->lock);
  }
  room->taken += !stopping;
  pthread_mutex_unlock(&room->lock);
  return !stopping;
}

void igt__semaphore_release(igt__semaphore *room) {
  pthread_mutex_lock(&room->lock);
  room->taken--;
  pthread_cond_signal(&room->changed);
  pthread_mutex_unlock(&room->lock);
}

igt_status igt__held_fail(const igt__quota *held, const char *what, const char *advice,
                          igt_error *err) {
  bool all = held->whole && igt__quota_refused(held->whole);
  char size[24];

  if (!igt__quota_refused(held))
    return igt__fail_memory(err);
  igt__format_bytes(all ? held->whole->most : held->most, size, sizeof size);
  return igt__fail(err, IGT_E_LIMIT,
                   "the list of its %s is longer than igtcloud holds: %s of memory%s; %s", what,
                   size, all ? " for all lists at once" : "", advice);
}

const igt__category igt__categories[IGT__CATEGORY_COUNT] = {
    {IGT_CATEGORY_FILES, "files", "files/"},
    {IGT_CATEGORY_DICOM, "dicom", "0/"},
    {IGT_CATEGORY_ANNOTATIONS, "annotations", "annotations/"},
};

bool igt__wanted(const igt_transfer_options *options, const char *path) {
  bool wanted = options->include_count == 0;

  for (size_t i = 0; i < options->include_count && !wanted; i++)
    wanted = igt__glob_selects(options->include[i], path);
  for (size_t i = 0; i < options->exclude_count && wanted; i++)
    wanted = !igt__glob_selects(options->exclude[i], path);
  return wanted;
}

bool igt__leave_clutter(igt__run *run, const char *path, igt_transfer_item *item) {
  if (run->options.include_clutter || !igt__is_clutter(path))
    return false;
  item->result = IGT_RESULT_IGNORED;
  item->text = "macOS or Windows left it there (--include-clutter takes it)";
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

  igt__buf_init(&folder, 64 * 1024);
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

  igt__buf_init(&folder, 64 * 1024);
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

igt_status igt__study_folder(const char *human_id, igt_structure structure, igt__name_rules rules,
                             char **out, igt_error *err) {
  *out = NULL;
  return structure == IGT_FLAT ? flat_folder(human_id, rules, out, err)
                               : deep_folder(human_id, rules, out, err);
}

bool igt__is_folder_key(const igt_file *file) {
  const char *key = igt__text_of(&file->key);
  size_t n = strlen(key);

  return n && key[n - 1] == '/' && (file->file_size.is != IGT_SET || file->file_size.v == 0);
}
