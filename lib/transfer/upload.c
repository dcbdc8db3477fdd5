/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "model/model.h"
#include "transfer/create.h"
#include "transfer/fetch.h"
#include "transfer/match.h"
#include "transfer/plan.h"
#include "transfer/send.h"
#include "transfer/tree.h"

/* Files that are registered by one request. */
#define BATCH 500

typedef struct upload {
  igt__run run;
  const igt_upload_options *options;
  igt__found found;
  igt__room room;
  char *source; /* absolute */
  igt_identity identity;
} upload;

/* One folder of files that goes to one place. */
typedef struct plan {
  upload *u;
  const igt_institute *institute; /* NULL: project files */
  igt__group *group;
  char *folder;           /* absolute: what is below it goes up */
  char *human;            /* "patient/study" as the user has it */
  char *prefix;           /* of the keys */
  igt_root_study *create; /* the study has to be made first */
  bool registered;        /* keys are told to the cloud before, and completed after */
  bool whole_study;       /* a sidecar may lie in the folder */
  const char *list; /* of the files that are there: "files" or "annotations"; NULL: none is asked */
  igt__arena *arena;
  igt__map *there; /* key: remote_file */
  igt__s3_grant *put, *get;
  igt_file *batch[BATCH];
  igt__send_file pending[BATCH];
  size_t batch_count;
} plan;

typedef struct remote_file {
  int64_t size;
  bool completed;
} remote_file;

/* ---- things met on the way ---- */

static void other(upload *u, const char *institute, const char *path, igt_result result,
                  const char *text, const igt_error *err) {
  igt_item item = {.kind = IGT_ITEM_OTHER,
                   .result = result,
                   .institute = institute,
                   .path = path,
                   .text = text,
                   .error = err};

  igt__run_item(&u->run, &item);
}

static void ignored(upload *u, const char *institute, const char *path, const char *why) {
  other(u, institute, path, IGT_RESULT_IGNORED, why, NULL);
}

/* ---- one file ---- */

static void report(plan *p, const char *path, const igt__local *local, igt_result result,
                   const char *text, const igt_error *err) {
  igt_item item = {.kind = IGT_ITEM_FILE,
                   .result = result,
                   .path = path,
                   .local_path = local->path,
                   .size = local->size,
                   .text = text,
                   .error = err};

  if (result == IGT_RESULT_FAILED || result == IGT_RESULT_PLANNED)
    igt__group_found(p->group, result == IGT_RESULT_PLANNED ? local->size : 0);
  igt__group_item(p->group, &item);
}

static igt_status compare_with_store(plan *p, const char *key, const igt__local *local, bool *same,
                                     igt_error *err) {
  igt__fetch_file file = {.group = p->group, .key = key, .size = local->size};
  igt__comparison found;
  int fd;
  igt_status status;

  if (!p->get)
    p->get = igt__run_grant(&p->u->run, "GET", p->prefix);
  if (!p->get)
    return igt__fail_memory(err);
  file.grant = p->get;
  status = igt__local_open(local, &fd, err);
  if (status != IGT_OK)
    return status;
  status = igt__fetch_compare(&file, fd, &found, err);
  close(fd);
  *same = status == IGT_OK && found.same;
  return status;
}

/* behaviour.md: same size and, where the journal knows the file, an unchanged time or content. */
static igt_status is_there(plan *p, const char *key, const igt__local *local, bool *there,
                           igt_error *err) {
  const igt_transfer_options *o = &p->u->run.options;
  const remote_file *remote = igt__map_get(p->there, key);
  igt__journal_file known;

  *there = false;
  if (o->overwrite || !remote || !remote->completed || remote->size != (int64_t)local->size)
    return IGT_OK;
  if (o->checksum)
    return compare_with_store(p, key, local, there, err);
  *there = true;
  if (igt__journal_find_file(p->u->run.journal, p->u->run.origin, key, local->path, &known))
    *there =
        known.size == local->size && (known.mtime_ns == local->mtime_ns ||
                                      igt__digest_matches(local, known.digest, p->u->run.cancel));
  return IGT_OK;
}

