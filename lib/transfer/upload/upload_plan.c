/* SPDX-License-Identifier: MIT */
/* The files of one folder with one destination. On a producer's thread it loads the cloud's list of
 * existing files, walks the folder, and decides for each file whether it is sent, skipped or
 * reported; files are registered in batches, and those registered are handed to send.c. A batch
 * that the cloud rejects is halved until the file that causes it fails alone, and one that breaks
 * off is halved because a connection may not last for the whole. Called by upload_study.c,
 * upload_import.c and upload.c. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/unicode.h"
#include "model/model.h"
#include "transfer/download/fetch.h"
#include "transfer/upload/create.h"
#include "transfer/upload/upload.h"

#define BATCH IGT__UPLOAD_BATCH

typedef igt__upload_plan plan;

/* ---- one file ---- */

/* The file's name in the journal. */
static const char *journal_key(const plan *p, const char *key, igt__buf *buf) {
  if (!p->import)
    return key;
  igt__buf_clear(buf);
  return igt__buf_join(buf, p->import->prefix, key + strlen(p->prefix), NULL) ? buf->data : key;
}

/* How it was verified when it was transferred, if it is still that file. */
static void recall(const plan *p, const char *key, const igt__local *local,
                   igt__journal_file *known) {
  igt__run *run = &p->u->run;

  if (!igt__journal_find_file(run->journal, run->origin, key, local->path, known) ||
      known->size != local->size || known->mtime_ns != local->mtime_ns)
    memset(known, 0, sizeof *known);
}

/* key NULL: it has none. */
static void report(plan *p, const char *path, const char *key, const igt__local *local,
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
    recall(p, journal_key(p, key, &buf), local, &known);
    igt__buf_finish(&buf);
    item.digest = known.digest;
    item.verified = known.verified;
    if (p->import && strcmp(known.etag, p->import->id) != 0)
      item.key = NULL; /* it was sent under another one */
  }
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
    p->get = igt__run_provider(&p->u->run, "GET", p->prefix);
  if (!p->get)
    return igt__fail_memory(err);
  file.provider = p->get;
  status = igt__local_open(local, &fd, err);
  if (status != IGT_OK)
    return status;
  status = igt__fetch_compare(&file, fd, &found, err);
  igt__os_close(fd);
  *same = status == IGT_OK && found.same;
  return status == IGT_E_NOT_FOUND ? IGT_OK
                                   : status; /* the cloud lists a file that the store has lost */
}

/* Discs, archives and de-identifiers give files of one size the same time: if the inode or change
 * time differs, the content is compared. For an import the journal is the only record, and must
 * have both. */
static bool looks_the_same(const plan *p, const igt__journal_file *known, const igt__local *local) {
  if (known->mtime_ns != local->mtime_ns)
    return false;
  if (known->ctime_ns == 0)
    return !p->import;
  return known->ctime_ns == local->ctime_ns && known->inode == local->inode;
}

/* Whether the journal has the file; *same: unchanged. Some file systems assign new inodes with each
 * mount, so a file that had to be read is recorded with its present one. */
static bool journal_knows(const plan *p, const char *key, const igt__local *local,
                          igt__journal_file *known, bool *same) {
  igt__run *run = &p->u->run;
  bool found = igt__journal_find_file(run->journal, run->origin, key, local->path, known), young;

  *same = found && known->size == local->size;
  if (!*same || looks_the_same(p, known, local))
    return found;
  young = igt__local_is_young(local);
  *same = igt__digest_matches(local, known->digest, run->cancel);
  if (*same) {
    known->mtime_ns = local->mtime_ns;
    known->ctime_ns = young ? IGT__JOURNAL_DOUBT : local->ctime_ns;
    known->inode = local->inode;
    igt__journal_put_file(run->journal, run->origin, key, local->path, known);
  }
  return found;
}

/* Only the journal knows whether this import has the file already, or an earlier one handed it
 * over, in which case its outcome is unknown. */
static igt_status import_has(plan *p, const char *key, const igt__local *local, bool *there,
                             igt_error *err) {
  igt__journal_file known;
  igt__buf buf;
  bool mine;

  igt__buf_init(&buf, IGT__MAX_JOINED);
  if (!journal_knows(p, journal_key(p, key, &buf), local, &known, there))
    *there = false;
  igt__buf_finish(&buf);
  mine = *there && strcmp(known.etag, p->import->id) == 0;
  if (mine && p->u->run.options.checksum) {
    igt_status status = compare_with_store(p, key, local, there, err);
    if (status != IGT_OK || !*there)
      return status;
  } else if (*there && !mine) {
    pthread_mutex_lock(&p->u->run.lock);
    p->u->run.summary.files_handed_over++;
    pthread_mutex_unlock(&p->u->run.lock);
  }
  p->import->resumed += mine;
  return IGT_OK;
}

