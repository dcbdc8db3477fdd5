/* SPDX-License-Identifier: MIT */
/* Compares one study, or the project's files, with its local folder. On a producer's thread it
 * loads the cloud's list into remotes.c, walks the local files, reports what exists on one side
 * only or differs in size, and hands the rest to compare.c; the listed files that the walk did not
 * meet are reported at the end. Called by verify.c. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/walk.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/layout.h"
#include "transfer/engine/tree.h"
#include "transfer/verify/compare.h"
#include "transfer/verify/remotes.h"
#include "transfer/verify/verify.h"

/* One study, or the project's files. */
typedef struct plan {
  igt__verify *v;
  igt__group *group;
  bool there;   /* exists in the cloud; else all of its files are missing there */
  char *folder; /* below the root; NULL: it is not here, and all is missing here */
  /* of the category being compared */
  igt__quota lists; /* files: the cloud decides how many they are */
  igt__remotes *files;
  bool own_folders; /* some lie in folders that are called as ours for categories */
  const char *list; /* which list of the response */
  char *content;    /* folder of its files, below the root */
  bool whole;       /* it may contain a study.json */
  igt__s3_provider *provider;
  /* of all categories */
  bool any_here;  /* the folder has files, whether or not they are compared */
  bool described; /* it has a study.json */
  bool named;     /* a file, here or there, was reported */
} plan;

/* ---- one file that needs no reading ---- */

static void report(plan *p, const char *name, const char *local, const igt__remote *r,
                   igt_transfer_result result, const char *text, const igt_error *err) {
  igt_transfer_item item = {
      .kind = IGT_ITEM_FILE, .result = result, .path = name, .text = text, .error = err};
  char *path = local ? igt__path_join(igt__root_path(p->v->root), local) : NULL;

  p->named = true;
  item.local_path = path;
  item.key = r ? r->key : NULL;
  item.size = r ? r->size : 0;
  igt__group_found(p->group, 0);
  igt__group_item(p->group, &item);
  igt__free(path);
}

/* By type, as in a download; a file that exists only locally has only its name. */
static bool has_extension(const igt__verify *v, const char *name, const char *type) {
  const char *ext = v->options->selection->ext;

  return type && ext ? igt__str_eq_nocase(ext, type) : igt__path_has_extension(name, ext);
}

/* ---- the cloud's files ---- */

/* A file that is missing here. */
static void report_missing(plan *p, const char *name, const igt__remote *r) {
  if (!r->completed) {
    pthread_mutex_lock(&p->v->run.lock);
    p->v->run.summary.files_incomplete++;
    pthread_mutex_unlock(&p->v->run.lock);
    report(p, name, NULL, r, IGT_RESULT_IGNORED, "its upload is not complete", NULL);
  } else if (p->whole && strcmp(name, IGT__SIDECAR) == 0) {
    report(p, name, NULL, r, IGT_RESULT_IGNORED,
           "its name is reserved for the description of the study", NULL);
  } else {
    report(p, name, NULL, r, IGT_RESULT_MISSING_HERE, "", NULL);
  }
  igt__run_wait_events(&p->v->run);
}

/* Whether a listed file is to be compared, and its relevant fields. */
static bool take_remote(const plan *p, const char *list, const igt_file *file, const char **name,
                        igt__remote *r) {
  if (list && strcmp(list, p->list) != 0)
    return false;
  *name = *igt__text_of(&file->file_name) ? file->file_name.v
                                          : igt__path_base(igt__text_of(&file->key));
  r->key = igt__text_of(&file->key);
  r->size =
      file->file_size.is == IGT_SET && file->file_size.v > 0 ? (uint64_t)file->file_size.v : 0;
  r->completed = file->is_completed.is == IGT_SET && file->is_completed.v;
  r->wanted = has_extension(p->v, *name, igt__text_of(&file->type)) &&
              igt__filter_size(p->v->run.filter, r->size);
  return true;
}

/* By the object's date, for which the store is queried. If it does not say, the file is compared,
 * which reports why. */
static bool passes_age(const plan *p, const igt__remote *r) {
  igt__fetch_file fetch = {
      .group = p->group, .provider = p->provider, .root = p->v->root, .key = r->key};
  igt__stored stored;

  return !igt__filter_has_age(p->v->run.filter) || !*r->key || !r->completed ||
         igt__fetch_stored(&fetch, &stored, NULL) != IGT_OK || !stored.modified ||
         igt__filter_age(p->v->run.filter, stored.modified);
}

