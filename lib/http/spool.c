/* SPDX-License-Identifier: MIT */
/* Buffers a response that a blocking caller reads at its own pace. Servers and proxies close a
 * connection that nobody reads after a minute or so, so unread data is kept in memory, then in an
 * unlinked file. That file is bounded, as is the sum of all of them: TMPDIR is often memory, and
 * 4 MiB of gzip can expand to 4 GiB. When the bound is reached the connection is paused until the
 * reader has caught up.
 *
 * The loop's side is called by response.c, attempt.c and request.c on the loop's thread, the
 * reader's side by stream.c on any other thread. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/thread.h"
#include "http/spool.h"

/* A list of 800 files. With less, transfers of studies of some hundred files would need space in
 * TMPDIR, which is small or read-only in some containers. */
#define MEMORY (256u * 1024)

/* Bytes in the temporary files of all streams. */
static _Atomic uint64_t spooled;

/* ---- the loop's side ---- */

/* Others need space in TMPDIR, too. */
static void bound_file(igt__spool *spool) {
  uint64_t available = igt__os_free_space(spool->fd);

  spool->most = available / 4 < IGT__MAX_SPOOL ? available / 4 : IGT__MAX_SPOOL;
}

static igt_status create_file(igt__spool *spool, igt_error *err) {
  const char *dir = igt__os_temporary_folder();

  spool->fd = igt__os_temporary(dir);
  if (spool->fd < 0)
    return igt__fail_errno(err, errno, "a temporary file in %s for a response", dir);
  return IGT_OK;
}

static igt_status open_file(igt__spool *spool, igt_error *err) {
  igt_status status = create_file(spool, err);

  if (status == IGT_OK)
    bound_file(spool);
  return status;
}

static igt_status write_file(igt__spool *spool, const char *data, size_t n, uint64_t at,
                             igt_error *err) {
  if (igt__fd_write_at(spool->fd, data, n, at))
    return IGT_OK;
  return igt__fail_errno(err, errno, "a temporary file for a response (see TMPDIR)");
}

static bool take_in_memory_locked(igt__spool *spool, const char *data, size_t n) {
  igt__buf *memory = &spool->memory;

  if (spool->file_read < spool->file_written)
    return false;
  if (spool->taken == memory->len) {
    igt__buf_clear(memory);
    spool->taken = 0;
  }
  return n <= memory->max - memory->len && igt__buf_append(memory, data, n);
}

static igt_status take_in_file_locked(igt__spool *spool, const char *data, size_t n,
                                      igt_error *err) {
  igt_status status = IGT_OK;

  if (spool->fd < 0)
    status = open_file(spool, err);
  if (status)
    return status;
  status = write_file(spool, data, n, spool->file_written, err);
  if (!status) {
    spool->file_written += n;
    atomic_fetch_add(&spooled, n);
  }
  return status;
}

/* Everything was read. */
static void empty_file_locked(igt__spool *spool) {
  atomic_fetch_sub(&spooled, spool->file_written);
  spool->file_read = spool->file_written = 0;
  (void)!igt__os_truncate(spool->fd,
                          0); /* on failure the file keeps its space, and is overwritten */
}

bool igt__spool_is_full(igt__spool *spool, size_t n) {
  bool full;

  pthread_mutex_lock(&spool->lock);
  full = spool->file_read < spool->file_written || n > MEMORY - (spool->memory.len - spool->taken);
  if (spool->taken == spool->memory.len && spool->file_read == spool->file_written)
    full = false; /* the reader has nothing to read, so a pause would last forever */
  if (full)
    full = spool->file_written + n > (spool->fd < 0 ? IGT__MAX_SPOOL : spool->most) ||
           atomic_load(&spooled) + n > IGT__MAX_SPOOLS;
  pthread_mutex_unlock(&spool->lock);
  return full;
}

igt_status igt__spool_push(igt__spool *spool, const char *data, size_t n, const char *host,
                           igt_error *err) {
  igt_status status = IGT_OK;

  spool->total += n;
  if (spool->total > spool->max)
    return igt__fail(err, IGT_E_LIMIT, "%s: the response does not end within %llu bytes", host,
                     (unsigned long long)spool->max);
  pthread_mutex_lock(&spool->lock);
  if (!take_in_memory_locked(spool, data, n))
    status = take_in_file_locked(spool, data, n, err);
  pthread_cond_signal(&spool->changed);
  pthread_mutex_unlock(&spool->lock);
  return status;
}

