/* SPDX-License-Identifier: MIT */
/* Files and names by NT's own calls: NtCreateFile with a RootDirectory is openat, and
 * FILE_OPEN_REPARSE_POINT is O_NOFOLLOW. So a folder that was opened stays the one that is used,
 * whatever others do to its path, as on POSIX.
 *
 * Everything is opened so that others may read, write, rename and remove it meanwhile. Scanners
 * hold new files for some milliseconds without allowing that: renaming and removing are repeated
 * for a while. Renaming over an open file and removing one need the POSIX forms of Windows 10 1809
 * and later; the older forms are used where the file system (or wine) has no others. */
#include <errno.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#define WINDOWS_EPOCH 116444736000000000ll /* 1601 to 1970, in 100 ns */
#define IO_MOST (1u << 30)                 /* of one call; a DWORD takes no more than 4 GiB */
#define SCANNER_TRIES 9                    /* 5 ms, doubled each time: 1.3 s in all */
#define SCANNER_WAIT_MS 5
#define OLD_PROGRAMS 4 /* cli/os/windows/process.c has their names */

#define O_SECRET 0x08000000             /* beside os_types.h's: for this user alone */
#define FAILED_WITH_ERRNO ((NTSTATUS)1) /* of our own: no status of NT's */

/* Of <ntstatus.h>, which <windows.h> excludes. */
enum { DENIED = (int)0xC0000022, SHARING = (int)0xC0000043 };
/* Of <ntifs.h>, which mingw-w64 has not. */
enum { RENAME = 10, DISPOSITION = 13, DISPOSITION_EX = 64, RENAME_EX = 65 };
enum { DELETE_NOW = 1 | 2 /* DELETE, POSIX_SEMANTICS */, REPLACE = 1, POSIX_RENAME = 2 };

typedef struct rename_info {
  ULONG flags; /* of the older form: a BOOLEAN, replace */
  HANDLE folder;
  ULONG length;
  wchar_t name[IGT__WIDE_NAME];
} rename_info;

NTSTATUS NTAPI NtSetInformationFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, FILE_INFORMATION_CLASS);

/* ---- opening ---- */

