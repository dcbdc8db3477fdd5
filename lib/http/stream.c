/* SPDX-License-Identifier: MIT */
/* A response that a blocking caller reads at its own pace. Servers and proxies close a connection
 * that nobody reads after a minute or so, so unread data is buffered in memory, then in an unlinked
 * file. That file is bounded, as is the sum of all of them: TMPDIR is often memory, and 4 MiB of
 * gzip can expand to 4 GiB. When the bound is reached the connection is paused until the reader has
 * caught up.
 *
 * The loop's side (igt__stream_*) is called by response.c, attempt.c and request.c on the loop's
 * thread; the reader's side (igt__http_open, _read, _close) by lib/api on any other thread. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "http/internal.h"

/* A list of 800 files. With less, transfers of studies of some hundred files would need space in
 * TMPDIR, which is small or read-only in some containers. */
#define MEMORY (256u * 1024)

/* Bytes in the temporary files of all streams. */
static _Atomic uint64_t spooled;

/* Older bytes are in memory, newer ones in the file; while the file has unread bytes, new data is
 * appended to it. */
struct igt__http_stream {
  igt__http_request *req;
  uint64_t max, total;
  int fd;
  uint64_t most; /* bound on the file, in bytes */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* guarded by lock */
  igt__buf memory;
  size_t taken; /* bytes of memory already read */
  uint64_t file_read, file_written;
  bool open, done;
  igt_status status;
  igt_error err;
};

/* ---- the loop's side ---- */

/* Others need space in TMPDIR, too. */
static void bound_file(igt__http_stream *stream) {
  struct statvfs fs;

  stream->most = IGT__MAX_SPOOL;
  if (fstatvfs(stream->fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize / 4 < stream->most)
    stream->most = (uint64_t)fs.f_bavail * fs.f_frsize / 4;
}

static igt_status create_file(igt__http_stream *stream, igt_error *err) {
  const char *dir = getenv("TMPDIR");
  char name[4096];
  int n;

  if (!dir || !*dir)
    dir = "/tmp";
  stream->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (stream->fd >= 0)
    return IGT_OK;
  n = snprintf(name, sizeof name, "%s/igtcloud-XXXXXX", dir);
  if (n < (int)sizeof name)
    stream->fd = mkostemp(name, O_CLOEXEC);
  if (stream->fd < 0)
    return igt__fail_errno(err, errno, "a temporary file in %s for a response", dir);
  unlink(name);
  return IGT_OK;
}

static igt_status open_file(igt__http_stream *stream, igt_error *err) {
  igt_status status = create_file(stream, err);

  if (status == IGT_OK)
    bound_file(stream);
  return status;
}

static igt_status write_file(igt__http_stream *stream, const char *data, size_t n, uint64_t at,
                             igt_error *err) {
  if (igt__fd_write_at(stream->fd, data, n, at))
    return IGT_OK;
  return igt__fail_errno(err, errno, "a temporary file for a response (see TMPDIR)");
}

static bool take_in_memory_locked(igt__http_stream *stream, const char *data, size_t n) {
  igt__buf *memory = &stream->memory;

  if (stream->file_read < stream->file_written)
    return false;
  if (stream->taken == memory->len) {
    igt__buf_clear(memory);
    stream->taken = 0;
  }
  return n <= memory->max - memory->len && igt__buf_append(memory, data, n);
}

static igt_status take_in_file_locked(igt__http_stream *stream, const char *data, size_t n,
                                      igt_error *err) {
  igt_status status = IGT_OK;

  if (stream->fd < 0)
    status = open_file(stream, err);
  if (status)
    return status;
  status = write_file(stream, data, n, stream->file_written, err);
  if (!status) {
    stream->file_written += n;
    atomic_fetch_add(&spooled, n);
  }
  return status;
}

/* Everything was read. */
static void empty_file_locked(igt__http_stream *stream) {
  atomic_fetch_sub(&spooled, stream->file_written);
  stream->file_read = stream->file_written = 0;
  (void)!ftruncate(stream->fd, 0); /* on failure the file keeps its space, and is overwritten */
}

bool igt__stream_is_full(igt__http_stream *stream, size_t n) {
  bool full;

  pthread_mutex_lock(&stream->lock);
  full =
      stream->file_read < stream->file_written || n > MEMORY - (stream->memory.len - stream->taken);
  if (stream->taken == stream->memory.len && stream->file_read == stream->file_written)
    full = false; /* the reader has nothing to read, so a pause would last forever */
  if (full)
    full = stream->file_written + n > (stream->fd < 0 ? IGT__MAX_SPOOL : stream->most) ||
           atomic_load(&spooled) + n > IGT__MAX_SPOOLS;
  pthread_mutex_unlock(&stream->lock);
  return full;
}

igt_status igt__stream_push_loop(igt__http_stream *stream, const char *data, size_t n,
                                 igt_error *err) {
  igt_status status = IGT_OK;

  stream->total += n;
  if (stream->total > stream->max)
    return igt__fail(err, IGT_E_LIMIT, "%s: the response does not end within %llu bytes",
                     stream->req->priv->host, (unsigned long long)stream->max);
  pthread_mutex_lock(&stream->lock);
  if (!take_in_memory_locked(stream, data, n))
    status = take_in_file_locked(stream, data, n, err);
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
  return status;
}

void igt__stream_opened_loop(igt__http_stream *stream) {
  pthread_mutex_lock(&stream->lock);
  stream->open = true;
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
}

bool igt__stream_is_open(const igt__http_stream *stream) {
  return stream->open; /* written and read by the loop only */
}

void igt__stream_done_loop(igt__http_stream *stream, igt_status status, const igt_error *err) {
  pthread_mutex_lock(&stream->lock);
  stream->done = true;
  stream->status = status;
  if (status)
    igt__error_keep(&stream->err, err);
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->lock);
}