static void clear_batch(plan *p) {
  p->batch_count = 0;
  igt__arena_reset(p->arena);
}

static igt_status register_files(plan *p, igt_error *err) {
  const igt_file *body[BATCH];
  size_t n = 0;
  igt_files *answer = NULL;
  igt_status status;

  for (size_t i = 0; i < p->batch_count; i++)
    if (!igt__map_has(p->there, p->pending[i].key))
      body[n++] = p->batch[i];
  if (n == 0 || !p->registered)
    return IGT_OK;
  if (p->institute)
    status = igt_post_study_files(p->u->run.client, p->group->institute_id, p->group->study_id,
                                  NULL, body, n, &answer, err);
  else
    status = igt_post_project_files(p->u->run.client, igt__text_of(&p->u->found.project->id), NULL,
                                    body, n, &answer, err);
  igt_model_free(answer ? &answer->model : NULL);
  return status;
}

static igt_status load_remote(plan *p, igt_error *err);

/* An answer that got lost may have been a success: what is registered now is asked. */
static igt_status register_surely(plan *p, igt_error *err) {
  igt_status status = register_files(p, err);

  for (unsigned n = 1; igt__is_unclear(status) && igt__wait_to_look(&p->u->run, n, err); n++) {
    status = load_remote(p, err);
    if (status == IGT_OK)
      status = register_files(p, err);
  }
  return status;
}

static void flush_batch(plan *p) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_OK;

  if (p->batch_count == 0)
    return;
  if (igt__run_stopping(&p->u->run))
    status = IGT_E_CANCELLED;
  else
    status = register_surely(p, &err);
  for (size_t i = 0; i < p->batch_count; i++) {
    igt_error one = err;
    igt_status added = status;
    if (added == IGT_OK)
      added = igt__send_add(&p->pending[i], &one);
    if (added == IGT_E_CANCELLED)
      igt__group_dropped(p->group);
    else if (added != IGT_OK)
      report(p, p->pending[i].item_path, &p->pending[i].local, IGT_RESULT_FAILED, "", &one);
  }
  clear_batch(p);
  igt__sched_wait_backlog(p->u->run.sched, IGT__BACKLOG, igt__run_stopping_arg, &p->u->run);
}

static igt_status add_to_batch(plan *p, const char *path, const char *key, const igt__local *local,
                               igt_error *err) {
  igt_file *file = igt__arena_calloc(p->arena, 1, sizeof *file);
  igt__send_file *send = &p->pending[p->batch_count];

  if (!file)
    return igt__fail_memory(err);
  *send = (igt__send_file){.group = p->group,
                           .grant = p->put,
                           .local = *local,
                           .key = igt__arena_strdup(p->arena, key),
                           .prefix_len = strlen(p->prefix),
                           .item_path = igt__arena_strdup(p->arena, path),
                           .complete = p->registered && p->institute};
  send->local.path = igt__arena_strdup(p->arena, local->path);
  if (!send->key || !send->item_path || !send->local.path)
    return igt__fail_memory(err);
  file->key.is = IGT_SET;
  file->key.v = send->key;
  file->file_size.is = IGT_SET;
  file->file_size.v = (int64_t)local->size;
  p->batch[p->batch_count++] = file;
  if (p->batch_count == BATCH)
    flush_batch(p);
  return IGT_OK;
}

/* path: as the cloud has it. */
static void take_file(plan *p, const char *path, const igt__local *local) {
  igt_error err = IGT_ERROR_INIT;
  igt__buf key;
  bool there = false;
  igt_status status = IGT_OK;

  igt__buf_init(&key, 64 * 1024);
  igt__buf_printf(&key, "%s%s", p->prefix, path);
  if (status == IGT_OK && key.len > 1024) /* S3 user guide, "Creating object key names" */
    status = igt__fail(&err, IGT_E_UNSAFE_NAME, "its key would be longer than S3's 1,024 bytes");
  if (status == IGT_OK)
    status = is_there(p, key.data, local, &there, &err);
  if (status != IGT_OK)
    report(p, path, local, IGT_RESULT_FAILED, "", &err);
  else if (there)
    report(p, path, local, IGT_RESULT_SKIPPED, "it is in the cloud already", NULL);
  else if (p->u->run.options.dry_run)
    report(p, path, local, IGT_RESULT_PLANNED, "", NULL);
  else if (add_to_batch(p, path, key.data, local, &err) != IGT_OK)
    report(p, path, local, IGT_RESULT_FAILED, "", &err);
  igt__buf_finish(&key);
}

