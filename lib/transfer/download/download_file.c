/* SPDX-License-Identifier: MIT */
/* One file of the cloud's list: checks its name, claims its path, and hands it to fetch.c unless it
 * is filtered out, incomplete, or up to date here (download_existing.c). A file whose name exists
 * here in another form of Unicode is decided when the list has ended, since the cloud may have a
 * file of each form. Called by download_study.c for each list. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/unicode.h"
#include "transfer/download/download_plan.h"
#include "transfer/engine/space.h"

typedef igt__download_plan plan;

/* path: as in the cloud; below: relative to the target; NULL if it has no place there. */
static void report(plan *p, const igt_file *file, const char *path, const char *below,
                   igt_transfer_result result, const char *text, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE, .result = result, .text = text, .error = err};
  char *local = below ? igt__path_join(p->d->target, below) : NULL;

  item.path = path;
  item.local_path = local;
  item.key = igt__text_of(&file->key);
  item.size = file->file_size.is == IGT_SET ? (uint64_t)file->file_size.v : 0;
  if (result == IGT_RESULT_FAILED)
    igt__group_found(p->group, 0);
  igt__group_item(p->group, &item);
  igt__free(local);
}

/* Case-folded and in NFC if the file system treats such names as the same. NULL: no memory. */
static char *as_claimed(const igt__download *d, const char *path) {
  return d->folds ? igt__nfc_fold(path) : igt__strdup(path);
}

/* Two names that would be one file, here or wherever the copy goes next: the second one fails. */
static igt_status claim_name(plan *p, const char *path, igt_error *err) {
  bool folds = p->d->folds;
  char *key = as_claimed(p->d, path);
  igt_status status = IGT_OK;

  if (key && igt__fingerprints_has(p->names, key))
    status = igt__fail(err, IGT_E_COLLISION,
                       "the study has another file of this name%s: only the first is fetched",
                       folds ? " (upper and lower case are the same here)" : "");
  else if (!key || !igt__fingerprints_set(p->names, key, 0))
    status = igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err);
  igt__free(key);
  return status;
}

/* *local: the path of the file below the study's folder. */
static igt_status check_file(plan *p, const igt_file *file, const char *name, char **local,
                             igt_error *err) {
  igt_status status = igt__listed_check(file, p->group->s3_prefix, err);

  *local = NULL;
  if (status == IGT_OK)
    status = igt__path_to_local(name, strlen(name), p->d->rules, "the file", local, err);
  return status == IGT_OK ? claim_name(p, *local, err) : status;
}

static void report_skipped(plan *p, const igt__fetch_file *file, const igt__journal_file *known) {
  char *local = igt__path_join(p->d->target, file->path);
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = IGT_RESULT_SKIPPED,
                            .path = file->item_path,
                            .local_path = local,
                            .key = file->key,
                            .size = file->size,
                            .digest = known->digest,
                            .verified = known->verified,
                            .text = "it is up to date"};

  igt__group_item(p->group, &item);
  igt__free(local);
}

static bool is_listed(const plan *p, const char *name) {
  igt__manifest_entry *entry = igt__manifest_table_find(&p->table, p->list, name);

  if (entry)
    entry->seen = true;
  return entry != NULL;
}

static bool passes(const plan *p, const igt_file *file, const char *name) {
  const char *ext = p->d->options->selection->ext;

  if (p->listed)
    return is_listed(p, name);
  if (ext && !igt__str_eq_nocase(ext, igt__text_of(&file->type)))
    return false;
  return igt__wanted(&p->d->run, name) &&
         (file->file_size.is != IGT_SET || file->file_size.v < 0 ||
          igt__filter_size(p->d->run.filter, (uint64_t)file->file_size.v));
}

/* By the object's date, for which the store is queried. */
static igt_status passes_age(const plan *p, const igt_file *file, bool *passes, igt_error *err) {
  igt__fetch_file fetch = {
      .group = p->group, .provider = p->provider, .root = p->d->root, .key = file->key.v};
  igt__stored stored;
  igt_status status;

  *passes = true;
  if (!igt__filter_has_age(p->d->run.filter))
    return IGT_OK;
  status = igt__fetch_stored(&fetch, &stored, err);
  if (status == IGT_OK && !stored.modified)
    status = igt__fail(err, IGT_E_PROTOCOL, "the store does not say when it was modified");
  if (status == IGT_OK)
    *passes = igt__filter_age(p->d->run.filter, stored.modified);
  return status;
}

static void leave_incomplete(plan *p, const igt_file *file, const char *name) {
  igt__run *run = &p->d->run;
  igt_error err = IGT_ERROR_INIT;

  pthread_mutex_lock(&run->lock);
  run->summary.files_incomplete++;
  pthread_mutex_unlock(&run->lock);
  if (p->listed) {
    (void)igt__fail(
        &err, IGT_E_GONE,
        "it was replaced in the cloud after the manifest was written, by an upload that "
        "is not complete");
    report(p, file, name, NULL, IGT_RESULT_FAILED, "", &err);
    return;
  }
  report(p, file, name, NULL, IGT_RESULT_IGNORED, "its upload is not complete", NULL);
}

