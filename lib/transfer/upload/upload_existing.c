/* SPDX-License-Identifier: MIT */
/* The files that the cloud has already, for the plan of one folder: loads their list, finds the key
 * of a local file that the list has in another form of Unicode, and decides whether a local file is
 * one of them, by size and the journal or, with --checksum, by content. An import has no list, only
 * the journal. Called by upload_plan.c, and by upload_batch.c when a response was lost. */
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/unicode.h"
#include "model/model.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/layout.h"
#include "transfer/upload/plan_internal.h"

typedef igt__upload_plan plan;

/* ---- the cloud's list ---- */

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
  p->own_folders |= igt__layout_is_own(file->key.v + strlen(p->prefix));
  return igt__fingerprints_set(p->there, file->key.v,
                               complete ? (uint64_t)file->file_size.v + 1 : 0) &&
                 note_form(p, file->key.v)
             ? IGT_OK
             : IGT_E_NO_MEMORY;
}

static igt_status list_files(plan *p, igt_files_fn each, void *payload, igt_error *err) {
  const char *project = p->institute ? NULL : igt__text_of(&p->u->found.project->id);
  igt_status status =
      igt__group_each_file(p->group, project, strcmp(p->list, "files") != 0, each, payload, err);

  return status == IGT_E_NO_MEMORY ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                   : status;
}

/* Looking for the files that the cloud lists. */
typedef struct remote_search {
  plan *p;
  igt__layout layout;
  igt_error *err;
} remote_search;

static igt_status each_place(void *payload, const char *list, igt_file *file) {
  remote_search *l = payload;
  plan *p = l->p;

  if (igt__run_stopping(&p->u->run))
    return IGT_E_CANCELLED;
  if (file->key.is != IGT_SET || (list && strcmp(list, p->list) != 0) ||
      !igt__str_starts(file->key.v, p->prefix))
    return IGT_OK;
  return igt__layout_look(&l->layout, p->u->root, p->study_folder, file->key.v + strlen(p->prefix),
                          l->err);
}

static igt_status correct_folder(plan *p, igt_error *err) {
  remote_search l = {.p = p, .err = err};
  igt_status status = list_files(p, each_place, &l, err);
  char *folder;

  if (status != IGT_OK || !igt__layout_is_direct(&l.layout))
    return status;
  if (!(folder = igt__strdup(p->study_folder)))
    return igt__fail_memory(err);
  igt__free(p->folder);
  p->folder = folder;
  p->sidecar = IGT__SIDECAR_ON_TOP;
  p->divided = false;
  return IGT_OK;
}

igt_status igt__upload_load_existing(plan *p, igt_error *err) {
  igt_status status;

  if (!p->list || !*p->group->s3_prefix)
    return IGT_OK;
  status = list_files(p, each_remote, p, err);
  return status == IGT_OK && p->divided && p->own_folders ? correct_folder(p, err) : status;
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

igt_status igt__upload_cloud_key(plan *p, igt__buf *key, const igt__local *local, igt_error *err) {
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

/* ---- comparing a file ---- */

const char *igt__upload_journal_key(const plan *p, const char *key, igt__buf *buf) {
  if (!p->import)
    return key;
  igt__buf_clear(buf);
  return igt__buf_join(buf, p->import->prefix, key + strlen(p->prefix), NULL) ? buf->data : key;
}

void igt__upload_recall(const plan *p, const char *key, const igt__local *local,
                        igt__journal_file *known) {
  igt__run *run = &p->u->run;

  if (!igt__journal_find_file(run->journal, run->origin, key, local->path, known) ||
      known->size != local->size || known->mtime_ns != local->mtime_ns)
    memset(known, 0, sizeof *known);
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

#define COARSEST_NS 10000000 /* exFAT's unit of time; those of CDs and FAT are multiples of it */

/* CDs, DVDs, FAT and exFAT have no change times: the system shows the modification time, which
 * tools can set. Two discs that were written alike differ in nothing then. Disks that have them
 * also have finer ones. */
static bool has_change_time(const igt__local *local) {
  return local->ctime_ns != local->mtime_ns || local->mtime_ns % COARSEST_NS != 0;
}

/* Discs, archives and de-identifiers give files of one size the same time: if the inode or change
 * time differs, the content is compared. For an import the journal is the only record, and must
 * have both. */
static bool looks_the_same(const plan *p, const igt__journal_file *known, const igt__local *local) {
  if (known->mtime_ns != local->mtime_ns)
    return false;
  if (known->ctime_ns == 0 || (p->import && !has_change_time(local)))
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
  if (!journal_knows(p, igt__upload_journal_key(p, key, &buf), local, &known, there))
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

igt_status igt__upload_is_there(plan *p, const char *key, const igt__local *local, bool *there,
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

bool igt__upload_replaces(const plan *p, const char *key, uint64_t *size) {
  const uint64_t *remote = igt__fingerprints_number(p->there, key);
  bool complete = remote && *remote > 0;

  *size = complete ? *remote - 1 : 0;
  return complete;
}
