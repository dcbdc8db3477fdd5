/* SPDX-License-Identifier: MIT */
/* Disk space of a download's target: the run counts the bytes that its files still need, and
 * compares them with the file system's free space once in a while, to report a shortage early.
 * Reserving allocates the blocks of one large file before its ranges are written, and falls back to
 * setting the length where the file system cannot allocate. Called by download_study.c,
 * download_file.c, fetch.c and fetch_ranges.c. */
#include "transfer/engine/space.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/engine/run.h"

/* A network share responds in a millisecond: too slow for each small file. */
#define ASK_AFTER ((uint64_t)1024 * 1024)

void igt__space_wait(igt__run *run, uint64_t bytes) {
  (void)__atomic_fetch_add(&run->space_waiting, bytes, __ATOMIC_RELAXED);
  (void)__atomic_fetch_add(&run->space_unchecked, bytes, __ATOMIC_RELAXED);
}

void igt__space_take(igt__run *run, uint64_t bytes) {
  (void)__atomic_fetch_sub(&run->space_waiting, bytes, __ATOMIC_RELAXED);
}

/* UINT64_MAX: unknown, or unreliable. */
static uint64_t free_bytes(const igt__root *root) {
  return igt__os_free_space(igt__root_fd(root));
}

igt_status igt__space_check(igt__run *run, igt__root *root, bool surely, igt_error *err) {
  uint64_t waiting, available;
  char need[24], have[24];

  if (!surely && __atomic_load_n(&run->space_unchecked, __ATOMIC_RELAXED) < ASK_AFTER)
    return IGT_OK;
  __atomic_store_n(&run->space_unchecked, 0, __ATOMIC_RELAXED);
  waiting = __atomic_load_n(&run->space_waiting, __ATOMIC_RELAXED);
  if (waiting == 0 || !root || (available = free_bytes(root)) >= waiting)
    return IGT_OK;
  igt__format_bytes(waiting, need, sizeof need);
  igt__format_bytes(available, have, sizeof have);
  return igt__fail(err, IGT_E_NO_SPACE,
                   "no space left: at least %s are needed, and '%s' has %s free; free some space, "
                   "then run the same command again",
                   need, igt__root_path(root), have);
}

/* ---- reserving space for one file ---- */

static bool is_unsupported(int os_error) {
  return os_error == EOPNOTSUPP || os_error == ENOSYS || os_error == EINVAL || os_error == EPERM ||
         os_error == ENODEV || os_error == ENOTTY;
}

/* Without the call files grow as they are written, some of them full of holes. */
static int set_length(int fd, uint64_t size) {
  igt__stat st;

  if (igt__os_fstat(fd, &st) == 0 && (uint64_t)st.st_size == size)
    return 0;
  return igt__os_truncate(fd, (int64_t)size) == 0 || is_unsupported(errno) ? 0 : errno;
}

static int allocate(igt__run *run, int fd, uint64_t size) {
  int failed;

  do
    failed = igt__os_allocate(fd, (int64_t)size);
  while (failed == EINTR && !igt__cancel_is_set(run->cancel));
  return is_unsupported(failed) ? set_length(fd, size) : failed;
}

static igt_status no_space(const igt__root *root, uint64_t need, uint64_t available,
                           igt_error *err) {
  char want[24], have[24];

  igt__format_bytes(need, want, sizeof want);
  igt__format_bytes(available, have, sizeof have);
  return igt__fail(err, IGT_E_NO_SPACE,
                   "no space left: %s are needed, and '%s' has %s free; free some space, then run "
                   "the same command again",
                   want, igt__root_path(root), have);
}

igt_status igt__space_reserve(igt__run *run, igt__root *root, int fd, uint64_t size,
                              igt_error *err) {
  igt__stat before;
  uint64_t has, available;
  int failed;

  if (size == 0)
    return IGT_OK;
  if (igt__os_fstat(fd, &before) != 0)
    return igt__fail_errno(err, errno, "cannot read the partial file");
  has = (uint64_t)before.st_blocks * 512;
  available = has < size ? free_bytes(root) : UINT64_MAX;
  if (has < size && size - has > available)
    return no_space(root, size - has, available, err);
  failed = allocate(run, fd, size);
  if (!failed)
    return IGT_OK;
  if (igt__os_truncate(fd, before.st_size) !=
      0) /* ext4 keeps the blocks that it allocated before it ran out */
    IGT__WARN(IGT_LOG_TRANSFER, "space reserved for a file cannot be released: %s",
              strerror(errno));
  if (failed == EINTR)
    return igt__fail(err, IGT_E_CANCELLED, "interrupted");
  return igt__fail_errno(err, failed, "there is no space for its %llu bytes",
                         (unsigned long long)size);
}

void igt__space_punch(int fd, uint64_t at, uint64_t n) {
  igt__os_punch(fd, (int64_t)at, (int64_t)n);
}
