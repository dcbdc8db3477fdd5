/* SPDX-License-Identifier: MIT */
/* What libc.h declares. */
#include "cli.h"

#include "os/windows/system.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#undef open
#undef fopen
#undef fclose
#undef fflush
#undef read
#undef write

#define WINDOWS_EPOCH 116444736000000000ll /* 1601 to 1970, in 100 ns */
#define SCANNER_TRIES 9                    /* 5 ms, doubled each time: 1.3 s in all */

int _dowildcard = 0; /* arguments are taken as they are: no * is replaced by names of files */

/* ---- text ---- */

wchar_t *wide_text(const char *utf8) {
  int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, -1, NULL, 0);
  wchar_t *out = n > 0 ? malloc((size_t)n * sizeof *out) : NULL;

  if (out)
    (void)MultiByteToWideChar(CP_UTF8, 0, utf8, -1, out, n);
  else
    errno = n > 0 ? ENOMEM : EILSEQ;
  return out;
}

bool narrow(const wchar_t *wide, char *out, size_t cap) {
  return WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)cap, NULL, NULL) > 0;
}

wchar_t *wide_path(const char *utf8) {
  wchar_t *given = wide_text(utf8), *out = given ? malloc((PATH_UNITS + 8) * sizeof *out) : NULL;
  DWORD n = out ? GetFullPathNameW(given, PATH_UNITS, out + 8, NULL) : 0;
  const wchar_t *before = L"\\\\?\\";
  size_t skip = 0;

  free(given);
  if (n == 0 || n >= PATH_UNITS) {
    if (out)
      errno = n ? ENAMETOOLONG : ENOENT;
    free(out);
    return NULL;
  }
  if (wcsncmp(out + 8, L"\\\\.\\", 4) == 0 || wcsncmp(out + 8, L"\\\\?\\", 4) == 0) {
    before = L"";
  } else if (out[8] == L'\\' && out[9] == L'\\') {
    before = L"\\\\?\\UNC\\";
    skip = 2;
  }
  if (*before && wcschr(out + 8 + 2, L':')) { /* a stream, which no program would show */
    errno = EINVAL;
    free(out);
    return NULL;
  }
  memmove(out + wcslen(before), out + 8 + skip, (n - skip + 1) * sizeof *out);
  memcpy(out, before, wcslen(before) * sizeof *out);
  return out;
}

char *strndup(const char *s, size_t n) {
  char *copy;

  n = strnlen(s, n);
  if ((copy = malloc(n + 1)) != NULL) {
    memcpy(copy, s, n);
    copy[n] = '\0';
  }
  return copy;
}

void explicit_bzero(void *p, size_t n) {
  SecureZeroMemory(p, n);
}

ssize_t getline(char **line, size_t *cap, FILE *in) {
  size_t n = 0;
  int c;

  while ((c = getc(in)) != EOF) {
    if (n + 2 > *cap) {
      size_t more = *cap ? *cap * 2 : 128;
      char *longer = realloc(*line, more);

      if (!longer)
        return -1;
      *line = longer;
      *cap = more;
    }
    (*line)[n++] = (char)c;
    if (c == '\n')
      break;
  }
  if (n == 0)
    return -1;
  (*line)[n] = '\0';
  return (ssize_t)n;
}

/* ---- time ---- */

static const char *take_month(const char *text, int *out) {
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

  for (int i = 0; i < 12; i++)
    if (_strnicmp(text, names + 3 * i, 3) == 0) {
      *out = i;
      return text + 3;
    }
  return NULL;
}

static const char *take_number(const char *text, int digits, int from, int to, int *out) {
  int n = 0, i = 0;

  text += strspn(text, " ");
  for (; i < digits && isdigit((unsigned char)text[i]); i++)
    n = n * 10 + text[i] - '0';
  *out = n;
  return i > 0 && n >= from && n <= to ? text + i : NULL;
}

static const char *take_field(const char *text, char field, struct tm *out) {
  switch (field) {
  case 'Y':
    text = take_number(text, 4, 0, 9999, &out->tm_year);
    out->tm_year -= 1900;
    return text;
  case 'm':
    text = take_number(text, 2, 1, 12, &out->tm_mon);
    out->tm_mon--;
    return text;
  case 'b':
    return take_month(text, &out->tm_mon);
  case 'd':
    return take_number(text, 2, 1, 31, &out->tm_mday);
  case 'H':
    return take_number(text, 2, 0, 23, &out->tm_hour);
  case 'M':
    return take_number(text, 2, 0, 59, &out->tm_min);
  case 'S':
    return take_number(text, 2, 0, 60, &out->tm_sec);
  default:
    return NULL;
  }
}

