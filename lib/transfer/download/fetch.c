/* SPDX-License-Identifier: MIT */
/* Downloads one file as a job of the scheduler: selects how (one GET in fetch_small.c, or ranges in
 * fetch_ranges.c, resumed by fetch_resume.c), validates response headers against the planned
 * object, and finishes the file: verify, rename, record in the journal, report. Also compares a
 * local file with its object, for --checksum and verify. Called by download_study.c, single.c and
 * verify/compare.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/download/durable.h"
#include "transfer/download/fetch_internal.h"
#include "transfer/engine/space.h"

static void fetch_free(fetch *f) {
  igt__check_finish(&f->check);
  igt__s3_provider_unref(f->provider);
  pthread_mutex_destroy(&f->lock);
  igt__free(f->got);
  igt__free(f->error);
  igt__free(f->key);
  igt__free(f->path);
  igt__free(f->item_path);
  igt__free(f->expected_etag);
  igt__free(f->expected_digest);
  igt__free(f);
}

/* ---- finishing a file ---- */

void igt__fetch_take_place(fetch *f, uint64_t n) {
  n = n < f->waiting ? n : f->waiting;
  igt__space_take(f->run, n);
  f->waiting -= n;
}

static void end(fetch *f) {
  igt__fetch_take_place(f, f->waiting); /* consumed, or no longer needed */
  igt__sched_job_done(f->run->sched, &f->job);
  fetch_free(f);
}

static igt_transfer_item item_of(const fetch *f, igt_transfer_result result, char *local,
                                 size_t cap) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE, .result = result};

  (void)snprintf(local, cap, "%s/%s", igt__root_path(f->root), f->path);
  item.path = f->item_path;
  item.local_path = local;
  item.key = f->key;
  item.size = f->size;
  item.moved = f->moved;
  return item;
}

void igt__fetch_done(fetch *f, const char *digest) {
  char local[IGT__OS_PATH_MAX + 4096];
  igt_transfer_item item = item_of(f, IGT_RESULT_DONE, local, sizeof local);
  const igt__local *committed = &f->partial.committed;
  igt__journal_file remembered = {.size = f->size,
                                  .mtime_ns = committed->mtime_ns,
                                  .ctime_ns = committed->ctime_ns,
                                  .inode = committed->inode};

  item.digest = digest;
  item.verified = f->check.verified;
  item.replaces = f->replaces;
  item.replaced_size = f->replaced_size;
  if (f->run->journal && f->partial.known) {
    igt__str_copy(remembered.etag, sizeof remembered.etag, f->etag);
    igt__str_copy(remembered.digest, sizeof remembered.digest, digest);
    igt__str_copy(remembered.verified, sizeof remembered.verified, f->check.verified);
    igt__journal_put_file(f->run->journal, f->run->origin, f->key, local, &remembered);
  }
  igt__fetch_forget(f);
  igt__group_item(f->group, &item);
  end(f);
}

static bool is_interrupted(const fetch *f, igt_status status) {
  /* If the whole run ends, its reason is reported once, not for each file. */
  return status == IGT_E_CANCELLED ||
         (igt__run_stopping(f->run) && (status == IGT_E_NETWORK || status == IGT_E_FORBIDDEN));
}

void igt__fetch_failed(fetch *f, igt_status status, const igt_error *err) {
  char local[IGT__OS_PATH_MAX + 4096];
  igt_transfer_item item = item_of(f, IGT_RESULT_FAILED, local, sizeof local);
  /* A partial file that no run could resume only takes space. */
  bool may_resume = f->noted && status != IGT_E_CHECKSUM && status != IGT_E_GONE;

  if (!may_resume)
    igt__fetch_forget(f);
  igt__partial_close(&f->partial, may_resume);
  if (is_interrupted(f, status)) {
    igt__group_dropped(f->group);
  } else {
    item.error = err;
    igt__group_item(f->group, &item);
  }
  end(f);
}

/* Of a single file nothing records that it is not on the disk yet: after a loss of power a later
 * run would take what has its name and size for good. */
static igt_status sync_first(const fetch *f, igt_error *err) {
  int fd = f->partial.fd;

  if (!f->run->syncs || igt__os_write_back(fd) != 0) /* the commit reports the latter */
    return IGT_OK;
  if (igt__sync_group_run(f->run->syncs, fd) == 0 || igt__durable_is_refused(errno))
    return IGT_OK;
  return igt__fail_errno(err, errno, "'%s' did not reach the disk", f->path);
}

