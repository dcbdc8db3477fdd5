/* SPDX-License-Identifier: MIT */
#include "transfer/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "transfer/check.h"
#include "transfer/partial.h"
#include "transfer/space.h"

/* One GET up to this size; ranges of this size above it. The existing client's parts are as
 * large, and so are most objects' parts: a range that is one part costs the store one read. */
#define RANGE_SIZE ((uint64_t)8 * 1024 * 1024)
/* Up to here a body is held until it is whole and compared, and then written at once: curl hands it
 * over in pieces of 16 KiB, none of which lies on whole pages. */
#define HELD_MOST ((uint64_t)64 * 1024)
/* Against a store that answers with other bytes again and again. */
#define MAX_RESTARTS 2

typedef struct fetch {
  igt__work work;
  igt__group *group;
  igt__run *run;
  igt__s3_grant *grant;
  igt__root *root;
  char *key, *path, *item_path;
  uint64_t listed_size;
  bool keep_date, only_new;

  /* What the store says; set by the first answer. */
  uint64_t size;
  char etag[80];
  int64_t last_modified;
  igt__check check;
  bool checking;
  igt__partial partial;
  bool opened; /* its partial file, which may hold something */
  uint64_t moved;
  uint64_t waiting; /* bytes that have no place on the disk yet */

  /* Large files. */
  bool large;   /* ranges are wanted */
  bool busy;    /* its one GET, or the look at the object, is under way */
  bool ready;   /* looked at the object: ranges may be given out */
  bool resumed; /* some ranges are of an earlier run */
  unsigned restarts;
  size_t range_count, next_range;
  unsigned char *have;  /* a bit for each range */
  pthread_mutex_t lock; /* what follows, and have */
  size_t in_flight, missing;
  igt_status status; /* the first failure */
  igt_error error;
} fetch;

typedef struct piece {
  igt__s3_request req;
  fetch *file;
  uint64_t at; /* where the next byte goes */
  uint64_t first;
  uint64_t counted; /* into the progress by this attempt */
  size_t range;
  char *held; /* a small file's bytes; NULL: they are written as they come */
} piece;

static void fetch_free(fetch *f) {
  igt__check_finish(&f->check);
  igt__s3_grant_unref(f->grant);
  pthread_mutex_destroy(&f->lock);
  igt__free(f->have);
  igt__free(f->key);
  igt__free(f->path);
  igt__free(f->item_path);
  igt__free(f);
}

/* ---- the end ---- */

/* Its place on the disk is taken, or is not needed any more. */
static void take_place(fetch *f) {
  if (f->waiting)
    igt__space_take(f->run, f->waiting);
  f->waiting = 0;
}

static void take_some_place(fetch *f, uint64_t n) {
  n = n < f->waiting ? n : f->waiting;
  igt__space_take(f->run, n);
  f->waiting -= n;
}

static void end(fetch *f) {
  take_place(f);
  igt__sched_work_done(f->run->sched, &f->work);
  fetch_free(f);
}

static igt_item item_of(const fetch *f, igt_result result, char *local, size_t cap) {
  igt_item item = {.kind = IGT_ITEM_FILE, .result = result};

  (void)snprintf(local, cap, "%s/%s", igt__root_path(f->root), f->path);
  item.path = f->item_path;
  item.local_path = local;
  item.key = f->key;
  item.size = f->size;
  item.moved = f->moved;
  return item;
}

static void end_done(fetch *f, const char *digest) {
  char local[PATH_MAX + 4096];
  igt_item item = item_of(f, IGT_RESULT_DONE, local, sizeof local);
  igt__journal_file remembered = {.size = f->size};
  struct stat st;

  item.digest = digest;
  item.verified = f->check.verified;
  if (f->run->journal && igt__root_stat(f->root, f->path, &st, NULL) == IGT_OK) {
    remembered.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    (void)snprintf(remembered.etag, sizeof remembered.etag, "%s", f->etag);
    (void)snprintf(remembered.digest, sizeof remembered.digest, "%.127s", digest);
    (void)snprintf(remembered.verified, sizeof remembered.verified, "%s", f->check.verified);
    igt__journal_put_file(f->run->journal, f->run->origin, f->key, local, &remembered);
    if (f->large)
      igt__journal_drop_download(f->run->journal, local);
  }
  igt__group_item(f->group, &item);
  end(f);
}

