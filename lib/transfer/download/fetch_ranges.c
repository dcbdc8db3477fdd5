/* SPDX-License-Identifier: MIT */
/* A large object: requests its metadata, fetches the ranges that the journal does not list, then
 * reads the whole file once more before the rename. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "transfer/download/fetch_internal.h"
#include "transfer/engine/space.h"

/* ---- what the object is ---- */

static igt_status head(fetch *f, unsigned part_number, uint64_t *length, igt_error *err) {
  igt_status status;
  part *p = igt__fetch_part_new(f, IGT__S3_HEAD, err);

  if (!p)
    return IGT_E_NO_MEMORY;
  p->req.part_number = part_number;
  status = igt__s3_perform(f->run->s3, &p->req, err);
  if (status == IGT_OK && part_number == 0)
    status = igt__fetch_facts(f, &p->req, err);
  else if (status == IGT_OK && strcmp(p->req.etag, f->etag) != 0)
    status = igt__fail(err, IGT_E_PRECONDITION, "the object was replaced during the download");
  if (length && status == IGT_OK)
    *length = p->req.content_length > 0 ? (uint64_t)p->req.content_length : 0;
  igt__fetch_part_free(p);
  return status;
}

/* Parts may have any sizes; their digests can be checked here only if all are as large as the
 * first. The count rules out most others. If a check failed, each part's size is requested. */
static bool parts_are_alike(fetch *f, uint64_t part_size) {
  unsigned parts = f->check.parts;
  uint64_t length;

  if (part_size == 0 || (f->size + part_size - 1) / part_size != parts)
    return false;
  for (unsigned i = 2; f->restarts && i < parts; i++)
    if (head(f, i, &length, NULL) != IGT_OK || length != part_size)
      return false;
  return true;
}

/* For an object whose HEAD does not state it: the response to a range always does. */
static void ask_size(fetch *f) {
  part *p = igt__fetch_part_new(f, IGT__S3_GET, NULL);

  if (!p)
    return;
  p->req.ranged = true; /* its first byte */
  if (igt__s3_perform(f->run->s3, &p->req, NULL) == IGT_OK && p->req.size_known &&
      strcmp(p->req.etag, f->etag) == 0) {
    f->size = p->req.object_size;
    f->size_known = true;
  }
  igt__fetch_part_free(p);
}

igt_status igt__fetch_look(fetch *f, igt_error *err) {
  uint64_t part_size = 0;
  igt_status status = head(f, 0, NULL, err);

  if (status == IGT_OK && !f->size_known)
    ask_size(f);
  if (status != IGT_OK || !igt__check_needs_part_size(&f->check))
    return status;
  if (f->check.parts == 1)
    part_size = f->size ? f->size : 1;
  else if (head(f, 1, &part_size, NULL) != IGT_OK || !parts_are_alike(f, part_size))
    part_size = 0; /* then nothing is claimed */
  if (part_size == 0 && f->check.parts > 1 && igt__check_guess_part_size(&f->check, f->size))
    return IGT_OK;
  return igt__check_set_part_size(&f->check, part_size, err);
}

/* What the failed attempt wrote into the holes of a file that is resumed. */
static void give_back(const fetch *f) {
  for (size_t i = 0; i < f->range_count; i++) {
    uint64_t got = f->got[i];
    if (got < igt__fetch_range_length(f, i))
      igt__space_punch(f->partial.fd, (uint64_t)i * IGT__FETCH_RANGE + got,
                       igt__fetch_range_length(f, i) - got);
  }
}

static igt_status reserve(fetch *f, igt_error *err) {
  igt__stat st;
  igt_status status;

  if (!f->resumed)
    igt__fetch_forget(f);
  if (!f->resumed && (igt__os_fstat(f->partial.fd, &st) != 0 || st.st_size > 0) &&
      igt__os_truncate(f->partial.fd, 0) != 0)
    return igt__fail_errno(err, errno, "cannot empty the partial file of '%s'", f->path);
  status = igt__space_reserve(f->run, f->root, f->partial.fd, f->size, err);
  if (status != IGT_OK)
    igt__error_prefix(err, "'%s'", f->path);
  if (status != IGT_OK && f->resumed)
    give_back(f);
  /* The list has a smaller size than the store: that concerns this file, not the whole run. */
  if (status == IGT_E_NO_SPACE && f->size > f->listed_size) {
    status = IGT_E_LIMIT;
    if (err)
      err->status = status;
  }
  return status;
}