/* %Y %m %b %d %H %M %S, and text. */
char *strptime(const char *text, const char *format, struct tm *out) {
  union {
    const char *from;
    char *to;
  } end;

  for (; text && *format; format++) {
    if (*format == '%')
      text = take_field(text, *++format, out);
    else if (*format == ' ')
      text += strspn(text, " ");
    else
      text = *text == *format ? text + 1 : NULL;
  }
  end.from = text;
  return end.to;
}

time_t timegm(struct tm *tm) {
  return _mkgmtime(tm);
}

/* Columns of a character on a terminal: 0 for what combines with the one before, 2 for East Asian
 * wide ones (UAX #11), 1 for the rest; -1: a control character. */
int os_width(unsigned code) {
  static const struct {
    unsigned from, to;
    int width;
  } ranges[] = {{0x300, 0x36f, 0},   {0x483, 0x489, 0},   {0x591, 0x5bd, 0},   {0x610, 0x61a, 0},
                {0x64b, 0x65f, 0},   {0x1100, 0x115f, 2}, {0x1ab0, 0x1aff, 0}, {0x1dc0, 0x1dff, 0},
                {0x200b, 0x200d, 0}, {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2}, {0x3041, 0xa4cf, 2},
                {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0}, {0xfe20, 0xfe2f, 0},
                {0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}};

  if (code < 0x20 || (code >= 0x7f && code < 0xa0))
    return -1;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (code >= ranges[i].from && code <= ranges[i].to)
      return ranges[i].width;
  return 1;
}

/* ---- files ---- */

int os_failed(DWORD error) {
  switch (error) {
  case ERROR_FILE_NOT_FOUND:
  case ERROR_PATH_NOT_FOUND:
  case ERROR_BAD_NETPATH:
  case ERROR_BAD_NET_NAME:
  case ERROR_INVALID_DRIVE:
    errno = ENOENT;
    break;
  case ERROR_ACCESS_DENIED:
  case ERROR_SHARING_VIOLATION:
    errno = EACCES;
    break;
  case ERROR_FILE_EXISTS:
  case ERROR_ALREADY_EXISTS:
    errno = EEXIST;
    break;
  case ERROR_DISK_FULL:
    errno = ENOSPC;
    break;
  case ERROR_DIRECTORY:
    errno = ENOTDIR;
    break;
  case ERROR_INVALID_NAME:
    errno = EINVAL;
    break;
  case ERROR_BROKEN_PIPE:
  case ERROR_NO_DATA:
    errno = EPIPE;
    break;
  default:
    errno = EIO;
  }
  return -1;
}

int descriptor_of_handle(HANDLE handle, int flags) {
  int fd = _open_osfhandle((intptr_t)handle, flags | _O_BINARY);

  if (fd < 0)
    CloseHandle(handle);
  return fd;
}

static DWORD disposition_of(int flags) {
  if (flags & O_CREAT)
    return flags & O_EXCL ? CREATE_NEW : flags & O_TRUNC ? CREATE_ALWAYS : OPEN_ALWAYS;
  return flags & O_TRUNC ? TRUNCATE_EXISTING : OPEN_EXISTING;
}

int os_open(const char *path, int flags, ...) {
  const int kind = flags & (O_RDONLY | O_WRONLY | O_RDWR);
  DWORD access = kind == O_RDONLY   ? GENERIC_READ
                 : kind == O_WRONLY ? GENERIC_WRITE
                                    : GENERIC_READ | GENERIC_WRITE;
  wchar_t *wide = wide_path(strcmp(path, "/dev/null") == 0 ? "NUL" : path);
  HANDLE handle;

  if (!wide)
    return -1;
  if (flags & O_APPEND)
    access = FILE_APPEND_DATA | SYNCHRONIZE | FILE_READ_ATTRIBUTES;
  handle = CreateFileW(wide, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       disposition_of(flags), FILE_ATTRIBUTE_NORMAL, NULL);
  free(wide);
  return handle == INVALID_HANDLE_VALUE ? os_failed(GetLastError())
                                        : descriptor_of_handle(handle, flags);
}

