/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_WINDOWS_SYSTEM_H
#define IGT_BASE_OS_WINDOWS_SYSTEM_H

/* Within windows/ only: handles, wide strings, errors. */
/* select() takes as many sockets; a loop has tens. */
#define FD_SETSIZE 1024
#include <winsock2.h>

#include <windows.h>
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

/* A path as users read it: '/', and neither \\?\ nor \\?\UNC\ before it. -1: errno. */
int igt__wide_to_path(const wchar_t *wide, char *out, size_t cap);

/* ---- owner.c ---- */

/* The access list of a file for this user alone; NULL: the folder's is inherited. */
void *igt__windows_private(void);

/* ---- handle.c: small numbers for handles ---- */

int igt__handle_add(HANDLE handle); /* closes it if there is no number left */
HANDLE igt__handle_of(int fd);      /* also 0, 1 and 2; INVALID_HANDLE_VALUE: none */

/* ---- lock.c ---- */

/* Ends what igt__os_show_holder shows, if it was called for fd. */
void igt__windows_hide_holder(int fd);

#endif
