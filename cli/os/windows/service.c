/* SPDX-License-Identifier: MIT */
/* `igtcloud station` as a service of Windows. `station install` registers a command line that
 * begins with
 *
 *     igtcloud.exe __service NAME FOLDER station ...
 *
 * With it os_run, instead of running the command at once, connects to the service manager, which
 * calls service_main on a thread of its own. That one goes to FOLDER, where the service was
 * installed, so that relative paths mean the same as in the terminal, and runs the command. The
 * manager's controls become requests of requests.c; manager.c reports states. */
#include "cli.h"

#include "os/windows/system.h"

#include <errno.h>
#include <stdlib.h>

#define MARK "__service"
#define MARK_WORDS 4 /* program, mark, name, folder */
#define START_AND_STOP_MS 30000
#define STOP_STEP_MS 100
#define LOG_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\igtcloud"
/* Its messages are "%1" (as in Go's eventlog.InstallAsEventCreate). */
#define MESSAGES L"%SystemRoot%\\System32\\EventCreate.exe"

static struct {
  SERVICE_STATUS_HANDLE handle;
  SERVICE_STATUS status;
  int (*run)(int argc, char **argv);
  int argc, result;
  char **argv;
  bool is_one;
} self;

bool is_service(void) {
  return self.is_one;
}

/* ---- states ---- */

void service_report(DWORD state) {
  static CRITICAL_SECTION lock;
  static bool has_lock;

  if (!has_lock)
    InitializeCriticalSection(&lock);
  has_lock = true;
  EnterCriticalSection(&lock);
  if (state && state != self.status.dwCurrentState) {
    self.status.dwCurrentState = state;
    self.status.dwCheckPoint = 0;
  }
  state = self.status.dwCurrentState;
  self.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  self.status.dwControlsAccepted =
      state == SERVICE_RUNNING
          ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE
      : state == SERVICE_START_PENDING ? SERVICE_ACCEPT_STOP
                                       : 0;
  if (state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING) {
    self.status.dwCheckPoint++;
    self.status.dwWaitHint = START_AND_STOP_MS;
  } else {
    self.status.dwCheckPoint = self.status.dwWaitHint = 0;
  }
  if (self.handle)
    (void)SetServiceStatus(self.handle, &self.status);
  LeaveCriticalSection(&lock);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context) {
  (void)type;
  (void)data;
  (void)context;
  switch (control) {
  case SERVICE_CONTROL_STOP:
  case SERVICE_CONTROL_PRESHUTDOWN:
  case SERVICE_CONTROL_SHUTDOWN:
    service_report(SERVICE_STOP_PENDING);
    requests_stop();
    return NO_ERROR;
  case SERVICE_CONTROL_PARAMCHANGE:
    requests_reload();
    return NO_ERROR;
  case SERVICE_CONTROL_INTERROGATE:
    return NO_ERROR;
  default:
    return ERROR_CALL_NOT_IMPLEMENTED;
  }
}

static void WINAPI service_main(DWORD count, wchar_t **words) {
  wchar_t *folder = wide_text(self.argv[3]);

  (void)count;
  self.handle = RegisterServiceCtrlHandlerExW(words[0], on_control, NULL);
  service_report(SERVICE_START_PENDING);
  leave_terminal();
  if (folder)
    (void)SetCurrentDirectoryW(folder);
  free(folder);
  self.argv[MARK_WORDS - 1] = self.argv[0];
  self.result = self.run(self.argc - MARK_WORDS + 1, self.argv + MARK_WORDS - 1);
  if (self.result != EXIT_DONE) {
    self.status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
    self.status.dwServiceSpecificExitCode = (DWORD)self.result;
  }
  service_report(SERVICE_STOPPED);
}

int os_run(int argc, char **argv, int (*run)(int argc, char **argv)) {
  wchar_t none[] = L"";
  const SERVICE_TABLE_ENTRYW table[] = {{none, service_main}, {NULL, NULL}};

  if (argc <= MARK_WORDS || strcmp(argv[1], MARK) != 0)
    return run(argc, argv);
  self.run = run;
  self.argc = argc;
  self.argv = argv;
  self.is_one = true;
  self.result = EXIT_FAILED;
  if (StartServiceCtrlDispatcherW(table))
    return self.result;
  self.is_one = false;
  return usage_error(MARK " is for the service manager of Windows: see igtcloud station install "
                          "--help");
}

/* ---- the command line ---- */

typedef struct line_text {
  wchar_t v[PATH_UNITS];
  size_t n;
} line_text;

static void put(line_text *line, wchar_t c) {
  if (line->n + 1 < PATH_UNITS)
    line->v[line->n] = c;
  line->n++;
}

