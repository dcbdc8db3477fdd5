/* SPDX-License-Identifier: MIT */
/* Files that are named on the command line: reports, logs, request bodies. "-" and POSIX's names of
 * the standard streams, which scripts for both systems use, mean these. A link to a file is refused
 * for output, as is a file with a second name: in a folder that others can write to, it may be
 * somebody else's. */
#include "cli.h"

#include "os/windows/system.h"

#include <errno.h>
#include <stdlib.h>

static int descriptor_of(const char *path) {
  static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

  for (int i = 0; i < 3; i++)
    if (strcmp(path, standard[i]) == 0)
      return i;
  return -1;
}

static FILE *stream_of(int fd, const char *mode, const char **why) {
  FILE *file = fd >= 0 ? fdopen(fd, mode) : NULL;

  if (!file) {
    *why = strerror(errno);
    if (fd >= 0)
      _close(fd);
  }
  return file;
}

static const char *kind_of(const struct stat *st) {
  return S_ISDIR(st->st_mode) ? "it is a directory" : "it is a device";
}

FILE *open_input(const char *path, const char **why) {
  int own = descriptor_of(path), fd;
  struct stat st;

  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdin;
  if (own >= 0)
    return stream_of(_dup(own), "rb", why);
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
    *why = kind_of(&st);
    return NULL;
  }
  fd = open(path, O_RDONLY);
  return stream_of(fd, "rb", why);
}

static bool is_link(const char *path) {
  wchar_t *wide = wide_path(path);
  DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;

  free(wide);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

static const char *trouble_with(int fd, bool append) {
  struct stat st;

  if (fstat(fd, &st) != 0)
    return strerror(errno);
  if (S_ISDIR(st.st_mode))
    return kind_of(&st);
  if (!S_ISREG(st.st_mode))
    return NULL;
  if (st.st_nlink > 1)
    return "the file has another hard link";
  return append || _chsize_s(fd, 0) == 0 ? NULL : strerror(errno);
}

FILE *open_output(const char *path, bool append, const char **why) {
  int own = descriptor_of(path), fd;
  struct stat st;

  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdout;
  if (own >= 0)
    return stream_of(_dup(own), "ab", why);
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
    *why = kind_of(&st);
  else if (is_link(path))
    *why = "it is a symbolic link to a file; such links are not followed";
  if (*why)
    return NULL;
  fd = open(path, O_WRONLY | O_CREAT | (append ? O_APPEND : 0), 0600);
  if (fd < 0 || (*why = trouble_with(fd, append)) != NULL) {
    *why = *why ? *why : strerror(errno);
    if (fd >= 0)
      _close(fd);
    return NULL;
  }
  return stream_of(fd, append ? "ab" : "wb", why);
}