static bool is_interrupted(const fetch *f, igt_status status) {
  /* When the whole run ends, its reason is told once, and not for each file. */
  return status == IGT_E_CANCELLED ||
         (igt__run_stopping(f->run) && (status == IGT_E_NETWORK || status == IGT_E_FORBIDDEN));
}

static void end_failed(fetch *f, igt_status status, const igt_error *err) {
  char local[PATH_MAX + 4096];
  igt_item item = item_of(f, IGT_RESULT_FAILED, local, sizeof local);
  bool may_resume = f->large && status != IGT_E_CHECKSUM && status != IGT_E_GONE;

  igt__partial_close(&f->partial, may_resume);
  if (is_interrupted(f, status)) {
    igt__group_dropped(f->group);
  } else {
    item.error = err;
    igt__group_item(f->group, &item);
  }
  end(f);
}

/* What was written gets its name. On any thread. */
static igt_status commit(fetch *f, igt_error *err) {
  return igt__partial_commit(&f->partial, f->keep_date && f->last_modified ? f->last_modified : -1,
                             f->only_new, err);
}

/* Verified and put under its name. On any thread. */
static igt_status settle(fetch *f, char digest[128], igt_error *err) {
  igt_status status = igt__check_final(&f->check, digest, 128, err);

  return status == IGT_OK ? commit(f, err) : status;
}

/* ---- what the answers tell ---- */

static igt_status take_facts(fetch *f, const igt__s3_request *req, igt_error *err) {
  igt__check_facts facts = {req->etag, req->checksum_alg, req->checksum, req->sse};

  f->size = req->object_size;
  f->last_modified = req->last_modified;
  (void)snprintf(f->etag, sizeof f->etag, "%s", req->etag);
  if (f->size != f->listed_size && !f->checking)
    igt__run_message(f->run, IGT_OK, "'%s' has %llu bytes in the store, not %llu", f->path,
                     (unsigned long long)f->size, (unsigned long long)f->listed_size);
  if (f->checking)
    igt__check_finish(&f->check);
  f->checking = true;
  return igt__check_init(&f->check, &facts, err);
}

static igt_status write_at(fetch *f, const char *data, size_t n, uint64_t at, igt_error *err) {
  while (n > 0) {
    ssize_t done = pwrite(f->partial.fd, data, n, (off_t)at);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return igt__fail_errno(err, errno, "cannot write '%s'", f->path);
    data += done;
    at += (uint64_t)done;
    n -= (size_t)done;
  }
  return IGT_OK;
}

static piece *piece_new(fetch *f, igt__s3_op op, igt_error *err) {
  piece *p = igt__calloc(1, sizeof *p);

  if (!p || igt__s3_request_init(&p->req, op, err) != IGT_OK) {
    igt__free(p);
    (void)igt__fail_memory(err);
    return NULL;
  }
  p->file = f;
  p->req.payload = p;
  p->req.grant = f->grant;
  p->req.key = f->key;
  p->req.cancel = f->run->cancel;
  return p;
}

static void piece_free(piece *p) {
  igt__s3_request_finish(&p->req);
  igt__free(p->held);
  igt__free(p);
}

static void count(piece *p, size_t n) {
  p->counted += n;
  igt__group_moved(p->file->group, n);
}

static void uncount(piece *p) {
  igt__group_unmoved(p->file->group, p->counted);
  p->counted = 0;
}

/* ---- small: one GET ---- */

/* Empty, however it was left. */
static igt_status open_partial(fetch *f, igt_error *err) {
  igt_status status = IGT_OK;

  if (f->partial.fd < 0)
    status = igt__partial_open(&f->partial, f->root, f->path, err);
  if (status == IGT_OK && (f->partial.existed || f->opened) && ftruncate(f->partial.fd, 0) != 0)
    status = igt__fail_errno(err, errno, "cannot empty the partial file of '%s'", f->path);
  f->opened = true;
  return status;
}

