/* SPDX-License-Identifier: MIT */
/* Plans the download of one study, or of the project's own files. On a producer's thread it writes
 * study.json, lists the selected categories, and for each file checks its name, claims its path,
 * and decides whether the existing local file is up to date; the others are handed to fetch.c.
 * Files whose name exists here in another Unicode form are decided when the list has ended. Called
 * by download.c for each study. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/str.h"
#include "base/unicode.h"
#include "model/model.h"
#include "transfer/download/case_names.h"
#include "transfer/download/download.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/digest.h"
#include "transfer/engine/space.h"

/* One study (or the project's files) while it is planned. */
typedef struct plan {
  igt__download *d;
  igt_root_study *study; /* NULL: project files */
  const igt_institute *institute;
  igt__group *group;
  char *folder;                /* below the target: "institute/patient---study" */
  igt__quota lists;            /* names and case variants: the cloud decides how many */
  igt__fingerprints *names;    /* paths seen, lower case where the file system folds it */
  igt__case_names *case_names; /* NULL: the file system distinguishes all names */
  igt__s3_provider *provider;  /* of the category being listed */
  const char *subfolder;       /* of the category, or "" */
  const char *list;            /* which list of the response */
  bool any;                    /* the category being listed has files */
  bool names_any, nameless;    /* before a deletion: any list has a file, one without a name */
  bool is_new;                 /* the study is new here: its files will be wanted */
  igt_file **twins; /* files that exist here in another form of Unicode, to the list's end */
  size_t twin_count;
  const igt__manifest_study
      *listed;               /* of the manifest; NULL: there is none, all files are wanted */
  igt__manifest_table table; /* its files */
  igt__present present;      /* to delete what else is here */
  igt_error *why;            /* of what failed in each_name */
} plan;

/* ---- one file ---- */

/* path: as in the cloud; below: relative to the target; NULL if it has no place there. */
static void report(plan *p, const igt_file *file, const char *path, const char *below,
                   igt_transfer_result result, const char *text, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE, .result = result, .text = text, .error = err};
  char *local = below ? igt__path_join(p->d->target, below) : NULL;

  item.path = path;
  item.local_path = local;
  item.key = igt__text_of(&file->key);
  item.size = file->file_size.is == IGT_SET ? (uint64_t)file->file_size.v : 0;
  if (result == IGT_RESULT_FAILED || result == IGT_RESULT_PLANNED)
    igt__group_found(p->group, result == IGT_RESULT_PLANNED ? item.size : 0);
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
  igt_status status = igt__listed_check(file, err);

  *local = NULL;
  if (status == IGT_OK)
    status = igt__path_to_local(name, strlen(name), p->d->rules, "the file", local, err);
  return status == IGT_OK ? claim_name(p, *local, err) : status;
}

static igt_status compare(plan *p, const igt__fetch_file *file, bool *same,
                          igt__journal_file *known, igt_error *err) {
  igt__comparison found;
  int fd;
  igt_status status = igt__root_open_file(p->d->root, file->path, O_RDONLY, 0, false, &fd, err);

  if (status != IGT_OK)
    return status;
  status = igt__fetch_compare(file, fd, &found, err);
  igt__os_close(fd);
  *same = status == IGT_OK && found.same;
  (void)snprintf(known->digest, sizeof known->digest, "%s", found.digest);
  (void)snprintf(known->verified, sizeof known->verified, "%s", found.verified);
  return status;
}

/* Whether a file that was written to since its transfer still has the same content. Without a
 * digest in the journal this is unknown, and only its size counts. */
static bool has_still(const igt__run *run, const igt__local *local, const char *digest) {
  igt_error err = IGT_ERROR_INIT;
  bool same;
  igt_status status = igt__digest_compare(local, digest, run->cancel, &same, &err);

  return status == IGT_E_INVALID || (status == IGT_OK && same);
}

/* Tools that correct files in place often restore their date; the change time cannot be set. */
static bool is_written_since(const igt__journal_file *known, const igt__local *local) {
  return known->mtime_ns != local->mtime_ns ||
         (known->ctime_ns && known->ctime_ns != local->ctime_ns);
}

