/* SPDX-License-Identifier: MIT */
/* Fills in the caller's igt_error: one table gives each status its name, text and whether it is
 * retryable; igt__fail and its variants format the text, replace control characters (tidy) and hide
 * registered secrets (redact.c). igt__error_hide removes one further secret, such as a header's
 * value that a server echoed. Called wherever something fails; nothing here allocates. */
#include "error.h"

#include "redact.h"
#include "sized.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"

#define ELLIPSIS "\xe2\x80\xa6"

typedef struct status_info {
  igt_status status;
  const char *name;
  const char *text;
  bool retryable;
} status_info;

#define STATUS(s, text, retryable)                                                                 \
  { s, #s, text, retryable }
static const status_info statuses[] = {
    STATUS(IGT_OK, "done", false),
    STATUS(IGT_E_INTERNAL, "internal error: a bug in igtcloud", false),
    STATUS(IGT_E_NO_MEMORY, "out of memory", false),
    STATUS(IGT_E_INVALID, "wrong argument", false),
    STATUS(IGT_E_CANCELLED, "cancelled", false),
    STATUS(IGT_E_UNSUPPORTED, "not supported", false),
    STATUS(IGT_E_LIMIT, "too large", false),
    STATUS(IGT_E_IO, "reading or writing failed", false),
    STATUS(IGT_E_NO_FILE, "no such file or folder", false),
    STATUS(IGT_E_PERMISSION, "permission denied", false),
    STATUS(IGT_E_NO_SPACE, "no space left", false),
    STATUS(IGT_E_UNSAFE_NAME, "unsafe name", false),
    STATUS(IGT_E_CHANGED, "the file changed while it was read", false),
    STATUS(IGT_E_COLLISION, "names collide, or a folder's name does not fit the folder structure",
           false),
    STATUS(IGT_E_LOCKED, "in use by another process", false),
    STATUS(IGT_E_READ_ONLY, "read-only file system", false),
    STATUS(IGT_E_RESOLVE, "unknown host", true),
    STATUS(IGT_E_CONNECT, "no connection", true),
    STATUS(IGT_E_TIMEOUT, "no response in time", true),
    STATUS(IGT_E_TLS, "TLS failure", false),
    STATUS(IGT_E_PROXY, "the proxy failed", false),
    STATUS(IGT_E_NETWORK, "the connection broke", true),
    STATUS(IGT_E_PROTOCOL, "invalid response", false),
    STATUS(IGT_E_BAD_REQUEST, "the server refused the request", false),
    STATUS(IGT_E_UNAUTHORIZED, "not signed in", false),
    STATUS(IGT_E_FORBIDDEN, "not allowed", false),
    STATUS(IGT_E_NOT_FOUND, "not found", false),
    STATUS(IGT_E_CONFLICT, "conflict with the current state", false),
    STATUS(IGT_E_PRECONDITION, "precondition failed (the object has changed)", false),
    STATUS(IGT_E_THROTTLED, "the server is busy", true),
    STATUS(IGT_E_SERVER, "the server failed", true),
    STATUS(IGT_E_RANGE, "range not satisfiable", false),
    STATUS(IGT_E_PARSE, "unreadable data", false),
    STATUS(IGT_E_TYPE, "unexpected data type", false),
    STATUS(IGT_E_REQUIRED, "a required field is missing", false),
    STATUS(IGT_E_LOGIN, "signing in failed", false),
    STATUS(IGT_E_EXPIRED, "expired", false),
    STATUS(IGT_E_KEY, "unusable key", false),
    STATUS(IGT_E_TOKEN_FILE, "unusable token file", false),
    STATUS(IGT_E_NO_SESSION, "not signed in", false),
    STATUS(IGT_E_CHECKSUM, "checksum mismatch", true),
    STATUS(IGT_E_SOME_FAILED, "some failed", false),
    STATUS(IGT_E_AMBIGUOUS, "ambiguous: several match", false),
    STATUS(IGT_E_GONE, "changed or deleted during the transfer", false),
};
#undef STATUS

static const status_info *find_status(igt_status status) {
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    if (statuses[i].status == status)
      return &statuses[i];
  }
  return NULL;
}

