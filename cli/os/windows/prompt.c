/* SPDX-License-Identifier: MIT */
/* Questions on the console, wherever the standard streams lead. Echo is a setting of the console,
 * and would stay off after a program that ended meanwhile: so Ctrl-C restores it before it takes
 * its usual effect. */
#include "cli.h"

#include "os/windows/system.h"

#include <errno.h>
#include <stdlib.h>

static HANDLE quiet; /* the console whose echo is off */
static DWORD before;

static BOOL WINAPI restore_echo(DWORD event) {
  (void)event;
  if (quiet)
    (void)SetConsoleMode(quiet, before);
  return FALSE; /* the next handler */
}

static HANDLE open_console(const wchar_t *name) {
  return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                     OPEN_EXISTING, 0, NULL);
}

static void show(HANDLE out, const char *text) {
  wchar_t *wide = wide_text(text);
  DWORD n;

  if (wide)
    (void)WriteConsoleW(out, wide, (DWORD)wcslen(wide), &n, NULL);
  free(wide);
}

/* Ctrl-C ends the reading, and Windows calls on_event on a thread of its own, perhaps later.
 * Nothing else ends it without a character: Ctrl-Z is one. */
static void wait_for_interrupt(void) {
  for (unsigned i = 0; i < 100 && !caught_signal(); i++)
    Sleep(10);
}

static bool read_answer(HANDLE in, bool hidden, char *out, size_t cap) {
  wchar_t line[1024];
  DWORD n = 0, mode;
  bool good;

  if (!GetConsoleMode(in, &mode))
    return false;
  before = mode;
  quiet = hidden ? in : NULL;
  mode |= ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT | ENABLE_ECHO_INPUT;
  (void)SetConsoleCtrlHandler(restore_echo, TRUE);
  (void)SetConsoleMode(in, hidden ? mode & ~(DWORD)ENABLE_ECHO_INPUT : mode);
  good = ReadConsoleW(in, line, sizeof line / sizeof *line - 1, &n, NULL) && n > 0;
  if (!good)
    wait_for_interrupt();
  good = good && !caught_signal();
  (void)SetConsoleMode(in, before);
  quiet = NULL;
  (void)SetConsoleCtrlHandler(restore_echo, FALSE);
  while (n > 0 && (line[n - 1] == L'\n' || line[n - 1] == L'\r'))
    n--;
  line[n] = L'\0';
  good = good && narrow(line, out, cap);
  explicit_bzero(line, sizeof line);
  return good;
}

static bool ask(const char *text, bool hidden, char *out, size_t cap) {
  HANDLE in = open_console(L"CONIN$"), screen = open_console(L"CONOUT$");
  char *safe = safe_text(text);
  bool good = false;

  if (in != INVALID_HANDLE_VALUE && screen != INVALID_HANDLE_VALUE && safe) {
    show(screen, safe);
    show(screen, ": ");
    good = read_answer(in, hidden, out, cap);
    if (hidden || !good)
      show(screen, "\r\n");
  }
  free(safe);
  if (in != INVALID_HANDLE_VALUE)
    CloseHandle(in);
  if (screen != INVALID_HANDLE_VALUE)
    CloseHandle(screen);
  return good;
}

bool can_ask(void) {
  HANDLE in = open_console(L"CONIN$");
  DWORD mode;
  bool is_console = in != INVALID_HANDLE_VALUE && GetConsoleMode(in, &mode);

  if (in != INVALID_HANDLE_VALUE)
    CloseHandle(in);
  return is_console;
}

bool ask_text(const char *text, char *out, size_t cap) {
  return ask(text, false, out, cap);
}

bool ask_password(const char *text, char *out, size_t cap) {
  return ask(text, true, out, cap);
}

bool read_password(char *out, size_t cap) {
  size_t n = 0;

  for (;;) {
    char c;
    ssize_t got = igt__os_read(STANDARD_INPUT, &c, 1);

    if (got < 0 || (got == 0 && n == 0))
      return false;
    if (got == 0 || c == '\n')
      break;
    if (n + 1 >= cap)
      return false;
    out[n++] = c;
  }
  out[n - (n && out[n - 1] == '\r')] = '\0';
  return true;
}
