/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
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

/* linux/magic.h, and the file systems' own sources for those that are not in it. */
static const struct {
  unsigned long magic;
  const char *name;
} known[] = {
    {0xef53, "ext4"},      {0x58465342, "xfs"},     {0x9123683e, "btrfs"}, {0x2fc12fc1, "zfs"},
    {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x6969, "nfs"},       {0xff534d42, "cifs"},
    {0xfe534d42, "smb2"},  {0x0bd00bd0, "lustre"},  {0x00c36400, "ceph"},  {0x65735546, "fuse"},
    {0x2011bab0, "exfat"}, {0x4d44, "vfat"},        {0x5346544e, "ntfs"},  {0x7366746e, "ntfs3"},
    {0x47504653, "gpfs"},  {0x01021997, "9p"},      {0xf2f52010, "f2fs"}};

void igt__os_disk(int fd, char *name, size_t cap, uint64_t *total) {
  struct statfs fs;
  struct statvfs space;

  *name = '\0';
  *total = fstatvfs(fd, &space) == 0 ? (uint64_t)space.f_blocks * space.f_frsize : 0;
  if (fstatfs(fd, &fs) != 0)
    return;
  (void)snprintf(name, cap, "0x%lx", (unsigned long)fs.f_type);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].magic == ((unsigned long)fs.f_type & 0xffffffffu))
      (void)snprintf(name, cap, "%s", known[i].name);
}

bool igt__os_has_modes(int fd) {
  enum { FAT = 0x4d44, EXFAT = 0x2011bab0 };
  struct statfs fs;

  return fstatfs(fd, &fs) != 0 || (fs.f_type != FAT && fs.f_type != EXFAT);
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
