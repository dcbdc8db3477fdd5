/* SPDX-License-Identifier: MIT */
/* Files and names: os.h on POSIX. Mostly a system call each; O_TMPFILE and renameat2, which
 * not every file system has, fall back to what all have. Descriptors are closed by exec, so that
 * hooks and other programs inherit none. Called by root.c, path.c and everything that opens a file;
 * windows/file.c is the same for Windows. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

ssize_t igt__os_write_foreign(int fd, const void *data, size_t n) {
  return write(fd, data, n);
}

ssize_t igt__os_pread(int fd, void *data, size_t n, int64_t at) {
  return pread(fd, data, n, (off_t)at);
}

ssize_t igt__os_pwrite(int fd, const void *data, size_t n, int64_t at) {
  return pwrite(fd, data, n, (off_t)at);
}

int igt__os_rewind(int fd) {
  return lseek(fd, 0, SEEK_SET) == 0 ? 0 : -1;
}

int igt__os_truncate(int fd, int64_t size) {
  return ftruncate(fd, (off_t)size);
}

int igt__os_sync(int fd) {
  return fsync(fd);
}

int igt__os_sync_all(int fd) {
  return syncfs(fd);
}

int igt__os_write_back(int fd) {
  (void)fd; /* syncfs covers everything */
  return 0;
}

void igt__os_drop_cached(int fd) {
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int igt__os_set_mtime(int fd, int64_t seconds) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds}};

  return futimens(fd, times);
}

/* Not every file system has files without a name. */
int igt__os_temporary(const char *folder) {
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  char name[PATH_MAX];

  if (fd >= 0)
    return fd;
  if (snprintf(name, sizeof name, "%s/igtcloud-XXXXXX", folder) < (int)sizeof name &&
      (fd = mkostemp(name, O_CLOEXEC)) >= 0)
    (void)unlink(name);
  return fd;
}

int igt__os_memory_file(void) {
  return memfd_create("igtcloud", MFD_CLOEXEC);
}

int igt__os_path_of(int fd, char *out, size_t cap) {
  return snprintf(out, cap, "/proc/self/fd/%d", fd) < (int)cap ? 0 : -1;
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

bool igt__os_is_absolute(const char *path) {
  return path[0] == '/';
}

bool igt__os_is_separator(char c) {
  return c == '/';
}

char *igt__os_full_path(const char *path) {
  char folder[PATH_MAX], *full = NULL;

  if (path[0] == '/')
    return strdup(path);
  if (!getcwd(folder, sizeof folder))
    return NULL;
  return asprintf(&full, "%s%s%s", folder, folder[1] ? "/" : "", path) >= 0 ? full : NULL;
}

const char *igt__os_temporary_folder(void) {
  const char *folder = getenv("TMPDIR");

  return folder && *folder ? folder : "/tmp";
}

bool igt__os_state_folder(char *out, size_t cap) {
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  int n = -1;

  if (state && state[0] == '/')
    n = snprintf(out, cap, "%s", state);
  else if (home && home[0] == '/')
    n = snprintf(out, cap, "%s%s.local/state", home, home[strlen(home) - 1] == '/' ? "" : "/");
  return n > 0 && (size_t)n < cap;
}

char *igt__os_real_path(const char *path) {
  return realpath(path, NULL);
}

unsigned igt__os_user(void) {
  return geteuid();
}

int igt__os_stat_owner(int fd, igt__stat *st) {
  (void)fd; /* fstat has it */
  (void)st;
  return 0;
}

int igt__os_stat_with_owner(const char *path, igt__stat *st) {
  return igt__os_stat(path, st);
}

mode_t igt__os_private_mode(void) {
  return umask(0077);
}

void igt__os_restore_mode(mode_t before) {
  (void)umask(before);
}

/* Set-user-id was granted to the old bytes, not to these. */
int igt__os_take_after(int fd, const igt__stat *earlier) {
  if (geteuid() == 0 && fchown(fd, earlier->st_uid, earlier->st_gid) != 0)
    return -1;
  return fchmod(fd, earlier->st_mode & 0777);
}

int igt__os_mkdir(const char *path, mode_t mode) {
  return mkdir(path, mode);
}

int igt__os_mkdirat(int dir, const char *name, mode_t mode) {
  return mkdirat(dir, name, mode);
}

int igt__os_unlink(const char *path) {
  return unlink(path);
}

int igt__os_unlinkat(int dir, const char *name) {
  return unlinkat(dir, name, 0);
}

int igt__os_rmdirat(int dir, const char *name) {
  return unlinkat(dir, name, AT_REMOVEDIR);
}

int igt__os_rename(const char *from, const char *to) {
  return rename(from, to);
}

int igt__os_replace_program(const char *from, const char *to) {
  return rename(from, to);
}

bool igt__os_has_portable_names(void) {
  return false;
}

int igt__os_link(const char *from, const char *to) {
  return link(from, to);
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
