/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/os/os.h"

#if !defined RENAME_NOREPLACE && defined SYS_renameat2 /* musl has no function for it */
#define RENAME_NOREPLACE 1

static int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}
#endif

int igt__os_open(const char *path, int flags, mode_t mode) {
  return open(path, flags | O_CLOEXEC, mode);
}

int igt__os_openat(int dir, const char *name, int flags, mode_t mode) {
  return openat(dir, name, flags | O_CLOEXEC, mode);
}

int igt__os_close(int fd) {
  return close(fd);
}

int igt__os_dup(int fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

ssize_t igt__os_read(int fd, void *data, size_t n) {
  return read(fd, data, n);
}

ssize_t igt__os_write(int fd, const void *data, size_t n) {
  return write(fd, data, n);
}

ssize_t igt__os_pread(int fd, void *data, size_t n, int64_t at) {
  return pread(fd, data, n, (off_t)at);
}

ssize_t igt__os_pwrite(int fd, const void *data, size_t n, int64_t at) {
  return pwrite(fd, data, n, (off_t)at);
}

int igt__os_truncate(int fd, int64_t size) {
  return ftruncate(fd, (off_t)size);
}

int igt__os_sync(int fd) {
  return fsync(fd);
}

int igt__os_stat(const char *path, igt__stat *st) {
  return stat(path, st);
}

int igt__os_lstat(const char *path, igt__stat *st) {
  return lstat(path, st);
}

int igt__os_fstat(int fd, igt__stat *st) {
  return fstat(fd, st);
}

int igt__os_statat(int dir, const char *name, igt__stat *st, bool follow) {
  return fstatat(dir, name, st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

bool igt__os_is_readable(const char *path) {
  return access(path, R_OK) == 0;
}

int igt__os_current_folder(char *out, size_t cap) {
  return getcwd(out, cap) ? 0 : -1;
}

int igt__os_mkdir(const char *path, mode_t mode) {
  return mkdir(path, mode);
}

int igt__os_mkdirat(int dir, const char *name, mode_t mode) {
  return mkdirat(dir, name, mode);
}

int igt__os_unlinkat(int dir, const char *name) {
  return unlinkat(dir, name, 0);
}

int igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to) {
  return renameat(from_dir, from, to_dir, to);
}

int igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to) {
  struct stat st;

#ifdef RENAME_NOREPLACE
  if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
#endif
  if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return renameat(from_dir, from, to_dir, to);
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
  case 0x9123683eul: /* btrfs; does not fit an int */
    return true;
  default:
    return false;
  }
}
