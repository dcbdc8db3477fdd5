/* SPDX-License-Identifier: MIT */
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
      return 1; /* no pipe, or its writer has gone: read() reports which */
    Sleep(STEP_MS);
  }
  return 0;
}

void igt__os_pause(int ms) {
  Sleep((DWORD)ms);
}

/* Handles have 32 significant bits, so that 32-bit programs can share them ("Interprocess
 * communication between 32-bit and 64-bit applications" in Windows' documentation). */
static HANDLE event_of(int fd) {
  return (HANDLE)(intptr_t)fd;
}

int igt__os_event_new(void) {
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

  return event ? (int)(intptr_t)event : igt__windows_fail(GetLastError());
}

void igt__os_event_set(int fd) {
  (void)SetEvent(event_of(fd));
}

void igt__os_event_clear(int fd) {
  (void)ResetEvent(event_of(fd));
}

void igt__os_event_close(int fd) {
  CloseHandle(event_of(fd));
}
