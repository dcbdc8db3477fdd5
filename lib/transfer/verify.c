/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/str.h"
#include "transfer/compare.h"
#include "transfer/match.h"
#include "transfer/plan.h"
#include "transfer/remotes.h"
#include "transfer/tree.h"

typedef struct verify {
  igt__run run;
  const igt_verify_options *options;
  igt__found found;
  igt__root *root;
  igt__room room;
  igt__pool *readers;
} verify;

/* One study, or the project's files. */
typedef struct plan {
  verify *v;
  igt__group *group;
  bool there;   /* the cloud has it; else all of its files are missing there */
  char *folder; /* below the root; NULL: it is not here, and all is missing here */
  /* of the category that is compared */
  igt__quota held; /* files: the cloud decides how many they are */
  igt__remotes *files;
  bool own_folders; /* some lie in folders that are called as ours for categories */
  const char *list; /* which list of the answer */
  char *content;    /* folder of its files, below the root */
  bool whole;       /* a study.json may lie in it */
  igt__s3_grant *grant;
} plan;

static const struct {
  unsigned bit;
  const char *folder, *prefix;
} categories[] = {
    {IGT_CATEGORY_FILES, "files", "files/"},
    {IGT_CATEGORY_DICOM, "dicom", "0/"},
    {IGT_CATEGORY_ANNOTATIONS, "annotations", "annotations/"},
};

/* ---- one file that needs no reading ---- */

static void tell(plan *p, const char *name, const char *local, const igt__remote *r,
                 igt_result result, const char *text, const igt_error *err) {
  igt_item item = {
      .kind = IGT_ITEM_FILE, .result = result, .path = name, .text = text, .error = err};
  char *path = local ? igt__path_join(igt__root_path(p->v->root), local) : NULL;

  item.local_path = path;
  item.key = r ? r->key : NULL;
  item.size = r ? r->size : 0;
  igt__group_found(p->group, 0);
  igt__group_item(p->group, &item);
  igt__free(path);
}

/* As in a download, by the type; a file that is here alone has only its name to go by. */
static bool has_extension(const verify *v, const char *name, const char *type) {
  const char *ext = v->options->selection.ext, *dot = strrchr(igt__path_base(name), '.');

  return !ext || igt__str_eq_nocase(ext, type ? type : dot ? dot : "");
}

/* ---- what the cloud has ---- */

/* The cloud may have a folder "files" in the study: then it is no subfolder of ours. */
static void note_folders(plan *p, const char *name) {
  p->own_folders |= igt__str_starts(name, "files/") || igt__str_starts(name, "dicom/");
}

/* A file that is not here. */
static void tell_missing(plan *p, const char *name, const igt__remote *r) {
  if (!r->completed) {
    pthread_mutex_lock(&p->v->run.lock);
    p->v->run.summary.files_incomplete++;
    pthread_mutex_unlock(&p->v->run.lock);
    tell(p, name, NULL, r, IGT_RESULT_IGNORED, "its upload is not complete", NULL);
  } else if (p->whole && strcmp(name, IGT__SIDECAR) == 0) {
    tell(p, name, NULL, r, IGT_RESULT_IGNORED,
         "its name is that of the file in which the study itself is described", NULL);
  } else {
    tell(p, name, NULL, r, IGT_RESULT_MISSING_HERE, "", NULL);
  }
  igt__run_wait_events(&p->v->run);
}

/* Whether a file of the list is one that is looked at, and what is of interest. */
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
  r->wanted = has_extension(p->v, *name, igt__text_of(&file->type));
  return true;
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
  note_folders(p, name);
  if (!igt__wanted(&p->v->run.options, name)) /* nor would the local one be */
    return IGT_OK;
  if (igt__remotes_have(p->files, name)) {
    (void)igt__fail(&err, IGT_E_COLLISION, "the study has another file of this name");
    tell(p, name, NULL, NULL, IGT_RESULT_FAILED, "", &err);
    igt__run_wait_events(&p->v->run);
    return IGT_OK;
  }
  if (!igt__remotes_add(p->files, name, &r))
    return IGT_E_NO_MEMORY;
  if (!p->folder && r.wanted && igt__remotes_see(p->files, name))
    tell_missing(p, name, &r);
  return IGT_OK;
}

