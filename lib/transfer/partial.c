/* SPDX-License-Identifier: MIT */
#include "transfer/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"

/* Whether it is locked, and still the file of that name: another process may have renamed it into
 * place between our open and our lock. */
static igt_status own(igt__partial *partial, bool *mine, igt_error *err) {
  struct stat opened, named;
  igt_status status;

  *mine = false;
  if (flock(partial->fd, LOCK_EX | LOCK_NB) != 0 || fstat(partial->fd, &opened) != 0)
    return IGT_OK;
  status = igt__root_stat(partial->root, partial->name, &named, err);
  if (status == IGT_OK)
    *mine = opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  return status == IGT_E_NO_FILE ? IGT_OK : status;
}

static igt_status open_named(igt__partial *partial, const char *salt, igt_error *err) {
  igt_status status;

  igt__free(partial->name);
  partial->name = igt__path_partial(partial->path, salt);
  if (!partial->name)
    return igt__fail_memory(err);
  partial->existed = false;
  partial->salted = *salt != '\0';
  status = igt__root_open_file(partial->root, partial->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                               0666, true, &partial->fd, err);
  if (status == IGT_OK || partial->fd >= 0)
    return status;
  if (!err || err->os_error != EEXIST)
    return status;
  partial->existed = true;
  return igt__root_open_file(partial->root, partial->name, O_RDWR | O_CREAT | O_CLOEXEC, 0666, true,
                             &partial->fd, err);
}

igt_status igt__partial_open(igt__partial *partial, igt__root *root, const char *path,
                             igt_error *err) {
  igt_error mine = IGT_ERROR_INIT;
  char salt[9] = "";

  if (!err)
    err = &mine;
  memset(partial, 0, sizeof *partial);
  partial->root = root;
  partial->path = path;
  partial->fd = -1;
  for (int attempt = 0; attempt < 8; attempt++) {
    bool owned = false;
    igt_status status = open_named(partial, salt, err);
    if (status == IGT_OK && (status = own(partial, &owned, err)) == IGT_OK && owned)
      return IGT_OK;
    if (status != IGT_OK) { /* that it is not ours is not known: a new one goes */
      igt__partial_close(partial, partial->existed);
      return status;
    }
    (void)close(partial->fd);
    partial->fd = -1;
    if (!igt__random_token(salt, sizeof salt - 1))
      break;
  }
  return igt__fail(err, IGT_E_LOCKED, "another process is writing %s", path);
}

static igt_status set_time(int fd, int64_t mtime, igt_error *err) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = mtime}};

  if (mtime >= 0 && futimens(fd, times) != 0)
    return igt__fail_errno(err, errno, "its modification time cannot be set");
  return IGT_OK;
}

/* Some file systems report a failed write only when a handle is closed (NFS, quota; close(2)): that
 * of a copy tells it before a file that was there is replaced, and keeps the lock. */
static igt_status flush(const igt__partial *partial, igt_error *err) {
  int copy = igt__root_tells_at_close(partial->root) ? dup(partial->fd) : -1;

  if (copy >= 0 && close(copy) != 0)
    return igt__fail_errno(err, errno, "'%s' could not be written to the end", partial->path);
  return IGT_OK;
}

igt_status igt__partial_commit(igt__partial *partial, int64_t mtime, bool only_new,
                               igt_error *err) {
  igt_status status = set_time(partial->fd, mtime, err);
  int fd = partial->fd;
  struct stat st;

  if (status == IGT_OK)
    status = flush(partial, err);
  partial->mtime_ns = fstat(fd, &st) == 0 ? igt__mtime_ns(&st) : -1;
  if (status == IGT_OK)
    status = only_new ? igt__root_rename_new(partial->root, partial->name, partial->path, err)
                      : igt__root_rename(partial->root, partial->name, partial->path, err);
  partial->fd = -1;
  /* The lock goes with the close, so nobody else took the name before the rename. A failed write
   * that is reported only now takes the file with it. */
  if (close(fd) != 0 && status == IGT_OK) {
    status = igt__fail_errno(err, errno, "'%s' could not be written to the end", partial->path);
    (void)igt__root_unlink(partial->root, partial->path, NULL);
  } else if (status != IGT_OK) {
    (void)igt__root_unlink(partial->root, partial->name, NULL);
  }
  igt__free(partial->name);
  partial->name = NULL;
  return status;
}

void igt__partial_close(igt__partial *partial, bool keep) {
  if (partial->fd >= 0) {
    if (!keep || (partial->salted && !partial->existed))
      (void)igt__root_unlink(partial->root, partial->name, NULL);
    (void)close(partial->fd);
    partial->fd = -1;
  }
  igt__free(partial->name);
  partial->name = NULL;
}
