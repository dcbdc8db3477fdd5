/* SPDX-License-Identifier: MIT */
/* The growing byte buffer behind URLs, headers, JSON, XML and messages in all layers. Appending
 * functions reserve space (grow), copy, and keep the NUL after the content; the first failure sets
 * `failed`, after which nothing is appended. Growing allocates, copies and wipes, so that no copy
 * of a secret is left behind. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

/* data of a buffer without memory. Never written to, since cap is 0 then. */
static char empty[1];

void igt__buf_init(igt__buf *buf, size_t max) {
  *buf = (igt__buf){.data = empty, .max = max};
}

static void release(igt__buf *buf) {
  if (buf->data != empty)
    igt__free(buf->data);
  igt__buf_init(buf, buf->max);
}

void igt__buf_finish(igt__buf *buf) {
  release(buf);
}

void igt__buf_finish_wipe(igt__buf *buf) {
  if (buf->cap)
    igt__wipe(buf->data, buf->cap);
  release(buf);
}

void igt__buf_clear(igt__buf *buf) {
  buf->len = 0;
  buf->failed = false;
  buf->too_long = false;
  if (buf->cap)
    buf->data[0] = '\0';
}

void igt__buf_wipe(igt__buf *buf) {
  if (buf->cap)
    igt__wipe(buf->data, buf->cap);
  igt__buf_clear(buf);
}

static bool fail(igt__buf *buf, bool too_long) {
  buf->failed = true;
  buf->too_long = too_long;
  return false;
}

/* Not realloc, which would leave the old block, possibly with a secret, unwiped. */
static bool grow(igt__buf *buf, size_t cap) {
  char *data = igt__malloc(cap);

  if (!data)
    return fail(buf, false);
  memcpy(data, buf->data, buf->len);
  data[buf->len] = '\0';
  if (buf->cap) {
    igt__wipe(buf->data, buf->len);
    igt__free(buf->data);
  }
  buf->data = data;
  buf->cap = cap;
  return true;
}

bool igt__buf_reserve(igt__buf *buf, size_t more) {
  if (buf->failed)
    return false;
  if (more > buf->max - buf->len || more > SIZE_MAX - buf->len - 1)
    return fail(buf, true);
  size_t need = buf->len + more + 1;
  if (need <= buf->cap)
    return true;
  size_t cap = buf->cap ? buf->cap : 64;
  while (cap < need) /* reaches the size of headers in few steps */
    cap = cap > SIZE_MAX / 4 ? need : cap * (cap < 4096 ? 4 : 2);
  return grow(buf, cap);
}

bool igt__buf_append(igt__buf *buf, const void *data, size_t n) {
  if (!igt__buf_reserve(buf, n))
    return false;
  if (n)
    memcpy(buf->data + buf->len, data, n);
  buf->len += n;
  buf->data[buf->len] = '\0';
  return true;
}

bool igt__buf_puts(igt__buf *buf, const char *s) {
  return igt__buf_append(buf, s, strlen(s));
}

bool igt__buf_join(igt__buf *buf, const char *s, ...) {
  va_list more;

  va_start(more, s);
  for (; s; s = va_arg(more, const char *))
    igt__buf_puts(buf, s);
  va_end(more);
  return !buf->failed;
}

bool igt__buf_putc(igt__buf *buf, char c) {
  if (buf->failed || buf->len + 2 > buf->cap || buf->len >= buf->max)
    return igt__buf_append(buf, &c, 1);
  buf->data[buf->len++] = c;
  buf->data[buf->len] = '\0';
  return true;
}

bool igt__buf_printf(igt__buf *buf, const char *fmt, ...) {
  size_t space = buf->failed ? 0 : buf->cap - buf->len;
  va_list args;

  va_start(args, fmt);
  int n = vsnprintf(space ? buf->data + buf->len : NULL, space, fmt, args);
  va_end(args);
  if (n >= 0 && (size_t)n < space && (size_t)n <= buf->max - buf->len) {
    buf->len += (size_t)n;
    return true;
  }
  if (space)
    buf->data[buf->len] = '\0'; /* undo a partial append */
  if (n < 0)
    return fail(buf, false);
  if (!igt__buf_reserve(buf, (size_t)n))
    return false;
  va_start(args, fmt);
  vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, args);
  va_end(args);
  buf->len += (size_t)n;
  return true;
}

char *igt__buf_take(igt__buf *buf) {
  if (buf->failed || !igt__buf_reserve(buf, 0)) {
    igt__buf_finish(buf);
    return NULL;
  }
  char *data = buf->data;
  igt__buf_init(buf, buf->max);
  return data;
}
