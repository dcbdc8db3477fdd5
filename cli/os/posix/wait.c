/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <time.h>

#include "os/os.h"

#define WAITING_MOST 32

void os_wait(os_waiting *v, size_t n, int ms) {
  struct pollfd fds[WAITING_MOST];

  n = n < WAITING_MOST ? n : WAITING_MOST;
  for (size_t i = 0; i < n; i++)
    fds[i] = (struct pollfd){.fd = (int)v[i].source,
                             .events = v[i].interest == OS_SEND ? POLLOUT : POLLIN};
  if (poll(fds, (nfds_t)n, ms) < 0) /* a signal, which says so by its descriptor */
    (void)poll(fds, (nfds_t)n, 0);
  for (size_t i = 0; i < n; i++)
    v[i].ready = fds[i].revents != 0;
}

int64_t os_boot_ms(void) {
  struct timespec t;

  (void)clock_gettime(CLOCK_BOOTTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
