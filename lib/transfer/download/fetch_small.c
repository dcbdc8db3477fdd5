/* SPDX-License-Identifier: MIT */
/* A file fetched in one GET: a small one, or any from a store that does not support ranges. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "transfer/download/fetch_internal.h"

/* Empty, however it was left. */
static igt_status open_partial(fetch *f, igt_error *err) {
  igt_status status = IGT_OK;

  if (f->partial.fd < 0)
    status = igt__partial_open(&f->partial, f->root, f->path, f->run->journal, err);
  if (status == IGT_OK && f->partial.existed)
    igt__fetch_forget(f);
  if (status == IGT_OK && (f->partial.existed || f->opened) &&
      igt__os_truncate(f->partial.fd, 0) != 0)
    status = igt__fail_errno(err, errno, "cannot empty the partial file of '%s'", f->path);
  f->opened = true;
  return status;
}

/* The size of an object's only part, which is not empty. */
static uint64_t one_part(const fetch *f) {
  return !f->size_known ? IGT__S3_MAX_OBJECT : f->size ? f->size : 1;
}

/* A body of unknown length must neither be buffered without limit nor fill the disk: if it is
 * longer than any file fetched in one GET, it is fetched in ranges, each of which has a length. */
static bool too_long(const fetch *f, uint64_t size) {
  return size > (f->size_known ? f->size : 2 * IGT__FETCH_RANGE);
}

/* The check was prepared by the requests before. */
static igt_status whole_headers(fetch *f, const igt__s3_request *req, igt_error *err) {
  igt_status status = igt__fetch_same(f, req, err);

  if (status == IGT_OK)
    igt__check_reset(&f->check);
  return status == IGT_OK ? open_partial(f, err) : status;
}

/* An object of several parts is verified part by part; one GET does not state their sizes. */
static igt_status small_headers(igt__s3_request *req, igt_error *err) {
  part *p = req->payload;
  fetch *f = p->file;
  igt_status status = f->whole ? whole_headers(f, req, err) : igt__fetch_facts(f, req, err);

  if (status != IGT_OK || f->whole)
    return status;
  if (igt__check_needs_part_size(&f->check) && f->check.parts == 1)
    status = igt__check_set_part_size(&f->check, one_part(f), err);
  if (status == IGT_OK &&
      (igt__check_needs_part_size(&f->check) || f->size > 2 * IGT__FETCH_RANGE)) {
    f->large = true;
    return igt__fail(err, IGT_E_RANGE, "to be fetched in ranges");
  }
  igt__free(p->content); /* of an attempt that was broken off */
  p->content = f->size_known && f->size <= IGT__FETCH_IN_MEMORY ? igt__malloc(f->size) : NULL;
  return status == IGT_OK && !p->content ? open_partial(f, err) : status;
}

/* What one GET has written is the start of the file. */
static void remember(part *p) {
  fetch *f = p->file;

  if (!f->run->journal || igt__fetch_divide(f, NULL) != IGT_OK)
    return;
  for (size_t i = 0; i < f->range_count; i++) {
    uint64_t first = (uint64_t)i * IGT__FETCH_RANGE, length = igt__fetch_range_length(f, i);
    uint64_t got = p->at > first ? p->at - first : 0;
    f->got[i] = (uint32_t)(got < length ? got : length);
  }
  igt__fetch_remember(f);
}

static igt_status small_data(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  part *p = req->payload;
  fetch *f = p->file;
  igt_status status = IGT_OK;

  if (too_long(f, p->at + n) && !f->size_known) {
    f->large = true;
    return igt__fail(err, IGT_E_RANGE, "to be fetched in ranges");
  }
  if (too_long(f, p->at + n))
    return igt__fail(err, IGT_E_PROTOCOL, "the response is longer than the object");
  if (p->content) {
    memcpy(p->content + p->at, data, n);
  } else {
    status = igt__fetch_write(f, data, n, p->at, err);
    igt__fetch_take_place(f, n);
  }
  if (status != IGT_OK)
    return status;
  igt__check_update(&f->check, data, n);
  p->at += n;
  f->moved += n;
  igt__fetch_part_count(p, n);
  if (!p->content && igt__fetch_is_due(f))
    remember(p);
  return IGT_OK;
}

