/* SPDX-License-Identifier: MIT */
/* Files that are named on the command line: reports, logs, request bodies.
 *
 * "-" is standard input or output. The names of the caller's own descriptors (/dev/stdin,
 * /dev/stderr, /dev/fd/63, which is what <(...) becomes) mean these descriptors, whatever is behind
 * them. Everything else is opened without blocking, and must be a regular file, or a pipe with a
 * process at its other end: a FIFO that nobody writes to is an error immediately, instead of an
 * endless wait.
 *
 * Output contains patients' names, and may be in a folder that others can write to. So files are
 * created with mode 0600, and a link to a file, a file of another user, and a file with a second
 * name are refused. A link to a device or to a standard stream is usual in containers
 * (/var/log/x.log -> /dev/stdout), and is followed. A pipe or device of another user is refused,
 * too; the caller's own descriptors are not checked. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"

#define WRITER_WAIT_MS 500 /* for a writer that is about to open a FIFO */
#define WRITER_STEP_MS 10

/* The number in /dev/fd/N and similar names; -1: any other path. */
static int descriptor_of(const char *path) {
  static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
  static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
  const char *digits = NULL;

  for (int i = 0; i < 3; i++)
    if (strcmp(path, standard[i]) == 0)
      return i;
  for (size_t i = 0; i < 2; i++)
    if (strncmp(path, folders[i], strlen(folders[i])) == 0)
      digits = path + strlen(folders[i]);
  if (!digits || !*digits || strlen(digits) > 6 || digits[strspn(digits, "0123456789")])
    return -1;
  return (int)strtol(digits, NULL, 10);
}

static const char *kind_of(const struct stat *st) {
  return S_ISDIR(st->st_mode)    ? "it is a directory"
         : S_ISSOCK(st->st_mode) ? "it is a socket"
         : S_ISBLK(st->st_mode)  ? "it is a block device"
                                 : "it is a device";
}

static void make_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);

  if (flags >= 0)
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Takes ownership of fd. */
static FILE *stream_of(int fd, const char *mode, const char **why) {
  FILE *file = fd >= 0 ? fdopen(fd, mode) : NULL;

  if (!file) {
    int error = errno;

    *why = strerror(error);
    if (fd >= 0)
      close(fd);
    errno = error;
  }
  return file;
}

/* ---- input ---- */

/* Only reading tells: without a writer it returns the end of file immediately. *first: a byte that
 * was read and belongs to the reader; otherwise EOF. */
static const char *wait_for_writer(int fd, int *first) {
  for (int waited = 0; waited < WRITER_WAIT_MS; waited += WRITER_STEP_MS) {
    unsigned char c;
    ssize_t n = read(fd, &c, 1);
    *first = n == 1 ? c : EOF;
    if (n == 1 || (n < 0 && errno == EAGAIN))
      return NULL; /* a writer that has not written yet is waited for, as with any pipe */
    if (n < 0 && errno != EINTR)
      return strerror(errno);
    (void)poll(NULL, 0, WRITER_STEP_MS);
  }
  return "it is a FIFO without a writer";
}

static bool is_empty_device(const struct stat *st) {
  return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3); /* /dev/null */
}

FILE *open_input(const char *path, const char **why) {
  int own = descriptor_of(path), first = EOF, fd;
  struct stat st;
  FILE *in;

  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdin;
  if (own >= 0)
    return stream_of(fcntl(own, F_DUPFD_CLOEXEC, 3), "r", why);
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &st) != 0)
    *why = errno == ENXIO ? "it is a socket or a device" : strerror(errno);
  else if (S_ISFIFO(st.st_mode))
    *why = wait_for_writer(fd, &first);
  else if (!S_ISREG(st.st_mode) && !is_empty_device(&st))
    *why = kind_of(&st);
  if (*why) {
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  make_blocking(fd);
  in = stream_of(fd, "r", why);
  if (in && first != EOF)
    (void)ungetc(first, in);
  return in;
}

/* ---- output ---- */

/* Unix98 pseudoterminals: Linux's devices.txt. */
static bool is_terminal_of_somebody(const struct stat *st) {
  return S_ISCHR(st->st_mode) && major(st->st_rdev) >= 136 && major(st->st_rdev) <= 143;
}

/* The owner of a pipe or a terminal can read what is written to it, too. Other devices belong to
 * the system, whoever owns them: in a user namespace that may be nobody. */