/* As CommandLineToArgvW takes them apart: backslashes are doubled before a quote only. */
static void put_word(line_text *line, const wchar_t *word) {
  size_t slashes = 0;

  if (line->n)
    put(line, L' ');
  put(line, L'"');
  for (;; word++) {
    if (*word == L'\\') {
      slashes++;
      continue;
    }
    for (size_t i = slashes * (!*word || *word == L'"' ? 2 : 1) + (*word == L'"'); i > 0; i--)
      put(line, L'\\');
    slashes = 0;
    if (!*word)
      break;
    put(line, *word);
  }
  put(line, L'"');
}

static bool put_utf8(line_text *line, const char *word) {
  wchar_t *wide = wide_text(word);

  if (wide)
    put_word(line, wide);
  free(wide);
  return wide != NULL;
}

static bool build_line(line_text *line, const service *s) {
  static wchar_t path[PATH_UNITS], folder[PATH_UNITS];
  DWORD n = GetModuleFileNameW(NULL, path, PATH_UNITS);
  DWORD m = GetCurrentDirectoryW(PATH_UNITS, folder);
  bool good = n > 0 && n < PATH_UNITS && m > 0 && m < PATH_UNITS;

  put_word(line, path);
  good = put_utf8(line, MARK) && put_utf8(line, s->name) && good;
  put_word(line, folder);
  for (size_t i = 0; i < s->count; i++)
    good = put_utf8(line, s->words[i]) && good;
  put(line, L'\0');
  return good && line->n <= PATH_UNITS;
}

/* ---- installing ---- */

static int complain_of(const char *what, const char *name, DWORD why) {
  switch (why) {
  case ERROR_ACCESS_DENIED:
    complain(IGT_E_PERMISSION,
             "cannot %s the service '%s': this requires an administrator; open the "
             "terminal with \"Run as administrator\"",
             what, name);
    break;
  case ERROR_SERVICE_EXISTS:
  case ERROR_DUPLICATE_SERVICE_NAME:
    complain(IGT_E_INVALID,
             "a service '%s' already exists: remove it with `igtcloud station "
             "remove`, or give this one another name with --service-name",
             name);
    break;
  case ERROR_SERVICE_DOES_NOT_EXIST:
    complain(IGT_E_NOT_FOUND, "there is no service '%s'", name);
    return EXIT_NOT_FOUND;
  case ERROR_SERVICE_MARKED_FOR_DELETE:
    complain(IGT_E_INVALID,
             "the service '%s' is being removed: close the list of services and whatever else "
             "shows it, and try again",
             name);
    break;
  case ERROR_INVALID_SERVICE_ACCOUNT:
    complain(IGT_E_INVALID,
             "cannot %s the service '%s': there is no such account, or its password "
             "is wrong",
             what, name);
    break;
  default:
    complain(IGT_E_IO, "cannot %s the service '%s': Windows error %lu", what, name, why);
  }
  return EXIT_FAILED;
}

/* Started some time after the boot, restarted after a failure, and given time to stop. What an
 * older Windows lacks is left at its default. */
static void configure(SC_HANDLE handle) {
  static wchar_t text[] = L"Uploads studies from a folder to the IGT Cloud.";
  SERVICE_DESCRIPTIONW description = {text};
  SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
  SC_ACTION actions[] = {
      {SC_ACTION_RESTART, 10000}, {SC_ACTION_RESTART, 60000}, {SC_ACTION_RESTART, 300000}};
  SERVICE_FAILURE_ACTIONSW failure = {
      .dwResetPeriod = 24 * 60 * 60, .cActions = 3, .lpsaActions = actions};
  SERVICE_FAILURE_ACTIONS_FLAG also_after_errors = {TRUE};
  SERVICE_PRESHUTDOWN_INFO patience = {START_AND_STOP_MS};

  (void)ChangeServiceConfig2W(handle, SERVICE_CONFIG_DESCRIPTION, &description);
  (void)ChangeServiceConfig2W(handle, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed);
  (void)ChangeServiceConfig2W(handle, SERVICE_CONFIG_FAILURE_ACTIONS, &failure);
  (void)ChangeServiceConfig2W(handle, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_after_errors);
  (void)ChangeServiceConfig2W(handle, SERVICE_CONFIG_PRESHUTDOWN_INFO, &patience);
}

/* Without it the event log says that it cannot find the description. */
static void register_log(void) {
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  HKEY key;

  if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, LOG_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL) !=
      ERROR_SUCCESS)
    return;
  (void)RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)MESSAGES,
                       sizeof MESSAGES);
  (void)RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
  RegCloseKey(key);
}