const char *igt__download_name(const igt_file *file) {
  return *igt__text_of(&file->file_name) ? file->file_name.v
                                         : igt__path_base(igt__text_of(&file->key));
}

static void report_planned(plan *p, const igt__fetch_file *file) {
  char *local = igt__path_join(p->d->target, file->path);
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = IGT_RESULT_PLANNED,
                            .path = file->item_path,
                            .local_path = local,
                            .key = file->key,
                            .size = file->size,
                            .replaces = file->replaces,
                            .replaced_size = file->replaced_size};

  igt__group_found(p->group, item.size);
  igt__group_item(p->group, &item);
  igt__free(local);
}

static void add_file(plan *p, const igt_file *file, const char *name, const char *path) {
  igt__fetch_file fetch = {.group = p->group,
                           .provider = p->provider,
                           .root = p->d->root,
                           .key = file->key.v,
                           .path = path,
                           .item_path = name,
                           .size = (uint64_t)file->file_size.v,
                           .keep_date = p->d->options->include_modified_date};
  const igt__manifest_entry *entry =
      p->listed ? igt__manifest_table_find(&p->table, p->list, name) : NULL;
  igt_error err = IGT_ERROR_INIT;
  igt__journal_file known;
  bool there = false;
  igt_status status;

  if (entry) {
    fetch.size = entry->size;
    fetch.etag = entry->etag;
    fetch.digest = entry->digest;
  }
  status = igt__download_is_there(p, &fetch, &there, &known, &err);
  if (status == IGT_OK && there) {
    if (!p->d->run.options.dry_run)
      igt__leftovers_remove(&p->leftovers, p->d->root, p->d->run.journal, path);
    report_skipped(p, &fetch, &known);
  } else if (status == IGT_OK && p->d->run.options.dry_run) {
    report_planned(p, &fetch);
  } else {
    if (status == IGT_OK && p->d->root && !p->is_new)
      igt__leftovers_remove_salted(&p->leftovers, p->d->root, path);
    if (status == IGT_OK)
      status = igt__fetch_add(&fetch, &err);
    if (status == IGT_OK && igt__space_check(&p->d->run, p->d->root, false, &err) != IGT_OK)
      igt__run_fatal(&p->d->run, &err);
    if (status != IGT_OK)
      report(p, file, name, path, IGT_RESULT_FAILED, "", &err);
  }
}

/* Consoles and other tools create such objects to represent folders. */
static igt_status make_folder(const plan *p, const char *name, igt_error *err) {
  char *local = NULL, *bare = igt__strndup(name, strlen(name) - 1);
  igt_status status = bare ? IGT_OK : igt__fail_memory(err);
  igt__buf path;

  igt__buf_init(&path, IGT__MAX_JOINED);
  if (status == IGT_OK && *bare)
    status = igt__path_to_local(bare, strlen(bare), p->d->rules, "the folder", &local, err);
  if (local &&
      !igt__buf_join(&path, p->folder, "/", p->subfolder, *p->subfolder ? "/" : "", local, NULL))
    status = igt__fail_memory(err);
  if (status == IGT_OK && local && p->d->root)
    status = igt__root_mkdirs(p->d->root, path.data, err);
  igt__buf_finish(&path);
  igt__free(local);
  igt__free(bare);
  return status;
}

static void take_folder(plan *p, const igt_file *file, const char *name) {
  igt_error err = IGT_ERROR_INIT;
  bool made = !*name || make_folder(p, name, &err) == IGT_OK;

  report(p, file, name, NULL, made ? IGT_RESULT_IGNORED : IGT_RESULT_FAILED,
         made ? IGT__FOLDER_TEXT : "", made ? NULL : &err);
}

/* ---- names in another form of Unicode ---- */

/* *other: the file, or a folder above it, exists here in another form; *path becomes that one.
 * local: the path below the study's folder. */
static igt_status see_form(const plan *p, const char *local, igt__buf *path, bool *other,
                           igt_error *err) {
  char *found = NULL;
  igt_status status;

  *other = false;
  if (p->d->folds || igt__is_ascii(local))
    return IGT_OK;
  status = igt__download_on_disk(p->d, path->data, &found, err);
  if (status == IGT_OK && strcmp(found, path->data) != 0) {
    *other = true;
    igt__buf_clear(path);
    status = igt__buf_puts(path, found) ? IGT_OK : igt__fail_memory(err);
  }
  igt__free(found);
  return status;
}

/* The cloud may have a file of each form: which one this is shows when the list has ended. */
static igt_status keep_twin(plan *p, const igt_file *file, igt_error *err) {
  igt_file **twins = igt__realloc(p->twins, (p->twin_count + 1) * sizeof *twins);

  if (!twins)
    return igt__fail_memory(err);
  p->twins = twins;
  if (!igt__quota_take(&p->lists, sizeof *file + strlen(file->key.v)))
    return igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err);
  if (!(twins[p->twin_count] = (igt_file *)igt_model_copy(&file->model)))
    return igt__fail_memory(err);
  p->twin_count++;
  return IGT_OK;
}