/* name: as the cloud has it. */
static const char *why_not(const plan *p, const igt__walk_entry *e, const char *name) {
  if (e->kind == IGT__WALK_LINK)
    return "links are not followed (--follow-links does)";
  if (e->kind == IGT__WALK_SPECIAL)
    return "it is no ordinary file";
  if (igt__str_ends(e->name, ".igtpart") && e->name[0] == '.')
    return "it is an unfinished download";
  if (!igt__wanted(&p->u->run.options, name))
    return "it is excluded";
  return NULL;
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  plan *p = payload;
  igt__local local = {.follow_links = p->u->run.options.follow_links};
  igt_error err = IGT_ERROR_INIT;
  char *path, *name = NULL;
  const char *why;

  if (igt__run_stopping(&p->u->run))
    return 2;
  if (e->kind == IGT__WALK_DIR)
    return 0;
  if (p->whole_study && strcmp(e->path, IGT__SIDECAR) == 0)
    return 0;
  path = igt__path_join(p->folder, e->path);
  if (!path)
    return 3;
  local.path = path;
  igt__local_take(&local, &e->st);
  if (e->kind == IGT__WALK_UNREADABLE)
    (void)igt__fail_errno(&err, e->os_error, "'%s' cannot be read", path);
  else
    (void)igt__cloud_path(p->folder, e->path, &name, &err);
  why = why_not(p, e, name ? name : e->path);
  if (why && e->kind != IGT__WALK_UNREADABLE)
    report(p, name ? name : e->path, &local, IGT_RESULT_IGNORED, why, NULL);
  else if (!name)
    report(p, e->path, &local, IGT_RESULT_FAILED, "", &err);
  else
    take_file(p, name, &local);
  igt__free(name);
  igt__free(path);
  igt__run_wait_events(&p->u->run);
  return 0;
}

/* ---- what is there already ---- */

