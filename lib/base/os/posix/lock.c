/* SPDX-License-Identifier: MIT */
/* flock for files: it stays with its descriptor, whatever else the process closes. Open file
 * description locks for bytes, for the same reason. A record lock beside them shows its process. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/os/os.h"

int igt__os_lock(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB);
}

static int set_byte(int fd, short type, int64_t at) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};

  return fcntl(fd, F_OFD_SETLK, &lock);
}

int igt__os_lock_byte(int fd, int64_t at, bool shared) {
  return set_byte(fd, shared ? F_RDLCK : F_WRLCK, at);
}

int igt__os_unlock_byte(int fd, int64_t at) {
  return set_byte(fd, F_UNLCK, at);
}

bool igt__os_byte_is_locked(int fd, int64_t at) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};

  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int igt__os_show_holder(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

  return fcntl(fd, F_SETLK, &lock);
}

/* Querying has no side effect, unlike trying the lock. */
int64_t igt__os_holder(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

  if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0)
    return 0;
  return lock.l_pid;
}
