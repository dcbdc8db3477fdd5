/* SPDX-License-Identifier: MIT */
/* ReadDirectoryChangesW, one for each watched folder and everything below it. Each reports into a
 * buffer of its own; what does not fit is lost, and the folders are looked at again. One event
 * serves all of them: starting to read resets it, so that after each start all are asked again. */
#include <stdlib.h>

#include "os/os.h"

#include "os/windows/system.h"

#define FOLDERS_MOST 16
#define BUFFER 65536 /* a share's limit */
#define CHANGES (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME)

typedef struct folder {
  char *path;
  HANDLE handle; /* NULL: is gone */
  OVERLAPPED reading;
  _Alignas(DWORD) char buffer[BUFFER];
} folder;

static folder *folders[FOLDERS_MOST];
static HANDLE changed;

os_source os_watch_open(void) {
  changed = CreateEventW(NULL, TRUE, FALSE, NULL);
  return changed ? (os_source)changed : OS_NO_SOURCE;
}

static void stop(folder *f) {
  DWORD n;

  if (!f->handle)
    return;
  (void)CancelIo(f->handle);
  (void)GetOverlappedResult(f->handle, &f->reading, &n, TRUE);
  CloseHandle(f->handle);
  f->handle = NULL;
}

static bool start(folder *f) {
  f->reading = (OVERLAPPED){.hEvent = changed};
  if (ReadDirectoryChangesW(f->handle, f->buffer, BUFFER, TRUE, CHANGES, NULL, &f->reading, NULL))
    return true;
  CloseHandle(f->handle);
  f->handle = NULL;
  return false;
}

static bool open_folder(folder *f) {
  wchar_t *wide = wide_path(f->path);
  HANDLE handle =
      wide ? CreateFileW(wide, FILE_LIST_DIRECTORY,
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                         OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL)
           : INVALID_HANDLE_VALUE;

  free(wide);
  if (handle == INVALID_HANDLE_VALUE)
    return false;
  f->handle = handle;
  return start(f);
}

static folder *new_folder(const char *path) {
  folder *f = calloc(1, sizeof *f);

  if (f && !(f->path = _strdup(path))) {
    free(f);
    f = NULL;
  }
  return f;
}

int os_watch_add(os_source watch, const char *root, const char *below) {
  (void)watch;
  if (*below)
    return 0;
  for (int i = 0; i < FOLDERS_MOST; i++) {
    if (!folders[i] && !(folders[i] = new_folder(root)))
      return -1;
    if (strcmp(folders[i]->path, root) == 0)
      return folders[i]->handle || open_folder(folders[i]) ? i + 1 : -1;
  }
  return -1;
}

static void take_name(const FILE_NOTIFY_INFORMATION *e, int number, os_watch_fn fn, void *payload) {
  char name[4 * 4096];
  int n = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, e->FileName,
                              (int)(e->FileNameLength / sizeof(wchar_t)), name, sizeof name - 1,
                              NULL, NULL);

  if (n <= 0) /* no UTF-8 names it */
    return;
  name[n] = '\0';
  for (char *p = name; *p; p++)
    if (*p == '\\')
      *p = '/';
  fn(payload, number, name);
}

static void take_names(const folder *f, int number, os_watch_fn fn, void *payload) {
  const char *at = f->buffer;

  for (;;) {
    const FILE_NOTIFY_INFORMATION *e = (const void *)at;

    take_name(e, number, fn, payload);
    if (!e->NextEntryOffset)
      return;
    at += e->NextEntryOffset;
  }
}

/* True: names were lost. */
static bool take_changes(folder *f, int number, os_watch_fn fn, void *payload) {
  DWORD n = 0;
  bool lost = !GetOverlappedResult(f->handle, &f->reading, &n, FALSE) || n == 0;

  if (!lost)
    take_names(f, number, fn, payload);
  if (start(f))
    return lost;
  fn(payload, number, NULL);
  return true;
}

bool os_watch_read(os_source watch, os_watch_fn fn, void *payload) {
  bool lost = false, any;

  (void)watch;
  do {
    any = false;
    for (int i = 0; i < FOLDERS_MOST && folders[i]; i++)
      if (folders[i]->handle && HasOverlappedIoCompleted(&folders[i]->reading)) {
        lost |= take_changes(folders[i], i + 1, fn, payload);
        any = true;
      }
  } while (any);
  return lost;
}

void os_watch_close(os_source watch) {
  for (int i = 0; i < FOLDERS_MOST && folders[i]; i++) {
    stop(folders[i]);
    free(folders[i]->path);
    free(folders[i]);
    folders[i] = NULL;
  }
  CloseHandle((HANDLE)watch);
}
