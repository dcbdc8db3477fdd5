/* SPDX-License-Identifier: MIT */
/* The files of one folder with one destination. On a producer's thread it loads the cloud's list of
 * existing files (upload_existing.c), walks the folder, and decides for each file whether it is
 * sent, skipped or reported; those to be sent are registered in batches (upload_batch.c). Called by
 * upload_study.c, new_study.c, upload_import.c and upload.c. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/walk.h"
#include "transfer/upload/plan_internal.h"

typedef igt__upload_plan plan;

/* ---- one file ---- */

void igt__upload_report(plan *p, const char *path, const char *key, const igt__local *local,
                        igt_transfer_result result, const char *text, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = result,
                            .path = path,
                            .local_path = local->path,
                            .key = key,
                            .size = local->size,
                            .text = text,
                            .error = err};
  igt__journal_file known;

  if (result == IGT_RESULT_SKIPPED) {
    igt__buf buf;
    igt__buf_init(&buf, IGT__MAX_JOINED);
    igt__upload_recall(p, igt__upload_journal_key(p, key, &buf), local, &known);
    igt__buf_finish(&buf);
    item.digest = known.digest;
    item.verified = known.verified;
    if (p->import && strcmp(known.etag, p->import->id) != 0)
      item.key = NULL; /* it was sent under another one */
  }
  if (result == IGT_RESULT_PLANNED)
    item.replaces = igt__upload_replaces(p, key, &item.replaced_size);
  if (result == IGT_RESULT_FAILED || result == IGT_RESULT_PLANNED)
    igt__group_found(p->group, result == IGT_RESULT_PLANNED ? local->size : 0);
  igt__group_item(p->group, &item);
}

/* path: as the cloud has it. */
static void take_file(plan *p, const char *path, const igt__local *local) {
  igt_error err = IGT_ERROR_INIT;
  igt__buf key;
  bool there = false;
  igt_status status = IGT_OK;

  igt__buf_init(&key, IGT__MAX_JOINED);
  igt__buf_printf(&key, "%s%s", p->prefix, path);
  status = igt__upload_cloud_key(p, &key, local, &err);
  if (status == IGT_OK)
    path = key.data + strlen(p->prefix);
  if (status == IGT_OK && key.len > IGT__S3_MAX_KEY)
    status = igt__fail(&err, IGT_E_UNSAFE_NAME, "its key would be longer than S3's 1,024 bytes");
  if (status == IGT_OK)
    status = igt__upload_is_there(p, key.data, local, &there, &err);
  if (status == IGT_OK && !there && (p->only_named || p->u->run.options.dry_run))
    status = igt__local_see_readable(local, &err);
  if (status == IGT_OK && p->only_named)
    status = igt__fail(&err, IGT_E_CHANGED,
                       "it appeared during the upload; retry once the folder no longer changes");
  if (status != IGT_OK)
    igt__upload_report(p, path, key.data, local, IGT_RESULT_FAILED, "", &err);
  else if (there)
    igt__upload_report(p, path, key.data, local, IGT_RESULT_SKIPPED,
                       p->import ? "it was handed over already (use --overwrite to send it again)"
                                 : "it is up to date in the cloud",
                       NULL);
  else if (p->u->run.options.dry_run)
    igt__upload_report(p, path, key.data, local, IGT_RESULT_PLANNED, "", NULL);
  else if (igt__upload_batch_add(p, path, key.data, local, &err) != IGT_OK)
    igt__upload_report(p, path, key.data, local, IGT_RESULT_FAILED, "", &err);
  igt__buf_finish(&key);
}

static bool leave_clutter(plan *p, const igt__walk_entry *e, const igt__local *local) {
  igt_transfer_item item = {
      .kind = IGT_ITEM_FILE, .path = e->path, .local_path = local->path, .size = local->size};

  if (!igt__leave_clutter(&p->u->run, e->path, &item))
    return false;
  igt__group_item(p->group, &item);
  return true;
}

static int64_t age_of(const igt__stat *st) {
  return igt__age_of((int64_t)st->st_mtim.tv_sec);
}

/* It may still be being written. True: it is left out. */
static bool is_young(const plan *p, const igt__walk_entry *e) {
  return e->kind == IGT__WALK_FILE && p->u->options->min_age > 0 &&
         age_of(&e->st) < p->u->options->min_age;
}

static bool leave_young(plan *p, const igt__walk_entry *e, const char *name,
                        const igt__local *local) {
  const igt_upload_options *o = p->u->options;
  int64_t age = age_of(&e->st), least = o->min_age > 0 ? o->min_age : o->min_age == 0 ? 60 : 0;
  char text[128];

  if (e->kind != IGT__WALK_FILE || age >= least)
    return false;
  p->group->recent_files++;
  (void)snprintf(p->group->recent, sizeof p->group->recent, "%s", name);
  if (o->min_age <= 0)
    return false;
  (void)snprintf(text, sizeof text,
                 "it was changed %lld s ago, and may still be written (--min-age)", (long long)age);
  pthread_mutex_lock(&p->u->run.lock);
  p->u->run.summary.files_young++;
  pthread_mutex_unlock(&p->u->run.lock);
  igt__upload_report(p, name, NULL, local, IGT_RESULT_IGNORED, text, NULL);
  return true;
}

