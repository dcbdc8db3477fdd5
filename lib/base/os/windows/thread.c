/* SPDX-License-Identifier: MIT */
#include "base/os/os.h"

void igt__os_cond_init(pthread_cond_t *cond) {
  (void)pthread_cond_init(cond, NULL);
}

/* winpthreads measures deadlines by the wall clock alone, so it gets the time that is left. */
bool igt__os_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                             const struct timespec *deadline) {
  struct timespec now, left;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  left.tv_sec = deadline->tv_sec - now.tv_sec;
  left.tv_nsec = deadline->tv_nsec - now.tv_nsec;
  if (left.tv_nsec < 0) {
    left.tv_sec--;
    left.tv_nsec += 1000000000;
  }
  if (left.tv_sec < 0)
    left = (struct timespec){0};
  return pthread_cond_timedwait_relative_np(cond, lock, &left) == 0;
}
