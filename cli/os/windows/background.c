/* SPDX-License-Identifier: MIT */
/* login --background: Windows has no fork, so the program starts itself again with the same
 * arguments. The child inherits the console, on which it may have to ask, and the standard streams,
 * and one end of a pipe, whose number READY names. Once signed in it writes to the pipe and closes
 * everything that it inherited. The parent waits for that, or for the child's end. */
#include "cli.h"

#include "os/windows/system.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>

/* Of no option: the program rejects other variables that begin with IGTCLOUD_. */
#define READY "_IGTCLOUD_READY_HANDLE"

/* The child's part. False: this is the parent. */
static bool inherited(int *ready) {
  const char *text = getenv(READY);
  unsigned long long number = text ? strtoull(text, NULL, 10) : 0;

  if (!number)
    return false;
  (void)_putenv(READY "=");
  *ready = descriptor_of_handle((HANDLE)(uintptr_t)number, O_WRONLY);
  return true;
}

static bool start_child(HANDLE ready, PROCESS_INFORMATION *child) {
  STARTUPINFOW start = {.cb = sizeof start};
  wchar_t *line = _wcsdup(GetCommandLineW()), program[PATH_UNITS];
  char number[40];
  bool started;

  (void)snprintf(number, sizeof number, READY "=%llu", (unsigned long long)(uintptr_t)ready);
  (void)_putenv(number);
  started = line && GetModuleFileNameW(NULL, program, PATH_UNITS) < PATH_UNITS &&
            CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, child);
  free(line);
  return started;
}

static int wait_for(const PROCESS_INFORMATION *child, HANDLE ready) {
  DWORD n = 0, status = EXIT_FAILED;
  char byte;

  if (ReadFile(ready, &byte, 1, &n, NULL) && n == 1)
    return EXIT_DONE;
  (void)WaitForSingleObject(child->hProcess, INFINITE);
  (void)GetExitCodeProcess(child->hProcess, &status);
  return (int)status;
}

/* Ctrl-C reaches both; the child's status is what counts. */
static BOOL WINAPI ignore(DWORD event) {
  return event == CTRL_C_EVENT;
}

int os_hold_in_background(settings *s, int (*hold)(const settings *s, int ready)) {
  SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
  PROCESS_INFORMATION child;
  HANDLE mine, its;
  int ready, status = EXIT_FAILED;

  if (inherited(&ready))
    return hold(s, ready);
  if (!CreatePipe(&mine, &its, &inherit, 0)) {
    complain(IGT_E_IO, "cannot run in the background: there is no pipe");
    return status;
  }
  (void)SetHandleInformation(mine, HANDLE_FLAG_INHERIT, 0);
  if (start_child(its, &child)) {
    (void)SetConsoleCtrlHandler(ignore, TRUE);
    CloseHandle(its);
    status = wait_for(&child, mine);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
  } else {
    complain(IGT_E_IO, "cannot run in the background: the program cannot be started again");
    CloseHandle(its);
  }
  CloseHandle(mine);
  return status;
}

void os_detach(int ready) {
  int null = _open("NUL", _O_RDWR | _O_BINARY | _O_NOINHERIT);

  (void)FreeConsole();
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    (void)_dup2(null, fd);
  if (null > 2)
    (void)_close(null);
  (void)_write(ready, "+", 1);
  (void)_close(ready);
}
