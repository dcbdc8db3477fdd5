/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: below the folder QUOTA_BELOW one kind of call, QUOTA_CALL, fails with EDQUOT,
 * from the QUOTA_FROM-th on (1). The kinds are "write", "reserve", "create", "rename", "close" and
 * "sync". This is how a system behaves when the user's quota is used up; a real quota requires a
 * file system that root has set up. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

static _Atomic unsigned long count;

/* Whether a call of this kind on the file or folder exceeds the quota. */
static int exceeds(const char *call, int fd) {
  const char *wanted = getenv("QUOTA_CALL"), *below = getenv("QUOTA_BELOW");
  const char *from = getenv("QUOTA_FROM");
  char link[64], path[PATH_MAX];
  ssize_t n;

  if (!wanted || !below || strcmp(wanted, call) != 0)
    return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof path - 1);
  path[n > 0 ? n : 0] = '\0';
  if (strncmp(path, below, strlen(below)) != 0)
    return 0;
  return atomic_fetch_add(&count, 1) + 1 >= (from ? strtoul(from, NULL, 10) : 1);
}

static int refuse(void) {
  errno = EDQUOT;
  return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#pragma GCC visibility push(default)

ssize_t write(int fd, const void *data, size_t n) {
  return exceeds("write", fd) ? refuse() : REAL(write)(fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  return exceeds("write", fd) ? refuse() : REAL(pwrite64)(fd, data, n, at);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n) {
  return exceeds("reserve", fd) ? refuse() : REAL(fallocate64)(fd, mode, at, n);
}

int openat64(int folder, const char *path, int flags, ...) {
  va_list args;
  mode_t mode;

  va_start(args, flags);
  mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (flags & O_CREAT && exceeds("create", folder))
    return refuse();
  return REAL(openat64)(folder, path, flags, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
  return exceeds("create", folder) ? refuse() : REAL(mkdirat)(folder, path, mode);
}

int renameat(int from, const char *old, int to, const char *path) {
  return exceeds("rename", to) ? refuse() : REAL(renameat)(from, old, to, path);
}

/* Data that was written may be refused only here. Only files: closing a folder after reading it
 * succeeds. */
int close(int fd) {
  int flags = fcntl(fd, F_GETFL), refused = 0;

  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
    refused = exceeds("close", fd);
  return REAL(close)(fd) == 0 && !refused ? 0 : refused ? refuse() : -1;
}

/* File systems that report errors this late are remote: NFS. */
int fstatfs64(int fd, struct statfs64 *out) {
  const char *wanted = getenv("QUOTA_CALL");
  int status = REAL(fstatfs64)(fd, out);

  if (status == 0 && wanted && strcmp(wanted, "close") == 0)
    out->f_type = 0x6969;
  return status;
}

int fsync(int fd) {
  return exceeds("sync", fd) ? refuse() : REAL(fsync)(fd);
}

int syncfs(int fd) {
  return exceeds("sync", fd) ? refuse() : REAL(syncfs)(fd);
}
#pragma GCC visibility pop
