/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: a file system that lacks features of a local disk. Below the folder ODD_BELOW the
 * calls of ODD_CALLS ("flock=38 fallocate=95") fail with that errno:
 *
 *   flock, fallocate, ftruncate, futimens, fsync, syncfs, fchmod, fchown
 *   close    it has the effect nevertheless
 *   stat, open, read  of anything in the folder, and of the folder itself
 *   read-folder  of the names in a folder
 *   replace  rename over an existing file
 *   rename   every rename
 *   unlink   every removal of a file
 *   inode    no failure: stat returns another inode number each time
 *   clock    no failure: the change time is the modification time, as on FAT
 *   statfs   no failure: reports unlimited free space
 *   fat      no failure: the disk calls itself FAT
 *   lost     no failure: without its pages in memory, a file has zeros in place of its bytes
 *   full     fallocate takes all free space, as ext4 does, and then fails
 *
 * glibc's posix_fallocate, which writes to each block where the system has no such call, ends the
 * process. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

static _Atomic unsigned long inodes = 1u << 20;

/* name: in the folder fd; "": the file fd itself. */
static int is_below(int fd, const char *name) {
  const char *below = getenv("ODD_BELOW");
  char link[64], path[2 * PATH_MAX];
  ssize_t n = 0;

  if (name[0] != '/') {
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    n = n > 0 ? n : 0;
  }
  snprintf(path + n, PATH_MAX, "%s%s", n && name[0] ? "/" : "", name);
  return below && strncmp(path, below, strlen(below)) == 0;
}

/* The errno with which the call fails; 0: it succeeds. */
static int refusal_at(const char *call, int fd, const char *name) {
  const char *at = getenv("ODD_CALLS");
  size_t n = strlen(call);

  for (; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
    if (strncmp(at, call, n) == 0 && at[n] == '=')
      return is_below(fd, name) ? (int)strtol(at + n + 1, NULL, 10) : 0;
  return 0;
}

static int refusal(const char *call, int fd) {
  return refusal_at(call, fd, "");
}

static int refuse(int why) {
  errno = why;
  return -1;
}

/* The file is open for reading only. */
static void lose(int fd) {
  static const char zeros[1 << 16];
  char path[64];
  struct stat st;
  int own;

  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (fstat(fd, &st) != 0 || (own = open(path, O_WRONLY)) < 0)
    abort();
  for (off_t at = 0, left; (left = st.st_size - at) > 0; at += (off_t)sizeof zeros)
    if (pwrite(own, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros, at) < 0)
      abort();
  if (futimens(own, (struct timespec[]){st.st_atim, st.st_mtim}) != 0)
    abort();
  close(own);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(call, fd)                                                                           \
  do {                                                                                             \
    int why = refusal(call, fd);                                                                   \
    if (why)                                                                                       \
      return refuse(why);                                                                          \
  } while (0)
#pragma GCC visibility push(default)

int flock(int fd, int how) {
  REFUSE("flock", fd);
  return REAL(flock)(fd, how);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n) {
  if (!mode && refusal("full", fd)) {
    (void)REAL(fallocate64)(fd, mode, at, n / 2);
    return refuse(refusal("full", fd));
  }
  REFUSE("fallocate", fd);
  return REAL(fallocate64)(fd, mode, at, n);
}

int posix_fallocate64(int fd, off64_t at, off64_t n) {
  (void)fd, (void)at, (void)n;
  abort();
}

int ftruncate64(int fd, off64_t n) {
  REFUSE("ftruncate", fd);
  return REAL(ftruncate64)(fd, n);
}

int futimens(int fd, const struct timespec times[2]) {
  REFUSE("futimens", fd);
  return REAL(futimens)(fd, times);
}

int fsync(int fd) {
  REFUSE("fsync", fd);
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  REFUSE("fsync", fd);
  return REAL(fdatasync)(fd);
}

int syncfs(int fd) {
  REFUSE("syncfs", fd);
  return REAL(syncfs)(fd);
}

int posix_fadvise64(int fd, off64_t at, off64_t n, int advice) {
  if (advice == POSIX_FADV_DONTNEED && refusal("lost", fd))
    lose(fd);
  return REAL(posix_fadvise64)(fd, at, n, advice);
}

int close(int fd) {
  int why = refusal("close", fd), failed = REAL(close)(fd);

  return why ? refuse(why) : failed;
}

int fchmod(int fd, mode_t mode) {
  REFUSE("fchmod", fd);
  return REAL(fchmod)(fd, mode);
}

int fchown(int fd, uid_t uid, gid_t gid) {
  REFUSE("fchown", fd);
  return REAL(fchown)(fd, uid, gid);
}

int unlinkat(int folder, const char *path, int flags) {
  REFUSE("unlink", folder);
  return REAL(unlinkat)(folder, path, flags);
}

int renameat(int from, const char *old, int to, const char *path) {
  struct stat st;

  REFUSE("rename", to);
  if (refusal("replace", to) && fstatat(to, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return refuse(refusal("replace", to));
  return REAL(renameat)(from, old, to, path);
}

/* The station's renames. */
int renameat2(int from, const char *old, int to, const char *path, unsigned flags) {
  REFUSE("rename", to);
  return REAL(renameat2)(from, old, to, path, flags);
}

int fstatvfs64(int fd, struct statvfs64 *st) {
  int failed = REAL(fstatvfs64)(fd, st);

  if (!failed && refusal("statfs", fd))
    st->f_bavail = st->f_blocks = 1ul << 40;
  return failed;
}

int fstatfs64(int fd, struct statfs64 *fs) {
  enum { FAT = 0x4d44 };
  int failed = REAL(fstatfs64)(fd, fs);

  if (!failed && refusal("fat", fd))
    fs->f_type = FAT;
  return failed;
}

struct dirent64 *readdir64(DIR *dir) {
  int why = refusal("read-folder", dirfd(dir));

  errno = why ? why : errno;
  return why ? NULL : REAL(readdir64)(dir);
}

static void change(struct stat64 *st, int fd) {
  if (refusal("inode", fd))
    st->st_ino = atomic_fetch_add(&inodes, 1);
  if (refusal("clock", fd))
    st->st_ctim = st->st_mtim;
}

int fstat64(int fd, struct stat64 *st) {
  int failed = REAL(fstat64)(fd, st);

  if (!failed)
    change(st, fd);
  return failed;
}

int fstatat64(int folder, const char *path, struct stat64 *st, int flags) {
  int why = refusal_at("stat", folder, path);
  int failed = why ? refuse(why) : REAL(fstatat64)(folder, path, st, flags);

  if (!failed)
    change(st, folder);
  return failed;
}

int openat64(int folder, const char *path, int flags, ...) {
  int why = refusal_at("open", folder, path), mode = 0;
  va_list more;

  if (flags & (O_CREAT | O_TMPFILE)) {
    va_start(more, flags);
    mode = va_arg(more, int);
    va_end(more);
  }
  return why ? refuse(why) : REAL(openat64)(folder, path, flags, mode);
}

ssize_t pread64(int fd, void *out, size_t n, off64_t at) {
  REFUSE("read", fd);
  return REAL(pread64)(fd, out, n, at);
}
ssize_t read(int fd, void *out, size_t n) {
  REFUSE("read", fd);
  return REAL(read)(fd, out, n);
}
#pragma GCC visibility pop
