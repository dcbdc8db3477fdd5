/* SPDX-License-Identifier: MIT */
/* Who has a file open for writing. Two ways, each of which may not know:
 *
 * - A read lease is only granted while nobody has the file open for writing, whoever it is. It
 * takes the owner of the file (or CAP_LEASE) and a file system that has leases.
 * - /proc lists the open files of the processes that this user may look at, all for root. Reading
 * it costs some milliseconds, so one reading serves all studies of the same second.
 *
 * Where neither can tell, quietness alone decides (--settle). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

typedef struct open_file {
  uint64_t device, inode;
} open_file;

static struct {
  open_file *v;
  size_t count, space;
  int64_t read_at;
  bool known;
} open_files;

#define OPEN_FILES_MAX 65536
#define FRESH_MS 1000

static void remember(uint64_t device, uint64_t inode) {
  if (open_files.count == open_files.space) {
    size_t space = open_files.space ? 2 * open_files.space : 64;
    open_file *more = space <= OPEN_FILES_MAX ? realloc(open_files.v, space * sizeof *more) : NULL;
    if (!more)
      return;
    open_files.v = more;
    open_files.space = space;
  }
  open_files.v[open_files.count++] = (open_file){device, inode};
}

/* "flags:\t0100001": octal, as in fcntl(2). */
static bool is_for_writing(int process, const char *number) {
  char path[64], text[256];
  ssize_t n;
  int fd;
  const char *flags;

  (void)snprintf(path, sizeof path, "fdinfo/%.20s", number);
  fd = openat(process, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  flags = strstr(text, "flags:");
  return flags && (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static void look_at_process(int proc, const char *pid) {
  int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fds = process >= 0 ? openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  DIR *dir = fds >= 0 ? fdopendir(fds) : NULL;
  struct dirent *entry;
  struct stat st;

  if (fds >= 0 && !dir)
    close(fds);
  while (dir && (entry = readdir(dir)) != NULL)
    if (*entry->d_name != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
        S_ISREG(st.st_mode) && is_for_writing(process, entry->d_name))
      remember(st.st_dev, st.st_ino);
  if (dir)
    closedir(dir);
  if (process >= 0)
    close(process);
}

static void read_proc(void) {
  DIR *proc = opendir("/proc");
  struct dirent *entry;
  long self = (long)getpid();

  open_files.count = 0;
  while (proc && (entry = readdir(proc)) != NULL)
    if (*entry->d_name >= '1' && *entry->d_name <= '9' && strtol(entry->d_name, NULL, 10) != self)
      look_at_process(dirfd(proc), entry->d_name);
  if (proc)
    closedir(proc);
}

static bool is_listed(uint64_t device, uint64_t inode) {
  int64_t now = os_boot_ms();

  if (!open_files.known || now - open_files.read_at > FRESH_MS || now < open_files.read_at) {
    read_proc();
    open_files.known = true;
    open_files.read_at = now;
  }
  for (size_t i = 0; i < open_files.count; i++)
    if (open_files.v[i].inode == inode && open_files.v[i].device == device)
      return true;
  return false;
}

/* 1: somebody writes to it; 0: nobody; -1: unknown. */
static int ask_lease(const os_file *f) {
  int fd = openat(f->dir, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), written;

  if (fd < 0)
    return -1;
  if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    written = 0;
  } else {
    written = errno == EAGAIN ? 1 : -1;
  }
  close(fd);
  return written;
}

bool os_is_written(const os_file *file) {
  int written = ask_lease(file);

  return written >= 0 ? written : is_listed(file->device, file->inode);
}