const char *igt_status_name(igt_status status) {
  const status_info *info = find_status(status);

  return info ? info->name : "IGT_E_UNKNOWN";
}

const char *igt_status_text(igt_status status) {
  const status_info *info = find_status(status);

  return info ? info->text : "unknown status";
}

/* Control characters would move a terminal's cursor; truncation may leave an incomplete UTF-8
 * sequence at the end. */
static void tidy(char *text, bool truncated) {
  for (char *p = text; *p; p++) {
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
      *p = '?';
  }
  if (!truncated)
    return;
  size_t n = strlen(text);
  if (n < sizeof ELLIPSIS)
    return;
  n -= sizeof ELLIPSIS - 1;
  while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
    n--;
  memcpy(text + n, ELLIPSIS, sizeof ELLIPSIS);
}

IGT_PRINTF(3, 0)
static void set_text(igt_error *err, size_t at, const char *fmt, va_list args) {
  size_t space = sizeof err->text - at;
  int n = vsnprintf(err->text + at, space, fmt, args);

  tidy(err->text, n < 0 || (size_t)n >= space);
  igt__redact(err->text);
}

/* The bytes of the caller's error: those of the first release at least, which have all that this
 * file writes by name. A program that did not initialize its error was built with some header. */
static size_t size_of(const igt_error *err) {
  size_t size = err->size;

  if (size < IGT__ERROR_FIRST)
    return IGT__ERROR_FIRST;
  return size < sizeof *err ? size : sizeof *err;
}

IGT__DEFINE_INIT(igt_error)

static void begin(igt_error *err, igt_status status) {
  const status_info *info = find_status(status);

  igt__error_clear(err);
  err->status = status;
  err->retryable = info && info->retryable;
}

igt_status igt__fail(igt_error *err, igt_status status, const char *fmt, ...) {
  if (!err)
    return status;
  char text[sizeof err->text]; /* arguments may point to err->text itself */
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  begin(err, status);
  memcpy(err->text, text, sizeof text);
  tidy(err->text, n < 0 || (size_t)n >= sizeof text);
  igt__redact(err->text);
  return status;
}

igt_status igt__status_from_errno(int os_error) {
  switch (os_error) {
  case ENOENT:
    return IGT_E_NO_FILE;
  case EACCES:
  case EPERM:
    return IGT_E_PERMISSION;
  case ENOSPC:
  case EDQUOT:
    return IGT_E_NO_SPACE;
  case EROFS:
    return IGT_E_READ_ONLY;
  case ENOMEM:
    return IGT_E_NO_MEMORY;
  default:
    return IGT_E_IO;
  }
}

igt_status igt__fail_errno(igt_error *err, int os_error, const char *fmt, ...) {
  igt_status status = igt__status_from_errno(os_error);

  if (!err)
    return status;
  begin(err, status);
  err->os_error = os_error;
  va_list args;
  va_start(args, fmt);
  set_text(err, 0, fmt, args);
  va_end(args);
  /* Thread-safe since glibc 2.32, in musl and by POSIX 2024; strerror_r has two forms. */
  igt__error_append(err, ": %s", strerror(os_error));
  if (os_error == EMFILE)
    igt__error_append(err, " (`ulimit -n` raises the limit)");
  else if (os_error == EFBIG)
    igt__error_append(err, " (for this file system, or for the limit of `ulimit -f`)");
  return status;
}

igt_status igt__fail_memory(igt_error *err) {
  return igt__fail(err, IGT_E_NO_MEMORY, "out of memory");
}

igt_status igt__error_prefix(igt_error *err, const char *fmt, ...) {
  if (!err)
    return IGT_E_INTERNAL;
  char old[sizeof err->text];
  memcpy(old, err->text, sizeof old);
  va_list args;
  va_start(args, fmt);
  set_text(err, 0, fmt, args);
  va_end(args);
  igt__error_append(err, ": %s", old);
  return err->status;
}