static bool is_link(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO info;

  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof info) &&
         (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
         (info.ReparseTag == IO_REPARSE_TAG_SYMLINK ||
          info.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
}

static ACCESS_MASK access_of(int flags) {
  if (flags & O_DIRECTORY)
    return FILE_LIST_DIRECTORY | FILE_TRAVERSE;
  switch (flags & O_ACCMODE) {
  case O_RDONLY:
    return FILE_GENERIC_READ;
  case O_WRONLY:
    return FILE_GENERIC_WRITE;
  default:
    return FILE_GENERIC_READ | FILE_GENERIC_WRITE;
  }
}

static ULONG disposition_of(int flags) {
  if (flags & O_CREAT)
    return flags & O_EXCL ? FILE_CREATE : flags & O_TRUNC ? FILE_OVERWRITE_IF : FILE_OPEN_IF;
  return flags & O_TRUNC ? FILE_OVERWRITE : FILE_OPEN;
}

static ULONG options_of(int flags) {
  ULONG options = FILE_SYNCHRONOUS_IO_NONALERT;

  if (flags & O_DIRECTORY)
    options |= FILE_DIRECTORY_FILE | FILE_OPEN_FOR_BACKUP_INTENT;
  else if ((flags & O_ACCMODE) != O_RDONLY)
    options |= FILE_NON_DIRECTORY_FILE;
  return flags & O_NOFOLLOW ? options | FILE_OPEN_REPARSE_POINT : options;
}

/* name "": the folder itself. */
static NTSTATUS open_nt(HANDLE folder, wchar_t *name, int flags, ACCESS_MASK access, HANDLE *out) {
  const ULONG share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  USHORT bytes = (USHORT)(wcslen(name) * sizeof *name);
  UNICODE_STRING text = {bytes, bytes, name};
  OBJECT_ATTRIBUTES object;
  IO_STATUS_BLOCK io;

  InitializeObjectAttributes(&object, &text, OBJ_CASE_INSENSITIVE, folder,
                             flags & O_SECRET ? igt__windows_private() : NULL);
  return NtCreateFile(out, access | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &object, &io, NULL,
                      FILE_ATTRIBUTE_NORMAL, share, disposition_of(flags), options_of(flags), NULL,
                      0);
}

static NTSTATUS open_by_path(const char *path, int flags, ACCESS_MASK access, HANDLE *out) {
  wchar_t *wide = igt__wide_path(path);
  NTSTATUS status;

  if (!wide)
    return FAILED_WITH_ERRNO;
  wide[1] = wide[2] = L'?'; /* NT's name of it: \??\, also in place of \\.\ */
  status = open_nt(NULL, wide, flags, access, out);
  free(wide);
  return status;
}

static NTSTATUS open_in(int dir, const char *name, int flags, ACCESS_MASK access, HANDLE *out) {
  wchar_t wide[IGT__WIDE_NAME] = L"";

  if (dir == AT_FDCWD)
    return open_by_path(name, flags, access, out);
  if (strcmp(name, ".") != 0 && !igt__wide_name(name, wide))
    return FAILED_WITH_ERRNO;
  return open_nt(igt__handle_of(dir), wide, flags, access, out);
}

/* False: errno is set. */
static bool is_done(NTSTATUS status) {
  if (status < 0)
    (void)igt__windows_fail_nt(status);
  return status == 0;
}

/* handle: by its address, as the caller's other argument sets it. */
static int finish(NTSTATUS status, const HANDLE *opened, int flags) {
  HANDLE handle = *opened;

  if (!is_done(status))
    return -1;
  if ((flags & O_NOFOLLOW) && is_link(handle)) {
    CloseHandle(handle);
    errno = flags & O_DIRECTORY ? ENOTDIR : ELOOP;
    return -1;
  }
  return igt__handle_add(handle);
}

int igt__os_open(const char *path, int flags, mode_t mode) {
  HANDLE handle = NULL;

  if ((flags & O_CREAT) && mode && !(mode & 077)) /* the folder may let others in */
    flags |= O_SECRET;
  return finish(open_by_path(path, flags, access_of(flags), &handle), &handle, flags);
}

int igt__os_openat(int dir, const char *name, int flags, mode_t mode) {
  HANDLE handle = NULL;

  (void)mode;
  return finish(open_in(dir, name, flags, access_of(flags), &handle), &handle, flags);
}

/* ---- reading and writing ---- */

static DWORD at_most(size_t n) {
  return n > IO_MOST ? IO_MOST : (DWORD)n;
}

static OVERLAPPED place(int64_t at) {
  return (OVERLAPPED){.Offset = (DWORD)at, .OffsetHigh = (DWORD)((uint64_t)at >> 32)};
}

static ssize_t read_with(int fd, void *data, size_t n, OVERLAPPED *at) {
  DWORD got = 0, why;

  if (ReadFile(igt__handle_of(fd), data, at_most(n), &got, at))
    return (ssize_t)got;
  why = GetLastError();
  return why == ERROR_HANDLE_EOF || why == ERROR_BROKEN_PIPE ? 0 : igt__windows_fail(why);
}

static ssize_t write_with(int fd, const void *data, size_t n, OVERLAPPED *at) {
  DWORD put = 0;

  if (!WriteFile(igt__handle_of(fd), data, at_most(n), &put, at))
    return igt__windows_fail(GetLastError());
  return (ssize_t)put;
}

ssize_t igt__os_read(int fd, void *data, size_t n) {
  return read_with(fd, data, n, NULL);
}

ssize_t igt__os_write(int fd, const void *data, size_t n) {
  return write_with(fd, data, n, NULL);
}

/* Past the C library, which would translate line ends of a file in text mode. */
ssize_t igt__os_write_foreign(int fd, const void *data, size_t n) {
  intptr_t handle = fd < 0 ? -1 : _get_osfhandle(fd);
  DWORD put = 0;

  if (handle == -1) {
    errno = EBADF;
    return -1;
  }
  if (!WriteFile((HANDLE)handle, data, at_most(n), &put, NULL))
    return igt__windows_fail(GetLastError());
  return (ssize_t)put;
}

/* Unlike POSIX's they move the file's position: no caller mixes both kinds on a descriptor. */
ssize_t igt__os_pread(int fd, void *data, size_t n, int64_t at) {
  OVERLAPPED o = place(at);

  return read_with(fd, data, n, &o);
}

ssize_t igt__os_pwrite(int fd, const void *data, size_t n, int64_t at) {
  OVERLAPPED o = place(at);

  return write_with(fd, data, n, &o);
}

int igt__os_rewind(int fd) {
  const LARGE_INTEGER start = {.QuadPart = 0};

  if (!SetFilePointerEx(igt__handle_of(fd), start, NULL, FILE_BEGIN))
    return igt__windows_fail(GetLastError());
  return 0;
}

int igt__os_truncate(int fd, int64_t size) {
  FILE_END_OF_FILE_INFO info = {.EndOfFile.QuadPart = size};

  if (!SetFileInformationByHandle(igt__handle_of(fd), FileEndOfFileInfo, &info, sizeof info))
    return igt__windows_fail(GetLastError());
  return 0;
}

int igt__os_set_mtime(int fd, int64_t seconds) {
  FILE_BASIC_INFO info = {.LastWriteTime.QuadPart = seconds * 10000000 + WINDOWS_EPOCH};

  if (!SetFileInformationByHandle(igt__handle_of(fd), FileBasicInfo, &info, sizeof info))
    return igt__windows_fail(GetLastError());
  return 0;
}

/* ---- looking ---- */

static struct timespec time_of(int64_t windows) {
  int64_t t = windows - WINDOWS_EPOCH;

  return (struct timespec){.tv_sec = t / 10000000, .tv_nsec = (long)(t % 10000000 * 100)};
}

static unsigned mode_of(HANDLE handle, DWORD attributes) {
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) && is_link(handle))
    return S_IFLNK | 0700;
  return attributes & FILE_ATTRIBUTE_DIRECTORY ? S_IFDIR | 0700 : S_IFREG | 0600;
}

