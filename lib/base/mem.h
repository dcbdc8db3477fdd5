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

/* NULL goes back to malloc, realloc and free. Not while other threads allocate. */
void igt__mem_set_hooks(const igt__mem_hooks *hooks);

void *igt__malloc(size_t size);               /* NULL when there is none */
void *igt__calloc(size_t count, size_t size); /* zeroed; NULL on overflow too */
void *igt__realloc(void *p, size_t size);     /* on NULL the old block stays */
char *igt__strdup(const char *s);             /* NULL for NULL */
char *igt__strndup(const char *s, size_t n);  /* stops at a NUL as strndup does */
void igt__free(void *p);                      /* NULL is fine */
void igt__wipe(void *p, size_t n);            /* zeroes what the compiler may not leave out */

#endif
