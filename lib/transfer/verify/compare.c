/* SPDX-License-Identifier: MIT */
/* Compares one file with its object, as a job of the scheduler whose parts run on the readers'
 * threads: opens the file, asks the store for its checksum and size (igt__fetch_compare), falls
 * back to the journal's digest if the store has no checksum, and reports the result as an item.
 * Called by verify_study.c. */
#include "transfer/verify/compare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/digest.h"

typedef struct compare {
  igt__job job;
  igt__group *group;
  igt__run *run;
  igt__s3_provider *provider;
  igt__pool *readers;
  igt__root *root;
  char *path, *local, *key, *item_path; /* local: absolute */
  uint64_t size, listed;
  bool begun, is_upload_only;
} compare;

static void compare_free(compare *c) {
  igt__s3_provider_unref(c->provider);
  igt__free(c->path);
  igt__free(c->local);
  igt__free(c->key);
  igt__free(c->item_path);
  igt__free(c);
}

static void end(compare *c) {
  igt__sched_job_done(c->run->sched, &c->job);
  compare_free(c);
}

/* ---- the local side ---- */

static igt_status see_unchanged(int fd, const igt__stat *before, igt_error *err) {
  igt__stat now;

  if (igt__os_fstat(fd, &now) != 0)
    return igt__fail_errno(err, errno, "cannot read the file");
  if (now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
    return igt__fail(
        err, IGT_E_CHANGED,
        "the file was changed while it was read; verify it again once it no longer changes");
  return IGT_OK;
}

/* If the store has no checksum, or may not be asked (found has no ETag): it verified the digest
 * when this machine uploaded the object, which has not changed since as far as can be seen. */
static igt_status ask_journal(const compare *c, const igt__stat *st, igt__comparison *found,
                              igt_error *err) {
  igt__local local = {.path = c->local, .root = c->root};
  igt__journal_file known;
  igt_status status;

  igt__local_take(&local, st);
  if ((!*found->etag && !c->is_upload_only) ||
      !igt__journal_find_file(c->run->journal, c->run->origin, c->key, c->local, &known) ||
      known.size != found->size || !*known.verified ||
      (!c->is_upload_only && strcmp(known.etag, found->etag) != 0))
    return IGT_OK;
  status = igt__digest_compare(&local, known.digest, c->run->cancel, &found->same, err);
  if (status != IGT_OK) /* IGT_E_INVALID: the journal has no digest to compare */
    return status == IGT_E_INVALID ? IGT_OK : status;
  found->known = true;
  found->verified = "journal";
  return IGT_OK;
}

/* ---- reporting ---- */

static void report(const compare *c, igt_transfer_result result, const igt__comparison *found,
                   const char *text, const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = result,
                            .path = c->item_path,
                            .local_path = c->local,
                            .key = c->key,
                            .size = c->size,
                            .digest = found->digest,
                            .verified = found->verified,
                            .text = text,
                            .error = err};

  igt__group_item(c->group, &item);
}

static void report_compared(const compare *c, const igt__comparison *found) {
  char text[128] = "its content differs";

  if (found->same) {
    report(c, IGT_RESULT_SAME, found, "", NULL);
  } else if (!found->known) {
    report(c, IGT_RESULT_UNCHECKED, found,
           c->is_upload_only ? "the sizes are equal, but a service identity may not read it, and "
                               "this machine has no record of its upload"
                             : "the sizes are equal, but the store has no checksum of it",
           NULL);
  } else {
    if (found->size != c->size)
      (void)snprintf(text, sizeof text, "it has %llu bytes here and %llu in the cloud",
                     (unsigned long long)c->size, (unsigned long long)found->size);
    report(c, IGT_RESULT_DIFFERENT, found, text, NULL);
  }
}

/* The size and the checksum of the object. A service identity only knows the size that the cloud
 * lists. */
static igt_status ask_store(const compare *c, int fd, igt__comparison *found, igt_error *err) {
  igt__fetch_file file = {
      .group = c->group, .provider = c->provider, .root = c->root, .key = c->key, .size = c->size};

  if (!c->is_upload_only)
    return igt__fetch_compare(&file, fd, found, err);
  found->size = c->listed;
  found->known = c->size != c->listed;
  return IGT_OK;
}

static void compare_task(void *arg) {
  compare *c = arg;
  igt__sched *sched = c->run->sched;
  igt__comparison found = {.verified = ""};
  igt_error err = IGT_ERROR_INIT;
  igt__stat st = {0};
  int fd = -1;
  igt_status status = igt__root_open_read(c->root, c->path, &fd, &st, &err);

  if (status == IGT_OK) {
    c->size = (uint64_t)st.st_size;
    if (c->run->doubt) /* the pages in memory may be right although the disk has others */
      igt__os_drop_cached(fd);
    status = ask_store(c, fd, &found, &err);
  }
  if (status == IGT_OK)
    status = see_unchanged(fd, &st, &err);
  if (status == IGT_OK && !found.known)
    status = ask_journal(c, &st, &found, &err);
  if (fd >= 0)
    igt__os_close(fd);
  igt__group_present(c->group, c->size);
  if (status == IGT_OK)
    report_compared(c, &found);
  else if (status == IGT_E_CANCELLED || igt__run_stopping(c->run))
    igt__group_dropped(c->group);
  else if (status == IGT_E_NOT_FOUND)
    report(c, IGT_RESULT_MISSING_THERE, &found,
           "the cloud lists it, but the store has no such object", NULL);
  else
    report(c, IGT_RESULT_FAILED, &found, "", &err);
  end(c);
  igt__sched_part_done(sched, 0);
}

/* ---- the scheduler's side ---- */

static bool take(igt__job *job, unsigned *number, bool *more) {
  compare *c = (compare *)job;
  bool any = !c->begun;

  c->begun = true;
  *number = 0;
  *more = false;
  return any;
}

static void start(igt__job *job, unsigned number) {
  compare *c = (compare *)job;

  (void)number;
  igt__pool_add(c->readers, compare_task, c);
}

static void drop(igt__job *job) {
  compare *c = (compare *)job;

  igt__group_dropped(c->group);
  end(c);
}

igt_status igt__compare_add(const igt__compare_file *file, igt_error *err) {
  compare *c = igt__calloc(1, sizeof *c);

  if (!c)
    return igt__fail_memory(err);
  c->group = file->group;
  c->run = file->group->run;
  c->provider = igt__s3_provider_ref(file->provider);
  c->readers = file->readers;
  c->root = file->root;
  c->path = igt__strdup(file->path);
  c->local = igt__path_join(igt__root_path(file->root), file->path);
  c->key = igt__strdup(file->key);
  c->item_path = igt__strdup(file->item_path);
  c->size = file->size;
  c->listed = file->listed;
  c->is_upload_only = file->is_upload_only;
  c->job.take = take;
  c->job.start = start;
  c->job.drop = drop;
  if (!c->path || !c->local || !c->key || !c->item_path) {
    compare_free(c);
    return igt__fail_memory(err);
  }
  igt__group_found(c->group, c->size);
  igt__sched_add(c->run->sched, c->group->queue, &c->job);
  return IGT_OK;
}