/* A file that the cloud does not have. */
static bool passes_here(const plan *p, const igt__walk_entry *e, const char *name) {
  const igt__filter *filter = p->v->run.filter;

  return has_extension(p->v, name, NULL) && igt__wanted(&p->v->run, name) &&
         igt__filter_size(filter, (uint64_t)e->st.st_size) &&
         igt__filter_age(filter, (int64_t)e->st.st_mtim.tv_sec);
}

/* Its local file is not compared. */
static igt_status report_wrong_key(plan *p, const igt_file *file, const char *name,
                                   igt__remote *r) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__listed_key_check(file, p->group->s3_prefix, &err);
  report(p, *name ? name : "?", NULL, r, IGT_RESULT_FAILED, "", &err);
  igt__run_wait_events(&p->v->run);
  r->wanted = false;
  return igt__remotes_have(p->files, name) || igt__remotes_add(p->files, name, r) ? IGT_OK
                                                                                  : IGT_E_NO_MEMORY;
}

static igt_status each_remote(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  igt_error err = IGT_ERROR_INIT;
  const char *name;
  igt__remote r;

  if (igt__run_stopping(&p->v->run))
    return IGT_E_CANCELLED;
  if (!take_remote(p, list, file, &name, &r))
    return IGT_OK;
  if (!igt__has_key(file))
    return report_wrong_key(p, file, name, &r);
  p->own_folders |= igt__layout_is_own(name);
  if (igt__is_folder_key(file)) {
    report(p, name, NULL, &r, IGT_RESULT_IGNORED, IGT__FOLDER_TEXT, NULL);
    igt__run_wait_events(&p->v->run);
    return IGT_OK;
  }
  if (!igt__wanted(&p->v->run, name)) /* nor would the local one be */
    return IGT_OK;
  if (igt__remotes_have(p->files, name)) {
    (void)igt__fail(&err, IGT_E_COLLISION, "the study has another file of this name");
    report(p, name, NULL, NULL, IGT_RESULT_FAILED, "", &err);
    igt__run_wait_events(&p->v->run);
    return IGT_OK;
  }
  if (igt__listed_key_check(file, p->group->s3_prefix, NULL) != IGT_OK)
    return report_wrong_key(p, file, name, &r);
  r.wanted = r.wanted && passes_age(p, &r);
  if (!igt__remotes_add(p->files, name, &r))
    return IGT_E_NO_MEMORY;
  if (!p->folder && r.wanted && igt__remotes_see(p->files, name))
    report_missing(p, name, &r);
  return IGT_OK;
}

/* Files that the walk did not meet: their names are in the cloud's list, but not here. */
static igt_status each_unseen(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name;
  igt__remote r;

  if (igt__run_stopping(&p->v->run))
    return IGT_E_CANCELLED;
  if (take_remote(p, list, file, &name, &r) && igt__remotes_see(p->files, name))
    report_missing(p, name, &r);
  return IGT_OK;
}

static igt_status list_files(plan *p, unsigned category, igt_files_fn each, void *payload,
                             igt_error *err) {
  const char *project = *p->group->study ? NULL : igt__text_of(&p->v->found.project->id);
  igt_status status =
      igt__group_each_file(p->group, project, category != IGT_CATEGORY_FILES, each, payload, err);

  return status == IGT_E_NO_MEMORY ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                   : status;
}

/* ---- local files ---- */

static void compare(plan *p, const igt__walk_entry *e, const char *name, const char *local,
                    const igt__remote *r) {
  igt__compare_file file = {.group = p->group,
                            .provider = p->provider,
                            .readers = p->v->readers,
                            .root = p->v->root,
                            .path = local,
                            .key = r->key,
                            .item_path = name,
                            .size = (uint64_t)e->st.st_size,
                            .listed = r->size,
                            .is_upload_only = p->v->is_upload_only};
  igt_error err = IGT_ERROR_INIT;

  p->named = true;
  if (igt__compare_add(&file, &err) != IGT_OK)
    report(p, name, local, r, IGT_RESULT_FAILED, "", &err);
}

/* r NULL: the cloud has no such file. */
static void take_file(plan *p, const igt__walk_entry *e, const char *name, const char *local,
                      const igt__remote *r) {
  igt__remote mine = {.key = "", .size = (uint64_t)e->st.st_size};

  if (r)
    (void)igt__remotes_see(p->files, name);
  if (!r)
    report(p, name, local, &mine, IGT_RESULT_MISSING_THERE, "", NULL);
  else if (!r->completed)
    report(p, name, local, r, IGT_RESULT_MISSING_THERE, "its upload is not complete", NULL);
  else
    compare(p, e, name, local, r);
}

