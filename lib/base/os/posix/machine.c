/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os/os.h"

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

void igt__os_wipe(void *p, size_t n) {
  explicit_bzero(p, n);
}

bool igt__os_random(void *out, size_t n) {
  return getrandom(out, n, GRND_NONBLOCK) == (ssize_t)n;
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