/* Accounts of Windows' own, and managed ones, have no password that somebody could type. */
static bool has_password(const char *account) {
  size_t n = strlen(account);

  return _strnicmp(account, "NT AUTHORITY\\", 13) != 0 &&
         _strnicmp(account, "NT SERVICE\\", 11) != 0 && _stricmp(account, "LocalSystem") != 0 &&
         n > 0 && account[n - 1] != '$';
}

/* "ann" is one of this machine. */
static wchar_t *account_of(const char *given) {
  char full[512];

  (void)snprintf(full, sizeof full, "%s%s",
                 strpbrk(given, "\\@") || _stricmp(given, "LocalSystem") == 0 ? "" : ".\\", given);
  return wide_text(full);
}

static DWORD create(const service *s, const wchar_t *line, const wchar_t *account,
                    const wchar_t *password) {
  wchar_t *name = wide_text(s->name), *title = wide_text(s->title);
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CREATE_SERVICE), made = NULL;
  DWORD why = manager ? ERROR_SUCCESS : GetLastError();

  if (manager && name && title) {
    made = CreateServiceW(manager, name, title, SERVICE_CHANGE_CONFIG | SERVICE_START,
                          SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, line,
                          NULL, NULL, NULL, account, password);
    why = made ? ERROR_SUCCESS : GetLastError();
  }
  if (made) {
    configure(made);
    register_log();
    CloseServiceHandle(made);
  }
  if (manager)
    CloseServiceHandle(manager);
  free(name);
  free(title);
  return made ? ERROR_SUCCESS : why ? why : ERROR_INVALID_NAME;
}

int service_install(const service *s) {
  static line_text line;
  const char *account = s->account ? s->account : "NT AUTHORITY\\LocalService";
  char password[256] = "";
  wchar_t *wide_account, *wide_password;
  DWORD why;

  if (!build_line(&line, s))
    return usage_error("the command line of the service is too long, or not UTF-8");
  if (has_password(account) &&
      !ask_password("Windows password of this account", password, sizeof password)) {
    complain(IGT_E_INVALID, "no password for the account '%s'", account);
    return EXIT_FAILED;
  }
  wide_account = account_of(account);
  wide_password = wide_text(password);
  explicit_bzero(password, sizeof password);
  why = wide_account && wide_password ? create(s, line.v, wide_account, wide_password)
                                      : ERROR_INVALID_SERVICE_ACCOUNT;
  if (wide_password)
    SecureZeroMemory(wide_password, wcslen(wide_password) * sizeof *wide_password);
  free(wide_password);
  free(wide_account);
  return why == ERROR_SUCCESS ? EXIT_DONE : complain_of("install", s->name, why);
}

/* ---- removing ---- */

/* Others' services are none of our business. */
static bool is_ours(SC_HANDLE handle) {
  union {
    QUERY_SERVICE_CONFIGW config;
    char bytes[8192];
  } found;
  DWORD n;

  return QueryServiceConfigW(handle, &found.config, sizeof found, &n) &&
         wcsstr(found.config.lpBinaryPathName, L"\"__service\"") != NULL;
}

static bool is_stopped(SC_HANDLE handle) {
  SERVICE_STATUS status;

  return QueryServiceStatus(handle, &status) && status.dwCurrentState == SERVICE_STOPPED;
}

static DWORD stop_and_delete(SC_HANDLE handle) {
  SERVICE_STATUS status;

  if (!is_stopped(handle) && !ControlService(handle, SERVICE_CONTROL_STOP, &status) &&
      GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
    return GetLastError();
  for (int waited = 0; !is_stopped(handle) && waited < START_AND_STOP_MS; waited += STOP_STEP_MS)
    Sleep(STOP_STEP_MS);
  if (!is_stopped(handle))
    return ERROR_SERVICE_REQUEST_TIMEOUT;
  return DeleteService(handle) ? ERROR_SUCCESS : GetLastError();
}

int service_remove(const char *name) {
  const DWORD access = DELETE | SERVICE_STOP | SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG;
  wchar_t *wide = wide_text(name);
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE found = manager && wide ? OpenServiceW(manager, wide, access) : NULL;
  DWORD why = found ? ERROR_SUCCESS : GetLastError();
  bool foreign = found && !is_ours(found);

  if (found && !foreign)
    why = stop_and_delete(found);
  if (found)
    CloseServiceHandle(found);
  if (manager)
    CloseServiceHandle(manager);
  free(wide);
  if (!foreign)
    return why == ERROR_SUCCESS ? EXIT_DONE : complain_of("remove", name, why);
  complain(IGT_E_INVALID, "the service '%s' is not an igtcloud station", name);
  return EXIT_FAILED;
}