static bool leave_clutter(plan *p, const igt__walk_entry *e, const char *local) {
  char *path = igt__path_join(igt__root_path(p->v->root), local);
  igt_transfer_item item = {
      .kind = IGT_ITEM_FILE, .path = e->path, .local_path = path, .size = (uint64_t)e->st.st_size};
  bool left = igt__leave_clutter(&p->v->run, e->path, &item);

  if (left)
    igt__group_item(p->group, &item);
  igt__free(path);
  return left;
}

static void take_entry(plan *p, const igt__walk_entry *e, const char *name, const char *local) {
  igt__remote found;
  const igt__remote *r = igt__remotes_find(p->files, name, &found) ? &found : NULL;
  igt_error err = IGT_ERROR_INIT;

  if (r ? !r->wanted : !passes_here(p, e, name))
    return;
  if (!r && leave_clutter(p, e, local))
    return;
  if (e->kind == IGT__WALK_UNREADABLE) {
    (void)igt__fail_errno(&err, e->os_error, "it cannot be read");
    report(p, name, local, NULL, IGT_RESULT_FAILED, "", &err);
  } else if (e->kind == IGT__WALK_LINK) {
    report(p, name, local, NULL, IGT_RESULT_IGNORED, IGT__LINK_LEFT_OUT, NULL);
  } else if (e->kind == IGT__WALK_SPECIAL) {
    report(p, name, local, NULL, IGT_RESULT_IGNORED, "it is not a regular file", NULL);
  } else if (e->name[0] == '.' && igt__str_ends(e->name, ".igtpart")) {
    report(p, name, local, NULL, IGT_RESULT_IGNORED, "it is an unfinished download", NULL);
  } else {
    take_file(p, e, name, local, r);
  }
}

/* The file's name in the cloud; NULL: no memory. A name in another Unicode form (NFC, NFD) matches
 * the listed one, unless another local file has exactly that name. */
static char *name_there(const plan *p, const igt__walk_entry *e) {
  char *name = igt__path_from_local(e->path), *twin, *there;
  const char *form = name ? igt__remotes_other_form(p->files, name) : NULL;
  igt__stat st;
  bool found = true;

  if (!form || strcmp(form, name) == 0) {
    if (!form)
      igt__free(name);
    return form ? name : NULL;
  }
  twin = igt__path_join(p->content, form);
  there = igt__strdup(form);
  if (twin && igt__root_look(p->v->root, twin, &found, &st, NULL) == IGT_OK && found &&
      st.st_ino == e->st.st_ino)
    found = false;
  igt__free(twin);
  igt__free(found ? there : name);
  return found ? name : there;
}

/* Clutter is not what a study consists of. */
static void note_here(plan *p, const igt__walk_entry *e, bool is_sidecar) {
  p->described |= is_sidecar;
  p->any_here |= !is_sidecar && !igt__is_clutter(e->path);
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  plan *p = payload;
  igt__run *run = &p->v->run;
  bool is_sidecar = p->whole && strcmp(e->path, IGT__SIDECAR) == 0;
  char *name, *local;

  if (igt__run_stopping(run))
    return 2;
  if (e->kind == IGT__WALK_DIR)
    return 0;
  note_here(p, e, is_sidecar);
  if (is_sidecar)
    return 0;
  name = name_there(p, e);
  local = igt__path_join(p->content, e->path);
  if (name && local)
    take_entry(p, e, name, local);
  igt__free(local);
  igt__run_wait_events(run);
  igt__sched_wait_backlog(run->sched, IGT__BACKLOG, igt__run_stopping_arg, run);
  if (!name)
    return 3;
  igt__free(name);
  return local ? 0 : 3;
}

static igt_status walk_content(plan *p, igt_error *err) {
  int ended = 0;
  bool is_folder;
  igt_status status = igt__folder_look(p->v->root, p->content, &is_folder, err);

  if (status == IGT_OK && is_folder)
    status = igt__walk(p->v->root, p->content, each_entry, p, &ended, err);
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended ? IGT_E_CANCELLED : status;
}

/* ---- one study ---- */

/* Looking for the files that the cloud lists. */
typedef struct content_search {
  plan *p;
  igt__layout layout;
  igt_error *err;
} content_search;

static igt_status each_place(void *payload, const char *list, igt_file *file) {
  content_search *l = payload;
  plan *p = l->p;
  const char *name;
  igt__remote r;

  if (igt__run_stopping(&p->v->run))
    return IGT_E_CANCELLED;
  return take_remote(p, list, file, &name, &r)
             ? igt__layout_look(&l->layout, p->v->root, p->folder, name, l->err)
             : IGT_OK;
}