/* Same size and, where the journal knows the file, an unchanged time or content. */
static igt_status is_there(plan *p, const char *key, const igt__local *local, bool *there,
                           igt_error *err) {
  const igt_transfer_options *o = &p->u->run.options;
  const uint64_t *remote = igt__fingerprints_number(p->there, key);
  igt__journal_file known;
  bool same;

  *there = false;
  if (o->overwrite)
    return IGT_OK;
  if (p->import)
    return import_has(p, key, local, there, err);
  if (!remote || *remote != local->size + 1)
    return IGT_OK;
  if (o->checksum)
    return compare_with_store(p, key, local, there, err);
  *there = !journal_knows(p, key, local, &known, &same) || same;
  return IGT_OK;
}

static void clear_batch(plan *p) {
  p->batch_count = 0;
  igt__arena_reset(p->arena);
}

/* Registers those of count files of the batch, starting at first, that the cloud does not have. */
static igt_status register_files(plan *p, size_t first, size_t count, igt_error *err) {
  const igt_file *body[BATCH];
  size_t n = 0;
  igt_files *response = NULL;
  igt_status status;

  for (size_t i = first; i < first + count; i++)
    if (!igt__fingerprints_has(p->there, p->pending[i].key))
      body[n++] = p->batch[i];
  if (n == 0 || !p->registered)
    return IGT_OK;
  if (p->institute)
    status = igt_register_study_files(p->u->run.client, p->group->institute_id, p->group->study_id,
                                      NULL, body, n, &response, err);
  else
    status = igt_register_project_files(p->u->run.client, igt__text_of(&p->u->found.project->id),
                                        NULL, body, n, &response, err);
  igt_model_free(response ? &response->model : NULL);
  return status;
}

static igt_status load_remote(plan *p, igt_error *err);

/* A lost response may have been a success: queries what is registered now. A request that takes
 * longer than a connection lasts never arrives, so from the second failure on it is halved, and
 * whatever is registered is progress. *done: how many are, from the first one on. */
static igt_status register_surely(plan *p, size_t first, size_t count, size_t *done,
                                  igt_error *err) {
  int64_t progress_at = igt__mono_us();
  igt_status status = IGT_OK;
  size_t step = count;
  unsigned failed = 0;

  *done = 0;
  while (*done < count) {
    size_t n = step < count - *done ? step : count - *done;
    status = failed ? load_remote(p, err) : IGT_OK;
    if (status == IGT_OK)
      status = register_files(p, first + *done, n, err);
    if (status == IGT_OK) {
      *done += n;
      step *= 2;
      failed = 0;
      progress_at = igt__mono_us();
    } else if (igt__is_unclear(status) && igt__wait_to_look(&p->u->run, ++failed, err)) {
      step = failed > 1 ? (n + 1) / 2 : n;
    } else {
      break;
    }
  }
  if (igt__is_unclear(status))
    igt__retry_gave_up(err, failed, progress_at);
  return status;
}

/* The cloud refuses the request, perhaps because of a single file. */
static bool is_refusal(igt_status status) {
  return status == IGT_E_BAD_REQUEST || status == IGT_E_CONFLICT || status == IGT_E_NOT_FOUND ||
         status == IGT_E_FORBIDDEN; /* the response of a firewall that rejects a name */
}

/* After this many refusals without a success in between, single files are not the cause. */
#define REFUSALS_MOST 40

static void settle_batch(plan *p, size_t first, size_t count, igt_status status,
                         const igt_error *err) {
  for (size_t i = first; i < first + count; i++) {
    igt_error one = *err;
    igt_status added = status;
    if (added == IGT_OK)
      added = igt__send_add(&p->pending[i], &one);
    if (added == IGT_E_CANCELLED)
      igt__group_dropped(p->group);
    else if (added != IGT_OK)
      report(p, p->pending[i].item_path, p->pending[i].key, &p->pending[i].local, IGT_RESULT_FAILED,
             "", &one);
  }
}

/* Registers a range of the batch and sends what is registered. A refused range is halved, so that a
 * file that the cloud rejects fails alone, with its own reason. */
static void register_part(plan *p, size_t first, size_t count, unsigned *refused) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_E_CANCELLED;
  size_t done = 0;

  if (!igt__run_stopping(&p->u->run))
    status = register_surely(p, first, count, &done, &err);
  settle_batch(p, first, done, IGT_OK, &err);
  first += done;
  count -= done;
  *refused = (done > 0 ? 0 : *refused) + is_refusal(status);
  if (count == 0)
    return;
  if (!is_refusal(status) || count == 1 || *refused > REFUSALS_MOST) {
    settle_batch(p, first, count, status, &err);
    return;
  }
  register_part(p, first, count / 2, refused);
  register_part(p, first + count / 2, count - count / 2, refused);
}

