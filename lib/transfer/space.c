/* SPDX-License-Identifier: MIT */
#include "transfer/space.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/str.h"
#include "transfer/run.h"

/* A share on the network answers in a millisecond: not for each small file. */
#define ASK_AFTER ((uint64_t)1024 * 1024)
/* linux/magic.h: these compress, so what is free says little. */
#define BTRFS 0x9123683e
#define ZFS 0x2fc12fc1

void igt__space_wait(igt__run *run, uint64_t bytes) {
  (void)__atomic_fetch_add(&run->space_waiting, bytes, __ATOMIC_RELAXED);
  (void)__atomic_fetch_add(&run->space_unasked, bytes, __ATOMIC_RELAXED);
}

void igt__space_take(igt__run *run, uint64_t bytes) {
  (void)__atomic_fetch_sub(&run->space_waiting, bytes, __ATOMIC_RELAXED);
}

/* UINT64_MAX: it does not tell, or not the truth. */
static uint64_t free_bytes(const igt__root *root) {
  struct statfs kind;
  struct statvfs st;

  if (fstatfs(igt__root_fd(root), &kind) != 0 || (unsigned long)kind.f_type == BTRFS ||
      (unsigned long)kind.f_type == ZFS)
    return UINT64_MAX;
  if (fstatvfs(igt__root_fd(root), &st) != 0 || st.f_blocks == 0)
    return UINT64_MAX;
  return (uint64_t)st.f_bavail * st.f_frsize;
}

igt_status igt__space_check(igt__run *run, igt__root *root, bool surely, igt_error *err) {
  uint64_t waiting, available;
  char need[24], have[24];

  if (!surely && __atomic_load_n(&run->space_unasked, __ATOMIC_RELAXED) < ASK_AFTER)
    return IGT_OK;
  __atomic_store_n(&run->space_unasked, 0, __ATOMIC_RELAXED);
  waiting = __atomic_load_n(&run->space_waiting, __ATOMIC_RELAXED);
  if (waiting == 0 || !root || (available = free_bytes(root)) >= waiting)
    return IGT_OK;
  igt__format_bytes(waiting, need, sizeof need);
  igt__format_bytes(available, have, sizeof have);
  return igt__fail(err, IGT_E_NO_SPACE,
                   "no space left: at least %s are to come, and '%s' has %s free; make room, then "
                   "run the same command again",
                   need, igt__root_path(root), have);
}