/* The file is complete. */
static igt_status settle(part *p, char digest[128], igt_error *err) {
  fetch *f = p->file;
  igt_status status;

  if (!f->size_known) /* known from the end of the body */
    f->size = p->at;
  if (!f->size_known && f->check.by_parts)
    f->check.part_size = f->size ? f->size : 1;
  status = igt__fetch_settle(f, digest, err);
  if (status == IGT_OK && p->content) {
    status = open_partial(f, err);
    if (status == IGT_OK)
      status = igt__fetch_write(f, p->content, f->size, 0, err);
  }
  return status == IGT_OK ? igt__fetch_commit(f, err) : status;
}

static igt_status small_restart(igt__s3_request *req, igt_error *err) {
  part *p = req->payload;

  (void)err;
  p->at = 0;
  igt__fetch_part_uncount(p);
  igt__fetch_forget(p->file);
  return IGT_OK;
}

/* The object was replaced, or its bytes differ: start again. */
static bool begins_anew(fetch *f, igt_status status) {
  f->whole = f->whole && status != IGT_E_PRECONDITION;
  return (status == IGT_E_CHECKSUM || status == IGT_E_PRECONDITION) &&
         ++f->restarts <= IGT__FETCH_RESTARTS;
}

static void small_failed(part *p, igt_status status, igt_error *err) {
  fetch *f = p->file;
  bool again = f->large || begins_anew(f, status);

  if (!again && !p->content && p->at > 0 && f->partial.fd >= 0)
    remember(p);
  igt__fetch_part_uncount(p);
  igt__fetch_part_free(p);
  if (again) {
    igt__fetch_forget(f);
    igt__fetch_come_back(f, false);
    return;
  }
  if (status == IGT_E_PRECONDITION)
    status = igt__fetch_fail_changing(err);
  igt__fetch_failed(f, status, err);
}

static void small_end(part *p, igt_status status, igt_error *err) {
  fetch *f = p->file;
  igt__sched *sched = f->run->sched;
  char digest[128];
  uint64_t weight = f->job.weight;

  if (status == IGT_OK)
    status = settle(p, digest, err);
  if (status == IGT_OK) {
    igt__fetch_part_free(p);
    igt__fetch_done(f, digest);
  } else {
    small_failed(p, status, err);
  }
  igt__sched_part_done(sched, weight);
}

static void small_settle_task(void *arg) {
  igt_error err = IGT_ERROR_INIT;

  small_end(arg, IGT_OK, &err);
}

static void small_done(igt__s3_request *req, igt_status status, const igt_error *failure) {
  part *p = req->payload;
  fetch *f = p->file;
  igt_error err = IGT_ERROR_INIT;

  if (status != IGT_OK)
    igt__error_keep(&err, failure);
  else if (f->size_known && p->at != f->size)
    status = igt__fail(&err, IGT_E_NETWORK, "the body ended after %llu of %llu bytes",
                       (unsigned long long)p->at, (unsigned long long)f->size);
  if (status == IGT_OK && f->run->syncs) /* a sync must not hold up the loop */
    igt__pool_add(f->run->helpers, small_settle_task, p);
  else
    small_end(p, status, &err);
}

void igt__fetch_small(fetch *f) {
  igt_error err = IGT_ERROR_INIT;
  igt__sched *sched = f->run->sched;
  uint64_t weight = f->job.weight;
  part *p = igt__fetch_part_new(f, IGT__S3_GET, &err);

  if (!p) {
    igt__fetch_failed(f, err.status, &err);
    igt__sched_part_done(sched, weight);
    return;
  }
  p->req.continues = true;
  p->req.on_headers = small_headers;
  p->req.on_data = small_data;
  p->req.on_restart = small_restart;
  p->req.on_done = small_done;
  igt__s3_submit(f->run->s3, igt__run_loop(f->run), &p->req);
}