/* A place below the study's folder, of the category's subfolder. */
static bool put_path(const plan *p, igt__buf *path, const char *local) {
  return igt__buf_join(path, p->folder, "/", p->subfolder, *p->subfolder ? "/" : "", local, NULL);
}

/* local: as the cloud has it. The file gets the place of the other form unless the list has a file
 * of that name, too. */
static igt_status place_twin(plan *p, const char *local, igt__buf *path, igt_error *err) {
  const char *below;
  bool other = false;
  igt_status status = IGT_OK;

  if (!put_path(p, path, ""))
    return igt__fail_memory(err);
  size_t at = path->len;
  igt__buf_clear(path);
  if (!put_path(p, path, local))
    return igt__fail_memory(err);
  status = see_form(p, local, path, &other, err);
  below = path->data + at;
  if (status != IGT_OK || !other)
    return status;
  if (!igt__fingerprints_has(p->names, below))
    return claim_name(p, below, err);
  igt__buf_clear(path);
  return put_path(p, path, local) ? IGT_OK : igt__fail_memory(err);
}

static void take_twin(plan *p, const igt_file *file) {
  const char *name = igt__download_name(file);
  igt_error err = IGT_ERROR_INIT;
  char *local = NULL;
  igt__buf path;
  igt_status status = igt__path_to_local(name, strlen(name), p->d->rules, "the file", &local, &err);

  igt__buf_init(&path, IGT__MAX_JOINED);
  if (status == IGT_OK)
    status = place_twin(p, local, &path, &err);
  if (status == IGT_OK)
    add_file(p, file, name, path.data);
  else
    report(p, file, name, NULL, IGT_RESULT_FAILED, "", &err);
  igt__buf_finish(&path);
  igt__free(local);
}

static void take_twins(plan *p) {
  for (size_t i = 0; i < p->twin_count; i++) {
    if (!igt__run_stopping(&p->d->run))
      take_twin(p, p->twins[i]);
    igt_model_free(&p->twins[i]->model);
    igt__run_wait_events(&p->d->run);
  }
  igt__free(p->twins);
  p->twins = NULL;
  p->twin_count = 0;
}

static void take_file(plan *p, const igt_file *file, const char *name, const char *local) {
  igt_error err = IGT_ERROR_INIT;
  bool other = false;
  igt__buf path;
  igt_status status = IGT_OK;

  igt__buf_init(&path, IGT__MAX_JOINED);
  if (!put_path(p, &path, local))
    status = igt__fail_memory(&err);
  if (status == IGT_OK)
    status = see_form(p, local, &path, &other, &err);
  if (status == IGT_OK && other)
    status = keep_twin(p, file, &err);
  if (status != IGT_OK)
    report(p, file, name, NULL, IGT_RESULT_FAILED, "", &err);
  else if (!other)
    add_file(p, file, name, path.data);
  igt__buf_finish(&path);
}

/* False: it is nothing to fetch, which was reported. */
static bool has_content(plan *p, const igt_file *file, const char *name) {
  igt_error err = IGT_ERROR_INIT;

  if (igt__listed_key_check(file, p->group->s3_prefix, &err) != IGT_OK)
    report(p, file, *name ? name : "?", NULL, IGT_RESULT_FAILED, "", &err);
  else if (igt__is_folder_key(file))
    take_folder(p, file, name);
  else if (file->is_completed.is != IGT_SET || !file->is_completed.v)
    leave_incomplete(p, file, name);
  else if (p->study && !*p->subfolder && strcmp(name, "study.json") == 0)
    report(p, file, name, NULL, IGT_RESULT_IGNORED,
           "its name is reserved for the description of the study", NULL);
  else
    return true;
  return false;
}

igt_status igt__download_each_file(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name = igt__download_name(file);
  igt_error err = IGT_ERROR_INIT;
  char *local = NULL;
  bool wanted = true;

  if (igt__run_stopping(&p->d->run))
    return IGT_E_CANCELLED;
  if (list && strcmp(list, p->list) != 0)
    return IGT_OK;
  p->any = true;
  if (igt__present_add(&p->present, p->d, p->subfolder, name, &p->lists, &err) != IGT_OK)
    return err.status;
  if (!passes(p, file, name) && igt__has_key(file))
    return IGT_OK;
  if (!has_content(p, file, name))
    return IGT_OK;
  if (check_file(p, file, name, &local, &err) != IGT_OK ||
      passes_age(p, file, &wanted, &err) != IGT_OK)
    report(p, file, name, NULL, IGT_RESULT_FAILED, "", &err);
  else if (wanted)
    take_file(p, file, name, local);
  igt__free(local);
  igt__run_wait_events(&p->d->run);
  igt__sched_wait_backlog(p->d->run.sched, IGT__BACKLOG, igt__run_stopping_arg, &p->d->run);
  return igt__quota_refused(&p->lists) ? IGT_E_LIMIT : IGT_OK;
}

igt_status igt__download_list_end(plan *p, igt_status status, igt_error *err) {
  take_twins(p);
  return igt__quota_refused(&p->lists) ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                       : status;
}