/* How it was verified when it was fetched, if it is still the same file. False: it has changed. */
static bool recall(plan *p, const igt__fetch_file *file, const igt__stat *st,
                   igt__journal_file *known) {
  igt__run *run = &p->d->run;
  char *path = run->journal ? igt__path_join(igt__root_path(p->d->root), file->path) : NULL;
  igt__local local = {.path = path, .root = p->d->root};
  bool same = true;

  igt__local_take(&local, st);
  if (!path || !igt__journal_find_file(run->journal, run->origin, file->key, path, known) ||
      known->size != local.size) {
    memset(known, 0, sizeof *known);
  } else if (is_written_since(known, &local)) {
    same = has_still(run, &local, known->digest);
    known->mtime_ns = local.mtime_ns;
    known->ctime_ns = local.ctime_ns;
    known->inode = local.inode;
    if (same && *known->digest)
      igt__journal_put_file(run->journal, run->origin, file->key, path, known);
  }
  igt__free(path);
  return same;
}

/* A local file whose size differs from the list may have the object's size: an earlier run then
 * reported it. The store is queried if the journal remembers that; without a journal, always. */
static bool is_of_stored_size(const plan *p, igt__fetch_file *file, const igt__stat *st) {
  const igt__run *run = &p->d->run;
  char *path = run->journal ? igt__path_join(igt__root_path(p->d->root), file->path) : NULL;
  uint64_t here = (uint64_t)st->st_size;
  igt__stored stored;
  igt__journal_file known;
  bool same = !run->journal ||
              (path && igt__journal_find_file(run->journal, run->origin, file->key, path, &known) &&
               known.size == here);

  igt__free(path);
  same = same && igt__fetch_stored(file, &stored, NULL) == IGT_OK && stored.size_known &&
         stored.size == here;
  if (same)
    file->size = here;
  return same;
}

/* With a manifest: whether the local file is the one that it names. Nothing is requested if the
 * manifest has a digest. */
static igt_status is_as_listed(plan *p, const igt__fetch_file *file, const igt__stat *st,
                               bool *same, igt__journal_file *known, igt_error *err) {
  igt__run *run = &p->d->run;
  char *path = igt__path_join(igt__root_path(p->d->root), file->path);
  igt__local local = {.path = path, .root = p->d->root};
  bool recalled;
  igt_status status = IGT_OK;

  if (!path)
    return igt__fail_memory(err);
  igt__local_take(&local, st);
  recalled = run->journal && *file->etag && !run->options.checksum &&
             !igt__durable_doubts(&p->d->durable, st) &&
             igt__journal_find_file(run->journal, run->origin, file->key, path, known) &&
             known->size == local.size && !is_written_since(known, &local) &&
             strcmp(known->etag, file->etag) == 0;
  if (recalled) {
    *same = true;
  } else if (*file->digest) {
    status = igt__digest_compare(&local, file->digest, run->cancel, same, err);
    (void)snprintf(known->digest, sizeof known->digest, "%s", *same ? file->digest : "");
    (void)snprintf(known->verified, sizeof known->verified, "%s", *same ? "manifest" : "");
  } else {
    status = compare(p, file, same, known, err);
  }
  igt__free(path);
  return status;
}

/* Existing files are compared by size, and by the journal if it knows more; by content with
 * --checksum. known: the file's digest and how it was verified, if known. */
