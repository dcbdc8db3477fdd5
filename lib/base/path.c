/* SPDX-License-Identifier: MIT */
/* Checks and small operations on paths, and reading whole files that the user named.
 *
 * igt__path_check and igt__name_check reject names that must not be used on disk; root.c and name.c
 * build on them. igt__path_partial gives the name under which a file is written before its rename.
 * igt__file_read reads keys, tokens, certificates and tables, from a regular file or a pipe,
 * without hanging on a pipe that nothing writes to. */
#include "path.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/str.h"

#define PARTIAL_SUFFIX ".igtpart"

igt_status igt__fail_unsafe(igt_error *err, const char *what, const char *path, const char *why) {
  return igt__fail(err, IGT_E_UNSAFE_NAME, "%s '%s' cannot be used as a name: %s", what, path, why);
}

const char *igt__component_trouble(const char *s, size_t n) {
  if (n == 0)
    return "one of its components is empty";
  if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
    return "it would lead to another folder";
  return NULL;
}

static const char *component_trouble(const char *s, size_t n) {
  const char *why = igt__component_trouble(s, n);

  if (why)
    return why;
  if (n > IGT__MAX_NAME)
    return "one of its components is longer than 255 bytes";
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
      return "it contains control characters";
  }
  return NULL;
}

igt_status igt__path_check(const char *path, size_t len, const char *what, igt_error *err) {
  if (len == 0)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "%s is empty", what);
  if (strnlen(path, len) != len)
    return igt__fail_unsafe(err, what, path, "it contains a NUL byte");
  if (path[0] == '/')
    return igt__fail_unsafe(err, what, path, "it is absolute");
  if (len > IGT__MAX_PATH)
    return igt__fail_unsafe(err, what, path, "it is longer than 4,000 bytes");
  if (!igt__utf8_valid(path, len))
    return igt__fail_unsafe(err, what, path, "it is not valid UTF-8");
  for (const char *p = path;; p++) {
    size_t n = strcspn(p, "/");
    const char *why = component_trouble(p, n);
    if (why)
      return igt__fail_unsafe(err, what, path, why);
    p += n;
    if (!*p)
      return IGT_OK;
  }
}

igt_status igt__name_check(const char *name, const char *what, igt_error *err) {
  if (name && strchr(name, '/'))
    return igt__fail_unsafe(err, what, name, "it contains a slash");
  return igt__path_check(name ? name : "", name ? strlen(name) : 0, what, err);
}