/* Those that the walk did not meet: their names are in the cloud's list, and nowhere here. */
static igt_status each_unseen(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  const char *name;
  igt__remote r;

  if (igt__run_stopping(&p->v->run))
    return IGT_E_CANCELLED;
  if (take_remote(p, list, file, &name, &r) && igt__remotes_see(p->files, name))
    tell_missing(p, name, &r);
  return IGT_OK;
}

static igt_status list_files(plan *p, size_t category,
                             igt_status (*each)(void *payload, const char *list, igt_file *file),
                             igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt__run *run = &p->v->run;
  igt_status status;

  if (categories[category].bit != IGT_CATEGORY_FILES)
    options.auxiliary = "True";
  if (!*p->group->study)
    status = igt_get_project_files_each(run->client, igt__text_of(&p->v->found.project->id), NULL,
                                        each, p, err);
  else
    status = igt_get_study_files_each(run->client, p->group->institute_id, p->group->study_id,
                                      &options, each, p, err);
  return status == IGT_E_NO_MEMORY ? igt__held_fail(&p->held, "files", IGT__HELD_FILES, err)
                                   : status;
}

/* ---- what is here ---- */

static void compare(plan *p, const igt__walk_entry *e, const char *name, const char *local,
                    const igt__remote *r) {
  igt__compare_file file = {.group = p->group,
                            .grant = p->grant,
                            .readers = p->v->readers,
                            .root = p->v->root,
                            .path = local,
                            .key = r->key,
                            .item_path = name,
                            .size = (uint64_t)e->st.st_size};
  igt_error err = IGT_ERROR_INIT;

  if (igt__compare_add(&file, &err) != IGT_OK)
    tell(p, name, local, r, IGT_RESULT_FAILED, "", &err);
}

/* r NULL: the cloud has no such file. */
static void take_file(plan *p, const igt__walk_entry *e, const char *name, const char *local,
                      const igt__remote *r) {
  igt__remote mine = {.key = "", .size = (uint64_t)e->st.st_size};

  if (r)
    (void)igt__remotes_see(p->files, name);
  if (!r)
    tell(p, name, local, &mine, IGT_RESULT_MISSING_THERE, "", NULL);
  else if (!r->completed)
    tell(p, name, local, r, IGT_RESULT_MISSING_THERE, "its upload is not complete", NULL);
  else if (!*r->key)
    tell(p, name, local, r, IGT_RESULT_UNCHECKED, "the cloud lists it without a key", NULL);
  else
    compare(p, e, name, local, r);
}

static void take_entry(plan *p, const igt__walk_entry *e, const char *name, const char *local) {
  igt__remote found;
  const igt__remote *r = igt__remotes_find(p->files, name, &found) ? &found : NULL;
  igt_error err = IGT_ERROR_INIT;

  if (r ? !r->wanted : !has_extension(p->v, name, NULL) || !igt__wanted(&p->v->run.options, name))
    return;
  if (e->kind == IGT__WALK_UNREADABLE) {
    (void)igt__fail_errno(&err, e->os_error, "it cannot be read");
    tell(p, name, local, NULL, IGT_RESULT_FAILED, "", &err);
  } else if (e->kind == IGT__WALK_LINK) {
    tell(p, name, local, NULL, IGT_RESULT_IGNORED, "links are not followed (--follow-links does)",
         NULL);
  } else if (e->kind == IGT__WALK_SPECIAL) {
    tell(p, name, local, NULL, IGT_RESULT_IGNORED, "it is no ordinary file", NULL);
  } else if (e->name[0] == '.' && igt__str_ends(e->name, ".igtpart")) {
    tell(p, name, local, NULL, IGT_RESULT_IGNORED, "it is an unfinished download", NULL);
  } else {
    take_file(p, e, name, local, r);
  }
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  plan *p = payload;
  igt__run *run = &p->v->run;
  char *name, *local;

  if (igt__run_stopping(run))
    return 2;
  if (e->kind == IGT__WALK_DIR || (p->whole && strcmp(e->path, IGT__SIDECAR) == 0))
    return 0;
  name = igt__path_from_local(e->path);
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
  char *path = igt__path_join(igt__root_path(p->v->root), p->content);
  bool follow = p->v->run.options.follow_links;
  int ended = 0;
  igt_status status = IGT_OK;

  if (!path)
    return igt__fail_memory(err);
  if (igt__is_folder(path, follow))
    status = igt__walk(path, follow, each_entry, p, &ended, err);
  igt__free(path);
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended ? IGT_E_CANCELLED : status;
}