/* The folder's shape says where the files are, unless the study has folders that are called as
 * ours: then the list is read once more, to look for the files in both places. */
static igt_status find_content(plan *p, char **content, igt_error *err) {
  content_search l = {.p = p, .err = err};
  igt_status status = igt__content_folder(p->v->root, p->folder, content, &p->whole, err);

  if (status != IGT_OK || p->whole || !p->own_folders)
    return status;
  status = list_files(p, IGT_CATEGORY_FILES, each_place, &l, err);
  if (status != IGT_OK || !igt__layout_is_direct(&l.layout))
    return status;
  igt__free(*content);
  *content = igt__strdup(p->folder);
  p->whole = true;
  return IGT_OK;
}

/* Where a download or an upload has the files of this category. */
static igt_status choose_content(plan *p, size_t category, bool several, igt_error *err) {
  igt_status status = IGT_OK;
  char *content = NULL;

  p->whole = false;
  if (several) {
    content = igt__path_join(p->folder, igt__categories[category].folder);
  } else if (*p->group->study && igt__categories[category].bit == IGT_CATEGORY_FILES) {
    status = find_content(p, &content, err);
  } else {
    p->whole = *p->group->study != '\0';
    content = igt__strdup(p->folder);
  }
  igt__free(p->content);
  p->content = content;
  return content || status != IGT_OK ? status : igt__fail_memory(err);
}

static igt_status begin_category(plan *p, size_t category, igt_error *err) {
  const char *below = *p->group->study ? igt__categories[category].prefix : "";
  igt__buf text;

  igt__s3_provider_unref(p->provider);
  igt__remotes_free(p->files);
  p->list = igt__categories[category].folder;
  p->own_folders = false;
  igt__buf_init(&text, IGT__MAX_JOINED);
  igt__buf_printf(&text, "%s%s", p->group->s3_prefix, below);
  p->files = text.failed ? NULL : igt__remotes_new(text.data, &p->lists);
  p->provider = text.failed ? NULL : igt__run_provider(&p->v->run, "GET", text.data);
  igt__buf_finish(&text);
  return p->files && p->provider ? IGT_OK : igt__fail_memory(err);
}

static igt_status verify_category(plan *p, size_t category, bool several, igt_error *err) {
  igt_status status = begin_category(p, category, err);

  if (status == IGT_OK && p->there)
    status = list_files(p, igt__categories[category].bit, each_remote, p, err);
  igt__run_listed(&p->v->run, &p->lists);
  if (status == IGT_OK && p->folder)
    status = choose_content(p, category, several, err);
  if (status == IGT_OK && p->folder)
    status = walk_content(p, err);
  if (status == IGT_OK && igt__remotes_unseen(p->files) > 0)
    status = list_files(p, igt__categories[category].bit, each_unseen, p, err);
  return status;
}

/* ---- siblings of the categories' folders ---- */

typedef struct rest {
  plan *p;
  unsigned compared; /* categories */
} rest;

/* The category of this folder; 0: none. */
static unsigned category_of(const char *folder) {
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    if (strcmp(igt__categories[c].folder, folder) == 0)
      return igt__categories[c].bit;
  return 0;
}

static int pass_folder(const rest *r, const char *path) {
  unsigned category = category_of(path);

  r->p->any_here |= category && !(r->compared & category);
  if (category && !(r->compared & category))
    igt__run_message(&r->p->v->run, IGT_OK, "%s/%s: not compared; --category %s compares it",
                     r->p->folder, path, path);
  return category != 0;
}

/* No upload sends it. */
static int each_beside(void *payload, const igt__walk_entry *e) {
  rest *r = payload;
  plan *p = r->p;
  igt__run *run = &p->v->run;
  char *local;
  igt__remote mine = {.key = "", .size = (uint64_t)e->st.st_size};
  bool is_sidecar = strcmp(e->path, IGT__SIDECAR) == 0;

  if (e->kind == IGT__WALK_DIR)
    return pass_folder(r, e->path);
  note_here(p, e, is_sidecar);
  if (is_sidecar || !passes_here(p, e, e->path))
    return 0;
  local = igt__path_join(p->folder, e->path);
  if (!local)
    return 3;
  if (!leave_clutter(p, e, local))
    report(p, e->path, local, &mine, IGT_RESULT_MISSING_THERE,
           "it is in none of the folders 'files', 'dicom' and 'annotations'", NULL);
  igt__free(local);
  igt__run_wait_events(run);
  return igt__run_stopping(run) ? 2 : 0;
}

