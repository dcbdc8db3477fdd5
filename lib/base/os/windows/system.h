/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_WINDOWS_SYSTEM_H
#define IGT_BASE_OS_WINDOWS_SYSTEM_H

/* Within windows/ only: handles, wide strings, errors. */
#include <windows.h>
#include <winsock2.h>
#include <winternl.h>

#include "base/os/os.h"

/* ---- error.c: -1, with errno set ---- */

int igt__windows_fail(DWORD error);
int igt__windows_fail_nt(NTSTATUS status);
int igt__windows_errno(DWORD error);

/* ---- wide.c ---- */

#define IGT__WIDE_NAME 256   /* NTFS: 255 UTF-16 units */
#define IGT__WIDE_PATH 32768 /* with \\?\: the longest that Windows has */

/* A name within a folder. False: errno (EINVAL: Windows would take it for something else than a
 * name). */
bool igt__wide_name(const char *utf8, wchar_t out[IGT__WIDE_NAME]);
/* A path of the user's: made absolute, with \\?\ before it, so that neither its length nor its last
 * component is special. NULL: errno. free() it. */
wchar_t *igt__wide_path(const char *utf8);
/* Bytes without the NUL; -1: errno (a lone surrogate, or cap is too small). */
int igt__wide_to_utf8(const wchar_t *wide, size_t units, char *out, size_t cap);

/* ---- handle.c: small numbers for handles ---- */

int igt__handle_add(HANDLE handle); /* closes it if there is no number left */
HANDLE igt__handle_of(int fd);      /* also 0, 1 and 2; INVALID_HANDLE_VALUE: none */

#endif
