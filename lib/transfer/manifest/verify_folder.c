/* SPDX-License-Identifier: MIT */
/* igt_manifest_verify_folder: whether a folder has what a manifest lists, without any cloud. Study
 * by study, in the order of the manifest: finds the study's folder as a download would
 * (download_folder.c), reads each file of the manifest and compares its digest, then walks the
 * folder for files that the manifest does not have. All on the calling thread, so that results come
 * in the manifest's order. */
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/root.h"
#include "base/sized.h"
#include "base/walk.h"
#include "transfer/download/check.h"
#include "transfer/download/download.h"
#include "transfer/engine/digest.h"
#include "transfer/engine/manifest.h"
#include "transfer/engine/tree.h"

#define PROGRESS_US 100000

typedef struct verifying {
  igt__download d; /* what igt__download_folder needs: the target and its names */
  const igt_manifest *manifest;
  igt_transfer_options transfer;
  igt_transfer_callbacks callbacks;
  igt_cancel *cancel;
  igt_transfer_summary summary;
  igt_transfer_progress progress;
  int64_t began_us, shown_us;
  bool several; /* categories: each has its own folder */
  /* the study being compared */
  const igt__manifest_study *study;
  char *folder;           /* below the root */
  igt__fingerprints *own; /* paths of its files, below its folder */
  igt_transfer_result compared;
  uint64_t failed, files, bytes;
} verifying;

/* ---- results ---- */

static void count(verifying *v, const igt_transfer_item *item) {
  igt_transfer_summary *s = &v->summary;

  s->files_same += item->result == IGT_RESULT_SAME;
  s->bytes_same += item->result == IGT_RESULT_SAME ? item->size : 0;
  s->files_different += item->result == IGT_RESULT_DIFFERENT;
  s->files_missing_here += item->result == IGT_RESULT_MISSING_HERE;
  s->files_missing_there += item->result == IGT_RESULT_MISSING_THERE;
  s->files_unchecked += item->result == IGT_RESULT_UNCHECKED;
  s->files_failed += item->result == IGT_RESULT_FAILED;
  s->files_ignored += item->result == IGT_RESULT_IGNORED;
  s->files_clutter += item->minor;
  v->failed += item->result == IGT_RESULT_FAILED;
  v->files++;
  v->bytes += item->size;
  if (item->result > IGT_RESULT_SAME && v->compared <= IGT_RESULT_SAME)
    v->compared = item->result;
}

/* Strings are never NULL for whoever receives it. */
static void deliver(const verifying *v, igt_transfer_item *item) {
  const char **const texts[] = {&item->path,   &item->local_path, &item->key,
                                &item->digest, &item->verified,   &item->text};

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!*texts[i])
      *texts[i] = "";
  item->institute = v->study->institute;
  item->study = v->study->name;
  item->study_id = v->study->id;
  if (v->callbacks.on_item)
    v->callbacks.on_item(v->callbacks.payload, item);
}

/* below: the path below the root; NULL: it has none. */
static void report(verifying *v, const char *path, const char *below, uint64_t size,
                   igt_transfer_result result, const char *digest, const char *text,
                   const igt_error *err) {
  char *local = below ? igt__path_join(igt__root_path(v->d.root), below) : NULL;
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = result,
                            .path = path,
                            .local_path = local,
                            .size = size,
                            .digest = result == IGT_RESULT_SAME ? digest : NULL,
                            .verified = result == IGT_RESULT_SAME ? "manifest" : NULL,
                            .text = text,
                            .error = err};

  count(v, &item);
  deliver(v, &item);
  igt__free(local);
}

static void show(verifying *v, bool always) {
  igt_transfer_progress *p = &v->progress;
  int64_t now = igt__mono_us();

  if (!v->callbacks.on_progress || (!always && now - v->shown_us < PROGRESS_US))
    return;
  v->shown_us = now;
  p->elapsed_ms = (now - v->began_us) / 1000;
  p->bytes_per_second = p->elapsed_ms ? (double)p->bytes_settled * 1000 / (double)p->elapsed_ms : 0;
  p->seconds_left = p->bytes_per_second > 0
                        ? (int64_t)((double)(p->bytes - p->bytes_settled) / p->bytes_per_second)
                        : -1;
  v->callbacks.on_progress(v->callbacks.payload, p);
}

/* ---- one file ---- */