FILE *os_fopen(const char *path, const char *mode) {
  const int flags = *mode == 'r'   ? O_RDONLY
                    : *mode == 'w' ? O_WRONLY | O_CREAT | O_TRUNC
                                   : O_WRONLY | O_CREAT | O_APPEND;
  const char plain[] = {*mode, 'b', '\0'};
  int fd = os_open(path, flags, 0600);
  FILE *file = fd >= 0 ? fdopen(fd, plain) : NULL;

  if (!file && fd >= 0)
    _close(fd);
  return file;
}

static int with_both(const char *a, const char *b, BOOL (*fn)(const wchar_t *, const wchar_t *)) {
  wchar_t *from = wide_path(a), *to = b && from ? wide_path(b) : NULL;
  DWORD why = from && (to || !b) ? ERROR_SUCCESS : ERROR_INVALID_NAME;

  for (unsigned i = 0; why == ERROR_SUCCESS && i < SCANNER_TRIES && !fn(from, to); i++) {
    why = GetLastError();
    if (i + 1 < SCANNER_TRIES && (why == ERROR_ACCESS_DENIED || why == ERROR_SHARING_VIOLATION)) {
      Sleep(5u << i);
      why = ERROR_SUCCESS;
    }
  }
  free(from);
  free(to);
  return why == ERROR_SUCCESS ? 0 : os_failed(why);
}

static BOOL move(const wchar_t *from, const wchar_t *to) {
  return MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

static BOOL delete_one(const wchar_t *path, const wchar_t *none) {
  (void)none;
  return DeleteFileW(path);
}

int os_rename(const char *from, const char *to) {
  return with_both(from, to, move);
}

int os_unlink(const char *path) {
  return with_both(path, NULL, delete_one);
}

int os_mkdir(const char *path) {
  wchar_t *wide = wide_path(path);
  BOOL made = wide && CreateDirectoryW(wide, NULL);
  DWORD why = GetLastError();

  free(wide);
  return !wide ? -1 : made ? 0 : os_failed(why == ERROR_ACCESS_DENIED ? ERROR_FILE_EXISTS : why);
}

int os_new_file(char *pattern) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  char *x = pattern + strlen(pattern) - 6;
  unsigned long long seed = GetTickCount64() ^ ((unsigned long long)GetCurrentProcessId() << 20);

  for (int tries = 0; tries < 100; tries++) {
    unsigned long long n = seed * 6364136223846793005ull + (unsigned)tries;
    int fd;

    for (int i = 0; i < 6; i++, n /= 36)
      x[i] = letters[n % 36];
    fd = os_open(pattern, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 || errno != EEXIST)
      return fd;
    seed = n + 1;
  }
  return -1;
}

static int look(HANDLE handle, struct os_stat *st) {
  BY_HANDLE_FILE_INFORMATION info;
  DWORD kind = GetFileType(handle);

  memset(st, 0, sizeof *st);
  st->st_mode = kind == FILE_TYPE_PIPE ? S_IFIFO | 0600 : S_IFCHR | 0600;
  if (kind != FILE_TYPE_DISK)
    return 0;
  if (!GetFileInformationByHandle(handle, &info))
    return os_failed(GetLastError());
  st->st_mode = info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? S_IFDIR | 0700 : S_IFREG | 0600;
  st->st_dev = info.dwVolumeSerialNumber;
  st->st_ino = (unsigned long long)info.nFileIndexHigh << 32 | info.nFileIndexLow;
  st->st_nlink = info.nNumberOfLinks;
  st->st_size = (long long)((unsigned long long)info.nFileSizeHigh << 32 | info.nFileSizeLow);
  st->st_mtime = (time_t)((((long long)info.ftLastWriteTime.dwHighDateTime << 32 |
                            info.ftLastWriteTime.dwLowDateTime) -
                           WINDOWS_EPOCH) /
                          10000000);
  return 0;
}

int os_fstat(int fd, struct os_stat *st) {
  return look((HANDLE)_get_osfhandle(fd), st);
}

