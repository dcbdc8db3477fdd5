/* SPDX-License-Identifier: MIT */
#include "base/os/os.h"

void igt__os_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;

  (void)pthread_condattr_init(&attr);
  (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  (void)pthread_cond_init(cond, &attr);
  (void)pthread_condattr_destroy(&attr);
}

bool igt__os_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                             const struct timespec *deadline) {
  return pthread_cond_timedwait(cond, lock, deadline) == 0;
}
