/* SPDX-License-Identifier: MIT */
/* The process and the machine: os.h on POSIX. Signal masks for new threads, wiping, random bytes,
 * and what logs, journals and limits need to know: names, cores, and how much memory the process
 * may use, which is the least of the machine's, half of RLIMIT_AS, and its container's. */
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/os/os.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
/* cgroup-v2.rst, "memory.max"; in a container, its own. A number, or "max". */
#define CONTAINER_LIMIT "/sys/fs/cgroup/memory.max"

void igt__os_block_signals(igt__os_signals *before) {
  sigset_t all;

  sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, before);
}

void igt__os_unblock_signals(const igt__os_signals *before) {
  (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void only_broken_pipe(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGPIPE);
}

void igt__os_block_broken_pipe(igt__os_signals *before) {
  sigset_t one;

  only_broken_pipe(&one);
  (void)pthread_sigmask(SIG_BLOCK, &one, before);
}

void igt__os_unblock_broken_pipe(const igt__os_signals *before) {
  static const struct timespec now = {0, 0};
  sigset_t one;

  if (sigismember(before, SIGPIPE) == 1)
    return;
  only_broken_pipe(&one);
  while (sigtimedwait(&one, NULL, &now) == SIGPIPE)
    continue; /* it was ours */
  (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

void igt__os_wipe(void *p, size_t n) {
  explicit_bzero(p, n);
}

bool igt__os_random(void *out, size_t n) {
  return getrandom(out, n, GRND_NONBLOCK) == (ssize_t)n;
}

int64_t igt__os_process_id(void) {
  return getpid();
}

size_t igt__os_usable_size(void *p) {
  return malloc_usable_size(p);
}

void igt__os_host_name(char *out, size_t cap) {
  if (gethostname(out, cap - 1) != 0)
    *out = '\0';
  out[cap - 1] = '\0';
}

void igt__os_boot_id(char *out, size_t cap) {
  int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : 0;

  if (fd >= 0)
    close(fd);
  out[n > 0 ? n : 0] = '\0';
  out[strcspn(out, "\n")] = '\0';
}

int igt__os_machine(char *out, size_t cap) {
  struct utsname machine;

  return uname(&machine) == 0 && snprintf(out, cap, "linux-%s", machine.machine) < (int)cap ? 0
                                                                                            : -1;
}

unsigned igt__os_cores(void) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);

  return cores > 1 ? (unsigned)cores : 1;
}

unsigned igt__os_open_files(void) {
  long n = sysconf(_SC_OPEN_MAX);

  return n > 0 && n < (long)INT_MAX ? (unsigned)n : UINT_MAX;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t container_limit(void) {
  int fd = open(CONTAINER_LIMIT, O_RDONLY | O_CLOEXEC);
  char text[32];
  uint64_t limit;
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

  if (fd >= 0)
    close(fd);
  text[n > 0 ? n : 0] = '\0';
  limit = strtoull(text, NULL, 10);
  return limit ? limit : UINT64_MAX;
}

uint64_t igt__os_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t all = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
  struct rlimit limit;

  /* Much of an address space is only reserved: stacks, and malloc's arenas per thread. */
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    all = smaller(all, limit.rlim_cur / 2);
  return smaller(all, container_limit());
}