/* An ETag that is the MD5 of the parts' MD5s, of parts whose size the manifest does not have. */
static igt_status compare_etag(verifying *v, const igt__local *local, const char *etag, bool *known,
                               bool *same, igt_error *err) {
  igt__check check;
  igt__check_facts facts = {etag, "", "", ""};
  igt_status status = igt__check_init(&check, &facts, err);

  *known = status == IGT_OK && igt__check_needs_part_size(&check) &&
           igt__check_guess_part_size(&check, local->size);
  while (status == IGT_OK && *known) {
    char wanted[160];
    (void)snprintf(wanted, sizeof wanted, "md5-parts-%llu:%.32s",
                   (unsigned long long)check.part_size, etag);
    status = igt__digest_compare(local, wanted, v->cancel, same, err);
    if (status != IGT_OK || *same)
      break;
    check.known = false; /* the next guess */
    *known = igt__check_guess_again(&check, local->size);
  }
  igt__check_finish(&check);
  return status;
}

static void compare_content(verifying *v, const igt__manifest_file *file, const char *below,
                            const igt__stat *st) {
  char *path = igt__path_join(igt__root_path(v->d.root), below);
  igt__local local = {.path = path, .root = v->d.root};
  bool known = *file->digest != '\0', same = false;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = path ? IGT_OK : igt__fail_memory(&err);

  igt__local_take(&local, st);
  if (status == IGT_OK && known)
    status = igt__digest_compare(&local, file->digest, v->cancel, &same, &err);
  else if (status == IGT_OK && *file->etag)
    status = compare_etag(v, &local, file->etag, &known, &same, &err);
  if (status == IGT_E_CANCELLED)
    ; /* the walk ends */
  else if (status == IGT_E_INVALID)
    report(v, file->path, below, file->size, IGT_RESULT_UNCHECKED, NULL,
           "the manifest has a digest of a kind that this program does not know", NULL);
  else if (status != IGT_OK)
    report(v, file->path, below, file->size, IGT_RESULT_FAILED, NULL, NULL, &err);
  else if (same)
    report(v, file->path, below, file->size, IGT_RESULT_SAME, file->digest, NULL, NULL);
  else if (known)
    report(v, file->path, below, file->size, IGT_RESULT_DIFFERENT, NULL,
           "its content does not match the manifest", NULL);
  else
    report(v, file->path, below, file->size, IGT_RESULT_UNCHECKED, NULL,
           "the sizes are equal, but the manifest has no digest of it", NULL);
  igt__free(path);
}

static void compare_file(verifying *v, const igt__manifest_file *file, const char *below) {
  igt_error err = IGT_ERROR_INIT;
  char text[128];
  igt__stat st;
  igt_status status = igt__root_stat(v->d.root, below, &st, &err);

  if (status == IGT_E_NO_FILE) {
    report(v, file->path, below, file->size, IGT_RESULT_MISSING_HERE, NULL, NULL, NULL);
  } else if (status != IGT_OK) {
    report(v, file->path, below, file->size, IGT_RESULT_FAILED, NULL, NULL, &err);
  } else if (!S_ISREG(st.st_mode)) {
    report(v, file->path, below, file->size, IGT_RESULT_DIFFERENT, NULL, "it is not a regular file",
           NULL);
  } else if ((uint64_t)st.st_size != file->size) {
    (void)snprintf(text, sizeof text, "it has %llu bytes here and %llu in the manifest",
                   (unsigned long long)st.st_size, (unsigned long long)file->size);
    report(v, file->path, below, file->size, IGT_RESULT_DIFFERENT, NULL, text, NULL);
  } else {
    compare_content(v, file, below, &st);
  }
}

/* Its path below the study's folder. *out is the caller's. */
static igt_status path_of(const verifying *v, const igt__manifest_file *file, char **out,
                          igt_error *err) {
  const char *folder = "";
  char *local = NULL;
  igt_status status;

  *out = NULL;
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    if (v->several && igt__categories[c].bit == file->category)
      folder = igt__categories[c].folder;
  status = igt__path_to_local(file->path, strlen(file->path), v->d.rules, "the file", &local, err);
  if (status == IGT_OK && !(*out = *folder ? igt__path_join(folder, local) : igt__strdup(local)))
    status = igt__fail_memory(err);
  igt__free(local);
  return status;
}

