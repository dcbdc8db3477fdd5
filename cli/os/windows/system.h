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
/* The inheritable handle of a file for a descriptor of the C library; -1: errno. */
int descriptor_of_handle(HANDLE handle, int flags);

/* ---- requests.c: what a control of the service asks for ---- */
void requests_stop(void);
void requests_reload(void);

/* ---- service.c ---- */
bool is_service(void);
/* A state of <winsvc.h>, SERVICE_RUNNING and so on. Again from time to time while it starts or
 * stops, so that the service manager sees progress. */
void service_report(DWORD state);

typedef struct service {
  const char *name, *title;
  const char *account;      /* NULL: LocalService. Its password is asked for */
  const char *const *words; /* of the command line, behind the program */
  size_t count;
} service;
/* Exit statuses; errors were reported. */
int service_install(const service *s);
int service_remove(const char *name);

#endif
