/* SPDX-License-Identifier: MIT */
/* The process itself: its console, and where it runs. */
#include "cli.h"

#include "os/windows/system.h"

#include <bcrypt.h>

#include <errno.h>
#include <io.h>
#include <stdlib.h>

/* Programs that were replaced while they ran lie beside the new one until their processes have
 * ended (igt__os_replace_program). */
static void remove_old_programs(void) {
  static const wchar_t *const tails[] = {L".old.exe", L".old1.exe", L".old2.exe", L".old3.exe"};
  wchar_t path[PATH_UNITS + 8];
  DWORD n = GetModuleFileNameW(NULL, path, PATH_UNITS);

  if (n < 4 || n >= PATH_UNITS)
    return;
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    memcpy(path + n - 4, tails[i], (wcslen(tails[i]) + 1) * sizeof *tails[i]);
    (void)DeleteFileW(path);
  }
}

/* The console stays as it was found. */
static UINT input_page, output_page;

static void restore_console(void) {
  SetConsoleCP(input_page);
  SetConsoleOutputCP(output_page);
}

/* UTF-8, and the escape sequences of terminals: Windows 10 has them, off by default. */
static void prepare_console(void) {
  static const DWORD outputs[] = {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  DWORD mode;

  input_page = GetConsoleCP();
  output_page = GetConsoleOutputCP();
  if (output_page) {
    SetConsoleCP(CP_UTF8);
    SetConsoleOutputCP(CP_UTF8);
    (void)atexit(restore_console);
  }
  for (size_t i = 0; i < 2; i++) {
    HANDLE out = GetStdHandle(outputs[i]);

    if (GetConsoleMode(out, &mode))
      (void)SetConsoleMode(out,
                           mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  }
}

/* A DLL of the current folder must not be taken for one of Windows'. No dialog of Windows waits for
 * a click: scripts would hang. */
void os_start(void) {
  (void)SetDllDirectoryW(L"");
  (void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
  for (int fd = 0; fd <= 2; fd++)
    if (_setmode(fd, _O_BINARY) < 0) /* closed: the next file would get its number */
      (void)_open("NUL", (fd == 0 ? _O_WRONLY : _O_RDONLY) | _O_BINARY);
  (void)setvbuf(stderr, NULL, _IONBF, 0); /* wine's C library would keep a message until the end */
  prepare_console();
  remove_old_programs();
}

void os_screen(int fd, unsigned *rows, unsigned *columns) {
  CONSOLE_SCREEN_BUFFER_INFO info;

  if (!GetConsoleScreenBufferInfo((HANDLE)_get_osfhandle(fd), &info))
    return;
  *rows = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
  *columns = (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}

const char *os_program(char *out, size_t cap) {
  wchar_t path[PATH_UNITS];
  DWORD n = GetModuleFileNameW(NULL, path, PATH_UNITS);

  if (n == 0 || n >= PATH_UNITS || !narrow(path, out, cap))
    return "the path is too long";
  for (char *p = out; *p; p++)
    if (*p == '\\')
      *p = '/';
  return NULL;
}

bool os_working_folder(char *out, size_t cap) {
  return getcwd(out, (int)cap) != NULL;
}

typedef LONG(WINAPI *version_fn)(OSVERSIONINFOW *);

void os_system(bool all, char *out, size_t cap) {
  OSVERSIONINFOW v = {.dwOSVersionInfoSize = sizeof v};
  union {
    FARPROC from;
    version_fn to;
  } get = {GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion")};

  if (get.from) /* GetVersionEx says what the manifest asks for */
    (void)get.to(&v);
  (void)snprintf(out, cap, "Windows %lu.%lu%s%lu x86_64", v.dwMajorVersion, v.dwMinorVersion,
                 all ? " build " : ".", v.dwBuildNumber);
}

void os_limits(FILE *out) {
  SYSTEM_INFO info;

  GetSystemInfo(&info);
  fprintf(out, "processors: %lu\npage size: %lu\n", GetActiveProcessorCount(ALL_PROCESSOR_GROUPS),
          info.dwPageSize);
}

/* The console is set to it, and files and pipes get it, too. */
bool os_is_utf8(void) {
  return true;
}

int os_start_thread(pthread_t *thread, const char *name, void *(*fn)(void *payload),
                    void *payload) {
  int failed = pthread_create(thread, NULL, fn, payload);

  if (!failed)
    (void)pthread_setname_np(*thread, name);
  return failed;
}

char **os_environment(void) {
  return environ;
}

uint64_t os_free_bytes(const char *path) {
  wchar_t *wide = wide_path(path);
  ULARGE_INTEGER free_bytes;
  bool known = wide && GetDiskFreeSpaceExW(wide, &free_bytes, NULL, NULL);

  free(wide);
  return known ? free_bytes.QuadPart : UINT64_MAX;
}

bool os_config_folder(char *out, size_t cap) {
  const char *base = getenv("XDG_CONFIG_HOME"); /* of scripts for both systems */
  char *full;
  int n;

  if (!base || !*base)
    base = getenv("APPDATA");
  full = base && *base ? igt__os_full_path(base) : NULL;
  n = full ? snprintf(out, cap, "%s", full) : -1;
  free(full);
  return n > 0 && (size_t)n < cap;
}

bool os_is_journal(int fd) {
  (void)fd;
  return false;
}

void os_random(void *out, size_t n) {
  (void)BCryptGenRandom(NULL, out, (ULONG)n, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
}

/* The folder decides who may read a file. */
bool os_take_owner(const char *path, const char *like) {
  (void)path;
  (void)like;
  return true;
}

/* An entry of Windows' event log. Its number is that of EventCreate.exe's message for the kind. */
void os_log(int priority, const char *text) {
  const bool is_error = priority <= PRIORITY_ERROR, is_warning = priority == PRIORITY_WARNING;
  const WORD kind = is_error     ? EVENTLOG_ERROR_TYPE
                    : is_warning ? EVENTLOG_WARNING_TYPE
                                 : EVENTLOG_INFORMATION_TYPE;
  HANDLE log = RegisterEventSourceW(NULL, L"igtcloud");
  wchar_t *wide = wide_text(text);
  const wchar_t *lines[] = {wide};

  if (log && wide)
    (void)ReportEventW(log, kind, 0, 1, NULL, 1, 0, lines, NULL);
  if (log)
    DeregisterEventSource(log);
  free(wide);
}

bool os_boot_id(char out[OS_BOOT_ID]) {
  igt__os_boot_id(out, OS_BOOT_ID);
  return *out;
}