/* ---- the reader's side ---- */

static void free_stream(igt__http_stream *stream) {
  stream->req->priv->stream = NULL;
  atomic_fetch_sub(&spooled, stream->file_written);
  igt__buf_finish(&stream->memory);
  if (stream->fd >= 0)
    close(stream->fd);
  pthread_mutex_destroy(&stream->lock);
  pthread_cond_destroy(&stream->changed);
  igt__free(stream);
}

static igt__http_stream *new_stream(igt__http_request *req, uint64_t max) {
  igt__http_stream *stream = igt__calloc(1, sizeof *stream);

  if (!stream)
    return NULL;
  stream->req = req;
  stream->max = max;
  stream->fd = -1;
  igt__buf_init(&stream->memory, MEMORY);
  pthread_mutex_init(&stream->lock, NULL);
  pthread_cond_init(&stream->changed, NULL);
  req->priv->stream = stream;
  return stream;
}

igt_status igt__http_open(igt__http *http, igt__http_request *req, uint64_t max_bytes,
                          igt__http_stream **out, igt_error *err) {
  igt__http_stream *stream = new_stream(req, max_bytes);
  igt_status status = IGT_OK;

  *out = NULL;
  if (!stream)
    return igt__fail_memory(err);
  assert(!igt__loop_is_current(http));
  atomic_store(&req->priv->abort, false);
  igt__http_submit(http, igt__http_any_loop(http), req);
  pthread_mutex_lock(&stream->lock);
  while (!stream->open && !stream->done)
    pthread_cond_wait(&stream->changed, &stream->lock);
  if (!stream->open) {
    status = stream->status;
    if (err)
      igt__error_copy(err, &stream->err);
  }
  pthread_mutex_unlock(&stream->lock);
  if (status)
    free_stream(stream);
  else
    *out = stream;
  return status;
}

static size_t read_memory_locked(igt__http_stream *stream, char *data, size_t cap) {
  size_t n = stream->memory.len - stream->taken;

  if (n > cap)
    n = cap;
  memcpy(data, stream->memory.data + stream->taken, n);
  stream->taken += n;
  return n;
}

static igt_status read_file_locked(igt__http_stream *stream, char *data, size_t cap, size_t *n,
                                   igt_error *err) {
  uint64_t left = stream->file_written - stream->file_read;
  ssize_t got;

  if (cap > left)
    cap = (size_t)left;
  do
    got = pread(stream->fd, data, cap, (off_t)stream->file_read);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return igt__fail_errno(err, got < 0 ? errno : EIO, "a temporary file for a response");
  stream->file_read += (uint64_t)got;
  if (stream->file_read == stream->file_written)
    empty_file_locked(stream);
  *n = (size_t)got;
  return IGT_OK;
}

igt_status igt__http_read(igt__http_stream *stream, char *data, size_t cap, size_t *n,
                          igt_error *err) {
  igt_status status = IGT_OK;

  *n = 0;
  if (cap == 0)
    return IGT_OK;
  pthread_mutex_lock(&stream->lock);
  while (stream->taken == stream->memory.len && stream->file_read == stream->file_written &&
         !stream->done)
    pthread_cond_wait(&stream->changed, &stream->lock);
  if (stream->taken < stream->memory.len) {
    *n = read_memory_locked(stream, data, cap);
  } else if (stream->file_read < stream->file_written) {
    status = read_file_locked(stream, data, cap, n, err);
  } else {
    status = stream->status;
    if (status && err)
      igt__error_copy(err, &stream->err);
  }
  pthread_mutex_unlock(&stream->lock);
  return status;
}

void igt__http_close(igt__http_stream *stream) {
  struct igt__http_private *priv;

  if (!stream)
    return;
  priv = stream->req->priv;
  pthread_mutex_lock(&stream->lock);
  if (!stream->done) {
    atomic_store(&priv->abort, true);
    igt__loop_wake(priv->loop, true);
  }
  while (!stream->done)
    pthread_cond_wait(&stream->changed, &stream->lock);
  pthread_mutex_unlock(&stream->lock);
  atomic_store(&priv->abort, false);
  free_stream(stream);
}
