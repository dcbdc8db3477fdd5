/* SPDX-License-Identifier: MIT */
/* Files that are named on the command line: reports, logs, request bodies. "-" and POSIX's names of
 * the standard streams, which scripts for both systems use, mean these. A link to a file is refused
 * for output, as is a file with a second name: in a folder that others can write to, it may be
 * somebody else's. */
#include "cli.h"

#include "os/windows/system.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>

static int descriptor_of(const char *path) {
  static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

  for (int i = 0; i < 3; i++)
    if (strcmp(path, standard[i]) == 0)
      return i;
  return -1;
}

/* Of the C library's descriptor, which is closed after an error. */
static FILE *stream_of(int fd, const char *mode) {
  const char binary[] = {*mode, 'b', '\0'};
  FILE *file = fd >= 0 ? fdopen(fd, binary) : NULL;

  if (!file && fd >= 0) {
    int error = errno;

    _close(fd);
    errno = error;
  }
  return file;
}

/* The C library has descriptors of its own: one for a copy of the handle. */
FILE *os_stream(int fd, const char *mode) {
  HANDLE copy, self = GetCurrentProcess();
  bool good;

  if (fd < 0)
    return NULL;
  good = DuplicateHandle(self, (HANDLE)igt__os_handle(fd), self, &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS);
  (void)igt__os_close(fd);
  if (!good) {
    errno = EMFILE;
    return NULL;
  }
  return stream_of(descriptor_of_handle(copy, *mode == 'r'   ? _O_RDONLY
                                              : *mode == 'a' ? _O_APPEND
                                                             : 0),
                   mode);
}

bool os_sync_stream(FILE *out) {
  return fflush(out) == 0 && _commit(fileno(out)) == 0;
}

static FILE *or_why(FILE *file, const char **why) {
  if (!file)
    *why = strerror(errno);
  return file;
}

bool os_is_terminal(int fd) {
  DWORD mode; /* NUL is a character device for _isatty */

  return GetConsoleMode((HANDLE)_get_osfhandle(fd), &mode) != 0;
}

bool os_is_relative(const char *path) {
  bool drive = ((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z') && path[1] == ':';

  return !drive && !igt__os_is_separator(path[0]);
}

/* The folder decides. */
void os_show_to_all(int fd) {
  (void)fd;
}

int os_new_file(char *pattern) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  char *x = pattern + strlen(pattern) - 6;

  for (int tries = 0; tries < 100; tries++) {
    uint64_t n = 0;
    int fd;

    os_random(&n, sizeof n);
    for (int i = 0; i < 6; i++, n /= 36)
      x[i] = letters[n % 36];
    fd = igt__os_open(pattern, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 || errno != EEXIST)
      return fd;
  }
  return -1;
}

/* ---- files that the user names ---- */

/* As scripts for both systems write it. */
static const char *file_of(const char *path) {
  return strcmp(path, "/dev/null") == 0 ? "NUL" : path;
}

static const char *kind_of(const igt__stat *st) {
  return S_ISDIR(st->st_mode) ? "it is a directory" : "it is a device";
}

FILE *open_input(const char *path, const char **why) {
  int own = descriptor_of(path);
  igt__stat st;

  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdin;
  if (own >= 0)
    return or_why(stream_of(_dup(own), "r"), why);
  if (igt__os_stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
    *why = kind_of(&st);
    return NULL;
  }
  return or_why(os_stream(igt__os_open(file_of(path), O_RDONLY, 0), "r"), why);
}

static bool is_link(const char *path) {
  wchar_t *wide = wide_path(path);
  DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;

  free(wide);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

static const char *trouble_with(int fd, bool append) {
  igt__stat st;

  if (igt__os_fstat(fd, &st) != 0)
    return strerror(errno);
  if (S_ISDIR(st.st_mode))
    return kind_of(&st);
  if (!S_ISREG(st.st_mode))
    return NULL;
  if (st.st_nlink > 1)
    return "the file has another hard link";
  return append || igt__os_truncate(fd, 0) == 0 ? NULL : strerror(errno);
}

FILE *open_output(const char *path, bool append, const char **why) {
  int own = descriptor_of(path), fd;
  igt__stat st;

  errno = 0;
  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdout;
  if (own >= 0)
    return or_why(stream_of(_dup(own), "a"), why);
  if (igt__os_stat(path, &st) == 0 && S_ISDIR(st.st_mode))
    *why = kind_of(&st);
  else if (is_link(path))
    *why = "it is a symbolic link to a file; such links are not followed";
  if (*why)
    return NULL;
  fd = igt__os_open(file_of(path), O_WRONLY | O_CREAT, 0600);
  if (fd < 0 || (*why = trouble_with(fd, append)) != NULL) {
    *why = *why ? *why : strerror(errno);
    if (fd >= 0)
      igt__os_close(fd);
    return NULL;
  }
  return or_why(os_stream(fd, append ? "a" : "w"), why);
}

/* ---- standard streams as files ---- */

static bool copy_input(int to) {
  char block[65536];
  ssize_t n;

  while ((n = igt__os_read(STANDARD_INPUT, block, sizeof block)) > 0)
    if (!write_all(to, block, (size_t)n))
      return false;
  return n == 0;
}

bool os_keep_input(void) {
  igt__stat st;
  FILE *copy;
  bool good;
  int fd;

  if (igt__os_fstat(STANDARD_INPUT, &st) == 0 && S_ISREG(st.st_mode))
    return true;
  fd = igt__os_memory_file();
  if (fd < 0 || !copy_input(fd) || igt__os_rewind(fd) != 0) {
    if (fd >= 0)
      igt__os_close(fd);
    return false;
  }
  copy = os_stream(fd, "r");
  good = copy && _dup2(_fileno(copy), STANDARD_INPUT) == 0;
  if (copy)
    (void)fclose(copy);
  return good;
}

int os_divert_output(void) {
  int own;

  (void)fflush(stdout);
  own = igt__os_dup(STANDARD_OUTPUT);
  return own >= 0 && _dup2(STANDARD_ERROR, STANDARD_OUTPUT) == 0 ? own : -1;
}
