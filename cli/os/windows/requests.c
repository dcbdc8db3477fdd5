/* SPDX-License-Identifier: MIT */
/* A station is asked to stop by Ctrl-C, by closing its console, or by the service manager, which
 * also asks it to read its configuration again (sc control NAME paramchange). */
#include "os/os.h"

#include "os/windows/system.h"

#define INTERRUPTED 130

static HANDLE event;
static volatile LONG is_stopping, is_reloading;

void requests_stop(void) {
  (void)InterlockedExchange(&is_stopping, 1);
  if (event)
    (void)SetEvent(event);
}

void requests_reload(void) {
  (void)InterlockedExchange(&is_reloading, 1);
  if (event)
    (void)SetEvent(event);
}

/* On a thread of Windows', which ends the process when this returns from a close, and some seconds
 * later in any case. A service lives on when somebody logs off. */
static BOOL WINAPI on_console(DWORD what) {
  if (what == CTRL_C_EVENT || what == CTRL_BREAK_EVENT) {
    if (is_stopping) /* again: at once */
      ExitProcess(INTERRUPTED);
    requests_stop();
    return TRUE;
  }
  if (is_service())
    return TRUE;
  requests_stop();
  Sleep(INFINITE);
  return TRUE;
}

os_source os_requests_open(void) {
  event = CreateEventW(NULL, TRUE, is_stopping != 0, NULL);
  if (!event)
    return OS_NO_SOURCE;
  (void)SetConsoleCtrlHandler(on_console, TRUE);
  return (os_source)event;
}

bool os_requests_take(void) {
  (void)ResetEvent(event);
  return InterlockedExchange(&is_reloading, 0) != 0;
}

bool os_is_asked_to_stop(void) {
  return is_stopping != 0;
}
