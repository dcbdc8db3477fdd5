/* SPDX-License-Identifier: MIT */
#include "mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

static const igt__mem_hooks system_hooks = {malloc, realloc, free};
static igt__mem_hooks hooks = {malloc, realloc, free};

void igt__mem_set_hooks(const igt__mem_hooks *replacement) {
  hooks = replacement ? *replacement : system_hooks;
}

void *igt__malloc(size_t size) {
  return hooks.alloc(size ? size : 1);
}

void *igt__calloc(size_t count, size_t size) {
  size_t total;

  if (__builtin_mul_overflow(count, size, &total))
    return NULL;
  void *p = igt__malloc(total);
  if (p)
    memset(p, 0, total);
  return p;
}

void *igt__realloc(void *p, size_t size) {
  return hooks.resize(p, size ? size : 1);
}

char *igt__strdup(const char *s) {
  return s ? igt__strndup(s, strlen(s)) : NULL;
}

char *igt__strndup(const char *s, size_t n) {
  n = strnlen(s, n);
  char *copy = igt__malloc(n + 1);
  if (!copy)
    return NULL;
  memcpy(copy, s, n);
  copy[n] = '\0';
  return copy;
}

void igt__free(void *p) {
  if (p)
    hooks.release(p);
}

void igt__wipe(void *p, size_t n) {
  if (p && n)
    igt__os_wipe(p, n);
}

const char *igt__mem_find(const char *in, size_t n, const char *what, size_t m) {
  for (size_t at = 0; m > 0 && m <= n - at; at++) {
    const char *p = memchr(in + at, what[0], n - at - m + 1);

    if (!p || memcmp(p, what, m) == 0)
      return p;
    at = (size_t)(p - in);
  }
  return NULL;
}