/* Renames the partial file to its final name. Any thread, but not a loop's for a single file. */
igt_status igt__fetch_commit(fetch *f, igt_error *err) {
  igt_status status = sync_first(f, err);

  if (status != IGT_OK)
    return status;
  status = igt__partial_commit(
      &f->partial, f->keep_date && f->last_modified ? f->last_modified : -1, f->only_new, err);

  if (status == IGT_OK && f->partial.no_time &&
      !__atomic_exchange_n(&f->run->said_no_time, true, __ATOMIC_RELAXED))
    igt__run_message(f->run, IGT_OK,
                     "the modification time of '%s' could not be set (%s): such files keep the "
                     "time of their download",
                     f->path, strerror(f->partial.no_time));
  return status;
}

/* Returns the file to the scheduler: from the start, or its ranges. */
void igt__fetch_come_back(fetch *f, bool ready) {
  pthread_mutex_lock(&f->lock);
  f->busy = false;
  f->ready = ready;
  f->status = IGT_OK;
  pthread_mutex_unlock(&f->lock);
  igt__sched_more(f->run->sched, &f->job);
}

/* ---- response headers ---- */

/* Whether it is the object that a manifest names. */
static igt_status is_expected(const fetch *f, igt_error *err) {
  if (!f->expected_etag || ((!f->size_known || f->size == f->listed_size) &&
                            (!*f->expected_etag || strcmp(f->expected_etag, f->etag) == 0)))
    return IGT_OK;
  return igt__fail(err, IGT_E_GONE,
                   "it was changed in the cloud after the manifest was written (the manifest: %llu "
                   "bytes, ETag %s; now: %llu bytes, ETag %s)",
                   (unsigned long long)f->listed_size,
                   *f->expected_etag ? f->expected_etag : "unknown", (unsigned long long)f->size,
                   f->etag);
}

/* The content's digest and the one of a manifest, if both are of one kind. */
static igt_status has_expected(const fetch *f, const char *digest, igt_error *err) {
  const char *wanted = f->expected_digest ? f->expected_digest : "";
  size_t kind = strcspn(wanted, ":") + 1;

  if (!*wanted || strncmp(wanted, digest, kind) != 0 ||
      igt__str_eq_nocase(wanted + kind, digest + kind))
    return IGT_OK;
  return igt__fail(
      err, IGT_E_CHECKSUM,
      "its content does not match the digest in the manifest: the download was discarded");
}

igt_status igt__fetch_facts(fetch *f, const igt__s3_request *req, igt_error *err) {
  igt__check_facts facts = {req->etag, req->checksum_alg, req->checksum, req->sse};

  f->size_known = req->size_known;
  f->size = req->size_known ? req->object_size : f->listed_size;
  f->last_modified = req->last_modified;
  igt__str_copy(f->etag, sizeof f->etag, req->etag);
  f->is_weak = req->is_weak;
  if (is_expected(f, err) != IGT_OK)
    return IGT_E_GONE;
  if (f->size != f->listed_size && !f->checking && !f->only_asks)
    igt__run_message(f->run, IGT_OK, "'%s' has %llu bytes in the store, not %llu", f->path,
                     (unsigned long long)f->size, (unsigned long long)f->listed_size);
  if (f->checking)
    igt__check_finish(&f->check);
  f->checking = true;
  return igt__check_init(&f->check, &facts, err);
}

/* A proxy that may change a body's coding makes the ETag of its GETs weak, not that of its HEADs.
 * RFC 9110, 8.8.3.2: as weak ones they are equal, so it is the same object, but perhaps not the
 * same bytes, and 13.1.5 combines no ranges by it. */
static bool is_weakened(const fetch *f, const igt__s3_request *req) {
  return *f->etag && !f->is_weak && req->is_weak &&
         igt__s3_is_object(req, f->etag, true, f->last_modified);
}

igt_status igt__fetch_same(fetch *f, const igt__s3_request *req, igt_error *err) {
  bool weakened = is_weakened(f, req);

  if (req->size_known && req->object_size != f->size)
    return igt__fail(err, IGT_E_PRECONDITION, "the object's size has changed");
  /* The digest of the whole decides about ranges; one response is of one version anyway. */
  if (weakened && (f->whole || igt__fetch_is_checkable(f)))
    return IGT_OK;
  f->weakened |= weakened;
  /* Stores and caches that ignore If-Match respond with whatever they have now. */
  if (!igt__s3_is_object(req, f->etag, f->is_weak, f->last_modified))
    return igt__fail(err, IGT_E_PRECONDITION,
                     "the object was replaced: its ETag or Last-Modified has changed");
  return IGT_OK;
}

