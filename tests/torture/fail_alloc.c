/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: of the allocations made by the program's own code, the FAIL_AT-th fails, and up
 * to FAIL_MANY in a row (1); of the threads it starts, the FAIL_THREAD-th and all later ones.
 * Those of other libraries succeed. FAIL_COUNT names a file that receives the number of allocations
 * at the end. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
#pragma GCC visibility push(default)
void *malloc(size_t n);
void *calloc(size_t number, size_t n);
void *realloc(void *p, size_t n);
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                   void *arg);
#pragma GCC visibility pop

static uintptr_t program_begin, program_end;
static unsigned long fail_at;
static unsigned long fail_many = 1;
static unsigned long fail_thread;
static _Atomic unsigned long count, threads;

/* The first object is the program. */
static int find_program(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size, (void)arg;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
      program_begin = info->dlpi_addr + p->p_vaddr;
      program_end = program_begin + p->p_memsz;
    }
  }
  return 1;
}

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("FAIL_AT");

  fail_at = at ? strtoul(at, NULL, 10) : 0;
  if (getenv("FAIL_MANY"))
    fail_many = strtoul(getenv("FAIL_MANY"), NULL, 10);
  if (getenv("FAIL_THREAD"))
    fail_thread = strtoul(getenv("FAIL_THREAD"), NULL, 10);
  dl_iterate_phdr(find_program, NULL);
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAIL_COUNT");
  char text[32];
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

  if (fd < 0)
    return;
  (void)!write(fd, text, (size_t)snprintf(text, sizeof text, "%lu", atomic_load(&count)));
  close(fd);
}

static int must_fail(void *caller) {
  uintptr_t at = (uintptr_t)caller;
  unsigned long n;

  if (at < program_begin || at >= program_end)
    return 0;
  n = atomic_fetch_add(&count, 1) + 1;
  if (fail_at == 0 || n < fail_at || n >= fail_at + fail_many)
    return 0;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t n) {
  return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t number, size_t n) {
  return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(number, n);
}

void *realloc(void *p, size_t n) {
  return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                   void *arg) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  uintptr_t at = (uintptr_t)__builtin_return_address(0);

  if (at >= program_begin && at < program_end && fail_thread &&
      atomic_fetch_add(&threads, 1) + 1 >= fail_thread)
    return EAGAIN;
  if (!real)
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, fn, arg);
}