static igt_status each_file(void *payload, const igt__manifest_file *file) {
  verifying *v = payload;
  igt_error err = IGT_ERROR_INIT;
  char *path = NULL, *below = NULL, *here = NULL;
  igt_status status;

  if (igt__cancel_is_set(v->cancel))
    return IGT_E_CANCELLED;
  status = path_of(v, file, &path, &err);
  if (status == IGT_OK && !(below = igt__path_join(v->folder, path)))
    status = igt__fail_memory(&err);
  if (status == IGT_OK)
    status = igt__download_on_disk(&v->d, below, &here, &err);
  if (status == IGT_OK && !igt__fingerprints_set(v->own, here + strlen(v->folder) + 1, 0))
    status = igt__fail_memory(&err);
  if (status == IGT_OK)
    compare_file(v, file, here);
  else if (status != IGT_E_NO_MEMORY)
    report(v, file->path, NULL, file->size, IGT_RESULT_FAILED, NULL, NULL, &err);
  igt__free(path);
  igt__free(below);
  igt__free(here);
  v->progress.files_settled++;
  v->progress.bytes_settled += file->size;
  show(v, false);
  if (status == IGT_E_NO_MEMORY)
    return status;
  return igt__cancel_is_set(v->cancel) ? IGT_E_CANCELLED : IGT_OK;
}

/* ---- files beyond the manifest ---- */

static void report_extra(verifying *v, const igt__walk_entry *e, const char *below) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = IGT_RESULT_MISSING_THERE,
                            .path = e->path,
                            .text = "it is not in the manifest",
                            .size = (uint64_t)e->st.st_size};
  char *local = igt__path_join(igt__root_path(v->d.root), below);

  item.local_path = local;
  if (!v->transfer.include_clutter && igt__is_clutter(e->path)) {
    item.result = IGT_RESULT_IGNORED;
    item.text = "metadata of macOS, Windows or a NAS (use --include-clutter to include it)";
    item.minor = true;
  } else if (e->kind == IGT__WALK_LINK) {
    item.result = IGT_RESULT_IGNORED;
    item.text = IGT__LINK_LEFT_OUT;
  }
  count(v, &item);
  deliver(v, &item);
  igt__free(local);
}

static int each_entry(void *payload, const igt__walk_entry *e) {
  verifying *v = payload;
  char *below;

  if (igt__cancel_is_set(v->cancel))
    return 2;
  if (e->kind == IGT__WALK_DIR || strcmp(e->path, IGT__SIDECAR) == 0 ||
      igt__fingerprints_has(v->own, e->path))
    return 0;
  if (!(below = igt__path_join(v->folder, e->path)))
    return 3;
  report_extra(v, e, below);
  igt__free(below);
  return 0;
}

static igt_status walk(verifying *v, igt_error *err) {
  int ended = 0;
  bool is_folder;
  igt_status status = igt__folder_look(v->d.root, v->folder, &is_folder, err);

  if (status == IGT_OK && is_folder)
    status = igt__walk(v->d.root, v->folder, each_entry, v, &ended, err);
  if (status == IGT_OK && ended == 3)
    return igt__fail_memory(err);
  return status == IGT_OK && ended ? IGT_E_CANCELLED : status;
}

/* ---- one study ---- */

static igt_status find_folder(verifying *v, igt_error *err) {
  igt_institute institute = {0};

  institute.name.is = institute.id.is = IGT_SET;
  institute.name.v = institute.id.v = v->study->institute;
  return igt__download_folder(&v->d, &institute, v->study->name, v->study->id, &v->folder, err);
}

static void end_study(verifying *v, const igt_error *err) {
  igt_error own = IGT_ERROR_INIT;
  igt_transfer_item item = {.kind = IGT_ITEM_STUDY, .size = v->bytes, .error = err};

  if (!err && v->failed) {
    (void)igt__fail(&own, IGT_E_SOME_FAILED, "%llu of its files failed",
                    (unsigned long long)v->failed);
    item.error = &own;
  }
  item.result = item.error ? IGT_RESULT_FAILED : v->compared;
  v->summary.studies += !item.error;
  v->summary.studies_failed += item.error != NULL;
  v->progress.studies_settled++;
  deliver(v, &item);
}

static igt_status compare_study(verifying *v, igt_error *err) {
  igt_status status;

  v->compared = IGT_RESULT_SAME;
  v->failed = v->files = v->bytes = 0;
  v->own = igt__fingerprints_new(false, &v->d.lists);
  status = v->own ? find_folder(v, err) : igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt__manifest_files(v->manifest, v->study, each_file, v, err);
  if (status == IGT_OK)
    status = walk(v, err);
  if (status == IGT_OK)
    end_study(v, NULL);
  igt__free(v->folder);
  igt__fingerprints_free(v->own);
  v->folder = NULL;
  v->own = NULL;
  return status;
}