/* ---- one study ---- */

/* Where a download or an upload has the files of this category. */
static igt_status choose_content(plan *p, size_t category, bool several, igt_error *err) {
  char *folder = igt__path_join(igt__root_path(p->v->root), p->folder), *content = NULL;
  size_t root;

  p->whole = false;
  if (!folder)
    return igt__fail_memory(err);
  root = strlen(folder) - strlen(p->folder);
  if (several) {
    content = igt__path_join(p->folder, categories[category].folder);
  } else if (*p->group->study && categories[category].bit == IGT_CATEGORY_FILES &&
             !p->own_folders) {
    char *chosen = igt__content_folder(folder, p->v->run.options.follow_links, &p->whole);
    content = chosen ? igt__strdup(chosen + root) : NULL;
    igt__free(chosen);
  } else {
    p->whole = *p->group->study != '\0';
    content = igt__strdup(p->folder);
  }
  igt__free(folder);
  igt__free(p->content);
  p->content = content;
  return content ? IGT_OK : igt__fail_memory(err);
}

static igt_status begin_category(plan *p, size_t category, igt_error *err) {
  const char *below = *p->group->study ? categories[category].prefix : "";
  igt__buf text;

  igt__s3_grant_unref(p->grant);
  igt__remotes_free(p->files);
  p->list = categories[category].folder;
  p->own_folders = false;
  igt__buf_init(&text, 64 * 1024);
  igt__buf_printf(&text, "%s%s", p->group->s3_prefix, below);
  p->files = text.failed ? NULL : igt__remotes_new(text.data, &p->held);
  p->grant = text.failed ? NULL : igt__run_grant(&p->v->run, "GET", text.data);
  igt__buf_finish(&text);
  return p->files && p->grant ? IGT_OK : igt__fail_memory(err);
}

static igt_status verify_category(plan *p, size_t category, bool several, igt_error *err) {
  igt_status status = begin_category(p, category, err);

  if (status == IGT_OK && p->there)
    status = list_files(p, category, each_remote, err);
  igt__run_listed(&p->v->run, &p->held);
  if (status == IGT_OK && p->folder)
    status = choose_content(p, category, several, err);
  if (status == IGT_OK && p->folder)
    status = walk_content(p, err);
  if (status == IGT_OK && igt__remotes_unseen(p->files) > 0)
    status = list_files(p, category, each_unseen, err);
  return status;
}

static void plan_free(plan *p) {
  igt__remotes_free(p->files);
  igt__s3_grant_unref(p->grant);
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
  igt_status status = IGT_OK;

  if (!*p->group->study) {
    wanted = IGT_CATEGORY_FILES;
    several = false;
  }
  for (size_t c = 0; c < sizeof categories / sizeof *categories && status == IGT_OK; c++)
    if (wanted & categories[c].bit)
      status = verify_category(p, c, several, &err);
  if (status == IGT_E_CANCELLED || (status != IGT_OK && igt__run_stopping(run)))
    igt__group_dropped(p->group);
  else if (status != IGT_OK)
    igt__group_failed(p->group, &err);
  igt__group_close(p->group);
  plan_free(p);
  igt__run_task_end(run);
}

static void leave_room(igt__group *group) {
  igt__room_leave(&((verify *)group->owner)->room);
}