static int look(HANDLE handle, igt__stat *st) {
  BY_HANDLE_FILE_INFORMATION info;
  FILE_BASIC_INFO basic;
  DWORD kind = GetFileType(handle);

  memset(st, 0, sizeof *st);
  st->st_mode = (kind == FILE_TYPE_PIPE ? S_IFIFO : S_IFCHR) | 0600;
  if (kind != FILE_TYPE_DISK)
    return kind == FILE_TYPE_UNKNOWN ? igt__windows_fail(ERROR_INVALID_HANDLE) : 0;
  if (!GetFileInformationByHandle(handle, &info) ||
      !GetFileInformationByHandleEx(handle, FileBasicInfo, &basic, sizeof basic))
    return igt__windows_fail(GetLastError());
  st->st_dev = info.dwVolumeSerialNumber;
  st->st_ino = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
  st->st_nlink = info.nNumberOfLinks;
  st->st_size = (int64_t)((uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow);
  st->st_blocks = (st->st_size + 511) / 512;
  st->st_mode = mode_of(handle, info.dwFileAttributes);
  st->st_mtim = time_of(basic.LastWriteTime.QuadPart);
  /* FAT and exFAT have none: as on Linux, the modification time takes its place. */
  st->st_ctim = basic.ChangeTime.QuadPart ? time_of(basic.ChangeTime.QuadPart) : st->st_mtim;
  return 0;
}

static int look_and_close(NTSTATUS status, const HANDLE *opened, igt__stat *st) {
  HANDLE handle = *opened;
  int failed, why;

  if (!is_done(status))
    return -1;
  failed = look(handle, st);
  why = errno;
  CloseHandle(handle);
  errno = why;
  return failed;
}

int igt__os_stat(const char *path, igt__stat *st) {
  HANDLE handle = NULL;

  return look_and_close(open_by_path(path, O_RDONLY, 0, &handle), &handle, st);
}

int igt__os_lstat(const char *path, igt__stat *st) {
  HANDLE handle = NULL;

  return look_and_close(open_by_path(path, O_NOFOLLOW, 0, &handle), &handle, st);
}

int igt__os_fstat(int fd, igt__stat *st) {
  return look(igt__handle_of(fd), st);
}

int igt__os_statat(int dir, const char *name, igt__stat *st, bool follow) {
  HANDLE handle = NULL;

  return look_and_close(open_in(dir, name, follow ? 0 : O_NOFOLLOW, 0, &handle), &handle, st);
}

bool igt__os_is_readable(const char *path) {
  int fd = igt__os_open(path, O_RDONLY, 0);

  return fd >= 0 && igt__os_close(fd) == 0;
}

/* ---- folders, names ---- */

#define NEW_FOLDER (O_CREAT | O_EXCL | O_DIRECTORY)

static int finish_folder(NTSTATUS status, const HANDLE *opened) {
  if (!is_done(status))
    return -1;
  CloseHandle(*opened);
  return 0;
}

int igt__os_mkdir(const char *path, mode_t mode) {
  HANDLE handle = NULL;

  (void)mode;
  return finish_folder(open_by_path(path, NEW_FOLDER, FILE_LIST_DIRECTORY, &handle), &handle);
}

int igt__os_mkdirat(int dir, const char *name, mode_t mode) {
  HANDLE handle = NULL;

  (void)mode;
  return finish_folder(open_in(dir, name, NEW_FOLDER, FILE_LIST_DIRECTORY, &handle), &handle);
}

/* False: give up. */
static bool wait_for_scanner(NTSTATUS status, unsigned tries) {
  if ((status != DENIED && status != SHARING) || tries + 1 >= SCANNER_TRIES)
    return false;
  Sleep(SCANNER_WAIT_MS << tries);
  return true;
}

static bool is_unknown(NTSTATUS status) {
  enum {
    NOT_IMPLEMENTED = (int)0xC0000002,
    INVALID_CLASS = (int)0xC0000003,
    INVALID_PARAMETER = (int)0xC000000D,
    NOT_SUPPORTED = (int)0xC00000BB
  };

  return status == NOT_IMPLEMENTED || status == INVALID_CLASS || status == INVALID_PARAMETER ||
         status == NOT_SUPPORTED;
}

static NTSTATUS set(HANDLE handle, int kind, void *info, size_t size) {
  IO_STATUS_BLOCK io;

  return NtSetInformationFile(handle, &io, info, (ULONG)size, (FILE_INFORMATION_CLASS)kind);
}

static NTSTATUS delete_by_name(int dir, const char *name, int kind) {
  ULONG now = DELETE_NOW;
  BOOLEAN at_close = TRUE;
  HANDLE handle = NULL;
  NTSTATUS status = open_in(dir, name, O_NOFOLLOW | kind, DELETE, &handle);

  if (status != 0)
    return status;
  status = set(handle, DISPOSITION_EX, &now, sizeof now);
  if (is_unknown(status))
    status = set(handle, DISPOSITION, &at_close, sizeof at_close);
  CloseHandle(handle);
  return status;
}

int igt__os_unlink(const char *path) {
  return igt__os_unlinkat(AT_FDCWD, path);
}

static int delete_patiently(int dir, const char *name, int kind) {
  NTSTATUS status;
  unsigned tries = 0;

  do
    status = delete_by_name(dir, name, kind);
  while (wait_for_scanner(status, tries++));
  return is_done(status) ? 0 : -1;
}

int igt__os_unlinkat(int dir, const char *name) {
  return delete_patiently(dir, name, O_WRONLY);
}

int igt__os_rmdirat(int dir, const char *name) {
  return delete_patiently(dir, name, O_DIRECTORY);
}

/* False: give up. */
static bool wait_for_scanner_of(DWORD error, unsigned tries) {
  if ((error != ERROR_ACCESS_DENIED && error != ERROR_SHARING_VIOLATION) ||
      tries + 1 >= SCANNER_TRIES)
    return false;
  Sleep(SCANNER_WAIT_MS << tries);
  return true;
}

static int with_both(const char *a, const char *b, DWORD (*fn)(const wchar_t *, const wchar_t *)) {
  wchar_t *from = igt__wide_path(a), *to = from ? igt__wide_path(b) : NULL;
  DWORD why = ERROR_SUCCESS;
  unsigned tries = 0;

  if (to)
    do
      why = fn(from, to);
    while (why != ERROR_SUCCESS && wait_for_scanner_of(why, tries++));
  free(from);
  if (!to)
    return -1;
  free(to);
  return why == ERROR_SUCCESS ? 0 : igt__windows_fail(why);
}

static DWORD move(const wchar_t *from, const wchar_t *to) {
  return MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING) ? ERROR_SUCCESS : GetLastError();
}