static const char *trouble_with_owner(const struct stat *st) {
  if (st->st_uid == geteuid() || st->st_uid == 0)
    return NULL;
  if (S_ISFIFO(st->st_mode))
    return "the pipe belongs to another user, who could read it";
  if (is_terminal_of_somebody(st))
    return "the terminal belongs to another user, who could read it";
  return S_ISREG(st->st_mode) ? "the file belongs to another user, who could read it" : NULL;
}

/* NULL: writing is allowed. */
static const char *trouble_with(int fd, bool append) {
  const char *why;
  struct stat st;

  if (fstat(fd, &st) != 0)
    return strerror(errno);
  if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
    return kind_of(&st);
  if ((why = trouble_with_owner(&st)) != NULL || !S_ISREG(st.st_mode))
    return why;
  if (st.st_nlink > 1)
    return "the file has another hard link";
  if (append)
    return NULL;
  if ((st.st_mode & 077 && fchmod(fd, st.st_mode & 0700) != 0) || ftruncate(fd, 0) != 0)
    return strerror(errno);
  return NULL;
}

/* The standard stream that a link leads to; -1: not a link, or it leads elsewhere. */
static int linked_stream(const char *path) {
  char target[32];
  ssize_t n = readlink(path, target, sizeof target - 1);
  int own;

  target[n > 0 ? n : 0] = '\0';
  own = descriptor_of(target);
  return own == STDOUT_FILENO || own == STDERR_FILENO ? own : -1;
}

static bool is_stream(const struct stat *st) {
  return S_ISCHR(st->st_mode) || S_ISFIFO(st->st_mode);
}

/* Opens a link to a device or a pipe; -1: for anything else. The opened file is checked again: the
 * link may have changed meanwhile. */
static int open_linked(const char *path, int flags, const char **why) {
  struct stat st;
  int fd = -1;

  if (stat(path, &st) == 0 && is_stream(&st)) {
    fd = open(path, flags & ~(O_NOFOLLOW | O_CREAT));
    if (fd < 0 || (fstat(fd, &st) == 0 && is_stream(&st)))
      return fd;
    close(fd);
  }
  *why = "it is a symbolic link to a file; such links are not followed";
  return -1;
}

FILE *open_output(const char *path, bool append, const char **why) {
  int flags =
      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | (append ? O_APPEND : 0);
  int own = descriptor_of(path), fd;

  errno = 0;
  *why = NULL;
  if (strcmp(path, "-") == 0)
    return stdout;
  if (own < 0)
    own = linked_stream(path);
  if (own >= 0)
    return stream_of(fcntl(own, F_DUPFD_CLOEXEC, 3), "a", why);
  fd = open(path, flags, 0600);
  if (fd < 0 && errno == ELOOP)
    fd = open_linked(path, flags, why);
  if (fd < 0 && !*why)
    *why = errno == ENXIO ? "it is a FIFO without a reader, a socket or a device" : strerror(errno);
  if (fd < 0 || (*why = trouble_with(fd, append)) != NULL) {
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  make_blocking(fd);
  return stream_of(fd, append ? "a" : "w", why);
}

/* ---- streams ---- */

FILE *os_stream(int fd, const char *mode) {
  const char *why;

  return fd >= 0 ? stream_of(fd, mode, &why) : NULL;
}

bool os_sync_stream(FILE *out) {
  return fflush(out) == 0 && fsync(fileno(out)) == 0;
}

int os_new_file(char *pattern) {
  return mkostemp(pattern, O_CLOEXEC);
}

bool os_is_terminal(int fd) {
  int before = errno;
  bool is = isatty(fd);

  errno = before;
  return is;
}

bool os_is_relative(const char *path) {
  return path[0] != '/';
}

void os_show_to_all(int fd) {
  (void)fchmod(fd, 0644);
}

/* ---- standard streams as files ---- */

static bool copy_input(FILE *to) {
  char block[65536];
  size_t n;

  while ((n = fread(block, 1, sizeof block, stdin)) > 0)
    if (fwrite(block, 1, n, to) != n)
      return false;
  return !ferror(stdin) && fflush(to) == 0 && dup2(fileno(to), STDIN_FILENO) >= 0;
}

bool os_keep_input(void) {
  struct stat st;
  FILE *copy;
  bool good;
  int why;

  if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
    return true;
  copy = tmpfile();
  if (!copy)
    return false;
  good = copy_input(copy);
  why = errno;
  (void)fclose(copy);
  errno = why;
  return good;
}

int os_divert_output(void) {
  int own;

  (void)fflush(stdout);
  own = igt__os_dup(STANDARD_OUTPUT);
  return own >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 ? own : -1;
}