/* known NULL: the cloud has no such study. folder NULL: it is not here. */
static igt_status begin_plan(verify *v, const igt_institute *institute, const char *study,
                             const char *study_id, const char *s3_prefix, const char *folder,
                             igt_error *err) {
  plan *p;

  if (!igt__room_enter(&v->room))
    return IGT_E_CANCELLED;
  p = igt__calloc(1, sizeof *p);
  if (p) {
    p->v = v;
    p->there = s3_prefix != NULL;
    p->folder = folder ? igt__strdup(folder) : NULL;
    igt__quota_init_part(&p->held, &v->run.held);
    if (p->folder || !folder)
      p->group = igt__group_open(&v->run, institute ? igt__text_of(&institute->name) : "",
                                 institute ? igt__text_of(&institute->id) : "", study, study_id,
                                 s3_prefix ? s3_prefix : "");
  }
  if (!p || !p->group) {
    if (p)
      plan_free(p);
    igt__room_leave(&v->room);
    return igt__fail_memory(err);
  }
  p->group->owner = v;
  p->group->on_settled = leave_room;
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.producers, plan_task, p);
  return IGT_OK;
}

/* ---- one institute ---- */

typedef struct institute_run {
  verify *v;
  const igt_institute *institute;
  igt__studies *studies;
} institute_run;

static void fail_study(verify *v, const igt_institute *institute, const char *study,
                       const igt_error *err) {
  igt_item item = {.kind = IGT_ITEM_STUDY,
                   .result = IGT_RESULT_FAILED,
                   .institute = igt__text_of(&institute->name),
                   .study = study,
                   .error = err};

  igt__run_item(&v->run, &item);
  if (igt__status_is_fatal(err->status))
    igt__run_fatal(&v->run, err);
}

static void stray(void *payload, const char *path) {
  const institute_run *ir = payload;
  igt_item item = {.kind = IGT_ITEM_OTHER,
                   .result = IGT_RESULT_IGNORED,
                   .institute = ir->institute ? igt__text_of(&ir->institute->name) : "",
                   .path = path,
                   .text = "it is not in the folder of a study"};

  igt__run_item(&ir->v->run, &item);
}

static bool is_selected(verify *v, const igt__known *known) {
  bool undated;

  if (!igt__found_has(&v->found, known->dated, known->day, &undated) ||
      !igt__in_shard(known->id, v->run.options.shard, v->run.options.shards))
    return false;
  pthread_mutex_lock(&v->run.lock);
  v->run.summary.studies_undated += undated;
  pthread_mutex_unlock(&v->run.lock);
  return true;
}

static igt_status find_study(institute_run *ir, const char *path, const igt__folder *folder,
                             igt__known **known, igt_error *err) {
  igt__folder described = *folder;
  igt__json *doc = NULL;
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  igt_status status = absolute ? igt__sidecar_read(absolute, &doc, err) : igt__fail_memory(err);

  described.doc = doc;
  if (status == IGT_OK)
    status = igt__studies_match(ir->studies, &described, known, err);
  igt__json_free(doc);
  igt__free(absolute);
  return status;
}

/* path: of the study's folder, below the root. */
static void verify_folder(institute_run *ir, const char *path, const igt__folder *folder) {
  verify *v = ir->v;
  igt_error err = IGT_ERROR_INIT;
  igt__known *known = NULL;
  char *human =
      folder->patient ? igt__path_join(folder->patient, folder->name) : igt__strdup(folder->name);
  igt_status status = human ? find_study(ir, path, folder, &known, &err) : igt__fail_memory(&err);

  if (status == IGT_OK && known && is_selected(v, known))
    status = begin_plan(v, ir->institute, *known->human ? known->human : known->id, known->id,
                        known->s3_prefix, path, &err);
  else if (status == IGT_OK && !known &&
           igt__in_shard(human, v->run.options.shard, v->run.options.shards))
    status = begin_plan(v, ir->institute, human, "", NULL, path, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "the folder '%s'", path);
    fail_study(v, ir->institute, human ? human : "", &err);
  }
  igt__free(human);
}

