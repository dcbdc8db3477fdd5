/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_BUF_H
#define IGT_BASE_BUF_H

/* A growing byte buffer with a maximum that is set at creation. The content is always followed by a
 * NUL that does not count, so data is a C string too. After a failure the buffer is in state
 * `failed`, and further appends fail without effect: check once at the end. */

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

typedef struct igt__buf {
  char *data; /* never NULL: "" when empty */
  size_t len;
  size_t cap;
  size_t max;
  bool failed;   /* no memory, or max exceeded */
  bool too_long; /* failed because max was exceeded */
} igt__buf;

void igt__buf_init(igt__buf *buf, size_t max);
void igt__buf_finish(igt__buf *buf);      /* frees the memory; the buffer is empty again */
void igt__buf_finish_wipe(igt__buf *buf); /* for secrets; growing wipes them as well */
void igt__buf_clear(igt__buf *buf);       /* len 0, memory kept, failed reset */
void igt__buf_wipe(igt__buf *buf);        /* same, and wipes the content */
bool igt__buf_append(igt__buf *buf, const void *data, size_t n);
bool igt__buf_puts(igt__buf *buf, const char *s);
/* The arguments end with NULL. */
bool igt__buf_join(igt__buf *buf, const char *s, ...) __attribute__((sentinel));
bool igt__buf_putc(igt__buf *buf, char c);
bool igt__buf_printf(igt__buf *buf, const char *fmt, ...) IGT_PRINTF(2, 3);
bool igt__buf_reserve(igt__buf *buf, size_t more);
char *igt__buf_take(igt__buf *buf); /* to be freed with igt__free; NULL if failed */

#endif
