/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_WINDOWS_SYSTEM_H
#define CLI_OS_WINDOWS_SYSTEM_H

/* Within windows/ only. */
#include <winsock2.h>

#include <windows.h>

#define PATH_UNITS 32768

/* Absolute, with \\?\ before it. NULL: errno. free() it. */
wchar_t *wide_path(const char *utf8);
/* NULL: not UTF-8, or no memory. free() it. */
wchar_t *wide_text(const char *utf8);
/* False: cap is too small. */
bool narrow(const wchar_t *wide, char *out, size_t cap);
/* -1, with errno. */
int os_failed(DWORD error);
/* The inheritable handle of a file for a descriptor of the C library; -1: errno. */
int descriptor_of_handle(HANDLE handle, int flags);

#endif