igt_status igt__fetch_fail_changing(igt_error *err) {
  return igt__fail(err, IGT_E_GONE,
                   "the object keeps changing during the download, or a proxy changes the ETags of "
                   "its responses");
}

igt_status igt__fetch_settle(fetch *f, char digest[128], igt_error *err) {
  igt_status status = igt__check_final(&f->check, digest, 128, err);

  if (status == IGT_OK)
    status = has_expected(f, digest, err);
  if (status != IGT_OK || f->check.known || f->size == f->listed_size)
    return status;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "the store has %llu bytes where the cloud lists %llu, and no checksum to show "
                   "which is right: the download was discarded",
                   (unsigned long long)f->size, (unsigned long long)f->listed_size);
}

igt_status igt__fetch_write(fetch *f, const char *data, size_t n, uint64_t at, igt_error *err) {
  if (igt__fd_write_at(f->partial.fd, data, n, at))
    return IGT_OK;
  return igt__fail_errno(err, errno, "cannot write '%s' below '%s'", f->path,
                         igt__root_path(f->partial.root));
}

part *igt__fetch_part_new(fetch *f, igt__s3_op op, igt_error *err) {
  part *p = igt__calloc(1, sizeof *p);

  if (!p || igt__s3_request_init(&p->req, op, err) != IGT_OK) {
    igt__free(p);
    (void)igt__fail_memory(err);
    return NULL;
  }
  p->file = f;
  p->req.payload = p;
  p->req.provider = f->provider;
  p->req.key = f->key;
  p->req.cancel = f->run->cancel;
  return p;
}

void igt__fetch_part_free(part *p) {
  igt__s3_request_finish(&p->req);
  igt__free(p->content);
  igt__free(p);
}

void igt__fetch_part_count(part *p, size_t n) {
  p->counted += n;
  igt__group_moved(p->file->group, n);
}

void igt__fetch_part_uncount(part *p) {
  igt__group_unmoved(p->file->group, p->counted);
  p->counted = 0;
}

/* ---- a whole file, from the page cache ---- */

