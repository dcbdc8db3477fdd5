/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* cgroup-v2.rst, "memory.max"; in a container, its own. A number, or "max". */
#define CONTAINER_LIMIT "/sys/fs/cgroup/memory.max"

void igt__quota_init(igt__quota *quota, uint64_t most, igt__quota *whole) {
  quota->whole = whole;
  quota->most = most;
  quota->used = 0;
  quota->refused = false;
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

static uint64_t memory_in_all(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t all = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
  struct rlimit limit;

  /* Much of an address space is only reserved: stacks, and malloc's arenas per thread. */
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    all = smaller(all, limit.rlim_cur / 2);
  return smaller(all, container_limit());
}

void igt__quota_init_fair(igt__quota *quota, uint64_t most) {
  igt__quota_init(quota, smaller(most, memory_in_all() / 2), NULL);
}

void igt__quota_init_part(igt__quota *quota, igt__quota *whole) {
  igt__quota_init(quota, whole->most / 2, whole);
}

bool igt__quota_take(igt__quota *quota, size_t n) {
  if (!quota)
    return true;
  if (__atomic_add_fetch(&quota->used, n, __ATOMIC_RELAXED) <= quota->most &&
      igt__quota_take(quota->whole, n))
    return true;
  (void)__atomic_sub_fetch(&quota->used, n, __ATOMIC_RELAXED);
  __atomic_store_n(&quota->refused, true, __ATOMIC_RELAXED);
  return false;
}

void igt__quota_give(igt__quota *quota, size_t n) {
  for (; quota; quota = quota->whole)
    (void)__atomic_sub_fetch(&quota->used, n, __ATOMIC_RELAXED);
}

uint64_t igt__quota_used(const igt__quota *quota) {
  return __atomic_load_n(&quota->used, __ATOMIC_RELAXED);
}

bool igt__quota_refused(const igt__quota *quota) {
  return __atomic_load_n(&quota->refused, __ATOMIC_RELAXED);
}
