/* SPDX-License-Identifier: MIT */
/* Files that are named on the command line: os/posix/file.c and os/windows/file.c open them. */
#include <errno.h>
#include <string.h>

#include "cli.h"

bool take_input(const settings *s, const char *name) {
  static const char *taken;

  if (s->password_stdin)
    usage_error("standard input cannot be both the password and --%s", name);
  else if (taken)
    usage_error("standard input cannot be both --%s and --%s", taken, name);
  else
    return (taken = name) != NULL;
  return false;
}

const char *file_option(const char *value) {
  return value && strcmp(value, "-") == 0 ? "/dev/stdin" : value;
}

bool file_exists(const char *path) {
  igt__stat st;

  return igt__os_stat(path, &st) == 0;
}

void close_input(FILE *in) {
  if (in && in != stdin)
    (void)fclose(in);
}

bool close_output(FILE *out) {
  bool good;

  if (out == stdout)
    return output_error() == 0;
  good = fflush(out) == 0 && !ferror(out);
  return fclose(out) == 0 && good;
}

bool write_all(int fd, const void *data, size_t n) {
  const char *p = data;

  while (n > 0) {
    ssize_t done = igt__os_write(fd, p, n);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    p += done;
    n -= (size_t)done;
  }
  return true;
}

bool is_partial_name(const char *name) {
  static const char *const ends[] = {".part",     ".partial", ".tmp",       ".temp",
                                     ".filepart", ".igtpart", ".crdownload"};
  size_t n = strlen(name);

  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    size_t m = strlen(ends[i]);
    if (n > m && strcmp(name + n - m, ends[i]) == 0)
      return true;
  }
  return false;
}