static void flush_batch(plan *p) {
  unsigned refused = 0;

  if (p->batch_count == 0)
    return;
  if (p->import && !p->import->begun)
    p->begin_import(p);
  register_part(p, 0, p->batch_count, &refused);
  clear_batch(p);
  igt__sched_wait_backlog(p->u->run.sched, IGT__BACKLOG, igt__run_stopping_arg, &p->u->run);
}

static igt_status add_to_batch(plan *p, const char *path, const char *key, const igt__local *local,
                               igt_error *err) {
  igt_file *file = igt__arena_calloc(p->arena, 1, sizeof *file);
  igt__send_file *send = &p->pending[p->batch_count];

  if (!file)
    return igt__fail_memory(err);
  *send = (igt__send_file){.sender = &p->u->sender,
                           .group = p->group,
                           .provider = p->put,
                           .local = *local,
                           .key = igt__arena_strdup(p->arena, key),
                           .prefix_len = strlen(p->prefix),
                           .item_path = igt__arena_strdup(p->arena, path),
                           .complete = p->registered && p->institute};
  send->local.path = igt__arena_strdup(p->arena, local->path);
  if (p->import) {
    igt__buf buf;
    igt__buf_init(&buf, IGT__MAX_JOINED);
    send->import_key = igt__arena_strdup(p->arena, journal_key(p, key, &buf));
    send->import_id = p->import->id;
    igt__buf_finish(&buf);
    if (!send->import_key)
      return igt__fail_memory(err);
  }
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

/* ---- Unicode variants of names ---- */

/* The key in the cloud for a local key of another variant (Unicode NFC and NFD are one name). NULL:
 * no memory. */
static char *cloud_form(const plan *p, const char *key) {
  char *nfc = igt__fingerprints_has(p->there, key) ? igt__strdup(key) : igt__nfc(key);
  const char *there = nfc && strcmp(nfc, key) == 0 && igt__fingerprints_has(p->there, key) ? NULL
                      : nfc && !igt__fingerprints_has(p->there, nfc) ? igt__map_get(p->by_nfc, nfc)
                                                                     : NULL;
  char *found = there ? igt__strdup(there) : nfc;

  if (there)
    igt__free(nfc);
  return found;
}

/* *is_free: no other file of the folder has, or gets, this name. Else both keep their names: here
 * they are two files. */
static igt_status claim_form(plan *p, const char *key, const igt__local *local, bool *is_free,
                             igt_error *err) {
  char *twin = igt__path_join(p->folder, key + strlen(p->prefix));
  igt__stat st;
  bool found = false;
  igt_status status =
      twin ? igt__root_look(p->u->root, twin, &found, &st, err) : igt__fail_memory(err);

  igt__free(twin);
  if (status != IGT_OK)
    return status;
  found = found && (uint64_t)st.st_ino !=
                       local->inode; /* else this file system does not distinguish the forms */
  *is_free = !found && !igt__map_has(p->taken_keys, key);
  return !*is_free || igt__map_set(p->taken_keys, key, p) ? IGT_OK : igt__fail_memory(err);
}

/* Names of plain characters, which are nearly all, have one variant. */
static igt_status spell(plan *p, igt__buf *key, const igt__local *local, igt_error *err) {
  char *there;
  bool is_free = false;
  igt_status status = IGT_OK;

  if (key->failed)
    return igt__fail_memory(err);
  if (igt__nfc_is_plain(key->data + strlen(p->prefix)) && igt__map_count(p->by_nfc) == 0)
    return IGT_OK;
  if (!(there = cloud_form(p, key->data)))
    return igt__fail_memory(err);
  if (strcmp(there, key->data) != 0)
    status = claim_form(p, there, local, &is_free, err);
  if (status == IGT_OK && is_free) {
    igt__buf_clear(key);
    igt__buf_puts(key, there);
  }
  igt__free(there);
  return status;
}

/* A file that cannot be read must not be registered: it would stay in the cloud as one that never
 * gets complete. Bad disks and some NFS servers let it be opened, and refuse the first read. */
static igt_status see_readable(const igt__local *local, igt_error *err) {
  char first;
  int fd;
  igt_status status = igt__local_open(local, &fd, err);

  if (status != IGT_OK)
    return status;
  if (local->size > 0)
    status = igt__local_read(fd, &first, 1, err);
  igt__os_close(fd);
  return status;
}

/* path: as the cloud has it. */
static void take_file(plan *p, const char *path, const igt__local *local) {
  igt_error err = IGT_ERROR_INIT;
  igt__buf key;
  bool there = false;
  igt_status status = IGT_OK;

  igt__buf_init(&key, IGT__MAX_JOINED);
  igt__buf_printf(&key, "%s%s", p->prefix, path);
  status = spell(p, &key, local, &err);
  if (status == IGT_OK)
    path = key.data + strlen(p->prefix);
  if (status == IGT_OK && key.len > IGT__S3_MAX_KEY)
    status = igt__fail(&err, IGT_E_UNSAFE_NAME, "its key would be longer than S3's 1,024 bytes");
  if (status == IGT_OK)
    status = is_there(p, key.data, local, &there, &err);
  if (status == IGT_OK && !there)
    status = see_readable(local, &err);
  if (status == IGT_OK && p->only_named)
    status = igt__fail(&err, IGT_E_CHANGED,
                       "it appeared during the upload; retry once the folder no longer changes");
  if (status != IGT_OK)
    report(p, path, key.data, local, IGT_RESULT_FAILED, "", &err);
  else if (there)
    report(p, path, key.data, local, IGT_RESULT_SKIPPED,
           p->import ? "it was handed over already (use --overwrite to send it again)"
                     : "it is up to date in the cloud",
           NULL);
  else if (p->u->run.options.dry_run)
    report(p, path, key.data, local, IGT_RESULT_PLANNED, "", NULL);
  else if (add_to_batch(p, path, key.data, local, &err) != IGT_OK)
    report(p, path, key.data, local, IGT_RESULT_FAILED, "", &err);
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
  report(p, name, NULL, local, IGT_RESULT_IGNORED, text, NULL);
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
  report(p, e->path, NULL, local, IGT_RESULT_FAILED, "", err);
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
    report(p, name ? name : e->path, NULL, &local, IGT_RESULT_IGNORED, why, NULL);
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
  can = can && see_readable(&local, err) == IGT_OK;
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

/* ---- existing files ---- */

/* Whether a file of this tree could have the key. */
static bool may_be_ours(const plan *p, const char *key) {
  return strlen(key) <= IGT__S3_MAX_KEY && igt__str_starts(key, p->prefix) &&
         igt__wanted(&p->u->run, key + strlen(p->prefix));
}

static bool note_form(plan *p, const char *key) {
  char *nfc, *copy;
  bool noted = true;

  if (igt__nfc_is_plain(key))
    return true;
  nfc = igt__nfc(key);
  copy = nfc && strcmp(nfc, key) != 0 ? igt__arena_strdup(p->nfc_keys, key) : NULL;
  if (!nfc || (copy && !igt__map_set(p->by_nfc, nfc, copy)) || (!copy && strcmp(nfc, key) != 0))
    noted = false;
  igt__free(nfc);
  return noted;
}

static igt_status each_remote(void *payload, const char *list, igt_file *file) {
  plan *p = payload;
  bool known = file->file_size.is == IGT_SET && file->file_size.v >= 0;
  bool complete = known && file->is_completed.is == IGT_SET && file->is_completed.v;

  if (igt__run_stopping(&p->u->run))
    return IGT_E_CANCELLED;
  if (file->key.is != IGT_SET || (list && p->list && strcmp(list, p->list) != 0) ||
      !may_be_ours(p, file->key.v))
    return IGT_OK;
  return igt__fingerprints_set(p->there, file->key.v,
                               complete ? (uint64_t)file->file_size.v + 1 : 0) &&
                 note_form(p, file->key.v)
             ? IGT_OK
             : IGT_E_NO_MEMORY;
}

static igt_status load_remote(plan *p, igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_status status;

  if (!p->list || !*p->group->s3_prefix)
    return IGT_OK;
  if (strcmp(p->list, "files") != 0)
    options.auxiliary = "True";
  if (!p->institute)
    status = igt_get_project_files_each(p->u->run.client, igt__text_of(&p->u->found.project->id),
                                        NULL, each_remote, p, err);
  else
    status = igt_get_study_files_each(p->u->run.client, p->group->institute_id, p->group->study_id,
                                      &options, each_remote, p, err);
  return status == IGT_E_NO_MEMORY ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                   : status;
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
  status = p->is_new ? IGT_OK : load_remote(p, err);
  igt__run_listed(&p->u->run, &p->lists);
  return status;
}

/* A folder with nothing but links is a study that would be lost silently. */
static igt_status see_what_went(plan *p, igt_error *err) {
  if (!(p->links || p->others) || (p->files && !p->only_named)) {
    if (p->only_named && !p->group->failed)
      igt__upload_ignored(p->u, p->group->institute, p->folder,
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

  if (status == IGT_OK)
    status = igt__walk(p->u->root, p->folder, each_entry, p, &ended, err);
  if (p->arena)
    flush_batch(p);
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
    p->give_up(p, &err);
  }
  igt__upload_plan_free(p);
  igt__run_task_end(run);
}

void igt__upload_plan_begin(igt__upload_plan *p) {
  igt__run_task_begin(&p->u->run);
  igt__pool_add(p->u->run.producers, plan_task, p);
}
