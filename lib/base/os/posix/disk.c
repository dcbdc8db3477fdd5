/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/os/os.h"

/* linux/magic.h: these compress, so their free space says little. */
#define BTRFS 0x9123683eul /* does not fit an int */
#define ZFS 0x2fc12fc1ul

uint64_t igt__os_free_space(int fd) {
  struct statfs kind;
  struct statvfs st;

  if (fstatfs(fd, &kind) != 0 || (unsigned long)kind.f_type == BTRFS ||
      (unsigned long)kind.f_type == ZFS)
    return UINT64_MAX;
  if (fstatvfs(fd, &st) != 0 || st.f_blocks == 0)
    return UINT64_MAX;
  return (uint64_t)st.f_bavail * st.f_frsize;
}

uint64_t igt__os_allocated(int fd, const igt__stat *st) {
  (void)fd;
  return (uint64_t)st->st_blocks * 512;
}

int igt__os_allocate(int fd, int64_t size) {
  return fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : errno;
}

void igt__os_punch(int fd, int64_t at, int64_t n) {
  (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n);
}

/* Judged by the type that statfs(2) gives. */
bool igt__os_is_local_disk(int fd) {
  enum { EXT = 0xef53, XFS = 0x58465342, TMPFS = 0x01021994 };
  struct statfs fs;

  if (fstatfs(fd, &fs) != 0)
    return false;
  switch ((unsigned long)fs.f_type) {
  case EXT:
  case XFS:
  case TMPFS:
  case BTRFS:
    return true;
  default:
    return false;
  }
}