static igt_status prepare(fetch *f, igt_error *err) {
  igt_status status = igt__fetch_look(f, err);

  if (status == IGT_OK && f->partial.fd < 0)
    status = igt__partial_open(&f->partial, f->root, f->path, f->run->journal, err);
  if (status == IGT_OK)
    status = igt__fetch_divide(f, err);
  if (status != IGT_OK)
    return status;
  f->resumed = igt__fetch_recall(f);
  f->missing = 0;
  for (size_t i = 0; i < f->range_count; i++) {
    igt__group_present(f->group, f->got[i]);
    f->missing += !igt__fetch_has(f, i);
  }
  f->next_range = 0;
  igt__fetch_take_place(f, f->waiting);
  status = reserve(f, err);
  if (status == IGT_OK && f->resumed && !igt__fetch_is_checkable(f))
    igt__fetch_remember(f); /* reserving may have changed the file's times */
  return status;
}

static void verify_task(void *arg);

void igt__fetch_prepare(void *arg) {
  fetch *f = arg;
  igt__run *run = f->run;
  uint64_t weight = f->job.weight;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = prepare(f, &err);

  if (status != IGT_OK) {
    igt__fetch_failed(f, status, &err);
  } else if (f->missing == 0) {
    igt__pool_add(run->hashers, verify_task, f);
  } else {
    igt__fetch_come_back(f, true);
  }
  igt__sched_part_done(run->sched, weight);
}

/* ---- ranges ---- */

static uint64_t range_begin(const part *p) {
  return (uint64_t)p->range * IGT__FETCH_RANGE;
}

static uint64_t range_end(const part *p) {
  return range_begin(p) + igt__fetch_range_length(p->file, p->range);
}

static igt_status range_headers(igt__s3_request *req, igt_error *err) {
  const part *p = req->payload;

  return igt__fetch_same(p->file, req, err);
}

static igt_status range_data(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  part *p = req->payload;
  fetch *f = p->file;

  if (p->at + n > range_end(p))
    return igt__fail(err, IGT_E_PROTOCOL, "the response is longer than the requested range");
  igt_status status = igt__fetch_write(f, data, n, p->at, err);
  if (status != IGT_OK)
    return status;
  p->at += n;
  f->got[p->range] = (uint32_t)(p->at - range_begin(p));
  igt__fetch_part_count(p, n);
  if (igt__fetch_is_due(f))
    igt__fetch_remember(f);
  return IGT_OK;
}

static igt_status range_restart(igt__s3_request *req, igt_error *err) {
  part *p = req->payload;

  (void)err;
  p->at = p->first;
  p->file->got[p->range] = (uint32_t)(p->at - range_begin(p));
  igt__fetch_part_uncount(p);
  return IGT_OK;
}

static void uncount(const fetch *f) {
  uint64_t counted = 0;

  for (size_t i = 0; i < f->range_count; i++)
    counted += f->got[i];
  igt__group_unmoved(f->group, counted);
}

/* Starts again with what the store has now. No range is in flight. */
static void start_over(fetch *f) {
  uncount(f);
  f->restarts++;
  igt__fetch_come_back(f, false);
}

static void go_on_as_a_whole(fetch *f) {
  uncount(f);
  igt__fetch_forget(f);
  f->whole = f->opened = true;
  f->large = false;
  igt__fetch_come_back(f, false);
}

static bool has_no_ranges(const fetch *f) {
  igt_error err = IGT_ERROR_INIT;

  igt__failure_get(f->error, &err);
  return f->status == IGT_E_PROTOCOL && strcmp(err.code, IGT__S3_NO_RANGES) == 0;
}

/* The first failure is the file's. Under f->lock. */
static void note_failure(fetch *f, igt_status status, const igt_error *err) {
  if (f->status != IGT_OK)
    return;
  f->status = status;
  igt__failure_keep(&f->error, err);
}

