/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "system.h"

/* Windows has no names for descriptors; /dev/stdin stands for one in today's scripts. */
int igt__os_open_named_fd(const char *path) {
  int copy;

  if (strcmp(path, "/dev/stdin") != 0)
    return -1;
  copy = igt__os_dup(0);
  return copy >= 0 ? copy : -2;
}

/* An anonymous pipe cannot be waited for: it is looked into. */
int igt__os_wait_readable(int fd, int ms) {
  enum { STEP_MS = 10 };
  HANDLE handle = igt__handle_of(fd);
  DWORD available = 0;

  for (int waited = 0; waited < ms; waited += STEP_MS) {
    if (!PeekNamedPipe(handle, NULL, 0, NULL, &available, NULL) || available > 0)
      return 1; /* no pipe, or its writer has gone: the read tells */
    Sleep(STEP_MS);
  }
  return 0;
}

void igt__os_pause(int ms) {
  Sleep((DWORD)ms);
}

/* There is no poll() for them: a program waits with igt_transfer_wait. */
int igt__os_event_new(void) {
  errno = ENOSYS;
  return -1;
}

void igt__os_event_set(int fd) {
  (void)fd;
}

void igt__os_event_clear(int fd) {
  (void)fd;
}
