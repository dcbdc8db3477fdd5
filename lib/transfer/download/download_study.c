/* SPDX-License-Identifier: MIT */
/* Plans the download of one study, or of the project's own files. On a producer's thread it writes
 * study.json and lists the selected categories; download_file.c decides about each file. After the
 * last list it reports files that only a manifest has, and collects local files that the cloud does
 * not have, if they are to be deleted. Called by download.c for each study. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/download/download_plan.h"
#include "transfer/engine/layout.h"
#include "transfer/engine/space.h"
#include "transfer/engine/tree.h"

typedef igt__download_plan plan;

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
  igt_status status = new_provider(p, igt__categories[c].prefix, err);

  if (status == IGT_OK)
    status = empty_names(p, err);
  if (status != IGT_OK)
    return status;
  if (p->is_new) /* not if there may be nothing to do: it is one request per study */
    igt__s3_provider_warm(p->provider);
  p->subfolder = subfolders ? igt__categories[c].folder : "";
  p->list = igt__categories[c].folder;
  status = igt__group_each_file(p->group, NULL, igt__categories[c].bit != IGT_CATEGORY_FILES,
                                igt__download_each_file, p, err);
  return igt__download_list_end(p, status, err);
}

/* An earlier run with other categories laid the files out in another way: in the study's folder
 * itself, or in that of their category. */
static igt_status each_name(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name = igt__download_name(file), *folder = list ? list : p->list;
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
  for (int auxiliary = 0; auxiliary < 2 && status == IGT_OK; auxiliary++)
    status = igt__group_each_file(p->group, NULL, auxiliary, each_name, p, err);
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

/* ---- where the files go ---- */

/* What tells a folder that an earlier download of several categories divided from one whose study
 * has folders that are called as ours for categories. */
typedef struct division {
  plan *p;
  igt__layout layout;
  bool own_files, own_dicom; /* listed files lie in a folder of this name */
  igt_error *err;
} division;

static igt_status each_place(void *payload, const char *list, igt_file *file) {
  division *d = payload;
  plan *p = d->p;
  const char *name = igt__download_name(file);

  if (igt__run_stopping(&p->d->run))
    return IGT_E_CANCELLED;
  if (list && strcmp(list, "files") != 0)
    return IGT_OK;
  d->own_files |= igt__str_starts(name, "files/");
  d->own_dicom |= igt__str_starts(name, "dicom/");
  return igt__layout_look(&d->layout, p->d->root, p->folder, name, d->err);
}

static igt_status has_folder(const plan *p, const char *name, bool *has, igt_error *err) {
  char *path = igt__path_join(p->folder, name);
  igt_status status = path ? igt__folder_look(p->d->root, path, has, err) : igt__fail_memory(err);

  igt__free(path);
  return status;
}

/* Files beside a folder "files" would be a second copy, which no upload sends and no verify finds.
 * The list is read once more only if there is such a folder. */
static igt_status see_division(plan *p, bool *divided, igt_error *err) {
  bool files = false, dicom = false;
  division d = {.p = p, .err = err};
  igt_status status = p->d->root ? has_folder(p, "files", &files, err) : IGT_OK;

  if (status == IGT_OK && p->d->root)
    status = has_folder(p, "dicom", &dicom, err);
  if (status != IGT_OK || (!files && !dicom))
    return status;
  status = igt__group_each_file(p->group, NULL, false, each_place, &d, err);
  if ((files && !d.own_files) || (dicom && !d.own_dicom))
    *divided = !igt__layout_is_direct(&d.layout);
  else
    *divided = d.layout.divided > d.layout.direct;
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
  bool divided = (wanted & (wanted - 1)) != 0;
  igt_status status = igt__group_check_prefix(p->group, err);

  if (status == IGT_OK && p->listed)
    status = igt__manifest_table_open(p->d->manifest, p->listed, &p->lists, &p->table, err);
  if (status == IGT_OK)
    status = igt__present_begin(&p->present, p->d, p->folder, p->group->study_id, &p->lists, err);
  if (status == IGT_OK && wanted == IGT_CATEGORY_FILES)
    status = see_division(p, &divided, err);
  if (status == IGT_OK && !p->d->run.options.dry_run)
    status = write_study_json(p, err);
  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK; c++)
    if (wanted & igt__categories[c].bit)
      status = list_category(p, c, divided, err);
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
  igt__leftovers_finish(&p->leftovers);
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
    status =
        igt__download_list_end(p,
                               igt__group_each_file(p->group, igt__text_of(&d->found.project->id),
                                                    false, igt__download_each_file, p, &err),
                               &err);
  if (status == IGT_OK)
    status = igt__space_check(&d->run, d->root, true, &err);
  end_plan(p, status, &err);
}