static igt_status folders_below(institute_run *ir, const char *path, igt__folders *out,
                                igt_error *err) {
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  igt_status status;

  memset(out, 0, sizeof *out);
  if (!absolute)
    return igt__fail_memory(err);
  status = igt__folders_in(absolute, ir->v->run.options.follow_links, stray, ir, out, err);
  igt__free(absolute);
  return status;
}

static bool is_only(const institute_run *ir, const char *path, const igt__folders *list) {
  char *absolute = igt__path_join(igt__root_path(ir->v->root), path);
  bool only = absolute && igt__folders_undescribed(absolute, list) < 2;

  igt__free(absolute);
  return only;
}

/* The study folders in one folder, which is an institute's or (patient not NULL) a patient's. */
static void each_folder(institute_run *ir, const char *path, const char *patient) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders list;
  bool flat = ir->v->run.options.structure == IGT_FLAT;

  if (folders_below(ir, path, &list, &err) != IGT_OK) {
    fail_study(ir->v, ir->institute, patient ? patient : "", &err);
    return;
  }
  bool only = flat || is_only(ir, path, &list);
  for (size_t i = 0; i < list.count && !igt__run_stopping(&ir->v->run); i++) {
    char *below = igt__path_join(path, list.v[i]);
    const char *name = list.cloud[i];
    igt__folder folder = {.patient = patient, .name = name, .only = only};
    if (below && (flat || patient))
      verify_folder(ir, below, &folder);
    else if (below)
      each_folder(ir, below, name);
    else
      fail_study(ir->v, ir->institute, name, (igt__fail_memory(&err), &err));
    igt__free(below);
  }
  igt__folders_free(&list);
}

/* Studies that no folder is. */
static igt_status each_unused(institute_run *ir, igt_error *err) {
  igt_status status = IGT_OK;
  const igt__known *known;

  for (size_t i = 0; status == IGT_OK && (known = igt__studies_at(ir->studies, i)) != NULL; i++)
    if (!known->used && is_selected(ir->v, known))
      status = begin_plan(ir->v, ir->institute, *known->human ? known->human : known->id, known->id,
                          known->s3_prefix, NULL, err);
  return status;
}

/* folder NULL: the institute has none here. */
static void verify_institute(verify *v, const igt_institute *institute, const char *folder) {
  institute_run ir = {v, institute, NULL};
  igt_error err = IGT_ERROR_INIT;
  igt_status status =
      igt__studies_load(v->run.client, institute, NULL, &v->run.held, &ir.studies, &err);

  v->run.summary.institutes++;
  if (status == IGT_OK && folder)
    each_folder(&ir, folder, NULL);
  if (status == IGT_OK)
    status = each_unused(&ir, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "institute '%s'", igt__text_of(&institute->name));
    fail_study(v, institute, "", &err);
  }
  igt__studies_free(ir.studies);
}

/* ---- the whole ---- */

/* The folder of this name, as the cloud has it; NULL: none. */
static const char *folder_named(const igt__folders *list, const char *name) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->cloud[i], name) == 0)
      return list->v[i];
  return NULL;
}

static bool is_institute(const verify *v, const char *name) {
  const igt_institute_list *list = v->found.institutes;

  for (size_t i = 0; i < list->count; i++)
    if (list->v[i] && strcmp(igt__text_of(&list->v[i]->name), name) == 0)
      return true;
  return false;
}

static void tell_unknown(verify *v, const igt__folders *folders, bool *project_files) {
  for (size_t i = 0; i < folders->count; i++) {
    igt_item item = {.kind = IGT_ITEM_OTHER,
                     .result = IGT_RESULT_IGNORED,
                     .path = folders->v[i],
                     .text = "the project has no institute of this name"};
    if (is_institute(v, folders->cloud[i]))
      continue;
    if (strcmp(folders->v[i], "files") == 0)
      *project_files = !v->found.wanted;
    else if (!v->found.wanted)
      igt__run_item(&v->run, &item);
  }
}

