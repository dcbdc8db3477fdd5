/* SPDX-License-Identifier: MIT */
/* Deleting local files that the cloud does not have. It errs on the side of keeping: names are
 * compared in NFC and without case, a folder counts only if its study.json named the study before
 * this run, and files that filters leave out, links, metadata of macOS and Windows, unfinished
 * downloads and the folders of other categories stay. Called by download_study.c while it plans,
 * and by download.c at the end. */
#include "transfer/download/surplus.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/unicode.h"
#include "base/walk.h"
#include "transfer/download/download.h"
#include "transfer/engine/tree.h"

struct igt__surplus_file {
  igt__surplus_file *next;
  const char *institute, *study, *study_id;
  const char *path;  /* below the study's folder */
  const char *below; /* below the target */
  igt__stat st;
};

igt_status igt__surplus_init(igt__surplus *extra, uint64_t most, igt_error *err) {
  memset(extra, 0, sizeof *extra);
  (void)pthread_mutex_init(&extra->lock, NULL);
  extra->most = most;
  extra->last = &extra->first;
  extra->arena = igt__arena_new(0);
  return extra->arena ? IGT_OK : igt__fail_memory(err);
}

void igt__surplus_finish(igt__surplus *extra) {
  if (!extra->last)
    return;
  igt__arena_free(extra->arena);
  (void)pthread_mutex_destroy(&extra->lock);
}

/* ---- what the cloud has ---- */

igt_status igt__present_begin(igt__present *present, const igt__download *d, const char *folder,
                              const char *study_id, igt__quota *quota, igt_error *err) {
  igt__json *doc = NULL;
  bool ours;

  memset(present, 0, sizeof *present);
  if (!d->options->delete_extra || !d->root)
    return IGT_OK;
  ours = igt__sidecar_read(d->root, folder, &doc, NULL) == IGT_OK &&
         igt__str_eq(igt__json_get_str(doc, "studyDatabaseId"), study_id);
  igt__json_free(doc);
  if (!ours)
    return IGT_OK;
  present->paths = igt__fingerprints_new(false, quota);
  return present->paths ? IGT_OK : igt__fail_memory(err);
}

static unsigned category_named(const char *path) {
  size_t n = strcspn(path, "/");

  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    if (strlen(igt__categories[c].folder) == n && strncmp(igt__categories[c].folder, path, n) == 0)
      return igt__categories[c].bit;
  return 0;
}

igt_status igt__present_add(igt__present *present, const igt__download *d, const char *subfolder,
                            const char *name, igt__quota *quota, igt_error *err) {
  char *local = NULL, *path = NULL, *key = NULL;
  igt_status status = IGT_OK;

  if (!present->paths ||
      igt__path_to_local(name, strlen(name), d->rules, "the file", &local, NULL) != IGT_OK)
    return IGT_OK; /* a name that no local file can have */
  if (!*subfolder)
    present->folders |= category_named(local);
  path = *subfolder ? igt__path_join(subfolder, local) : igt__strdup(local);
  key = path ? igt__nfc_fold(path) : NULL;
  if (!key || !igt__fingerprints_set(present->paths, key, 0))
    status = igt__list_fail(quota, "files", IGT__LIST_FILES, err);
  igt__free(local);
  igt__free(path);
  igt__free(key);
  return status;
}

void igt__present_end(igt__present *present) {
  igt__fingerprints_free(present->paths);
  present->paths = NULL;
}

/* ---- what else is here ---- */

/* They end a walk, beside 2 (stopped) and 3 (no memory). */
#define FOUND 4
#define UNREADABLE 5

typedef struct collecting {
  igt__download *d;
  const igt__group *group;
  const char *folder;
  const igt__present *present;
  unsigned wanted;
  bool several;
  bool only_look; /* ends at the first one */
  igt_error *err; /* of what is unreadable, with its status */
  igt_status status;
} collecting;

static bool is_present(const collecting *c, const char *path, bool *present) {
  char *key = igt__nfc_fold(path);

  *present = key && igt__fingerprints_has(c->present->paths, key);
  igt__free(key);
  return key != NULL;
}

/* Whether the options are about such a file at all. path: below the category's folder. */
static bool is_meant(const collecting *c, const igt__walk_entry *e, const char *path) {
  const igt__run *run = &c->d->run;

  return igt__path_has_extension(path, c->d->options->selection->ext) && igt__wanted(run, path) &&
         igt__filter_size(run->filter, (uint64_t)e->st.st_size) &&
         igt__filter_age(run->filter, (int64_t)e->st.st_mtim.tv_sec);
}

static bool keep(collecting *c, const igt__walk_entry *e) {
  igt__surplus *extra = &c->d->extra;
  igt__surplus_file *file = NULL;
  bool good = true;

  pthread_mutex_lock(&extra->lock);
  if (++extra->count <= extra->most) {
    file = igt__arena_calloc(extra->arena, 1, sizeof *file);
    good = file != NULL;
  }
  if (file) {
    file->institute = igt__arena_strdup(extra->arena, c->group->institute);
    file->study = igt__arena_strdup(extra->arena, c->group->study);
    file->study_id = igt__arena_strdup(extra->arena, c->group->study_id);
    file->path = igt__arena_strdup(extra->arena, e->path);
    file->below = igt__arena_printf(extra->arena, "%s/%s", c->folder, e->path);
    file->st = e->st;
    good = file->institute && file->study && file->study_id && file->path && file->below;
  }
  if (file && good) {
    *extra->last = file;
    extra->last = &file->next;
  }
  pthread_mutex_unlock(&extra->lock);
  return good;
}