/* name: as the cloud has it. */
static const char *why_not(const plan *p, const igt__walk_entry *e, const char *name) {
  const igt__filter *filter = p->u->run.filter;

  if (e->kind == IGT__WALK_LINK)
    return IGT__LINK_LEFT_OUT;
  if (e->kind == IGT__WALK_SPECIAL)
    return "it is not a regular file";
  if (igt__str_ends(e->name, ".igtpart") && e->name[0] == '.')
    return "it is an unfinished download";
  if (!igt__wanted(&p->u->run, name))
    return "it is excluded";
  if (!igt__path_has_extension(name, p->u->options->selection->ext))
    return "it is excluded by its type";
  if (!igt__filter_size(filter, (uint64_t)e->st.st_size))
    return "it is excluded by its size";
  if (!igt__filter_age(filter, (int64_t)e->st.st_mtim.tv_sec))
    return "it is excluded by its age";
  return NULL;
}

static bool is_sidecar(const plan *p, const igt__walk_entry *e) {
  switch (p->sidecar) {
  case IGT__SIDECAR_NONE:
    break;
  case IGT__SIDECAR_ON_TOP:
    return strcmp(e->path, IGT__SIDECAR) == 0;
  case IGT__SIDECAR_ANYWHERE:
    return strcmp(e->name, IGT__SIDECAR) == 0;
  }
  return false;
}

/* One that cannot be read, or has a name that the cloud cannot have. */
static void fail_name(plan *p, const igt__walk_entry *e, const igt__local *local,
                      const igt_error *err) {
  if (p->import && e->kind != IGT__WALK_UNREADABLE)
    p->import->bad_names++;
  igt__upload_report(p, e->path, NULL, local, IGT_RESULT_FAILED, "", err);
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  plan *p = payload;
  igt__local local = {.root = p->u->root};
  igt_error err = IGT_ERROR_INIT;
  char *path, *name = NULL;
  const char *why;

  if (igt__run_stopping(&p->u->run))
    return 2;
  if (e->kind == IGT__WALK_DIR)
    return 0;
  if (is_sidecar(p, e))
    return 0;
  path = igt__path_join(p->folder, e->path);
  if (!path)
    return 3;
  local.path = path;
  igt__local_take(&local, &e->st);
  if (leave_clutter(p, e, &local)) {
    igt__free(path);
    igt__run_wait_events(&p->u->run);
    return 0;
  }
  p->files += e->kind == IGT__WALK_FILE;
  p->links += e->kind == IGT__WALK_LINK;
  p->others += e->kind == IGT__WALK_SPECIAL;
  if (e->kind == IGT__WALK_UNREADABLE)
    (void)igt__fail_errno(&err, e->os_error, "'%s' cannot be read", path);
  else
    (void)igt__cloud_path(p->u->root, p->folder, e->path, &name, &err);
  why = why_not(p, e, name ? name : e->path);
  if (why && e->kind != IGT__WALK_UNREADABLE)
    igt__upload_report(p, name ? name : e->path, NULL, &local, IGT_RESULT_IGNORED, why, NULL);
  else if (!name)
    fail_name(p, e, &local, &err);
  else if (!leave_young(p, e, name, &local))
    take_file(p, name, &local);
  igt__free(name);
  igt__free(path);
  igt__run_wait_events(&p->u->run);
  return 0;
}

/* ---- looking into a folder before creating a study ---- */

typedef struct looking {
  plan *p;
  igt__outlook *out;
} looking;

static bool can_go(plan *p, const igt__walk_entry *e, igt_error *err) {
  igt__local local = {.root = p->u->root};
  char *path = igt__path_join(p->folder, e->path), *name = NULL;
  bool can = e->kind == IGT__WALK_FILE && path &&
             igt__cloud_path(p->u->root, p->folder, e->path, &name, err) == IGT_OK &&
             !why_not(p, e, name);

  local.path = path;
  igt__local_take(&local, &e->st);
  can = can && igt__local_see_readable(&local, err) == IGT_OK;
  igt__free(name);
  igt__free(path);
  return can;
}

static int look_at(void *payload, const igt__walk_entry *e) {
  looking *l = payload;
  igt_error err = IGT_ERROR_INIT;

  if (igt__run_stopping(&l->p->u->run))
    return 3;
  if (e->kind == IGT__WALK_DIR || is_sidecar(l->p, e))
    return 0;
  l->out->any = true;
  if (!l->p->u->run.options.include_clutter && igt__is_clutter(e->path))
    return 0;
  l->out->content = true;
  if (is_young(l->p, e))
    return 0;
  l->out->sendable = can_go(l->p, e, &err);
  return l->out->sendable ? 2 : 0;
}