/* An object of several parts is checked part by part; one GET does not say how large they are. */
static igt_status small_headers(igt__s3_request *req, igt_error *err) {
  piece *p = req->payload;
  fetch *f = p->file;
  igt_status status = take_facts(f, req, err);

  if (status != IGT_OK)
    return status;
  if (igt__check_needs_part_size(&f->check) && f->check.parts == 1)
    status = igt__check_set_part_size(&f->check, f->size ? f->size : 1, err);
  if (status == IGT_OK && (igt__check_needs_part_size(&f->check) || f->size > 2 * RANGE_SIZE)) {
    f->large = true;
    return igt__fail(err, IGT_E_RANGE, "to be fetched in ranges");
  }
  igt__free(p->held); /* of an attempt that was broken off */
  p->held = f->size <= HELD_MOST ? igt__malloc(f->size) : NULL;
  return status == IGT_OK && !p->held ? open_partial(f, err) : status;
}

static igt_status small_data(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  piece *p = req->payload;
  fetch *f = p->file;
  igt_status status = IGT_OK;

  if (p->held && n > f->size - p->at)
    return igt__fail(err, IGT_E_PROTOCOL, "the answer is longer than the object");
  if (p->held) {
    memcpy(p->held + p->at, data, n);
  } else {
    status = write_at(f, data, n, p->at, err);
    take_some_place(f, n);
  }
  igt__check_update(&f->check, data, n);
  p->at += n;
  f->moved += n;
  count(p, n);
  return status;
}

/* All of the file has come. */
static igt_status small_settle(piece *p, char digest[128], igt_error *err) {
  fetch *f = p->file;
  igt_status status = igt__check_final(&f->check, digest, 128, err);

  if (status == IGT_OK && p->held) {
    status = open_partial(f, err);
    if (status == IGT_OK)
      status = write_at(f, p->held, f->size, 0, err);
  }
  return status == IGT_OK ? commit(f, err) : status;
}

static igt_status small_restart(igt__s3_request *req, igt_error *err) {
  piece *p = req->payload;

  (void)err;
  p->at = 0;
  uncount(p);
  return IGT_OK;
}

static void come_back(fetch *f, bool ready);

static void small_done(igt__s3_request *req, igt_status status, const igt_error *failure) {
  piece *p = req->payload;
  fetch *f = p->file;
  igt__sched *sched = f->run->sched;
  char digest[128];
  igt_error err = IGT_ERROR_INIT;

  if (status != IGT_OK)
    err = *failure;
  else if (p->at != f->size)
    status = igt__fail(&err, IGT_E_NETWORK, "the body ended after %llu of %llu bytes",
                       (unsigned long long)p->at, (unsigned long long)f->size);
  else
    status = small_settle(p, digest, &err);
  if (status != IGT_OK)
    uncount(p);
  piece_free(p);
  if (f->large) {
    come_back(f, false);
  } else if (status == IGT_OK) {
    end_done(f, digest);
  } else if (status == IGT_E_CHECKSUM && ++f->restarts <= MAX_RESTARTS) {
    come_back(f, false);
  } else {
    end_failed(f, status, &err);
  }
  igt__sched_piece_done(sched);
}

static void small_start(fetch *f) {
  igt_error err = IGT_ERROR_INIT;
  igt__sched *sched = f->run->sched;
  piece *p = piece_new(f, IGT__S3_GET, &err);

  if (!p) {
    end_failed(f, err.status, &err);
    igt__sched_piece_done(sched);
    return;
  }
  p->req.on_headers = small_headers;
  p->req.on_data = small_data;
  p->req.on_restart = small_restart;
  p->req.on_done = small_done;
  igt__s3_submit(f->run->s3, igt__run_loop(f->run), &p->req);
}

/* ---- large: look at the object, then ranges ---- */

static igt_status head(fetch *f, unsigned part_number, uint64_t *length, igt_error *err) {
  igt_status status;
  piece *p = piece_new(f, IGT__S3_HEAD, err);

  if (!p)
    return IGT_E_NO_MEMORY;
  p->req.part_number = part_number;
  status = igt__s3_perform(f->run->s3, &p->req, err);
  if (status == IGT_OK && part_number == 0)
    status = take_facts(f, &p->req, err);
  if (length && status == IGT_OK)
    *length = (uint64_t)p->req.content_length;
  piece_free(p);
  return status;
}

/* Parts may be of any sizes; their digests can be checked here only when all are as large as the
 * first. The count rules most others out. Where a check failed, each part is asked for its size. */
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