static DWORD link_to(const wchar_t *from, const wchar_t *to) {
  return CreateHardLinkW(to, from, NULL) ? ERROR_SUCCESS : GetLastError();
}

int igt__os_rename(const char *from, const char *to) {
  return with_both(from, to, move);
}

static int move_aside(const char *from, const char *to, const char *aside) {
  int why;

  if (igt__os_rename(to, aside) != 0)
    return -1;
  if (igt__os_rename(from, to) == 0)
    return 0;
  why = errno;
  (void)igt__os_rename(aside, to);
  errno = why;
  return -1;
}

/* A running program can be renamed, but neither replaced nor removed. The old one goes when the
 * program starts the next time (cli/os/windows/process.c). It keeps its name as long as it runs, as
 * a login may for weeks, so later upgrades use the next name. */
int igt__os_replace_program(const char *from, const char *to) {
  size_t n = strlen(to);
  char old[IGT__OS_PATH_MAX];
  igt__stat st;

  if (n < 4 || n + 9 >= sizeof old) {
    errno = EINVAL;
    return -1;
  }
  for (unsigned i = 0; i < OLD_PROGRAMS; i++) {
    (void)snprintf(old, sizeof old, i ? "%.*s.old%u.exe" : "%.*s.old.exe", (int)n - 4, to, i);
    (void)delete_by_name(AT_FDCWD, old, O_WRONLY);
    if (igt__os_lstat(old, &st) != 0)
      return move_aside(from, to, old);
  }
  errno = EBUSY;
  return -1;
}