igt_status igt__fetch_hash(int fd, uint64_t size, igt__check *check, igt__run *run,
                           igt_error *err) {
  enum { PART = 256 * 1024 };
  char *data = igt__malloc(PART);
  igt_status status = data ? IGT_OK : igt__fail_memory(err);

  for (uint64_t at = 0; at < size && status == IGT_OK;) {
    ssize_t n = igt__os_pread(fd, data, PART, (int64_t)at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      status = igt__fail_errno(err, n < 0 ? errno : EIO, "cannot read it back");
    else if (igt__cancel_is_set(run->cancel))
      status = igt__fail(err, IGT_E_CANCELLED, "interrupted");
    else
      igt__check_update(check, data, (size_t)n);
    at += n > 0 ? (uint64_t)n : 0;
  }
  igt__free(data);
  return status;
}

/* ---- the scheduler's side ---- */

static bool take(igt__job *job, unsigned *number, bool *more) {
  fetch *f = (fetch *)job;
  bool any;

  *more = false;
  *number = 0;
  pthread_mutex_lock(&f->lock);
  if (!f->ready) {
    any = !f->busy;
    f->busy = true;
    pthread_mutex_unlock(&f->lock);
    return any;
  }
  f->next_range = igt__fetch_next(f, f->next_range);
  any = f->status == IGT_OK && f->next_range < f->range_count;
  if (any) {
    *number = (unsigned)f->next_range++;
    *more = igt__fetch_next(f, f->next_range) < f->range_count;
    f->in_flight++;
  }
  pthread_mutex_unlock(&f->lock);
  return any;
}

static void start(igt__job *job, unsigned number) {
  fetch *f = (fetch *)job;

  if (!f->large)
    igt__fetch_small(f);
  else if (!f->ready)
    igt__pool_add(f->run->helpers, igt__fetch_prepare, f);
  else
    igt__fetch_range(f, number);
}

static void drop(igt__job *job) {
  fetch *f = (fetch *)job;

  igt__partial_close(&f->partial, f->noted);
  igt__group_dropped(f->group);
  end(f);
}

static fetch *fetch_new(const igt__fetch_file *file) {
  fetch *f = igt__calloc(1, sizeof *f);

  if (!f)
    return NULL;
  f->group = file->group;
  f->run = file->group->run;
  f->provider = igt__s3_provider_ref(file->provider);
  f->root = file->root;
  f->key = igt__strdup(file->key);
  f->path = igt__strdup(file->path ? file->path : file->key);
  f->item_path = igt__strdup(file->item_path ? file->item_path : file->key);
  f->listed_size = f->size = file->size;
  f->keep_date = file->keep_date;
  f->only_new = file->only_new;
  f->replaces = file->replaces;
  f->replaced_size = file->replaced_size;
  f->expected_etag = file->etag ? igt__strdup(file->etag) : NULL;
  f->expected_digest = file->digest ? igt__strdup(file->digest) : NULL;
  f->large = file->size > IGT__FETCH_RANGE;
  f->partial.fd = -1;
  /* A broken range is resumed where it broke: what matters is that the line is full. A small file
   * is better complete than started. */
  f->job.weight = f->large ? IGT__FETCH_WEIGHT : file->size;
  f->job.take = take;
  f->job.start = start;
  f->job.drop = drop;
  pthread_mutex_init(&f->lock, NULL);
  if (!f->key || !f->path || !f->item_path || !f->expected_etag != !file->etag ||
      !f->expected_digest != !file->digest) {
    fetch_free(f);
    return NULL;
  }
  return f;
}

/* A partial file of an earlier run has its space reserved already. */
static uint64_t place_needed(const fetch *f) {
  char *name = f->large ? igt__path_partial(f->path, "") : NULL;
  igt__stat st;
  uint64_t has = 0;

  if (name && igt__root_stat(f->root, name, &st, NULL) == IGT_OK)
    has = (uint64_t)st.st_blocks * 512;
  igt__free(name);
  return has < f->size ? f->size - has : 0;
}

igt_status igt__fetch_add(const igt__fetch_file *file, igt_error *err) {
  fetch *f = fetch_new(file);

  if (!f)
    return igt__fail_memory(err);
  /* A small file of which a part exists is finished like a large one: the existing bytes are read
   * again for the comparison. */
  if (!f->large && f->size > IGT__FETCH_IN_MEMORY)
    f->large = igt__fetch_was_begun(f);
  f->waiting = place_needed(f);
  igt__space_wait(f->run, f->waiting);
  igt__s3_provider_warm(f->provider);
  igt__group_found(f->group, f->size);
  igt__sched_add(f->run->sched, f->group->queue, &f->job);
  return IGT_OK;
}

/* *out NULL: out of memory. */
static igt_status ask_store(const igt__fetch_file *file, fetch **out, igt_error *err) {
  fetch *f = *out = fetch_new(file);

  if (!f)
    return igt__fail_memory(err);
  f->only_asks = true;
  return igt__fetch_look(f, err);
}

igt_status igt__fetch_stored(const igt__fetch_file *file, igt__stored *out, igt_error *err) {
  fetch *f;
  igt_status status = ask_store(file, &f, err);

  memset(out, 0, sizeof *out);
  if (status == IGT_OK) {
    out->size_known = f->size_known;
    out->size = f->size;
    out->modified = f->last_modified;
    memcpy(out->etag, f->etag, sizeof out->etag);
    igt__check_text(&f->check, out->digest, sizeof out->digest);
  }
  if (f)
    fetch_free(f);
  return status;
}

static igt_status compare_content(fetch *f, int fd, igt__comparison *out, igt_error *err) {
  igt_status status = igt__fetch_hash(fd, f->size, &f->check, f->run, err);

  if (status != IGT_OK)
    return status;
  status = igt__check_final(&f->check, out->digest, sizeof out->digest, NULL);
  if (igt__check_guess_again(&f->check, f->size))
    return compare_content(f, fd, out, err);
  out->known = f->check.known; /* a wrong guess ends it */
  out->verified = f->check.verified;
  out->same = status == IGT_OK && out->known;
  return IGT_OK;
}

igt_status igt__fetch_compare(const igt__fetch_file *file, int fd, igt__comparison *out,
                              igt_error *err) {
  fetch *f;
  igt__stat st;
  igt_status status = ask_store(file, &f, err);

  memset(out, 0, sizeof *out);
  out->verified = "";
  if (status == IGT_OK && igt__os_fstat(fd, &st) != 0)
    status = igt__fail_errno(err, errno, "cannot read the file");
  if (status == IGT_OK) {
    out->size = f->size;
    memcpy(out->etag, f->etag, sizeof out->etag);
    out->known = (uint64_t)st.st_size != f->size;
    if (!out->known)
      status = compare_content(f, fd, out, err);
  }
  if (f)
    fetch_free(f);
  return status;
}