static igt_status compare_all(verifying *v, igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t i = 0; status == IGT_OK && (v->study = igt__manifest_at(v->manifest, i)) != NULL;
       i++) {
    igt_error own = IGT_ERROR_INIT;
    if (!igt__in_shard(v->study->id, v->transfer.shard, v->transfer.shards))
      continue;
    status = compare_study(v, &own);
    if (status == IGT_OK)
      continue;
    if (status == IGT_E_CANCELLED || igt__status_is_fatal(status) || status == IGT_E_CHANGED) {
      (void)igt__fail(err, status, "%s", *own.text ? own.text : "interrupted");
    } else {
      end_study(v, &own);
      status = IGT_OK;
    }
  }
  return status;
}

/* ---- the call ---- */

static igt_status open_folder(verifying *v, const char *folder, igt_error *err) {
  igt__download *d = &v->d;
  igt_status status = igt__root_open(folder, false, &d->root, err);

  if (status != IGT_OK)
    return status;
  if (v->transfer.follow_links)
    igt__root_follow_links(d->root);
  d->folds = igt__root_folds(d->root);
  d->rules = v->transfer.portable_names ? IGT__NAMES_PORTABLE : igt__root_names(d->root);
  d->run.options.structure = v->transfer.structure;
  igt__quota_init_fair(&d->lists, IGT__MAX_LIST_MEMORY);
  d->folders = igt__fingerprints_new(false, &d->lists);
  d->institutes = igt__map_new();
  return d->folders && d->institutes ? IGT_OK : igt__fail_memory(err);
}

static igt_status outcome(const igt_transfer_summary *s, igt_status status, igt_error *err) {
  uint64_t differ = s->files_different + s->files_missing_here + s->files_missing_there +
                    s->files_unchecked + s->files_failed + s->studies_failed;

  if (status != IGT_OK || !differ)
    return status;
  return igt__fail_counts("the folder does not match the manifest",
                          (const igt__count[]){{"different", s->files_different},
                                               {"missing here", s->files_missing_here},
                                               {"not in the manifest", s->files_missing_there},
                                               {"cannot be checked", s->files_unchecked},
                                               {"files that failed", s->files_failed},
                                               {"studies that failed", s->studies_failed},
                                               {NULL, 0}},
                          err);
}

static igt_status begin(verifying *v, const igt_manifest *manifest,
                        const igt_transfer_options *transfer, igt_cancel *cancel,
                        const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_status status = manifest ? IGT_OK : igt__fail(err, IGT_E_INVALID, "no manifest was given");

  v->summary = (igt_transfer_summary)IGT_TRANSFER_SUMMARY_INIT;
  v->began_us = igt__mono_us();
  v->manifest = manifest;
  v->cancel = cancel;
  if (status == IGT_OK)
    status =
        igt__options_read(&v->transfer, sizeof v->transfer, transfer, "igt_transfer_options", err);
  if (status == IGT_OK)
    status = igt__options_read(&v->callbacks, sizeof v->callbacks, callbacks,
                               "igt_transfer_callbacks", err);
  if (status != IGT_OK)
    return status;
  v->several = (manifest->categories & (manifest->categories - 1)) != 0;
  v->progress.studies = manifest->info.studies;
  v->progress.files = manifest->info.files;
  v->progress.bytes = manifest->info.bytes;
  return igt__shard_check(v->transfer.shard, v->transfer.shards, err);
}

igt_status igt_manifest_verify_folder(const igt_manifest *manifest, const char *folder,
                                      const igt_transfer_options *transfer, igt_cancel *cancel,
                                      const igt_transfer_callbacks *callbacks,
                                      igt_transfer_summary *summary, igt_error *err) {
  igt_status status = igt__summary_begin(summary, err);
  verifying *v = status == IGT_OK ? igt__calloc(1, sizeof *v) : NULL;

  if (!v)
    return status == IGT_OK ? igt__fail_memory(err) : status;
  status = begin(v, manifest, transfer, cancel, callbacks, err);
  if (status == IGT_OK)
    status = open_folder(v, folder, err);
  if (status == IGT_OK)
    status = compare_all(v, err);
  if (status == IGT_OK)
    show(v, true);
  status = outcome(&v->summary, status, err);
  v->summary.seconds = (double)(igt__mono_us() - v->began_us) / 1e6;
  igt__result_write(summary, &v->summary, sizeof v->summary);
  igt__root_close(v->d.root);
  igt__fingerprints_free(v->d.folders);
  igt__map_free(v->d.institutes);
  igt__free(v);
  return status;
}