static int look_at(const char *path, DWORD more, struct os_stat *st) {
  wchar_t *wide = wide_path(path);
  HANDLE handle = INVALID_HANDLE_VALUE;
  int failed;

  if (!wide)
    return -1;
  handle = CreateFileW(wide, FILE_READ_ATTRIBUTES,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS | more, NULL);
  free(wide);
  if (handle == INVALID_HANDLE_VALUE)
    return os_failed(GetLastError());
  failed = look(handle, st);
  CloseHandle(handle);
  return failed;
}

int os_stat(const char *path, struct os_stat *st) {
  return look_at(path, 0, st);
}

int os_lstat(const char *path, struct os_stat *st) {
  return look_at(path, FILE_FLAG_OPEN_REPARSE_POINT, st);
}

int os_access(const char *path, int mode) {
  struct os_stat st;
  int fd;

  if (mode == F_OK || (os_stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
    return os_stat(path, &st);
  fd = os_open(path, O_RDONLY);
  return fd >= 0 ? _close(fd) : -1;
}

ssize_t os_read(int fd, void *data, size_t n) {
  return _read(fd, data, n > INT_MAX ? INT_MAX : (unsigned)n);
}

ssize_t os_write(int fd, const void *data, size_t n) {
  return _write(fd, data, n > INT_MAX ? INT_MAX : (unsigned)n);
}

/* NUL is a character device for _isatty. */
int os_isatty(int fd) {
  DWORD mode;

  return GetConsoleMode((HANDLE)_get_osfhandle(fd), &mode) != 0;
}

/* ---- streams in memory ---- */

/* A stream whose own buffer is as large as anything that is written to one of them, over a file
 * that cannot be written: what would exceed the buffer is an error, and nothing reaches a disk.
 * Pages of the buffer exist once they are used. */
#define MEMORY_MAX ((size_t)80 * 1024 * 1024)

typedef struct memory {
  FILE *file;
  char *buffer, **text;
  size_t *n;
  struct memory *next;
} memory;

static CRITICAL_SECTION memories_lock;
static memory *memories;

static void __attribute__((constructor)) make_lock(void) {
  InitializeCriticalSection(&memories_lock);
}

FILE *os_memory(char **text, size_t *n) {
  memory *m = calloc(1, sizeof *m);
  int fd = m ? os_open("NUL", O_RDONLY) : -1;

  *text = NULL;
  *n = 0;
  if (m)
    m->buffer = VirtualAlloc(NULL, MEMORY_MAX, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  m = m && m->buffer && fd >= 0 ? m : NULL;
  if (!m || !(m->file = fdopen(fd, "wb")) || setvbuf(m->file, m->buffer, _IOFBF, MEMORY_MAX) != 0)
    return NULL;
  m->text = text;
  m->n = n;
  EnterCriticalSection(&memories_lock);
  m->next = memories;
  memories = m;
  LeaveCriticalSection(&memories_lock);
  return m->file;
}

static memory **find_memory_locked(const FILE *file) {
  memory **at = &memories;

  while (*at && (*at)->file != file)
    at = &(*at)->next;
  return at;
}

/* False: too long, or no memory. */
static bool give(memory *m) {
  size_t n = m->file->_base == m->buffer ? (size_t)(m->file->_ptr - m->file->_base) : 0;
  char *text = ferror(m->file) ? NULL : realloc(*m->text, n + 1);

  if (!text)
    return false;
  memcpy(text, m->buffer, n);
  text[n] = '\0';
  *m->text = text;
  *m->n = n;
  return true;
}

int os_fflush(FILE *file) {
  memory *m;

  EnterCriticalSection(&memories_lock);
  m = file ? *find_memory_locked(file) : NULL;
  LeaveCriticalSection(&memories_lock);
  if (!m)
    return fflush(file);
  return give(m) ? 0 : EOF;
}

int os_fclose(FILE *file) {
  memory **at, *m;
  bool good;

  EnterCriticalSection(&memories_lock);
  at = find_memory_locked(file);
  m = *at;
  if (m)
    *at = m->next;
  LeaveCriticalSection(&memories_lock);
  if (!m)
    return fclose(file);
  good = give(m);
  (void)fclose(file); /* fails to write what was taken */
  VirtualFree(m->buffer, 0, MEM_RELEASE);
  free(m);
  return good ? 0 : EOF;
}