void igt__error_append(igt_error *err, const char *fmt, ...) {
  if (!err)
    return;
  va_list args;
  va_start(args, fmt);
  set_text(err, strlen(err->text), fmt, args);
  va_end(args);
}

#define HIDDEN "(hidden)"
#define SHORTEST_SECRET 4

/* Finds the secret, or its beginning at the end of the text; *n: the length found. */
static char *find_secret(char *text, const char *secret, size_t *n) {
  size_t len = strlen(secret);
  char *found = strstr(text, secret);

  *n = len;
  if (found)
    return found;
  for (char *p = strchr(text, *secret); p; p = strchr(p + 1, *secret)) {
    size_t same = 0;
    while (p[same] && p[same] == secret[same])
      same++;
    *n = same;
    if (same >= SHORTEST_SECRET && (!p[same] || strcmp(p + same, ELLIPSIS) == 0))
      return p;
  }
  return NULL;
}

static void hide(char *text, size_t cap, const char *secret) {
  size_t n = 0;
  char *found;

  while ((found = find_secret(text, secret, &n)) != NULL) {
    size_t before = (size_t)(found - text), rest = strlen(found + n);
    size_t hidden = strlen(HIDDEN);
    if (before + hidden >= cap)
      hidden = cap - 1 - before;
    if (before + hidden + rest >= cap)
      rest = cap - 1 - before - hidden;
    memmove(found + hidden, found + n, rest);
    memcpy(found, HIDDEN, hidden);
    found[hidden + rest] = '\0';
    text = found + hidden;
    cap -= before + hidden;
  }
}

void igt__error_hide(igt_error *err, const char *secret) {
  igt__redacted entry;

  if (!err || !secret || strlen(secret) < SHORTEST_SECRET)
    return;
  hide(err->text, sizeof err->text, secret);
  hide(err->code, sizeof err->code, secret);
  hide(err->request_id, sizeof err->request_id, secret);
  igt__redact_remember(&entry, secret, strlen(secret));
  igt__error_redact(err);
  igt__redact_forget(&entry);
}

void igt__error_redact(igt_error *err) {
  if (!err)
    return;
  igt__redact(err->text);
  igt__redact(err->code);
  igt__redact(err->request_id);
}

void igt__error_clear(igt_error *err) {
  size_t n = err ? size_of(err) : 0;

  if (!err)
    return;
  memset((char *)err + sizeof err->size, 0, n - sizeof err->size);
  err->size = err->size < n ? n : err->size;
}

void igt__error_copy(igt_error *err, const igt_error *from) {
  size_t n;

  if (!err || err == from)
    return;
  igt__error_clear(err);
  n = size_of(err) < size_of(from) ? size_of(err) : size_of(from);
  memcpy((char *)err + sizeof err->size, (const char *)from + sizeof err->size,
         n - sizeof err->size);
}

void igt__error_keep(igt_error *own, const igt_error *from) {
  *own = (igt_error)IGT_ERROR_INIT;
  igt__error_copy(own, from);
}

igt_status igt__status_from_http(int http_status) {
  switch (http_status) {
  case 401:
    return IGT_E_UNAUTHORIZED;
  case 403:
    return IGT_E_FORBIDDEN;
  case 404:
  case 410:
    return IGT_E_NOT_FOUND;
  case 407:
    return IGT_E_PROXY;
  case 408:
    return IGT_E_TIMEOUT;
  case 409:
    return IGT_E_CONFLICT;
  case 412:
    return IGT_E_PRECONDITION;
  case 416:
    return IGT_E_RANGE;
  case 429:
    return IGT_E_THROTTLED;
  default:
    break;
  }
  if (http_status >= 500 && http_status <= 599)
    return IGT_E_SERVER;
  if (http_status >= 400 && http_status <= 499)
    return IGT_E_BAD_REQUEST;
  return IGT_E_PROTOCOL;
}