static igt_status is_there(plan *p, igt__fetch_file *file, bool *there, igt__journal_file *known,
                           igt_error *err) {
  igt__stat st;
  igt_status status;

  *there = false;
  memset(known, 0, sizeof *known);
  if (!p->d->root)
    return IGT_OK;
  if (p->case_names && (status = igt__case_names_claim(p->case_names, file->path, err)) != IGT_OK)
    return status == IGT_E_NO_MEMORY ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                     : status;
  /* Most files are new. To write down that one is missing takes longer than all else here. */
  status = igt__root_stat(p->d->root, file->path, &st, NULL);
  if (status != IGT_OK && status != IGT_E_NO_FILE)
    status = igt__root_stat(p->d->root, file->path, &st, err);
  if (status == IGT_E_NO_FILE) {
    file->only_new = p->case_names != NULL;
    return IGT_OK;
  }
  if (status != IGT_OK)
    return status;
  if (S_ISDIR(st.st_mode))
    return igt__fail(err, IGT_E_COLLISION, "a folder has the file's name");
  if (file->etag && !p->d->run.options.overwrite && S_ISREG(st.st_mode))
    return (uint64_t)st.st_size == file->size ? is_as_listed(p, file, &st, there, known, err)
                                              : IGT_OK;
  if (p->d->run.options.overwrite || !S_ISREG(st.st_mode) ||
      ((uint64_t)st.st_size != file->size && !is_of_stored_size(p, file, &st)))
    return IGT_OK;
  if (p->d->run.options.checksum || igt__durable_doubts(&p->d->durable, &st))
    return compare(p, file, there, known, err);
  *there = recall(p, file, &st, known);
  return IGT_OK;
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

/* The name of a file: the path below its prefix. */
static const char *name_of(const igt_file *file) {
  return *igt__text_of(&file->file_name) ? file->file_name.v
                                         : igt__path_base(igt__text_of(&file->key));
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
  status = is_there(p, &fetch, &there, &known, &err);
  if (status == IGT_OK && there) {
    report_skipped(p, &fetch, &known);
  } else if (status == IGT_OK && p->d->run.options.dry_run) {
    report(p, file, name, path, IGT_RESULT_PLANNED, "", NULL);
  } else {
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
  const char *name = name_of(file);
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

static igt_status each_file(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name = name_of(file);
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
  if (!passes(p, file, name))
    return IGT_OK;
  if (igt__is_folder_key(file)) {
    take_folder(p, file, name);
    return IGT_OK;
  }
  if (file->is_completed.is != IGT_SET || !file->is_completed.v) {
    leave_incomplete(p, file, name);
    return IGT_OK;
  }
  if (p->study && !*p->subfolder && strcmp(name, "study.json") == 0) {
    report(p, file, name, NULL, IGT_RESULT_IGNORED,
           "its name is reserved for the description of the study", NULL);
    return IGT_OK;
  }
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

/* What ended the listing, if each_file did. */
static igt_status listed(plan *p, igt_status status, igt_error *err) {
  take_twins(p);
  return igt__quota_refused(&p->lists) ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                       : status;
}

/* ---- one study ---- */

static igt_status new_provider(plan *p, const char *below, igt_error *err) {
  igt__buf prefix;

  igt__s3_provider_unref(p->provider);
  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s%s", p->group->s3_prefix, below);
  p->provider = prefix.failed ? NULL : igt__run_provider(&p->d->run, "GET", prefix.data);
  igt__buf_finish(&prefix);
  return p->provider ? IGT_OK : igt__fail_memory(err);
}

static igt_status empty_names(plan *p, igt_error *err) {
  igt__fingerprints_free(p->names);
  p->names = igt__fingerprints_new(false, &p->lists);
  if (p->d->folds && !p->case_names)
    p->case_names = igt__case_names_new(p->d->root, p->folder, &p->lists);
  return p->names && (p->case_names || !p->d->folds) ? IGT_OK : igt__fail_memory(err);
}

static igt_status list_category(plan *p, size_t c, bool subfolders, igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_status status = new_provider(p, igt__categories[c].prefix, err);

  if (status == IGT_OK)
    status = empty_names(p, err);
  if (status != IGT_OK)
    return status;
  if (p->is_new) /* not if there may be nothing to do: it is one request per study */
    igt__s3_provider_warm(p->provider);
  p->subfolder = subfolders ? igt__categories[c].folder : "";
  p->list = igt__categories[c].folder;
  if (igt__categories[c].bit != IGT_CATEGORY_FILES)
    options.auxiliary = "True";
  status = igt_get_study_files_each(p->d->run.client, p->group->institute_id, p->group->study_id,
                                    &options, each_file, p, err);
  return listed(p, status, err);
}

/* An earlier run with other categories laid the files out in another way: in the study's folder
 * itself, or in that of their category. */
static igt_status each_name(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name = name_of(file), *folder = list ? list : p->list;
  igt_status status = igt__present_add(&p->present, p->d, "", name, &p->lists, p->why);

  if (igt__run_stopping(&p->d->run))
    return IGT_E_CANCELLED;
  p->nameless |= !*name;
  p->names_any = true;
  return status == IGT_OK ? igt__present_add(&p->present, p->d, folder, name, &p->lists, p->why)
                          : status;
}

/* Only where something would be deleted: it is two requests. */
static igt_status list_whole_study(plan *p, igt_error *err) {
  igt_status status = IGT_OK;

  p->why = err;
  p->list = igt__categories[0].folder;
  for (int auxiliary = 0; auxiliary < 2 && status == IGT_OK; auxiliary++) {
    igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
    if (auxiliary)
      options.auxiliary = "True";
    status = igt_get_study_files_each(p->d->run.client, p->group->institute_id, p->group->study_id,
                                      &options, each_name, p, err);
  }
  if (status == IGT_OK && p->nameless)
    return igt__fail(err, IGT_E_PROTOCOL,
                     "the cloud lists a file without a name, so its list cannot be relied on");
  return igt__quota_refused(&p->lists) ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                       : status;
}

static igt_status collect_surplus(plan *p, unsigned wanted, igt_error *err) {
  bool any = false;
  igt_status status = igt__surplus_look(p->d, p->group, p->folder, &p->present, wanted, &any, err);

  if (status == IGT_OK && any)
    status = list_whole_study(p, err);
  if (status == IGT_OK && any && !p->names_any) {
    igt__run_message(&p->d->run, IGT_OK,
                     "%s: the cloud lists no files for this study, so nothing was deleted in '%s'; "
                     "if that is right, delete the folder yourself",
                     p->group->label, p->folder);
    any = false;
  }
  return status == IGT_OK && any
             ? igt__surplus_collect(p->d, p->group, p->folder, &p->present, wanted, err)
             : status;
}

static bool same_content(igt__root *root, const char *path, const igt__buf *text, bool *is_new) {
  igt__stat st;
  int fd = -1;
  bool same = false;
  char *old;

  *is_new = igt__root_open_file(root, path, O_RDONLY, 0, false, &fd, NULL) != IGT_OK;
  if (*is_new)
    return false;
  old = igt__malloc(text->len + 1);
  if (old && igt__os_fstat(fd, &st) == 0 && (size_t)st.st_size == text->len)
    same = igt__os_read(fd, old, text->len + 1) == (ssize_t)text->len &&
           memcmp(old, text->data, text->len) == 0;
  igt__free(old);
  igt__os_close(fd);
  return same;
}

static igt_status write_study_json(plan *p, igt_error *err) {
  igt__buf text;
  igt_status status = IGT_OK;
  char *path = igt__path_join(p->folder, "study.json");

  igt__buf_init(&text, IGT__MAX_STUDY_JSON);
  if (!path || !igt__model_write(&text, &p->study->model, IGT__JSON_INDENT4, IGT__WRITE_ISO_DATES))
    status = text.too_long ? igt__fail(err, IGT_E_LIMIT, "the study has too many fields")
                           : igt__fail_memory(err);
  else if (!same_content(p->d->root, path, &text, &p->is_new))
    status = igt__root_write_file(p->d->root, path, text.data, text.len, 0666, err);
  igt__buf_finish(&text);
  igt__free(path);
  return status;
}

/* Files of the manifest that the cloud did not list. */
static void report_vanished(plan *p) {
  const char *key;
  void *value;

  for (size_t i = 0; igt__map_at(p->table.files, i, &key, &value); i++) {
    const igt__manifest_entry *entry = value;
    const char *name = strchr(key, '/') + 1;
    igt_error err = IGT_ERROR_INIT;
    igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                              .result = IGT_RESULT_FAILED,
                              .path = name,
                              .size = entry->size,
                              .error = &err};
    if (entry->seen)
      continue;
    (void)igt__fail(&err, IGT_E_GONE, "it is in the manifest, but no longer in the cloud");
    igt__group_found(p->group, 0);
    igt__group_item(p->group, &item);
    igt__run_wait_events(&p->d->run);
  }
}

static igt_status plan_files(plan *p, igt_error *err) {
  unsigned wanted = p->d->options->categories ? p->d->options->categories : IGT_CATEGORY_FILES;
  bool several = (wanted & (wanted - 1)) != 0;
  igt_status status = igt__group_check_prefix(p->group, err);

  if (status == IGT_OK && p->listed)
    status = igt__manifest_table_open(p->d->manifest, p->listed, &p->lists, &p->table, err);
  if (status == IGT_OK)
    status = igt__present_begin(&p->present, p->d, p->folder, p->group->study_id, &p->lists, err);
  if (status == IGT_OK && !p->d->run.options.dry_run)
    status = write_study_json(p, err);
  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK; c++)
    if (wanted & igt__categories[c].bit)
      status = list_category(p, c, several, err);
  if (status == IGT_OK && p->listed)
    report_vanished(p);
  if (status == IGT_OK)
    status = collect_surplus(p, wanted, err);
  if (status == IGT_OK && !p->d->options->categories && !p->any)
    igt__other_categories_look(&p->d->elsewhere, p->d->run.client, p->group->institute_id,
                               p->group->study_id);
  igt__run_listed(&p->d->run, &p->lists);
  return status == IGT_OK ? igt__space_check(&p->d->run, p->d->root, true, err) : status;
}

static void plan_free(plan *p) {
  igt__fingerprints_free(p->names);
  igt__case_names_free(p->case_names);
  igt__manifest_table_close(&p->table);
  igt__present_end(&p->present);
  igt__s3_provider_unref(p->provider);
  igt_model_free(p->study ? &p->study->model : NULL);
  igt__free(p->folder);
  igt__free(p);
}

static void release_slot(igt__group *group) {
  igt__semaphore_release(&((igt__download *)group->owner)->studies);
}

static void end_plan(plan *p, igt_status status, const igt_error *err) {
  igt__run *run = &p->d->run;

  igt__group_planned(p->group, status, err);
  plan_free(p);
  igt__run_task_end(run);
}

static void study_task(void *arg) {
  plan *p = arg;
  igt_error err = IGT_ERROR_INIT;

  end_plan(p, plan_files(p, &err), &err);
}

static igt_status open_plan(igt__download *d, const igt_institute *institute,
                            const igt_root_study *study, plan **out, igt_error *err) {
  const char *id = igt__text_of(&study->study_database_id);
  const char *human = igt__text_of(&study->study_id_human_readable);
  plan *p = igt__calloc(1, sizeof *p);

  *out = p;
  if (!p)
    return igt__fail_memory(err);
  p->d = d;
  igt__quota_init_part(&p->lists, &d->run.lists);
  p->institute = institute;
  p->listed = d->manifest ? igt__manifest_find(d->manifest, id) : NULL;
  p->study = (igt_root_study *)igt_model_copy(&study->model);
  p->group = igt__group_open(&d->run, igt__text_of(&institute->name), igt__text_of(&institute->id),
                             *human ? human
                             : *id  ? id
                                    : "?",
                             id, igt__text_of(&study->s3_prefix));
  if (!p->study || !p->group)
    return igt__fail_memory(err);
  p->group->owner = d;
  p->group->on_settled = release_slot;
  if (!*id)
    return igt__fail(err, IGT_E_REQUIRED, "the cloud lists a study without an id");
  return igt__download_folder(d, institute, *human ? human : id, id, &p->folder, err);
}

igt_status igt__download_study(igt__download *d, const igt_institute *institute,
                               const igt_root_study *study, igt_error *err) {
  plan *p;
  igt_status status;

  if (!igt__semaphore_acquire(&d->studies))
    return IGT_E_CANCELLED;
  status = open_plan(d, institute, study, &p, err);
  if (!p || !p->group) {
    igt__semaphore_release(&d->studies);
    if (p)
      plan_free(p);
    return status;
  }
  igt__run_task_begin(&d->run);
  if (status == IGT_OK)
    igt__pool_add(d->run.producers, study_task, p);
  else
    end_plan(p, status, err);
  return IGT_OK;
}

/* ---- the project's files ---- */

static igt_status begin_project_files(igt__download *d, plan **out, igt_error *err) {
  plan *p = igt__calloc(1, sizeof *p);

  *out = p;
  if (!p)
    return igt__fail_memory(err);
  p->d = d;
  igt__quota_init_part(&p->lists, &d->run.lists);
  p->folder = igt__strdup("files");
  p->subfolder = "";
  p->list = "files";
  p->group = igt__group_open(&d->run, "", "", "", "", igt__text_of(&d->found.project->s3_prefix));
  if (!p->group || !p->folder)
    return igt__fail_memory(err);
  return IGT_OK;
}

void igt__download_project_files(void *download) {
  igt__download *d = download;
  igt_error err = IGT_ERROR_INIT;
  plan *p;
  igt_status status = begin_project_files(d, &p, &err);

  if (!p || !p->group) {
    igt__run_fatal(&d->run, &err);
    if (p)
      plan_free(p);
    igt__run_task_end(&d->run);
    return;
  }
  if (status == IGT_OK)
    status = new_provider(p, "", &err);
  if (status == IGT_OK)
    status = empty_names(p, &err);
  if (status == IGT_OK)
    status = listed(p,
                    igt_get_project_files_each(d->run.client, igt__text_of(&d->found.project->id),
                                               NULL, each_file, p, &err),
                    &err);
  if (status == IGT_OK)
    status = igt__space_check(&d->run, d->root, true, &err);
  end_plan(p, status, &err);
}
