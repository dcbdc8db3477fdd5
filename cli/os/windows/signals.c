/* SPDX-License-Identifier: MIT */
/* Ctrl-C, closing the console, logging off, and `igtcloud logout`. The first cancels, so that the
 * run ends in good order; the second ends the process. Windows calls on_event on a thread of its
 * own, and after a close waits five seconds for it to return; then it ends the process.
 *
 * The numbers are those of POSIX's signals, so the exit statuses are the same: 130 for Ctrl-C. */
#include "cli.h"

#include "os/windows/system.h"

#include <stdatomic.h>

enum { INTERRUPTED = 2, TERMINATED = 15 };

static atomic_int caught;
static igt_cancel *to_set;

static void end_at_once(int number) {
  igt_login_abandon();
  ExitProcess(128u + (unsigned)number);
}

static void stop(int number) {
  int none = 0;

  if (!atomic_compare_exchange_strong(&caught, &none, number))
    end_at_once(number);
  igt_cancel_set(to_set);
}

static BOOL WINAPI on_event(DWORD event) {
  switch (event) {
  case CTRL_C_EVENT:
    stop(INTERRUPTED);
    return TRUE;
  case CTRL_BREAK_EVENT:
    end_at_once(INTERRUPTED);
    return TRUE;
  default: /* close, log-off, shutdown: main ends the process while this waits */
    if (!atomic_load(&caught))
      stop(TERMINATED);
    Sleep(INFINITE);
    return TRUE;
  }
}

/* Set by os_end_process of another process. */
static DWORD WINAPI wait_for_end(void *event) {
  while (WaitForSingleObject(event, INFINITE) == WAIT_OBJECT_0)
    stop(TERMINATED);
  return 0;
}

static void name_of(int64_t id, wchar_t out[64]) {
  static const wchar_t before[] = L"Local\\igtcloud-end-";
  size_t n = sizeof before / sizeof *before - 1;
  wchar_t digits[24];
  size_t count = 0;

  do
    digits[count++] = (wchar_t)(L'0' + id % 10);
  while ((id /= 10) > 0);
  memcpy(out, before, sizeof before);
  while (count > 0)
    out[n++] = digits[--count];
  out[n] = L'\0';
}

bool catch_signals(igt_cancel *cancel) {
  static bool is_ready;
  wchar_t name[64];
  HANDLE event, thread;

  if (!cancel)
    return false;
  to_set = cancel;
  if (is_ready)
    return true;
  is_ready = true;
  (void)SetConsoleCtrlHandler(on_event, TRUE);
  name_of(GetCurrentProcessId(), name);
  event = CreateEventW(NULL, FALSE, FALSE, name);
  thread = event ? CreateThread(NULL, 64 * 1024, wait_for_end, event, 0, NULL) : NULL;
  if (thread)
    CloseHandle(thread);
  return true;
}

bool os_end_process(int64_t id) {
  wchar_t name[64];
  HANDLE event;
  bool done;

  name_of(id, name);
  event = OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
  done = event && SetEvent(event);
  if (event)
    CloseHandle(event);
  return done;
}

bool os_is_running(int64_t id) {
  HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)id);
  bool running = process && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;

  if (process)
    CloseHandle(process);
  return running;
}

bool os_knows_ends(void) {
  return true;
}

/* There is no such signal here. */
void catch_questions(void) {}

bool progress_is_asked_for(void) {
  return false;
}

int caught_signal(void) {
  return atomic_load(&caught);
}

static atomic_bool pipe_broke;

void os_note_broken_pipe(void) {
  atomic_store(&pipe_broke, true);
}

/* Writing to a pipe without a reader fails, and nothing else reports it: stdout, or whoever writes
 * past it. */
bool reader_is_gone(void) {
  return (ferror(stdout) || atomic_load(&pipe_broke)) &&
         GetFileType((HANDLE)_get_osfhandle(1)) == FILE_TYPE_PIPE;
}

void end_as_by_pipe(void) {
  ExitProcess(128 + 13);
}