int64_t igt__mtime_ns(const igt__stat *st) {
  return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

char *igt__path_join(const char *a, const char *b) {
  size_t n = strlen(a);
  const char *slash = n == 0 || a[n - 1] == '/' ? "" : "/";
  igt__buf out;

  igt__buf_init(&out, SIZE_MAX);
  igt__buf_join(&out, a, slash, b, NULL);
  return igt__buf_take(&out);
}

const char *igt__path_base(const char *path) {
  const char *slash = strrchr(path, '/');

  return slash ? slash + 1 : path;
}

const char *igt__path_local_base(const char *path) {
  const char *base = path;

  for (const char *p = path; *p; p++)
    if (igt__os_is_separator(*p))
      base = p + 1;
  return base;
}

bool igt__path_has_extension(const char *path, const char *extension) {
  const char *dot = strrchr(igt__path_base(path), '.');

  return !extension || igt__str_eq_nocase(extension, dot ? dot : "");
}

char *igt__path_absolute(const char *path) {
  char *full = igt__os_full_path(path), *copy = igt__strdup(full);

  free(full);
  return copy;
}

static uint64_t fnv(const char *s) {
  uint64_t h = 14695981039346656037u;

  for (; *s; s++)
    h = (h ^ (unsigned char)*s) * 1099511628211u;
  return h;
}

char *igt__path_partial(const char *path, const char *salt) {
  const char *base = igt__path_base(path);
  const char *dot = *salt ? "." : "";
  igt__buf out;

  igt__buf_init(&out, SIZE_MAX);
  igt__buf_append(&out, path, (size_t)(base - path));
  size_t n = strlen(base) + strlen(salt) + strlen(dot) + 1 + strlen(PARTIAL_SUFFIX);
  if (n <= IGT__MAX_NAME)
    igt__buf_join(&out, ".", base, dot, salt, PARTIAL_SUFFIX, NULL);
  else
    igt__buf_printf(&out, ".%016" PRIx64 "%s%s" PARTIAL_SUFFIX, fnv(base), dot, salt);
  return igt__buf_take(&out);
}

/* ---- reading a whole file ---- */

#define WRITER_WAIT_MS 500     /* for a writer that is about to open the FIFO */
#define SILENCE_MS (60 * 1000) /* by a writer that has opened it */

/* State of a pipe that is read without blocking. */
typedef struct pipe_state {
  bool is_pipe;
  bool has_writer; /* a writer was observed */
  int waited_ms;
} pipe_state;

/* After a read from a pipe returned no data. IGT_OK: read again; *end: end of file. */
static igt_status wait_for_pipe(pipe_state *pipe, int fd, ssize_t n, bool any, const char *path,
                                bool *end, igt_error *err) {

  *end = n == 0 && (any || pipe->has_writer);
  if (*end)
    return IGT_OK;
  if (n == 0) { /* end of file before any data: no writer, or not yet */
    if (pipe->waited_ms >= WRITER_WAIT_MS)
      return igt__fail(err, IGT_E_IO, "'%s' is a pipe, and nothing writes to it", path);
    igt__os_pause(10);
    pipe->waited_ms += 10;
    return IGT_OK;
  }
  pipe->has_writer = true;
  int ready = igt__os_wait_readable(fd, SILENCE_MS);
  if (ready > 0)
    return IGT_OK;
  if (ready < 0 && errno == EINTR)
    return igt__fail(err, IGT_E_CANCELLED, "interrupted");
  return igt__fail(err, IGT_E_IO, "'%s' is a pipe, and nothing was written to it for a minute",
                   path);
}

static igt_status read_all(int fd, const char *path, size_t max, igt__buf *out, igt_error *err) {
  char piece[16384];
  igt__stat st;
  pipe_state pipe = {.is_pipe = igt__os_fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)};
  igt_status status = IGT_OK;
  bool end = false;

  while (status == IGT_OK && !end) {
    ssize_t n = igt__os_read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR)
      continue;
    if (pipe.is_pipe && (n == 0 || (n < 0 && errno == EAGAIN)))
      status = wait_for_pipe(&pipe, fd, n, out->len > 0, path, &end, err);
    else if (n < 0)
      status = igt__fail_errno(err, errno, "cannot read '%s'", path);
    else if (!igt__buf_append(out, piece, (size_t)n))
      status = out->too_long
                   ? igt__fail(err, IGT_E_LIMIT, "'%s' is larger than %zu bytes", path, max)
                   : igt__fail_memory(err);
    else
      end = n == 0;
  }
  igt__wipe(piece, sizeof piece); /* may contain a key */
  return status;
}

igt_status igt__fd_read(int fd, const char *path, size_t max, char **data, size_t *len,
                        igt_error *err) {
  *data = NULL;
  *len = 0;
  igt__buf out;
  igt__buf_init(&out, max);
  igt_status status = read_all(fd, path, max, &out, err);
  if (status == IGT_OK) {
    *len = out.len;
    *data = igt__buf_take(&out);
    if (!*data)
      status = igt__fail_memory(err);
  }
  igt__buf_finish_wipe(&out);
  return status;
}

igt_status igt__file_open(const char *path, int *fd, igt_error *err) {
  bool own = true;
  igt__stat st;

  *fd = igt__os_open_named_fd(path);
  if (*fd == -1) {
    own = false;
    *fd = igt__os_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
  }
  if (*fd < 0)
    return igt__fail_errno(err, errno, "cannot open '%s'", path);
  if (own || (igt__os_fstat(*fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))))
    return IGT_OK;
  igt__os_close(*fd);
  return igt__fail(err, IGT_E_IO, "'%s' is neither a file nor a pipe", path);
}

igt_status igt__file_read(const char *path, size_t max, char **data, size_t *len, igt_error *err) {
  *data = NULL;
  *len = 0;
  int fd;
  igt_status status = igt__file_open(path, &fd, err);
  if (status == IGT_OK) {
    status = igt__fd_read(fd, path, max, data, len, err);
    igt__os_close(fd);
  }
  return status;
}
