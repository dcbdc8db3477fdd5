/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PLAN_H
#define IGT_TRANSFER_PLAN_H

/* Planning shared by download, upload and verify: slots for studies, categories, patterns, names of
 * folders. */

#include <string.h>

#include "base/name.h"
#include "base/quota.h"
#include "transfer/engine/find.h"
#include "transfer/engine/run.h"

/* A semaphore for studies being planned or transferred: bounds memory however large the project is.
 */
typedef struct igt__semaphore {
  igt__run *run;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned taken, limit;
} igt__semaphore;
void igt__semaphore_init(igt__semaphore *slots, igt__run *run);
void igt__semaphore_finish(igt__semaphore *slots);
/* Waits for a slot; false: the run is stopping. */
bool igt__semaphore_acquire(igt__semaphore *slots);
void igt__semaphore_release(igt__semaphore *slots);

/* Jobs queued in the scheduler at which a producer pauses; it continues at half of that. A new
 * study takes three round trips before its first file can be sent, and meanwhile 128 connections
 * move as many files as they have turns. */
#define IGT__BACKLOG 1024

/* Why a list could not be kept in memory: IGT_E_LIMIT if it exceeded its quota, else no memory.
 * what: "studies", "files"; advice: what the user can do. */
igt_status igt__list_fail(const igt__quota *lists, const char *what, const char *advice,
                          igt_error *err);
/* The advice where patterns choose files. */
#define IGT__LIST_FILES "take a part of them at a time (--include)"

/* A category of a study's files: its own list in the cloud's response, a local folder if several
 * are selected, a prefix of the keys below the study's. */
typedef struct igt__category {
  unsigned bit; /* IGT_CATEGORY_... */
  const char *folder, *prefix;
} igt__category;
#define IGT__CATEGORY_COUNT 3
extern const igt__category igt__categories[IGT__CATEGORY_COUNT];

/* Hands over the files that the cloud lists for the study, or for the project if project_id is not
 * NULL. auxiliary: those of the categories beside "files". */
igt_status igt__group_each_file(const igt__group *group, const char *project_id, bool auxiliary,
                                igt_files_fn each, void *payload, igt_error *err);
/* What a file must have in the cloud's list to be believed: a key below s3_prefix, that of the
 * study or project, or IGT_E_REQUIRED, IGT_E_UNSAFE_NAME, IGT_E_PROTOCOL. */
igt_status igt__listed_key_check(const igt_file *file, const char *s3_prefix, igt_error *err);
/* To be fetched: also a size that S3 allows, or IGT_E_TYPE. */
igt_status igt__listed_check(const igt_file *file, const char *s3_prefix, igt_error *err);

/* An institute whose studies could not be listed, as a study that failed. */
void igt__report_institute(igt__run *run, const igt_institute *institute, const igt_error *err);
/* A study that failed, or with study "" its institute. folder: absolute, or NULL. An error that
 * will meet all others as well ends the run. */
void igt__report_failed_study(igt__run *run, const char *institute, const char *study,
                              const char *folder, const igt_error *err);

/* What the filters say of the path below the study. */
static inline bool igt__wanted(const igt__run *run, const char *path) {
  return igt__filter_path(run->filter, path);
}

/* When all studies are listed (source: those in this folder; NULL: the project's): reports what of
 * the selection matched no study, as studies that failed. IGT_E_NOT_FOUND: nothing did. */
igt_status igt__report_unmatched(igt__run *run, const igt__found *found, const char *source,
                                 igt_error *err);

/* At the end of a run: a mistyped extension looks like an empty project. */
void igt__report_no_type(igt__run *run, const char *ext, const igt_transfer_summary *summary);

/* IGT_E_SOME_FAILED: "WHAT: different: 2, failed: 1", with the counts that are not zero. The last
 * one has no name. */
typedef struct igt__count {
  const char *name;
  uint64_t n;
} igt__count;
igt_status igt__fail_counts(const char *what, const igt__count *counts, igt_error *err);

/* Clutter (tree.h) is left out unless the options include it: returns false then; else the item
 * says why and is counted. path: the file in question. */
bool igt__leave_clutter(igt__run *run, const char *path, igt_transfer_item *item);

/* "patient/study" as a folder: flat, '/' becomes "---". Mapped to what the disk can hold. The
 * caller's to igt__free; checked. */
igt_status igt__study_folder(const char *human_id, igt_folder_structure structure,
                             igt__name_rules rules, char **out, igt_error *err);

/* An element without a key is a failure whatever is selected: it may be any file. */
static inline bool igt__has_key(const igt_file *file) {
  return file->key.is == IGT_SET && *file->key.v;
}

/* An empty object whose key ends in '/': it represents a folder and is not a file. */
static inline bool igt__is_folder_key(const igt_file *file) {
  const char *key = igt__text_of(&file->key);
  size_t n = strlen(key);

  return n && key[n - 1] == '/' && (file->file_size.is != IGT_SET || file->file_size.v == 0);
}
#define IGT__FOLDER_TEXT "it represents a folder and has no content"

#endif