/* 1: not entered. Folders of categories that were not listed are not ours to judge. */
static int pass_folder(const collecting *c, const char *path) {
  unsigned category = strchr(path, '/') ? 0 : category_named(path);

  if (strchr(path, '/'))
    return 0;
  if (c->several)
    return !(category & c->wanted);
  return category && !(category & c->present->folders);
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  collecting *c = payload;
  const char *path = c->several ? strchr(e->path, '/') : e->path;
  bool present = true;

  if (igt__run_stopping(&c->d->run))
    return 2;
  if (e->kind == IGT__WALK_DIR)
    return pass_folder(c, e->path);
  if (e->kind == IGT__WALK_UNREADABLE) {
    c->status = igt__fail_errno(c->err, e->os_error, "cannot look for files to delete in '%s/%s'",
                                c->folder, e->path);
    return UNREADABLE;
  }
  if (e->kind != IGT__WALK_FILE || !path || strcmp(e->path, IGT__SIDECAR) == 0 ||
      igt__is_clutter(e->path) || (e->name[0] == '.' && igt__str_ends(e->name, ".igtpart")))
    return 0;
  if (!is_present(c, e->path, &present))
    return 3;
  if (present || !is_meant(c, e, path + c->several))
    return 0;
  if (c->only_look)
    return FOUND;
  return keep(c, e) ? 0 : 3;
}

static igt_status walk(collecting *c, int *ended, igt_error *err) {
  igt_status status = IGT_OK;

  *ended = 0;
  c->several = (c->wanted & (c->wanted - 1)) != 0;
  c->err = err;
  if (c->present->paths)
    status = igt__walk(c->d->root, c->folder, each_entry, c, ended, err);
  return status == IGT_OK && *ended == UNREADABLE ? c->status : status;
}

igt_status igt__surplus_look(igt__download *d, const igt__group *group, const char *folder,
                             const igt__present *present, unsigned wanted, bool *any,
                             igt_error *err) {
  collecting c = {d, group, folder, present, wanted, false, true, NULL, IGT_OK};
  int ended;
  igt_status status = walk(&c, &ended, err);

  *any = ended == FOUND;
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended == 2 ? IGT_E_CANCELLED : status;
}

igt_status igt__surplus_collect(igt__download *d, const igt__group *group, const char *folder,
                                const igt__present *present, unsigned wanted, igt_error *err) {
  collecting c = {d, group, folder, present, wanted, false, false, NULL, IGT_OK};
  int ended;
  igt_status status = walk(&c, &ended, err);

  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended ? IGT_E_CANCELLED : status;
}

/* ---- at the end ---- */

/* It must still be the file that was seen. */
static igt_status delete_one(const igt__download *d, const igt__surplus_file *file,
                             igt_error *err) {
  igt__stat now;
  bool found;
  igt_status status = igt__root_look(d->root, file->below, &found, &now, err);

  if (status != IGT_OK || !found)
    return status;
  if (!S_ISREG(now.st_mode) || now.st_ino != file->st.st_ino || now.st_size != file->st.st_size ||
      now.st_mtim.tv_sec != file->st.st_mtim.tv_sec)
    return igt__fail(err, IGT_E_CHANGED, "it was changed in the meantime, so it was not deleted");
  return igt__root_unlink(d->root, file->below, err);
}

static void report(igt__download *d, const igt__surplus_file *file, igt_transfer_result result,
                   const igt_error *err) {
  char *local = igt__path_join(d->target, file->below);
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = result,
                            .institute = file->institute,
                            .study = file->study,
                            .study_id = file->study_id,
                            .path = file->path,
                            .local_path = local,
                            .size = (uint64_t)file->st.st_size,
                            .text = "the cloud does not have it",
                            .error = err};

  igt__run_item(&d->run, &item);
  igt__run_deliver(&d->run);
  igt__free(local);
}

igt_status igt__surplus_delete(igt__download *d, igt_transfer_summary *summary, igt_error *err) {
  const igt__surplus *extra = &d->extra;
  bool dry = d->run.options.dry_run;
  uint64_t failed = 0;

  for (const igt__surplus_file *f = extra->first; f && (dry || extra->count <= extra->most);
       f = f->next) {
    igt_error own = IGT_ERROR_INIT;
    igt_status status = dry ? IGT_OK : delete_one(d, f, &own);
    report(d, f,
           status != IGT_OK ? IGT_RESULT_FAILED
           : dry            ? IGT_RESULT_PLANNED_DELETION
                            : IGT_RESULT_DELETED,
           status != IGT_OK ? &own : NULL);
    summary->files_deleted += status == IGT_OK;
    failed += status != IGT_OK;
  }
  summary->files_failed += failed;
  if (extra->count > extra->most)
    return igt__fail(
        err, IGT_E_SOME_FAILED,
        "%llu local files are not in the cloud, more than the %llu that may be deleted "
        "(--max-delete): nothing was deleted",
        (unsigned long long)extra->count, (unsigned long long)extra->most);
  if (failed)
    return igt__fail(err, IGT_E_SOME_FAILED, "%llu files could not be deleted",
                     (unsigned long long)failed);
  return IGT_OK;
}