static igt_status verify_all(verify *v, igt_error *err) {
  institute_run none = {.v = v};
  igt__folders folders = {0};
  bool project_files = v->options->project_files;
  const igt_institute_list *list = v->found.institutes;
  igt_status status = IGT_OK;

  if (!v->options->project_files) {
    status = folders_below(&none, "", &folders, err);
    if (status == IGT_OK)
      tell_unknown(v, &folders, &project_files);
    for (size_t i = 0; i < list->count && status == IGT_OK; i++)
      if (list->v[i] && igt__found_selects(&v->found, list->v[i]) && !igt__run_stopping(&v->run))
        verify_institute(v, list->v[i], folder_named(&folders, igt__text_of(&list->v[i]->name)));
  }
  if (status == IGT_OK && project_files)
    status = begin_plan(v, NULL, "", "", igt__text_of(&v->found.project->s3_prefix), "files", err);
  igt__folders_free(&folders);
  return status;
}

static void verify_task(void *arg) {
  verify *v = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = verify_all(v, &err);

  if (status != IGT_OK && status != IGT_E_CANCELLED)
    igt__run_fatal(&v->run, &err);
  igt__run_task_end(&v->run);
}

static igt_status outcome(const igt_summary *s, igt_status status, igt_error *err) {
  uint64_t differ = s->files_different + s->files_missing_here + s->files_missing_there;

  if ((status != IGT_OK && status != IGT_E_SOME_FAILED) ||
      (!differ && !s->files_unchecked && status == IGT_OK))
    return status;
  (void)igt__fail(err, IGT_E_SOME_FAILED,
                  "not all is the same: different: %llu, missing here: %llu, missing there: %llu",
                  (unsigned long long)s->files_different, (unsigned long long)s->files_missing_here,
                  (unsigned long long)s->files_missing_there);
  if (s->files_unchecked)
    igt__error_append(err, ", cannot be checked: %llu", (unsigned long long)s->files_unchecked);
  if (s->files_failed || s->studies_failed)
    igt__error_append(err, ", files that failed: %llu, studies that failed: %llu",
                      (unsigned long long)s->files_failed, (unsigned long long)s->studies_failed);
  return IGT_E_SOME_FAILED;
}

static igt_status run(verify *v, igt_summary *summary, igt_error *err) {
  const igt_verify_options *o = v->options;
  igt_status status = igt__root_open(o->local, false, &v->root, err);

  if (status == IGT_OK)
    status = igt__find(v->run.client, &o->selection, !o->project_files, &v->found, err);
  if (status != IGT_OK)
    return status;
  v->readers = igt__pool_new(igt__client_connections(v->run.client));
  if (!v->readers)
    return igt__fail_memory(err);
  igt__run_task_begin(&v->run);
  igt__pool_add(v->run.lister, verify_task, v);
  status = igt__run_wait(&v->run, summary, err);
  return outcome(summary, status, err);
}

static igt_status check_options(const igt_verify_options *o, igt_error *err) {
  if (!o->local || !*o->local)
    return igt__fail(err, IGT_E_INVALID, "the folder to verify is missing");
  if (o->categories & ~7u)
    return igt__fail(err, IGT_E_INVALID, "unknown category");
  return igt__shard_check(o->transfer.shard, o->transfer.shards, err);
}

igt_status igt_verify(igt_client *client, const igt_verify_options *options,
                      const igt_callbacks *callbacks, igt_summary *summary, igt_error *err) {
  igt_summary none;
  igt_status status = check_options(options, err);
  verify *v;

  if (!summary)
    summary = &none;
  memset(summary, 0, sizeof *summary);
  if (status != IGT_OK)
    return status;
  v = igt__calloc(1, sizeof *v);
  if (!v)
    return igt__fail_memory(err);
  v->options = options;
  status = igt__run_init(&v->run, client, &options->transfer, callbacks, err);
  igt__room_init(&v->room, &v->run);
  if (status == IGT_OK)
    status = run(v, summary, err);
  igt__pool_free(v->readers);
  igt__run_finish(&v->run);
  igt__room_finish(&v->room);
  igt__found_free(&v->found);
  igt__root_close(v->root);
  igt__free(v);
  return status;
}
