/* SPDX-License-Identifier: MIT */
/* Where things are: the current and the temporary folder, and what a path or a handle leads to. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#define UTF8_PATH (3 * IGT__WIDE_PATH) /* bytes of the longest path */

static char *utf8_of(const wchar_t *wide) {
  char *out = wide ? malloc(UTF8_PATH) : NULL;

  if (out && igt__wide_to_path(wide, out, UTF8_PATH) != 0) {
    free(out);
    out = NULL;
  }
  return out;
}

/* "C:/x" alone: "C:x" and "/x" depend on the current folder. */
bool igt__os_is_absolute(const char *path) {
  bool drive = ((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z') && path[1] == ':';

  if (drive)
    return path[2] == '/' || path[2] == '\\';
  return (path[0] == '/' || path[0] == '\\') && (path[1] == '/' || path[1] == '\\');
}

bool igt__os_is_separator(char c) {
  return c == '/' || c == '\\';
}

char *igt__os_full_path(const char *path) {
  wchar_t *wide = igt__wide_path(path);
  char *out = utf8_of(wide);

  free(wide);
  return out;
}

static wchar_t *final_path(HANDLE handle) {
  wchar_t *wide = malloc(IGT__WIDE_PATH * sizeof *wide);
  DWORD n = wide ? GetFinalPathNameByHandleW(handle, wide, IGT__WIDE_PATH, 0) : 0;

  if (n > 0 && n < IGT__WIDE_PATH)
    return wide;
  errno = !wide ? ENOMEM : n ? ENAMETOOLONG : igt__windows_errno(GetLastError());
  free(wide);
  return NULL;
}

char *igt__os_real_path(const char *path) {
  int fd = igt__os_open(path, O_PATH, 0);
  wchar_t *wide = fd >= 0 ? final_path(igt__handle_of(fd)) : NULL;
  char *out = utf8_of(wide);

  free(wide);
  if (fd >= 0)
    (void)igt__os_close(fd);
  return out;
}

int igt__os_path_of(int fd, char *out, size_t cap) {
  wchar_t *wide = final_path(igt__handle_of(fd));
  int failed = wide ? igt__wide_to_path(wide, out, cap) : -1;

  free(wide);
  return failed;
}

bool igt__os_state_folder(char *out, size_t cap) {
  const char *state = getenv("XDG_STATE_HOME"); /* of scripts for both systems */
  char *full;
  int n;

  if (!state || !*state)
    state = getenv("LOCALAPPDATA");
  full = state && *state ? igt__os_full_path(state) : NULL;
  n = full ? snprintf(out, cap, "%s", full) : -1;
  free(full);
  return n > 0 && (size_t)n < cap;
}

/* ---- temporary files ---- */

static char temporary[IGT__OS_PATH_MAX];

static void choose(void) {
  static const char *const names[] = {"TMPDIR", "TEMP", "TMP"};
  wchar_t wide[MAX_PATH + 1];
  char *full = NULL;

  for (size_t i = 0; i < sizeof names / sizeof *names && !full; i++) {
    const char *value = getenv(names[i]);

    full = value && *value ? igt__os_full_path(value) : NULL;
  }
  if (full)
    (void)snprintf(temporary, sizeof temporary, "%s", full);
  else if (!GetTempPathW(MAX_PATH + 1, wide) ||
           igt__wide_to_path(wide, temporary, sizeof temporary) != 0)
    (void)snprintf(temporary, sizeof temporary, "C:/Windows/Temp");
  free(full);
  for (size_t n = strlen(temporary); n > 3 && temporary[n - 1] == '/'; n--)
    temporary[n - 1] = '\0';
}

/* In the order of Python's tempfile.gettempdir, so that both find the same token file. */
const char *igt__os_temporary_folder(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once(&once, choose);
  return temporary;
}

/* Removed by the system when its last handle is closed, also after a crash. */
int igt__os_temporary(const char *folder) {
  unsigned long long token;
  char name[IGT__OS_PATH_MAX];
  wchar_t *wide;
  HANDLE handle;

  if (!igt__os_random(&token, sizeof token)) {
    errno = EIO;
    return -1;
  }
  (void)snprintf(name, sizeof name, "%s/igtcloud-%016llx.tmp", folder, token);
  if (!(wide = igt__wide_path(name)))
    return -1;
  handle = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE | DELETE,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, CREATE_NEW,
                       FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
  free(wide);
  return handle == INVALID_HANDLE_VALUE ? igt__windows_fail(GetLastError())
                                        : igt__handle_add(handle);
}

/* FILE_ATTRIBUTE_TEMPORARY: it stays in memory as long as there is enough. */
int igt__os_memory_file(void) {
  return igt__os_temporary(igt__os_temporary_folder());
}
