/* SPDX-License-Identifier: MIT */
/* Descriptors: the places of a table of handles. Not those of the C library, which are 2,048 at
 * most, are inherited, translate line ends, and cannot be folders. */
#include <errno.h>
#include <io.h>
#include <pthread.h>

#include "system.h"

#define FIRST 3 /* standard input, output and error stay the C library's */
#define MOST 16384

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static HANDLE table[MOST];
static unsigned next;

static int find_place_locked(void) {
  for (unsigned i = 0; i < MOST; i++) {
    unsigned at = (next + i) % MOST;

    if (!table[at]) {
      next = at + 1;
      return (int)at;
    }
  }
  return -1;
}

int igt__handle_add(HANDLE handle) {
  int at;

  pthread_mutex_lock(&lock);
  at = find_place_locked();
  if (at >= 0)
    table[at] = handle;
  pthread_mutex_unlock(&lock);
  if (at >= 0)
    return at + FIRST;
  CloseHandle(handle);
  errno = EMFILE;
  return -1;
}

HANDLE igt__handle_of(int fd) {
  HANDLE handle;

  if (fd >= 0 && fd < FIRST)
    return (HANDLE)_get_osfhandle(fd);
  if (fd < 0 || fd >= MOST + FIRST)
    return INVALID_HANDLE_VALUE;
  pthread_mutex_lock(&lock);
  handle = table[fd - FIRST];
  pthread_mutex_unlock(&lock);
  return handle ? handle : INVALID_HANDLE_VALUE;
}

intptr_t igt__os_handle(int fd) {
  return (intptr_t)igt__handle_of(fd);
}

int igt__os_close(int fd) {
  HANDLE handle = NULL;

  if (fd >= 0 && fd < FIRST)
    return _close(fd);
  if (fd >= FIRST && fd < MOST + FIRST) {
    pthread_mutex_lock(&lock);
    handle = table[fd - FIRST];
    table[fd - FIRST] = NULL;
    pthread_mutex_unlock(&lock);
  }
  if (!handle) {
    errno = EBADF;
    return -1;
  }
  igt__windows_hide_holder(fd);
  return CloseHandle(handle) ? 0 : igt__windows_fail(GetLastError());
}

int igt__os_dup(int fd) {
  HANDLE copy, self = GetCurrentProcess();

  if (!DuplicateHandle(self, igt__handle_of(fd), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
    return igt__windows_fail(GetLastError());
  return igt__handle_add(copy);
}