/* The last range in flight has finished. */
static void ranges_ended(fetch *f) {
  igt_error err = IGT_ERROR_INIT;

  if (f->status == IGT_OK) {
    igt__pool_add(f->run->hashers, verify_task, f);
  } else if (f->status == IGT_E_PRECONDITION && f->weakened) {
    go_on_as_a_whole(f);
  } else if (f->status == IGT_E_PRECONDITION && f->restarts < IGT__FETCH_RESTARTS) {
    start_over(f);
  } else if (has_no_ranges(f)) {
    go_on_as_a_whole(f);
  } else {
    if (f->status == IGT_E_PRECONDITION)
      f->status = igt__fetch_fail_changing(&err);
    else
      igt__failure_get(f->error, &err);
    igt__fetch_remember(f);
    igt__fetch_failed(f, f->status, &err);
  }
}

static void range_done(igt__s3_request *req, igt_status status, const igt_error *err) {
  part *p = req->payload;
  fetch *f = p->file;
  igt__sched *sched = f->run->sched;
  uint64_t weight = f->job.weight;
  igt_error mine = IGT_ERROR_INIT;
  bool last;

  if (status == IGT_OK && p->at != range_end(p)) {
    status = igt__fail(&mine, IGT_E_NETWORK, "the response is shorter than its range");
    err = &mine;
  }
  if (status == IGT_OK)
    igt__fetch_remember(f);
  pthread_mutex_lock(&f->lock);
  f->in_flight--;
  f->moved += p->at - p->first;
  if (status == IGT_OK) {
    f->missing--;
  } else {
    note_failure(f, status, err);
  }
  last = f->in_flight == 0 && (f->status != IGT_OK || f->missing == 0);
  pthread_mutex_unlock(&f->lock);
  igt__fetch_part_free(p);
  if (last)
    ranges_ended(f);
  igt__sched_part_done(sched, weight);
}

void igt__fetch_range(fetch *f, size_t i) {
  igt_error err = IGT_ERROR_INIT;
  igt__sched *sched = f->run->sched;
  uint64_t weight = f->job.weight;
  part *p = igt__fetch_part_new(f, IGT__S3_GET, &err);

  if (!p) {
    pthread_mutex_lock(&f->lock);
    f->in_flight--;
    note_failure(f, err.status, &err);
    bool last = f->in_flight == 0;
    pthread_mutex_unlock(&f->lock);
    if (last)
      ranges_ended(f);
    igt__sched_part_done(sched, weight);
    return;
  }
  p->range = i;
  p->first = p->at = range_begin(p) + f->got[i];
  p->req.ranged = true;
  p->req.first = p->first;
  p->req.last = range_end(p) - 1;
  p->req.continues = true;
  p->req.if_match = *f->etag ? f->etag : NULL;
  p->req.on_headers = range_headers;
  p->req.on_data = range_data;
  p->req.on_restart = range_restart;
  p->req.on_done = range_done;
  igt__s3_submit(f->run->s3, igt__run_loop(f->run), &p->req);
}

/* ---- the whole ---- */

static void verify_task(void *arg) {
  fetch *f = arg;
  igt_error err = IGT_ERROR_INIT;
  char digest[128];
  igt_status status;

  igt__check_reset(&f->check);
  status = igt__fetch_hash(f->partial.fd, f->size, &f->check, f->run, &err);
  if (status == IGT_OK)
    status = igt__fetch_settle(f, digest, &err);
  if (status == IGT_OK && igt__check_guess_again(&f->check, f->size)) {
    verify_task(f);
    return;
  }
  if (status == IGT_OK)
    status = igt__fetch_commit(f, &err);
  if (status == IGT_OK)
    igt__fetch_done(f, digest);
  else if (status == IGT_E_CHECKSUM && f->restarts < IGT__FETCH_RESTARTS)
    start_over(f); /* such as pages lost in a power failure */
  else
    igt__fetch_failed(f, status, &err);
}

/* The next missing range, starting at `from`; range_count: none. */
size_t igt__fetch_next(const fetch *f, size_t from) {
  while (from < f->range_count && igt__fetch_has(f, from))
    from++;
  return from;
}
