/* SPDX-License-Identifier: MIT */
/* Programs that a station starts: each in a job of its own, so that it ends with its children. */
#include <errno.h>
#include <stdlib.h>

#include "os/os.h"

#include "os/windows/system.h"

struct os_child {
  HANDLE process, job;
};

/* It needs to find programs and its user's folders, and gets nothing else. */
static wchar_t *clean_environment(void) {
  static const wchar_t *const names[] = {
      L"APPDATA",     L"COMSPEC",    L"LOCALAPPDATA", L"PATH", L"PATHEXT",  L"ProgramData",
      L"SystemDrive", L"SystemRoot", L"TEMP",         L"TMP",  L"USERNAME", L"USERPROFILE"};
  enum { SPACE = 32768 };
  wchar_t *out = calloc(SPACE, sizeof *out);
  size_t at = 0;

  for (size_t i = 0; out && i < sizeof names / sizeof *names; i++) {
    size_t n = wcslen(names[i]) + 1;
    DWORD got;

    if (at + n + 2 >= SPACE)
      break;
    got = GetEnvironmentVariableW(names[i], out + at + n, (DWORD)(SPACE - at - n - 1));
    if (got == 0 || got >= SPACE - at - n - 1)
      continue;
    memcpy(out + at, names[i], (n - 1) * sizeof *out);
    out[at + n - 1] = L'=';
    at += n + got + 1;
  }
  if (out)
    out[at] = L'\0';
  return out;
}

static HANDLE inheritable(HANDLE handle) {
  HANDLE copy, self = GetCurrentProcess();

  if (!handle || handle == INVALID_HANDLE_VALUE ||
      !DuplicateHandle(self, handle, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
    return NULL;
  return copy;
}

static HANDLE output_of_ours(void) {
  SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
  HANDLE out = inheritable(GetStdHandle(STD_ERROR_HANDLE));

  return out ? out
             : CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                           OPEN_EXISTING, 0, NULL);
}

/* Only these handles are inherited. */
static bool start_with(const wchar_t *program, HANDLE in, HANDLE out, PROCESS_INFORMATION *info) {
  const DWORD flags = CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT |
                      EXTENDED_STARTUPINFO_PRESENT;
  STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start,
                                          .dwFlags = STARTF_USESTDHANDLES,
                                          .hStdInput = in,
                                          .hStdOutput = out,
                                          .hStdError = out}};
  HANDLE inherited[] = {in, out};
  wchar_t *environment = clean_environment(), line[PATH_UNITS];
  SIZE_T n = 0;
  bool good = false;

  (void)_snwprintf(line, PATH_UNITS, L"\"%ls\"", program);
  line[PATH_UNITS - 1] = L'\0';
  (void)InitializeProcThreadAttributeList(NULL, 1, 0, &n);
  start.lpAttributeList = malloc(n);
  if (environment && start.lpAttributeList &&
      InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &n)) {
    good = UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                     inherited, sizeof inherited, NULL, NULL) &&
           CreateProcessW(NULL, line, NULL, NULL, TRUE, flags, environment, NULL,
                          &start.StartupInfo, info);
    DeleteProcThreadAttributeList(start.lpAttributeList);
  }
  free(start.lpAttributeList);
  free(environment);
  return good;
}

static HANDLE new_job(void) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {
      .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
  HANDLE job = CreateJobObjectW(NULL, NULL);

  if (job)
    (void)SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit);
  return job;
}

static bool start(os_child *child, const char *program, int input) {
  HANDLE in = inheritable((HANDLE)igt__os_handle(input)), out = output_of_ours();
  wchar_t *wide = wide_text(program);
  PROCESS_INFORMATION info;
  bool good = in && out && wide && start_with(wide, in, out, &info);

  if (good) {
    child->process = info.hProcess;
    child->job = new_job();
    (void)AssignProcessToJobObject(child->job, child->process);
    (void)ResumeThread(info.hThread);
    CloseHandle(info.hThread);
  }
  free(wide);
  if (in)
    CloseHandle(in);
  if (out && out != INVALID_HANDLE_VALUE)
    CloseHandle(out);
  return good;
}

os_child *os_child_start(const char *program, int input) {
  os_child *child = calloc(1, sizeof *child);
  const char *why;

  if (child && start(child, program, input))
    return child;
  why = os_cannot_run(program);
  free(child);
  errno = why ? ENOENT : EIO;
  return NULL;
}

bool os_child_has_ended(os_child *child, char *how, size_t cap) {
  DWORD status = 0;

  if (WaitForSingleObject(child->process, 0) != WAIT_OBJECT_0)
    return false;
  (void)GetExitCodeProcess(child->process, &status);
  *how = '\0';
  if (status != 0)
    (void)snprintf(how, cap, "exit status %lu", status);
  return true;
}

/* No program without a window can be asked. */
void os_child_end(os_child *child, bool at_once) {
  (void)at_once;
  if (child->job)
    (void)TerminateJobObject(child->job, 1);
  else
    (void)TerminateProcess(child->process, 1);
}

void os_child_free(os_child *child) {
  if (!child)
    return;
  CloseHandle(child->process);
  if (child->job)
    CloseHandle(child->job);
  free(child);
}

const char *os_cannot_run(const char *program) {
  static const char *const ends[] = {".exe", ".com", ".bat", ".cmd"};
  const char *end = strrchr(program, '.');
  igt__stat st;

  if (igt__os_stat(program, &st) != 0)
    return strerror(errno);
  for (size_t i = 0; S_ISREG(st.st_mode) && end && i < sizeof ends / sizeof *ends; i++)
    if (_stricmp(end, ends[i]) == 0)
      return NULL;
  return "it is not a .exe, .com, .bat or .cmd file";
}