static igt_status look(fetch *f, igt_error *err) {
  uint64_t part_size = 0;
  igt_status status = head(f, 0, NULL, err);

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

static bool has_range(const fetch *f, size_t i) {
  return f->have[i / 8] >> (i % 8) & 1;
}

/* Ranges of an earlier run count only for the same object, and while the file is that file. */
static void take_journal(fetch *f, const char *local) {
  igt__journal_download old;

  f->resumed = false;
  if (!f->partial.existed || f->restarts ||
      !igt__journal_find_download(f->run->journal, local, f->key, &old))
    return;
  if (old.size == f->size && old.range_size == RANGE_SIZE && old.range_count == f->range_count &&
      *f->etag && strcmp(old.etag, f->etag) == 0) {
    memcpy(f->have, old.ranges, (f->range_count + 7) / 8);
    f->resumed = true;
  }
  igt__free(old.ranges);
}

static uint64_t range_length(const fetch *f, size_t i) {
  uint64_t first = (uint64_t)i * RANGE_SIZE;

  return f->size - first < RANGE_SIZE ? f->size - first : RANGE_SIZE;
}

static igt_status reserve(fetch *f, igt_error *err) {
  int failed;

  if (!f->resumed && ftruncate(f->partial.fd, 0) != 0)
    return igt__fail_errno(err, errno, "cannot empty the partial file of '%s'", f->path);
  failed = f->size ? posix_fallocate(f->partial.fd, 0, (off_t)f->size) : 0;
  if (failed == EOPNOTSUPP || failed == EINVAL)
    failed = ftruncate(f->partial.fd, (off_t)f->size) == 0 ? 0 : errno;
  if (failed)
    return igt__fail_errno(err, failed, "the %llu bytes of '%s' cannot be written",
                           (unsigned long long)f->size, f->path);
  return IGT_OK;
}

static igt_status prepare(fetch *f, igt_error *err) {
  char local[PATH_MAX + 4096];
  igt_status status = look(f, err);

  if (status == IGT_OK && f->partial.fd < 0)
    status = igt__partial_open(&f->partial, f->root, f->path, err);
  if (status != IGT_OK)
    return status;
  (void)snprintf(local, sizeof local, "%s/%s", igt__root_path(f->root), f->path);
  f->range_count = (size_t)((f->size + RANGE_SIZE - 1) / RANGE_SIZE);
  igt__free(f->have);
  f->have = igt__calloc(f->range_count / 8 + 1, 1);
  if (!f->have)
    return igt__fail_memory(err);
  take_journal(f, local);
  f->missing = 0;
  for (size_t i = 0; i < f->range_count; i++) {
    if (has_range(f, i))
      igt__group_moved(f->group, range_length(f, i));
    else
      f->missing++;
  }
  f->next_range = 0;
  take_place(f);
  return reserve(f, err);
}

static void verify_task(void *arg);

static void prepare_task(void *arg) {
  fetch *f = arg;
  igt__run *run = f->run;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = prepare(f, &err);

  if (status != IGT_OK) {
    end_failed(f, status, &err);
  } else if (f->missing == 0) {
    igt__pool_add(run->hashers, verify_task, f);
  } else {
    come_back(f, true);
  }
  igt__sched_piece_done(run->sched);
}

static igt_status range_headers(igt__s3_request *req, igt_error *err) {
  const piece *p = req->payload;

  if (req->object_size != p->file->size)
    return igt__fail(err, IGT_E_PRECONDITION, "the object has another size now");
  return IGT_OK;
}

static igt_status range_data(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  piece *p = req->payload;
  uint64_t limit = p->first + range_length(p->file, p->range);

  if (p->at + n > limit)
    return igt__fail(err, IGT_E_PROTOCOL, "the answer is longer than the range that was asked for");
  igt_status status = write_at(p->file, data, n, p->at, err);
  p->at += n;
  count(p, n);
  return status;
}

static igt_status range_restart(igt__s3_request *req, igt_error *err) {
  piece *p = req->payload;

  (void)err;
  p->at = p->first;
  uncount(p);
  return IGT_OK;
}

/* Called with the lock. */
static void remember(fetch *f) {
  char local[PATH_MAX + 4096];
  igt__journal_download now = {
      .size = f->size, .range_size = RANGE_SIZE, .ranges = f->have, .range_count = f->range_count};

  if (!f->run->journal || !*f->etag)
    return;
  (void)snprintf(now.etag, sizeof now.etag, "%s", f->etag);
  (void)snprintf(local, sizeof local, "%s/%s", igt__root_path(f->root), f->path);
  igt__journal_put_download(f->run->journal, local, f->key, &now);
}

/* The scheduler may give it out again: anew, or its ranges. */
static void come_back(fetch *f, bool ready) {
  pthread_mutex_lock(&f->lock);
  f->busy = false;
  f->ready = ready;
  f->status = IGT_OK;
  pthread_mutex_unlock(&f->lock);
  igt__sched_more(f->run->sched, &f->work);
}

/* Begins anew with what the store has now. No piece is in flight. */
static void start_over(fetch *f) {
  uint64_t counted = 0;

  for (size_t i = 0; i < f->range_count; i++)
    counted += has_range(f, i) ? range_length(f, i) : 0;
  igt__group_unmoved(f->group, counted);
  f->restarts++;
  come_back(f, false);
}

/* The last piece in flight has ended. */
static void ranges_ended(fetch *f) {
  if (f->status == IGT_OK)
    igt__pool_add(f->run->hashers, verify_task, f);
  else if (f->status == IGT_E_PRECONDITION && f->restarts < MAX_RESTARTS)
    start_over(f);
  else if (f->status == IGT_E_PRECONDITION) {
    f->status = igt__fail(&f->error, IGT_E_GONE, "the object changes while it is fetched");
    end_failed(f, f->status, &f->error);
  } else {
    end_failed(f, f->status, &f->error);
  }
}

static void range_done(igt__s3_request *req, igt_status status, const igt_error *err) {
  piece *p = req->payload;
  fetch *f = p->file;
  igt__sched *sched = f->run->sched;
  igt_error mine = IGT_ERROR_INIT;
  bool last;

  if (status == IGT_OK && p->at != p->first + range_length(f, p->range)) {
    status = igt__fail(&mine, IGT_E_NETWORK, "the answer is shorter than its range");
    err = &mine;
  }
  if (status != IGT_OK)
    uncount(p);
  pthread_mutex_lock(&f->lock);
  f->in_flight--;
  f->moved += p->at - p->first;
  if (status == IGT_OK) {
    f->have[p->range / 8] |= (unsigned char)(1u << (p->range % 8));
    f->missing--;
    remember(f);
  } else if (f->status == IGT_OK) {
    f->status = status;
    f->error = *err;
  }
  last = f->in_flight == 0 && (f->status != IGT_OK || f->missing == 0);
  pthread_mutex_unlock(&f->lock);
  piece_free(p);
  if (last)
    ranges_ended(f);
  igt__sched_piece_done(sched);
}

static void range_start(fetch *f, size_t i) {
  igt_error err = IGT_ERROR_INIT;
  piece *p = piece_new(f, IGT__S3_GET, &err);

  if (!p) {
    pthread_mutex_lock(&f->lock);
    f->in_flight--;
    if (f->status == IGT_OK)
      f->status = igt__fail_memory(&f->error);
    bool last = f->in_flight == 0;
    pthread_mutex_unlock(&f->lock);
    igt__sched *sched = f->run->sched;
    if (last)
      ranges_ended(f);
    igt__sched_piece_done(sched);
    return;
  }
  p->range = i;
  p->first = p->at = (uint64_t)i * RANGE_SIZE;
  p->req.ranged = true;
  p->req.first = p->first;
  p->req.last = p->first + range_length(f, i) - 1;
  p->req.if_match = *f->etag ? f->etag : NULL;
  p->req.on_headers = range_headers;
  p->req.on_data = range_data;
  p->req.on_restart = range_restart;
  p->req.on_done = range_done;
  igt__s3_submit(f->run->s3, igt__run_loop(f->run), &p->req);
}

/* ---- the whole file again, from the page cache ---- */

static igt_status hash_file(int fd, uint64_t size, igt__check *check, igt__run *run,
                            igt_error *err) {
  enum { PIECE = 256 * 1024 };
  char *data = igt__malloc(PIECE);
  igt_status status = data ? IGT_OK : igt__fail_memory(err);

  for (uint64_t at = 0; at < size && status == IGT_OK;) {
    ssize_t n = pread(fd, data, PIECE, (off_t)at);
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

static void verify_task(void *arg) {
  fetch *f = arg;
  igt_error err = IGT_ERROR_INIT;
  char digest[128];
  igt_status status;

  igt__check_reset(&f->check);
  status = hash_file(f->partial.fd, f->size, &f->check, f->run, &err);
  if (status == IGT_OK)
    status = settle(f, digest, &err);
  if (status == IGT_OK)
    end_done(f, digest);
  else if (status == IGT_E_CHECKSUM && f->restarts < MAX_RESTARTS)
    start_over(f); /* such as pages that a power failure took */
  else
    end_failed(f, status, &err);
}

/* ---- the scheduler's side ---- */

/* The next range that is not there, from `from` on; range_count: none. */
static size_t next_missing(const fetch *f, size_t from) {
  while (from < f->range_count && has_range(f, from))
    from++;
  return from;
}

static bool take(igt__work *work, unsigned *number, bool *more) {
  fetch *f = (fetch *)work;
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
  f->next_range = next_missing(f, f->next_range);
  any = f->status == IGT_OK && f->next_range < f->range_count;
  if (any) {
    *number = (unsigned)f->next_range++;
    *more = next_missing(f, f->next_range) < f->range_count;
    f->in_flight++;
  }
  pthread_mutex_unlock(&f->lock);
  return any;
}

static void start(igt__work *work, unsigned number) {
  fetch *f = (fetch *)work;

  if (!f->large)
    small_start(f);
  else if (!f->ready)
    igt__pool_add(f->run->helpers, prepare_task, f);
  else
    range_start(f, number);
}

static void drop(igt__work *work) {
  fetch *f = (fetch *)work;

  igt__partial_close(&f->partial, f->large);
  igt__group_dropped(f->group);
  end(f);
}

static fetch *fetch_new(const igt__fetch_file *file) {
  fetch *f = igt__calloc(1, sizeof *f);

  if (!f)
    return NULL;
  f->group = file->group;
  f->run = file->group->run;
  f->grant = igt__s3_grant_ref(file->grant);
  f->root = file->root;
  f->key = igt__strdup(file->key);
  f->path = igt__strdup(file->path ? file->path : file->key);
  f->item_path = igt__strdup(file->item_path ? file->item_path : file->key);
  f->listed_size = f->size = file->size;
  f->keep_date = file->keep_date;
  f->only_new = file->only_new;
  f->large = file->size > RANGE_SIZE;
  f->partial.fd = -1;
  f->work.take = take;
  f->work.start = start;
  f->work.drop = drop;
  pthread_mutex_init(&f->lock, NULL);
  if (!f->key || !f->path || !f->item_path) {
    fetch_free(f);
    return NULL;
  }
  return f;
}

/* What an earlier run left of it has its place already. */
static uint64_t place_needed(const fetch *f) {
  char *name = f->large ? igt__path_partial(f->path, "") : NULL;
  struct stat st;
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
  f->waiting = place_needed(f);
  igt__space_wait(f->run, f->waiting);
  igt__s3_grant_warm(f->grant);
  igt__group_found(f->group, f->size);
  igt__sched_add(f->run->sched, f->group->lane, &f->work);
  return IGT_OK;
}

static igt_status compare_content(fetch *f, int fd, igt__comparison *out, igt_error *err) {
  igt_status status = hash_file(fd, f->size, &f->check, f->run, err);

  if (status != IGT_OK)
    return status;
  status = igt__check_final(&f->check, out->digest, sizeof out->digest, NULL);
  out->known = f->check.known; /* a guess that did not fit ends it */
  out->verified = f->check.verified;
  out->same = status == IGT_OK && out->known;
  return IGT_OK;
}

igt_status igt__fetch_compare(const igt__fetch_file *file, int fd, igt__comparison *out,
                              igt_error *err) {
  fetch *f = fetch_new(file);
  struct stat st;
  igt_status status = f ? look(f, err) : igt__fail_memory(err);

  memset(out, 0, sizeof *out);
  out->verified = "";
  if (status == IGT_OK && fstat(fd, &st) != 0)
    status = igt__fail_errno(err, errno, "cannot look at the file");
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
