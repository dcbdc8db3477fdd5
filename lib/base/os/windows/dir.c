/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#define BATCH 65536 /* bytes of entries a call; a share's limit */

struct igt__os_dir {
  int fd;
  bool started;
  const FILE_ID_BOTH_DIR_INFO *at; /* within batch; NULL: read the first one */
  char name[4 * IGT__WIDE_NAME];
  union {
    FILE_ID_BOTH_DIR_INFO first; /* for its alignment */
    char bytes[BATCH];
  } batch;
};

igt__os_dir *igt__os_dir_take(int fd) {
  igt__os_dir *dir = calloc(1, sizeof *dir);

  if (!dir) {
    (void)igt__os_close(fd);
    errno = ENOMEM;
    return NULL;
  }
  dir->fd = fd;
  return dir;
}

igt__os_dir *igt__os_dir_open(int fd) {
  int copy = igt__os_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0);

  return copy >= 0 ? igt__os_dir_take(copy) : NULL;
}

/* False: the end, or *os_error. */
static bool advance(igt__os_dir *dir, int *os_error) {
  FILE_INFO_BY_HANDLE_CLASS what =
      dir->started ? FileIdBothDirectoryInfo : FileIdBothDirectoryRestartInfo;
  DWORD why;

  if (dir->at && dir->at->NextEntryOffset) {
    dir->at = (const void *)((const char *)dir->at + dir->at->NextEntryOffset);
    return true;
  }
  if (GetFileInformationByHandleEx(igt__handle_of(dir->fd), what, &dir->batch, BATCH)) {
    dir->started = true;
    dir->at = &dir->batch.first;
    return true;
  }
  why = GetLastError();
  *os_error =
      why == ERROR_NO_MORE_FILES || why == ERROR_FILE_NOT_FOUND ? 0 : igt__windows_errno(why);
  return false;
}

/* Not every reparse point is a link: files of OneDrive are. */
static igt__os_kind kind_of(DWORD attributes) {
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT)
    return IGT__OS_UNKNOWN;
  return attributes & FILE_ATTRIBUTE_DIRECTORY ? IGT__OS_FOLDER : IGT__OS_OTHER;
}

const char *igt__os_dir_next(igt__os_dir *dir, igt__os_kind *kind, int *os_error) {
  *os_error = 0;
  while (advance(dir, os_error)) {
    size_t units = dir->at->FileNameLength / sizeof(wchar_t);

    if (igt__wide_to_utf8(dir->at->FileName, units, dir->name, sizeof dir->name) < 0) {
      *os_error = errno; /* no UTF-8 names it, so nothing could open it */
      return NULL;
    }
    if (strcmp(dir->name, ".") == 0 || strcmp(dir->name, "..") == 0)
      continue;
    if (kind)
      *kind = kind_of(dir->at->FileAttributes);
    return dir->name;
  }
  return NULL;
}

void igt__os_dir_close(igt__os_dir *dir) {
  (void)igt__os_close(dir->fd);
  free(dir);
}
