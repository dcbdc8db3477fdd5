/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include "os/os.h"

void igt__quota_init(igt__quota *quota, uint64_t most, igt__quota *whole) {
  quota->whole = whole;
  quota->most = most;
  quota->used = 0;
  quota->refused = false;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

void igt__quota_init_fair(igt__quota *quota, uint64_t most) {
  igt__quota_init(quota, smaller(most, igt__os_memory() / 2), NULL);
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