igt_status igt__upload_plan_look(igt__upload_plan *p, igt__outlook *out, igt_error *err) {
  looking l = {p, out};
  int ended = 0;
  igt_status status;

  memset(out, 0, sizeof *out);
  status = igt__walk(p->u->root, p->folder, look_at, &l, &ended, err);
  return status == IGT_OK && ended == 3 ? igt__fail(err, IGT_E_CANCELLED, "interrupted") : status;
}

/* ---- one plan ---- */

igt__upload_plan *igt__upload_plan_new(igt__upload *u, const igt_institute *institute, char *folder,
                                       const char *name) {
  plan *p = folder ? igt__calloc(1, sizeof *p) : NULL;

  if (!p) {
    igt__free(folder);
    return NULL;
  }
  p->u = u;
  p->institute = institute;
  p->folder = folder;
  p->name = igt__strdup(name);
  if (p->name)
    return p;
  igt__upload_plan_free(p);
  return NULL;
}

void igt__upload_plan_free(igt__upload_plan *p) {
  if (p->release)
    p->release(p);
  igt__fingerprints_free(p->there);
  igt__map_free(p->by_nfc);
  igt__map_free(p->taken_keys);
  igt__arena_free(p->nfc_keys);
  igt__arena_free(p->arena);
  igt__s3_provider_unref(p->put);
  igt__s3_provider_unref(p->get);
  igt__free(p->folder);
  igt__free(p->study_folder);
  igt__free(p->name);
  igt__free(p->prefix);
  igt__free(p);
}

bool igt__upload_plan_open(igt__upload_plan *p, const char *study, const char *study_id,
                           const char *s3_prefix, const char *below,
                           void (*on_settled)(igt__group *group)) {
  igt__buf prefix;

  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s%s", s3_prefix, below);
  p->prefix = igt__buf_take(&prefix);
  igt__buf_finish(&prefix);
  if (!p->prefix)
    return false;
  p->group = igt__group_open(&p->u->run, p->institute ? igt__text_of(&p->institute->name) : "",
                             p->institute ? igt__text_of(&p->institute->id) : "", study, study_id,
                             s3_prefix);
  if (!p->group)
    return false;
  igt__group_set_folder(p->group, p->study_folder);
  p->group->owner = p->u;
  p->group->on_settled = on_settled;
  return true;
}

static igt_status prepare(plan *p, igt_error *err) {
  igt_status status;

  p->arena = igt__arena_new(0);
  igt__quota_init_part(&p->lists, &p->u->run.lists);
  p->there = igt__fingerprints_new(true, &p->lists);
  p->put = igt__run_provider(&p->u->run, "PUT", p->prefix);
  p->by_nfc = igt__map_new();
  p->taken_keys = igt__map_new();
  p->nfc_keys = igt__arena_new(0);
  if (!p->arena || !p->there || !p->put || !p->by_nfc || !p->taken_keys || !p->nfc_keys)
    return igt__fail_memory(err);
  igt__map_bound(p->by_nfc, &p->lists);
  igt__arena_bound(p->nfc_keys, UINT64_MAX, &p->lists);
  /* An empty list would cost a round trip. */
  status = p->is_new ? IGT_OK : igt__upload_load_existing(p, err);
  igt__run_listed(&p->u->run, &p->lists);
  return status;
}

/* A folder with nothing but links is a study that would be lost silently. */
static igt_status see_what_went(plan *p, igt_error *err) {
  if (!(p->links || p->others) || (p->files && !p->only_named)) {
    if (p->only_named && !p->group->failed)
      igt__upload_ignored_folder(p->u, p->group->institute, p->folder,
                                 "none of its files is uploaded, so no study was created");
    return IGT_OK;
  }
  return igt__fail(err, IGT_E_NO_FILE, "nothing of '%s' was uploaded%s: it contains %s", p->folder,
                   p->only_named ? ", and no study was created" : "",
                   p->links ? "links, and links are not followed (--follow-links does)"
                            : "no regular files, only FIFOs, sockets or devices");
}

static igt_status walk(plan *p, igt_error *err) {
  int ended = 0;
  igt_status status = prepare(p, err);

  if (status == IGT_OK && p->divided)
    status = igt__upload_leave_rest(p, err);
  if (status == IGT_OK)
    status = igt__walk(p->u->root, p->folder, each_entry, p, &ended, err);
  if (p->arena)
    igt__upload_batch_flush(p);
  if (status == IGT_OK && ended == 2)
    return igt__fail(err, IGT_E_CANCELLED, "interrupted");
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && !ended ? see_what_went(p, err) : status;
}

static void plan_task(void *arg) {
  plan *p = arg;
  igt__run *run = &p->u->run;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = p->open ? p->open(p, &err) : IGT_OK;

  if (p->group) {
    if (status == IGT_OK)
      status = walk(p, &err);
    igt__group_planned(p->group, status, &err);
  } else {
    if (p->divided)
      (void)igt__upload_leave_rest(p, NULL);
    p->give_up(p, &err);
  }
  igt__upload_plan_free(p);
  igt__run_task_end(run);
}

void igt__upload_plan_begin(igt__upload_plan *p) {
  igt__run_task_begin(&p->u->run);
  igt__pool_add(p->u->run.producers, plan_task, p);
}
