/* SPDX-License-Identifier: MIT */
/* UTF-8 inside, UTF-16 at the border. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

/* Units without the NUL; 0: errno. '/' becomes '\'. */
static int widen(const char *utf8, wchar_t *out, int cap) {
  int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, -1, out, cap);

  if (n <= 0) {
    errno = GetLastError() == ERROR_INSUFFICIENT_BUFFER ? ENAMETOOLONG : EILSEQ;
    return 0;
  }
  for (wchar_t *p = out; *p; p++)
    if (*p == L'/')
      *p = L'\\';
  return n - 1;
}

/* NT takes names as they are, without Win32's rules: "a:b" would be a stream of the file a, and a
 * '\' another folder. name.c has mapped such names before they come here; this is a second line of
 * defence. */
bool igt__wide_name(const char *utf8, wchar_t out[IGT__WIDE_NAME]) {
  if (strpbrk(utf8, ":\\/")) {
    errno = EINVAL;
    return false;
  }
  return widen(utf8, out, IGT__WIDE_NAME) > 0;
}

static bool is_verbatim(const wchar_t *path) {
  return wcsncmp(path, L"\\\\?\\", 4) == 0 || wcsncmp(path, L"\\\\.\\", 4) == 0;
}

static wchar_t *join(const wchar_t *before, const wchar_t *rest) {
  size_t n = wcslen(before), m = wcslen(rest) + 1;
  wchar_t *out = malloc((n + m) * sizeof *out);

  if (!out) {
    errno = ENOMEM;
    return NULL;
  }
  memcpy(out, before, n * sizeof *out);
  memcpy(out + n, rest, m * sizeof *out);
  return out;
}

/* "a:b" is a stream of the file a, which neither Explorer nor a copy elsewhere shows. */
static bool names_stream(const wchar_t *path) {
  if (is_verbatim(path))
    path += 4;
  if (*path && path[1] == L':') /* a drive */
    path += 2;
  return wcschr(path, L':') != NULL;
}

static wchar_t *make_verbatim(const wchar_t *path, wchar_t *full) {
  DWORD n;

  if (names_stream(path)) {
    errno = EINVAL;
    return NULL;
  }
  if (is_verbatim(path))
    return join(L"", path);
  n = GetFullPathNameW(path, IGT__WIDE_PATH, full, NULL);
  if (n == 0 || n >= IGT__WIDE_PATH) {
    errno = n ? ENAMETOOLONG : ENOENT;
    return NULL;
  }
  if (is_verbatim(full))
    return join(L"", full);
  if (full[0] == L'\\' && full[1] == L'\\') /* a share */
    return join(L"\\\\?\\UNC\\", full + 2);
  return join(L"\\\\?\\", full);
}

wchar_t *igt__wide_path(const char *utf8) {
  wchar_t *given = malloc(IGT__WIDE_PATH * sizeof *given), *out = NULL;
  wchar_t *full = malloc(IGT__WIDE_PATH * sizeof *full);

  if (!given || !full)
    errno = ENOMEM;
  else if (!*utf8)
    errno = ENOENT;
  else if (widen(utf8, given, IGT__WIDE_PATH) > 0)
    out = make_verbatim(given, full);
  free(given);
  free(full);
  return out;
}

int igt__wide_to_path(const wchar_t *wide, char *out, size_t cap) {
  char *rest = out;
  int n;

  if (wcsncmp(wide, L"\\\\?\\UNC\\", 8) == 0) {
    if (cap < 3) {
      errno = ENAMETOOLONG;
      return -1;
    }
    wide += 8;
    *rest++ = '/';
    *rest++ = '/';
  } else if (wcsncmp(wide, L"\\\\?\\", 4) == 0) {
    wide += 4;
  }
  n = igt__wide_to_utf8(wide, wcslen(wide), rest, cap - (size_t)(rest - out));
  for (char *p = out; n >= 0 && *p; p++)
    if (*p == '\\')
      *p = '/';
  return n < 0 ? -1 : 0;
}

int igt__wide_to_utf8(const wchar_t *wide, size_t units, char *out, size_t cap) {
  int n = 0;

  if (units)
    n = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, (int)units, out, (int)cap - 1,
                            NULL, NULL);
  if (units && n <= 0) {
    errno = GetLastError() == ERROR_INSUFFICIENT_BUFFER ? ENAMETOOLONG : EILSEQ;
    return -1;
  }
  out[n] = '\0';
  return n;
}
