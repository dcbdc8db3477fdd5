/* SPDX-License-Identifier: MIT */
/* Locks of Windows bar everybody from the bytes that they cover, so they cover bytes far behind the
 * data. They belong to a handle and end with it.
 *
 * They do not show who has them: igt__os_show_holder names a piece of shared memory after the file,
 * which contains the process's number and ends with the process. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

#define BEHIND ((int64_t)1 << 62) /* of igt__os_lock: no file is that long */

static OVERLAPPED place(int64_t at) {
  return (OVERLAPPED){.Offset = (DWORD)at, .OffsetHigh = (DWORD)((uint64_t)at >> 32)};
}

static int lock_at(int fd, int64_t at, bool shared) {
  DWORD flags = LOCKFILE_FAIL_IMMEDIATELY | (shared ? 0 : LOCKFILE_EXCLUSIVE_LOCK);
  OVERLAPPED o = place(at);

  return LockFileEx(igt__handle_of(fd), flags, 0, 1, 0, &o) ? 0 : igt__windows_fail(GetLastError());
}

static bool unlock_once(int fd, int64_t at) {
  OVERLAPPED o = place(at);

  return UnlockFileEx(igt__handle_of(fd), 0, 1, 0, &o);
}

/* Shared locks of one handle add up. False: it had none. */
static bool unlock_at(int fd, int64_t at) {
  bool any = false;

  while (unlock_once(fd, at))
    any = true;
  return any;
}

int igt__os_lock(int fd) {
  return lock_at(fd, BEHIND, false);
}

/* A handle that has an exclusive lock gets shared ones, too, and the first unlocking ends the
 * exclusive one (LockFileEx, Remarks). So an exclusive lock becomes shared without a moment in
 * which another process could take it: what two calls add, one takes away. Where there was no
 * exclusive lock, one shared lock more is left. */
static int lock_shared(int fd, int64_t at) {
  if (lock_at(fd, at, true) != 0)
    return -1;
  if (lock_at(fd, at, true) == 0)
    (void)unlock_once(fd, at);
  return 0;
}

/* A lock of the same handle is in the way, too: it is given up, and taken again after a failure. */
static int lock_exclusive(int fd, int64_t at) {
  if (lock_at(fd, at, false) == 0)
    return 0;
  if (errno != EAGAIN || !unlock_at(fd, at))
    return -1;
  if (lock_at(fd, at, false) == 0)
    return 0;
  (void)lock_at(fd, at, true);
  errno = EAGAIN;
  return -1;
}

int igt__os_lock_byte(int fd, int64_t at, bool shared) {
  return shared ? lock_shared(fd, at) : lock_exclusive(fd, at);
}

int igt__os_unlock_byte(int fd, int64_t at) {
  (void)unlock_at(fd, at);
  return 0;
}

/* A lock of the same handle is in the way here, too: it is given up for a moment. If it was
 * exclusive, nobody else has one, and if others have one, it was shared. */
bool igt__os_byte_is_locked(int fd, int64_t at) {
  bool had_own;

  if (lock_at(fd, at, false) == 0) {
    (void)unlock_at(fd, at);
    return false;
  }
  if (errno != EAGAIN)
    return false;
  had_own = unlock_at(fd, at);
  if (!had_own)
    return true;
  if (lock_at(fd, at, false) != 0) {
    (void)lock_at(fd, at, true);
    return true;
  }
  (void)unlock_at(fd, at);
  (void)lock_at(fd, at, true);
  return false;
}

/* ---- who has it ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static HANDLE shown;
static volatile LONG shown_for = -1;

static int name_of(int fd, wchar_t *out, size_t cap) {
  igt__stat st;

  if (igt__os_fstat(fd, &st) != 0)
    return -1;
  (void)_snwprintf(out, cap - 1, L"Local\\igtcloud-holder-%llx-%llx", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
  out[cap - 1] = L'\0';
  return 0;
}

int igt__os_show_holder(int fd) {
  wchar_t name[80];
  DWORD *number;

  if (name_of(fd, name, sizeof name / sizeof *name) != 0)
    return -1;
  pthread_mutex_lock(&lock);
  if (shown)
    CloseHandle(shown);
  shown = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof *number, name);
  number = shown ? MapViewOfFile(shown, FILE_MAP_WRITE, 0, 0, sizeof *number) : NULL;
  shown_for = fd;
  pthread_mutex_unlock(&lock);
  if (!number)
    return igt__windows_fail(GetLastError());
  *number = GetCurrentProcessId();
  UnmapViewOfFile(number);
  return 0;
}

void igt__windows_hide_holder(int fd) {
  if (fd != shown_for)
    return;
  pthread_mutex_lock(&lock);
  if (fd == shown_for && shown) {
    CloseHandle(shown);
    shown = NULL;
    shown_for = -1;
  }
  pthread_mutex_unlock(&lock);
}

int64_t igt__os_holder(int fd) {
  wchar_t name[80];
  HANDLE memory;
  const DWORD *number;
  int64_t holder = 0;

  if (name_of(fd, name, sizeof name / sizeof *name) != 0)
    return 0;
  memory = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
  number = memory ? MapViewOfFile(memory, FILE_MAP_READ, 0, 0, sizeof *number) : NULL;
  if (number) {
    holder = *number;
    UnmapViewOfFile(number);
  }
  if (memory)
    CloseHandle(memory);
  return holder;
}