static igt_status each_remote(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  remote_file *remote;

  if (file->key.is != IGT_SET || (list && p->list && strcmp(list, p->list) != 0))
    return IGT_OK;
  remote = igt__map_get(p->there, file->key.v);
  if (!remote && !(remote = igt__calloc(1, sizeof *remote)))
    return IGT_E_NO_MEMORY;
  remote->size = file->file_size.is == IGT_SET ? file->file_size.v : -1;
  remote->completed = file->is_completed.is == IGT_SET && file->is_completed.v;
  return igt__map_set(p->there, file->key.v, remote) ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status load_remote(plan *p, igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;

  if (!p->list)
    return IGT_OK;
  if (!p->institute)
    return igt_get_project_files_each(p->u->run.client, igt__text_of(&p->u->found.project->id),
                                      NULL, each_remote, p, err);
  if (strcmp(p->list, "files") != 0)
    options.auxiliary = "True";
  return igt_get_study_files_each(p->u->run.client, p->group->institute_id, p->group->study_id,
                                  &options, each_remote, p, err);
}

/* ---- one plan ---- */

static void plan_free(plan *p) {
  void *remote;

  for (size_t i = 0; p->there && igt__map_at(p->there, i, NULL, &remote); i++)
    igt__free(remote);
  igt__map_free(p->there);
  igt__arena_free(p->arena);
  igt__s3_grant_unref(p->put);
  igt__s3_grant_unref(p->get);
  igt_model_free(p->create ? &p->create->model : NULL);
  igt__free(p->folder);
  igt__free(p->human);
  igt__free(p->prefix);
  igt__free(p);
}

static bool open_group(plan *p, const char *id, const char *s3_prefix, const char *below) {
  igt__buf prefix;

  p->group = igt__group_open(&p->u->run, p->institute ? igt__text_of(&p->institute->name) : "",
                             p->institute ? igt__text_of(&p->institute->id) : "",
                             p->human ? p->human : "", id, s3_prefix);
  igt__buf_init(&prefix, 64 * 1024);
  igt__buf_printf(&prefix, "%s%s", s3_prefix, below);
  p->prefix = igt__buf_take(&prefix);
  return p->group && p->prefix;
}

static igt_status prepare(plan *p, igt_error *err) {
  p->arena = igt__arena_new(0);
  p->there = igt__map_new();
  p->put = igt__run_grant(&p->u->run, "PUT", p->prefix);
  if (!p->arena || !p->there || !p->put)
    return igt__fail_memory(err);
  return load_remote(p, err);
}

static igt_status walk(plan *p, igt_error *err) {
  int ended = 0;
  igt_status status = prepare(p, err);

  if (status == IGT_OK)
    status = igt__walk(p->folder, p->u->run.options.follow_links, each_entry, p, &ended, err);
  if (p->arena)
    flush_batch(p);
  if (status == IGT_OK && ended == 2)
    return igt__fail(err, IGT_E_CANCELLED, "interrupted");
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status;
}

static void end_plan(plan *p, igt_status status, const igt_error *err) {
  igt__run *run = &p->u->run;

  if (status == IGT_E_CANCELLED || (status != IGT_OK && igt__run_stopping(run)))
    igt__group_dropped(p->group);
  else if (status != IGT_OK)
    igt__group_failed(p->group, err);
  igt__group_close(p->group);
  plan_free(p);
  igt__run_task_end(run);
}

static void fail_study(upload *u, const char *institute, const char *study, const igt_error *err) {
  igt_item item = {.kind = IGT_ITEM_STUDY,
                   .result = IGT_RESULT_FAILED,
                   .institute = institute,
                   .study = study,
                   .error = err};

  igt__run_item(&u->run, &item);
  if (igt__status_is_fatal(err->status))
    igt__run_fatal(&u->run, err);
}

static void study_settled(igt__group *group);

static void made_study(plan *p, const igt_root_study *study) {
  igt__run *run = &p->u->run;

  if (open_group(p, igt__text_of(&study->study_database_id), igt__text_of(&study->s3_prefix),
                 "files/")) {
    p->group->owner = p->u;
    p->group->on_settled = study_settled;
  }
  pthread_mutex_lock(&run->lock);
  run->summary.studies_created++;
  pthread_mutex_unlock(&run->lock);
}

static void give_up(plan *p, const igt_error *err) {
  igt__run *run = &p->u->run;

  fail_study(p->u, igt__text_of(&p->institute->name), p->human, err);
  igt__room_leave(&p->u->room);
  plan_free(p);
  igt__run_task_end(run);
}

static void plan_task(void *arg) {
  plan *p = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_root_study *made = NULL;
  igt_status status;

  if (p->create) {
    status = igt__create_study(&p->u->run, p->institute, p->human, p->create, &made, &err);
    if (status == IGT_OK)
      made_study(p, made);
    igt_model_free(made ? &made->model : NULL);
    if (status == IGT_OK && (!p->group || !p->prefix))
      status = igt__fail_memory(&err);
    if (!p->group) {
      igt__error_prefix(&err, "the study '%s' was not created", p->human);
      give_up(p, &err);
      return;
    }
  } else {
    status = IGT_OK;
  }
  if (status == IGT_OK)
    status = walk(p, &err);
  end_plan(p, status, &err);
}

static igt_status submit(const upload *u, igt__group *group, igt_error *err) {
  igt_electronic_record_state body = {0};
  igt_root_study *study = NULL;
  igt_status status;

  body.username.is = body.password.is = body.electronic_record_state.is = IGT_SET;
  body.username.v = u->identity.user;
  body.password.v = u->options->submit_password;
  body.electronic_record_state.v = "submitted";
  status = igt_post_study_electronic_record_state(u->run.client, group->institute_id,
                                                  group->study_id, &body, &study, err);
  igt_model_free(study ? &study->model : NULL);
  return status;
}

static void study_settled(igt__group *group) {
  upload *u = group->owner;
  igt_error err = IGT_ERROR_INIT;

  if (u->options->submit_password && !group->failed && !group->dropped && !u->run.options.dry_run &&
      submit(u, group, &err) != IGT_OK) {
    igt__error_prefix(&err, "all files are there, but the study was not submitted");
    igt__group_failed(group, &err);
  }
  igt__room_leave(&u->room);
}

/* ---- study folders ---- */

typedef struct institute_run {
  upload *u;
  const igt_institute *institute;
  igt__studies *studies;
  char *path;
} institute_run;

static void stray(void *payload, const char *path) {
  const institute_run *ir = payload;

  ignored(ir->u, ir->institute ? igt__text_of(&ir->institute->name) : "", path,
          "it is not a folder, and only folders are uploaded from here");
}

static void begin_plan(plan *p) {
  igt__run_task_begin(&p->u->run);
  igt__pool_add(p->u->run.producers, plan_task, p);
}

static plan *plan_new(institute_run *ir, const char *human) {
  plan *p = igt__calloc(1, sizeof *p);

  if (!p)
    return NULL;
  p->u = ir->u;
  p->institute = ir->institute;
  p->human = igt__strdup(human);
  return p;
}

/* The study is told: go on with its files. Room was entered. */
static igt_status begin_study(institute_run *ir, const char *folder, const char *human,
                              const igt__known *known, igt_root_study *create, igt_error *err) {
  plan *p = plan_new(ir, human);

  if (!p) {
    igt_model_free(create ? &create->model : NULL);
    return igt__fail_memory(err);
  }
  p->create = create;
  p->registered = true;
  p->list = "files";
  p->folder = igt__content_folder(folder, ir->u->run.options.follow_links, &p->whole_study);
  if (known && open_group(p, known->id, known->s3_prefix, "files/")) {
    p->group->owner = ir->u;
    p->group->on_settled = study_settled;
  }
  if (!p->folder || !p->human || (known && (!p->group || !p->prefix))) {
    plan_free(p); /* a group without memory for its prefix stays open: the run ends anyway */
    return igt__fail_memory(err);
  }
  if (access(p->folder, F_OK) != 0)
    ignored(ir->u, igt__text_of(&ir->institute->name), folder,
            "it has a folder dicom, but no folder files");
  begin_plan(p);
  return IGT_OK;
}

static void dry_create(institute_run *ir, const char *human) {
  igt_item item = {.kind = IGT_ITEM_STUDY,
                   .result = IGT_RESULT_PLANNED,
                   .institute = igt__text_of(&ir->institute->name),
                   .study = human,
                   .text = "the study would be created, and all its files uploaded"};

  igt__run_item(&ir->u->run, &item);
}

static void upload_study(institute_run *ir, const char *path, const char *patient, const char *name,
                         bool only) {
  upload *u = ir->u;
  igt_error err = IGT_ERROR_INIT;
  igt__json *doc = NULL;
  igt__known *known = NULL;
  igt_root_study *create = NULL;
  char *human = patient ? igt__path_join(patient, name) : igt__strdup(name);
  igt_status status = human ? igt__sidecar_read(path, &doc, &err) : igt__fail_memory(&err);
  igt__folder folder = {patient, name, doc, only};

  if (!igt__in_shard(human ? human : "", u->run.options.shard, u->run.options.shards))
    goto out;
  if (status == IGT_OK)
    status = igt__studies_match(ir->studies, &folder, &known, &err);
  if (status == IGT_OK && !known)
    status = igt__study_from_folder(ir->institute, &folder, &create, &err);
  if (status == IGT_OK && !known && u->run.options.dry_run) {
    dry_create(ir, human);
    igt_model_free(&create->model);
    goto out;
  }
  if (status == IGT_OK && !igt__room_enter(&u->room)) {
    igt_model_free(create ? &create->model : NULL);
    goto out;
  }
  if (status == IGT_OK && (status = begin_study(ir, path, human, known, create, &err)) != IGT_OK)
    igt__room_leave(&u->room);
  if (status != IGT_OK) {
    igt__error_prefix(&err, "the folder '%s'", path);
    fail_study(u, igt__text_of(&ir->institute->name), human ? human : name, &err);
  }
out:
  igt__json_free(doc);
  igt__free(human);
}

/* ---- annotations ---- */

static int parse_json(void *payload, const igt__walk_entry *e) {
  igt_error *err = ((void **)payload)[1];
  const char *folder = ((void **)payload)[0];
  igt__json *doc = NULL;
  char *text = NULL, *path;
  size_t n;
  igt_status status;

  if (e->kind != IGT__WALK_FILE || !igt__str_ends(e->name, ".json"))
    return 0;
  path = igt__path_join(folder, e->path);
  if (!path)
    return 2;
  status = igt__file_read(path, IGT__MAX_JSON_BODY, &text, &n, err);
  if (status == IGT_OK)
    status = igt__json_parse(text, n, path, &doc, err);
  igt__json_free(doc);
  igt__free(text);
  igt__free(path);
  return status == IGT_OK ? 0 : 2;
}

static igt_status begin_annotations(institute_run *ir, const char *path, const char *human,
                                    const igt__known *known, igt_error *err) {
  void *payload[2] = {(void *)(uintptr_t)path, err};
  int ended = 0;
  plan *p;
  igt_status status =
      igt__walk(path, ir->u->run.options.follow_links, parse_json, payload, &ended, err);

  if (status != IGT_OK || ended)
    return status != IGT_OK ? status : err->status;
  if (!(p = plan_new(ir, human)))
    return igt__fail_memory(err);
  p->list = "annotations";
  p->folder = igt__strdup(path);
  if (!p->folder || !p->human || !open_group(p, known->id, known->s3_prefix, "annotations/")) {
    plan_free(p);
    return igt__fail_memory(err);
  }
  p->group->owner = ir->u;
  p->group->on_settled = study_settled;
  begin_plan(p);
  return IGT_OK;
}

static void upload_annotations(institute_run *ir, const char *path, const char *patient,
                               const char *name, bool only) {
  upload *u = ir->u;
  igt_error err = IGT_ERROR_INIT;
  igt__known *known = NULL;
  igt_status status = igt__studies_by_name(ir->studies, patient, name, &known, &err);
  const char *human = known && *known->human ? known->human : name;

  (void)only;
  if (!igt__in_shard(human, u->run.options.shard, u->run.options.shards))
    return;
  if (status == IGT_OK && !known)
    status = igt__fail(&err, IGT_E_NOT_FOUND, "the institute has no study '%s%s%s'",
                       patient ? patient : "", patient ? "/" : "", name);
  if (status == IGT_OK && !igt__room_enter(&u->room))
    return;
  if (status == IGT_OK && (status = begin_annotations(ir, path, human, known, &err)) != IGT_OK)
    igt__room_leave(&u->room);
  if (status != IGT_OK)
    fail_study(u, igt__text_of(&ir->institute->name), human, &err);
}

/* ---- institutes ---- */

typedef void (*study_fn)(institute_run *ir, const char *path, const char *patient, const char *name,
                         bool only);

static void each_patient(institute_run *ir, const char *path, const char *patient, study_fn fn) {
  igt_error err = IGT_ERROR_INIT;
  igt__folders studies;
  const char *institute = igt__text_of(&ir->institute->name);

  if (igt__folders_in(path, ir->u->run.options.follow_links, stray, ir, &studies, &err) != IGT_OK) {
    fail_study(ir->u, institute, patient, &err);
    return;
  }
  for (size_t i = 0; i < studies.count && !igt__run_stopping(&ir->u->run); i++) {
    char *folder = igt__path_join(path, studies.v[i]);
    if (folder)
      fn(ir, folder, patient, studies.cloud[i], studies.count == 1);
    igt__free(folder);
  }
  igt__folders_free(&studies);
}

/* Annotations take both forms: a folder with "---" is a study, another one a patient. */
static bool is_patient(const institute_run *ir, const char *name) {
  if (ir->u->options->category == IGT_CATEGORY_ANNOTATIONS)
    return !strstr(name, "---");
  return ir->u->run.options.structure == IGT_HIERARCHICAL;
}

static igt_status upload_studies(institute_run *ir, igt_error *err) {
  study_fn fn =
      ir->u->options->category == IGT_CATEGORY_ANNOTATIONS ? upload_annotations : upload_study;
  igt__folders folders;
  igt_status status = igt__studies_load(ir->u->run.client, ir->institute, &ir->studies, err);

  if (status == IGT_OK)
    status = igt__folders_in(ir->path, ir->u->run.options.follow_links, stray, ir, &folders, err);
  if (status != IGT_OK)
    return status;
  for (size_t i = 0; i < folders.count && !igt__run_stopping(&ir->u->run); i++) {
    char *path = igt__path_join(ir->path, folders.v[i]);
    if (path && is_patient(ir, folders.cloud[i]))
      each_patient(ir, path, folders.cloud[i], fn);
    else if (path)
      fn(ir, path, NULL, folders.cloud[i], true);
    igt__free(path);
  }
  igt__folders_free(&folders);
  return IGT_OK;
}

static void import_settled(igt__group *group) {
  upload *u = group->owner;
  igt_update_database_request body = {0};
  igt_error err = IGT_ERROR_INIT;

  if (!group->failed && !group->dropped && group->done_files && !u->run.options.dry_run) {
    body.uploaded_path.is = body.hospital_id.is = body.is_prefix.is = IGT_SET;
    body.uploaded_path.v = group->s3_prefix;
    body.hospital_id.v = group->institute_id;
    body.is_prefix.v = true;
    if (igt_post_update_database(u->run.client, &body, &err) != IGT_OK) {
      igt__error_prefix(&err, "all files are there, but the import was not started");
      igt__group_failed(group, &err);
    }
  }
  igt__room_leave(&u->room);
}

static igt_status upload_import(institute_run *ir, igt_error *err) {
  upload *u = ir->u;
  char uuid[37];
  plan *p = plan_new(ir, "DICOM import");
  igt__buf prefix;

  if (!p)
    return igt__fail_memory(err);
  igt__buf_init(&prefix, 64 * 1024);
  p->folder = igt__strdup(ir->path);
  if (igt__uuid(uuid))
    igt__buf_printf(&prefix, "%sImport/%s/", igt__text_of(&ir->institute->s3_prefix), uuid);
  if (!prefix.len || !p->folder || !p->human || !igt__room_enter(&u->room)) {
    igt__buf_finish(&prefix);
    plan_free(p);
    return igt__run_stopping(&u->run) ? IGT_OK : igt__fail_memory(err);
  }
  if (!open_group(p, "", prefix.data, "")) {
    igt__buf_finish(&prefix);
    igt__room_leave(&u->room);
    plan_free(p);
    return igt__fail_memory(err);
  }
  p->group->owner = u;
  p->group->on_settled = import_settled;
  igt__buf_finish(&prefix);
  begin_plan(p);
  return IGT_OK;
}

static void upload_institute(upload *u, const igt_institute *institute, const char *path) {
  igt_error err = IGT_ERROR_INIT;
  institute_run ir = {u, institute, NULL, igt__strdup(path)};
  igt_status status = IGT_OK;

  u->run.summary.institutes++;
  if (!ir.path)
    status = igt__fail_memory(&err);
  else if (u->options->category == IGT_CATEGORY_DICOM)
    status = upload_import(&ir, &err);
  else
    status = upload_studies(&ir, &err);
  if (status != IGT_OK && status != IGT_E_CANCELLED) {
    igt__error_prefix(&err, "institute '%s'", igt__text_of(&institute->name));
    fail_study(u, igt__text_of(&institute->name), "", &err);
  }
  igt__studies_free(ir.studies);
  igt__free(ir.path);
}

/* ---- the whole ---- */

static void upload_project_files(upload *u, const char *path) {
  igt_error err = IGT_ERROR_INIT;
  plan *p = igt__calloc(1, sizeof *p);

  if (p) {
    p->u = u;
    p->registered = true;
    p->list = "files";
    p->folder = igt__strdup(path);
  }
  if (!p || !p->folder || !open_group(p, "", igt__text_of(&u->found.project->s3_prefix), "")) {
    (void)igt__fail_memory(&err);
    igt__run_fatal(&u->run, &err);
    if (p)
      plan_free(p);
    return;
  }
  begin_plan(p);
}

static const igt_institute *institute_named(const upload *u, const char *name) {
  const igt_institute_list *list = u->found.institutes;

  for (size_t i = 0; i < list->count; i++)
    if (list->v[i] && strcmp(igt__text_of(&list->v[i]->name), name) == 0)
      return list->v[i];
  return NULL;
}

/* cloud: the name that the folder has there. */
static void upload_folder(upload *u, const char *name, const char *cloud) {
  char *path = igt__path_join(u->source, name);
  const igt_institute *institute = institute_named(u, cloud);

  if (!path)
    return;
  if (strcmp(name, "files") == 0 && !institute) {
    if (!u->options->category || u->options->category == IGT_CATEGORY_FILES)
      upload_project_files(u, path);
  } else if (!institute) {
    ignored(u, "", path, "the project has no institute of this name");
  } else if (igt__found_selects(&u->found, institute)) {
    upload_institute(u, institute, path);
  }
  igt__free(path);
}

static void upload_task(void *arg) {
  upload *u = arg;
  igt_error err = IGT_ERROR_INIT;
  igt__folders folders;
  institute_run none = {.u = u};
  igt_status status =
      igt__folders_in(u->source, u->run.options.follow_links, stray, &none, &folders, &err);

  if (status != IGT_OK) {
    igt__run_fatal(&u->run, &err);
  } else {
    for (size_t i = 0; i < folders.count && !igt__run_stopping(&u->run); i++)
      upload_folder(u, folders.v[i], folders.cloud[i]);
    igt__folders_free(&folders);
  }
  igt__run_task_end(&u->run);
}

static igt_status move(upload *u, igt_summary *summary, igt_error *err) {
  igt_status status = igt_client_identity(u->run.client, &u->identity, err);

  if (status == IGT_OK)
    status = igt__find(u->run.client, &u->options->selection, true, &u->found, err);
  if (status != IGT_OK)
    return status;
  igt__run_task_begin(&u->run);
  igt__pool_add(u->run.lister, upload_task, u);
  return igt__run_wait(&u->run, summary, err);
}

static igt_status check_options(const igt_upload_options *o, igt_error *err) {
  struct stat st;

  if (!o->source || !*o->source)
    return igt__fail(err, IGT_E_INVALID, "the folder to upload is missing");
  if (o->category & (o->category - 1) || o->category & ~7u)
    return igt__fail(err, IGT_E_INVALID, "only one category can be uploaded at a time");
  if (stat(o->source, &st) != 0)
    return igt__fail_errno(err, errno, "cannot read the folder '%s'", o->source);
  if (!S_ISDIR(st.st_mode))
    return igt__fail(err, IGT_E_NO_FILE, "'%s' is not a folder", o->source);
  return igt__shard_check(o->transfer.shard, o->transfer.shards, err);
}

igt_status igt_upload(igt_client *client, const igt_upload_options *options,
                      const igt_callbacks *callbacks, igt_summary *summary, igt_error *err) {
  igt_summary none;
  igt_status status = check_options(options, err);
  upload *u;

  if (!summary)
    summary = &none;
  memset(summary, 0, sizeof *summary);
  if (status != IGT_OK)
    return status;
  u = igt__calloc(1, sizeof *u);
  if (!u)
    return igt__fail_memory(err);
  u->options = options;
  u->source = igt__path_absolute(options->source);
  status = u->source ? igt__run_init(&u->run, client, &options->transfer, callbacks, err)
                     : igt__fail_memory(err);
  igt__room_init(&u->room, &u->run);
  if (status == IGT_OK)
    status = move(u, summary, err);
  if (u->source)
    igt__run_finish(&u->run);
  igt__room_finish(&u->room);
  igt__found_free(&u->found);
  igt__free(u->source);
  igt__free(u);
  return status;
}
