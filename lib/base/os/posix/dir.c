/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/os/os.h"

/* igt__os_dir is a DIR: no allocation of ours. */
static DIR *dir_of(igt__os_dir *dir) {
  return (DIR *)(void *)dir;
}

igt__os_dir *igt__os_dir_take(int fd) {
  DIR *dir = fdopendir(fd);
  int why = errno;

  if (!dir) {
    close(fd);
    errno = why;
  }
  return (igt__os_dir *)(void *)dir;
}

igt__os_dir *igt__os_dir_open(int fd) {
  int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  return copy >= 0 ? igt__os_dir_take(copy) : NULL;
}

static igt__os_kind kind_of(const struct dirent *entry) {
  switch (entry->d_type) {
  case DT_DIR:
    return IGT__OS_FOLDER;
  case DT_UNKNOWN:
    return IGT__OS_UNKNOWN;
  default:
    return IGT__OS_OTHER;
  }
}

const char *igt__os_dir_next(igt__os_dir *dir, igt__os_kind *kind, int *os_error) {
  for (;;) {
    const struct dirent *entry;

    errno = 0;
    entry = readdir(dir_of(dir));
    *os_error = entry ? 0 : errno;
    if (!entry)
      return NULL;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (kind)
      *kind = kind_of(entry);
    return entry->d_name;
  }
}

void igt__os_dir_close(igt__os_dir *dir) {
  (void)closedir(dir_of(dir));
}
