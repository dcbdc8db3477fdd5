/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_MEM_H
#define IGT_BASE_MEM_H

/* Every allocation of the library goes through here, so that tests can fail the n-th one. */

#include <stddef.h>

typedef struct igt__mem_hooks {
  void *(*alloc)(size_t size);
  void *(*resize)(void *p, size_t size);
  void (*release)(void *p);
} igt__mem_hooks;

/* NULL restores malloc, realloc and free. Not while other threads allocate. */
void igt__mem_set_hooks(const igt__mem_hooks *replacement);

void *igt__malloc(size_t size);               /* NULL: no memory */
void *igt__calloc(size_t count, size_t size); /* zeroed; NULL also on overflow */
void *igt__realloc(void *p, size_t size);     /* if NULL, the old block remains valid */
char *igt__strdup(const char *s);             /* NULL returns NULL */
char *igt__strndup(const char *s, size_t n);  /* stops at a NUL, like strndup */
void igt__free(void *p);                      /* NULL is allowed */
void igt__wipe(void *p, size_t n);            /* zeroing that the compiler must not optimise away */

/* The first place of m > 0 bytes in n; NULL: none. memmem, which not every C library has. */
const char *igt__mem_find(const char *in, size_t n, const char *what, size_t m);

#endif