static igt_status walk_rest(plan *p, unsigned compared, igt_error *err) {
  rest r = {p, compared};
  int ended = 0;
  igt_status status = igt__walk(p->v->root, p->folder, each_beside, &r, &ended, err);

  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended ? IGT_E_CANCELLED : status;
}

/* Whether the study's folder here has one for the category. */
static igt_status has_folder(const plan *p, size_t category, bool *has, igt_error *err) {
  char *path = igt__path_join(p->folder, igt__categories[category].folder);
  igt_status status = path ? igt__folder_look(p->v->root, path, has, err) : igt__fail_memory(err);

  igt__free(path);
  return status;
}

/* A folder with a subfolder for each category, as a download of several creates it. Unless
 * categories were selected, all existing ones are compared: an upload of files leaves out the
 * others. */
static igt_status verify_divided(plan *p, unsigned compared, igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK && !p->v->options->categories;
       c++) {
    bool has = false;
    if (!(compared & igt__categories[c].bit))
      status = has_folder(p, c, &has, err);
    if (status == IGT_OK && has) {
      compared |= igt__categories[c].bit;
      status = verify_category(p, c, true, err);
    }
  }
  return status == IGT_OK ? walk_rest(p, compared, err) : status;
}

/* A folder without any file looks like a study that is safe, or that was lost. One with nothing but
 * a study.json is what a download makes of an empty study. */
static void report_empty(plan *p) {
  char *local = igt__path_join(igt__root_path(p->v->root), p->folder);
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER,
                            .result = IGT_RESULT_IGNORED,
                            .institute = p->group->institute,
                            .path = p->folder,
                            .local_path = local,
                            .text = p->there ? "it contains no files, and the cloud has none for it"
                                             : "it contains no files, and the cloud has no such "
                                               "study"};

  if (!p->any_here && !p->named && !(p->described && p->there))
    igt__run_folder(&p->v->run, &item);
  igt__free(local);
}

static void plan_free(plan *p) {
  igt__remotes_free(p->files);
  igt__s3_provider_unref(p->provider);
  igt__free(p->folder);
  igt__free(p->content);
  igt__free(p);
}

static void plan_task(void *arg) {
  plan *p = arg;
  igt__run *run = &p->v->run;
  unsigned wanted = p->v->options->categories ? p->v->options->categories : IGT_CATEGORY_FILES;
  bool several = (wanted & (wanted - 1)) != 0;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__group_check_prefix(p->group, &err);

  if (!*p->group->study) {
    wanted = IGT_CATEGORY_FILES;
    several = false;
  }
  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK; c++)
    if (wanted & igt__categories[c].bit)
      status = verify_category(p, c, several, &err);
  if (status == IGT_OK && p->folder && *p->group->study && !p->whole)
    status = verify_divided(p, wanted, &err);
  if (status == IGT_OK && p->folder && *p->group->study)
    report_empty(p);
  igt__group_planned(p->group, status, &err);
  plan_free(p);
  igt__run_task_end(run);
}

static void release_slot(igt__group *group) {
  igt__semaphore_release(&((igt__verify *)group->owner)->studies);
}

igt_status igt__verify_study(igt__verify *v, const igt_institute *institute, const char *study,
                             const char *study_id, const char *s3_prefix, const char *folder,
                             igt_error *err) {
  char *absolute;
  plan *p;

  if (!igt__semaphore_acquire(&v->studies))
    return IGT_E_CANCELLED;
  p = igt__calloc(1, sizeof *p);
  if (p) {
    p->v = v;
    p->there = s3_prefix != NULL;
    p->folder = folder ? igt__strdup(folder) : NULL;
    igt__quota_init_part(&p->lists, &v->run.lists);
    if (p->folder || !folder)
      p->group = igt__group_open(&v->run, institute ? igt__text_of(&institute->name) : "",
                                 institute ? igt__text_of(&institute->id) : "", study, study_id,
                                 s3_prefix ? s3_prefix : "");
  }
  if (!p || !p->group) {
    if (p)
      plan_free(p);
    igt__semaphore_release(&v->studies);
    return igt__fail_memory(err);
  }
  absolute = folder ? igt__path_join(igt__root_path(v->root), folder) : NULL;
  igt__group_set_folder(p->group, absolute);
  igt__free(absolute);
  p->group->owner = v;
  p->group->on_settled = release_slot;
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.producers, plan_task, p);
  return IGT_OK;
}
