/* SPDX-License-Identifier: MIT */
/* What libc.h declares. */
#include "cli.h"

#include "os/windows/system.h"

#include <ctype.h>
#include <errno.h>
#include <io.h>
#include <stdarg.h>
#include <stdlib.h>

#undef fclose
#undef fflush
#undef fprintf
#undef fputc
#undef fputs

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

int descriptor_of_handle(HANDLE handle, int flags) {
  int fd = _open_osfhandle((intptr_t)handle, flags | _O_BINARY);

  if (fd < 0)
    CloseHandle(handle);
  return fd;
}

/* ---- output by whole blocks ---- */

/* mingw's fprintf calls fputc for each character, and fputc of some C libraries (wine's) flushes at
 * each line feed, which streams in memory cannot. fwrite does neither. */
int os_fprintf(FILE *file, const char *format, ...) {
  char small[512], *text = small;
  va_list values, again;
  int n;

  va_start(values, format);
  va_copy(again, values);
  n = vsnprintf(small, sizeof small, format, values);
  if (n >= (int)sizeof small && (text = malloc((size_t)n + 1)) != NULL)
    n = vsnprintf(text, (size_t)n + 1, format, again);
  va_end(again);
  va_end(values);
  if (!text || n < 0)
    return -1;
  n = fwrite(text, 1, (size_t)n, file) == (size_t)n ? n : -1;
  if (text != small)
    free(text);
  return n;
}

int os_fputc(int c, FILE *file) {
  const unsigned char byte = (unsigned char)c;

  return fwrite(&byte, 1, 1, file) == 1 ? byte : EOF;
}

int os_fputs(const char *text, FILE *file) {
  const size_t n = strlen(text);

  return fwrite(text, 1, n, file) == n ? 0 : EOF;
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
  int fd = m ? _open("NUL", _O_RDONLY | _O_BINARY | _O_NOINHERIT) : -1;

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
  if (!m) { /* wine's fclose hides that its flush failed */
    good = fflush(file) == 0;
    return fclose(file) == 0 && good ? 0 : EOF;
  }
  good = give(m);
  (void)fclose(file); /* fails to write what was taken */
  VirtualFree(m->buffer, 0, MEM_RELEASE);
  free(m);
  return good ? 0 : EOF;
}