void igt__spool_open(igt__spool *spool) {
  pthread_mutex_lock(&spool->lock);
  spool->open = true;
  pthread_cond_signal(&spool->changed);
  pthread_mutex_unlock(&spool->lock);
}

bool igt__spool_is_open(const igt__spool *spool) {
  return spool->open; /* written and read by the loop only */
}

void igt__spool_end(igt__spool *spool, igt_status status, const igt_error *err) {
  pthread_mutex_lock(&spool->lock);
  spool->done = true;
  spool->status = status;
  if (status)
    igt__error_keep(&spool->err, err);
  pthread_cond_signal(&spool->changed);
  pthread_mutex_unlock(&spool->lock);
}

/* ---- the reader's side ---- */

void igt__spool_init(igt__spool *spool, uint64_t max) {
  *spool = (igt__spool){.max = max, .fd = -1};
  igt__buf_init(&spool->memory, MEMORY);
  pthread_mutex_init(&spool->lock, NULL);
  igt__cond_init(&spool->changed);
}

void igt__spool_finish(igt__spool *spool) {
  atomic_fetch_sub(&spooled, spool->file_written);
  igt__buf_finish(&spool->memory);
  if (spool->fd >= 0)
    igt__os_close(spool->fd);
  pthread_mutex_destroy(&spool->lock);
  pthread_cond_destroy(&spool->changed);
}

igt_status igt__spool_wait_open(igt__spool *spool, igt_error *err) {
  igt_status status = IGT_OK;

  pthread_mutex_lock(&spool->lock);
  while (!spool->open && !spool->done)
    igt__cond_wait_hooked(&spool->changed, &spool->lock);
  if (!spool->open) {
    status = spool->status;
    if (err)
      igt__error_copy(err, &spool->err);
  }
  pthread_mutex_unlock(&spool->lock);
  return status;
}

bool igt__spool_is_done(igt__spool *spool) {
  bool done;

  pthread_mutex_lock(&spool->lock);
  done = spool->done;
  pthread_mutex_unlock(&spool->lock);
  return done;
}

void igt__spool_wait_done(igt__spool *spool) {
  pthread_mutex_lock(&spool->lock);
  while (!spool->done)
    igt__cond_wait_hooked(&spool->changed, &spool->lock);
  pthread_mutex_unlock(&spool->lock);
}

static size_t read_memory_locked(igt__spool *spool, char *data, size_t cap) {
  size_t n = spool->memory.len - spool->taken;

  if (n > cap)
    n = cap;
  memcpy(data, spool->memory.data + spool->taken, n);
  spool->taken += n;
  return n;
}

static igt_status read_file_locked(igt__spool *spool, char *data, size_t cap, size_t *n,
                                   igt_error *err) {
  uint64_t left = spool->file_written - spool->file_read;
  ssize_t got;

  if (cap > left)
    cap = (size_t)left;
  do
    got = igt__os_pread(spool->fd, data, cap, (int64_t)spool->file_read);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return igt__fail_errno(err, got < 0 ? errno : EIO, "a temporary file for a response");
  spool->file_read += (uint64_t)got;
  if (spool->file_read == spool->file_written)
    empty_file_locked(spool);
  *n = (size_t)got;
  return IGT_OK;
}

igt_status igt__spool_read(igt__spool *spool, char *data, size_t cap, size_t *n, igt_error *err) {
  igt_status status = IGT_OK;

  *n = 0;
  if (cap == 0)
    return IGT_OK;
  pthread_mutex_lock(&spool->lock);
  while (spool->taken == spool->memory.len && spool->file_read == spool->file_written &&
         !spool->done)
    igt__cond_wait_hooked(&spool->changed, &spool->lock);
  if (spool->taken < spool->memory.len) {
    *n = read_memory_locked(spool, data, cap);
  } else if (spool->file_read < spool->file_written) {
    status = read_file_locked(spool, data, cap, n, err);
  } else {
    status = spool->status;
    if (status && err)
      igt__error_copy(err, &spool->err);
  }
  pthread_mutex_unlock(&spool->lock);
  return status;
}