bool igt__os_has_portable_names(void) {
  return true; /* of NT's calls, which take more: NTFS makes a stream of "a:b", and Explorer cannot
                  delete "nul" */
}

int igt__os_link(const char *from, const char *to) {
  return with_both(from, to, link_to);
}

static NTSTATUS rename_by_name(int from_dir, const char *from, rename_info *to, bool replace) {
  HANDLE handle = NULL;
  NTSTATUS status = open_in(from_dir, from, O_NOFOLLOW, DELETE, &handle);

  if (status != 0)
    return status;
  to->flags = POSIX_RENAME | (replace ? REPLACE : 0);
  status = set(handle, RENAME_EX, to, sizeof *to);
  if (is_unknown(status)) {
    to->flags = replace;
    status = set(handle, RENAME, to, sizeof *to);
  }
  CloseHandle(handle);
  return status;
}

/* Windows refuses to put a file in a folder's place as it refuses what one may not do. */
static bool is_folder_in_the_way(NTSTATUS status, int dir, const char *name) {
  HANDLE handle = NULL;

  if (status != DENIED || open_in(dir, name, O_DIRECTORY | O_NOFOLLOW, 0, &handle) != 0)
    return false;
  CloseHandle(handle);
  return true;
}

static int rename_to(int from_dir, const char *from, int to_dir, const char *to, bool replace) {
  rename_info info = {.folder = igt__handle_of(to_dir)};
  NTSTATUS status;
  unsigned tries = 0;

  if (!igt__wide_name(to, info.name))
    return -1;
  info.length = (ULONG)(wcslen(info.name) * sizeof *info.name);
  do {
    status = rename_by_name(from_dir, from, &info, replace);
    if (is_folder_in_the_way(status, to_dir, to)) {
      errno = EISDIR;
      return -1;
    }
  } while (wait_for_scanner(status, tries++));
  return is_done(status) ? 0 : -1;
}

int igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to) {
  return rename_to(from_dir, from, to_dir, to, true);
}

int igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to) {
  return rename_to(from_dir, from, to_dir, to, false);
}
