/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_THREAD_H
#define IGT_BASE_THREAD_H

/* Threads of the library, waits with a limit, and waiting for one result. */

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "error.h"

/* Enough for a thread that calls libcurl, OpenSSL or SQLite and does not recurse deeply. */
#define IGT__THREAD_STACK ((size_t)512 * 1024)

/* Starts fn(arg) on a thread that debuggers, top and perf show as `name` (at most 15 bytes). It
 * blocks all signals: they belong to the program's own threads. stack: bytes; 0: the system's
 * default. thread NULL: nobody joins it. Returns 0 or an errno. */
int igt__thread_start(pthread_t *thread, const char *name, size_t stack, void *(*fn)(void *arg),
                      void *arg);

/* A condition variable whose timed waits are not affected when somebody sets the wall clock. */
void igt__cond_init(pthread_cond_t *cond);
/* A point in time ms from now, for igt__cond_wait_until. */
struct timespec igt__deadline(unsigned ms);
/* pthread_cond_timedwait on such a condition variable; false: the deadline has passed. */
bool igt__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                          const struct timespec *deadline);
/* Same, for at most ms from now. */
bool igt__cond_wait_for(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms);
/* pthread_cond_wait of a blocking call, on such a condition variable: calls the thread's hook
 * (igt_wait_hook_set) now and then, without the lock. The caller holds no other lock, and checks
 * its condition again: this may return early. */
void igt__cond_wait_hooked(pthread_cond_t *cond, pthread_mutex_t *lock);
/* No hook between these two: for what must not wait for a call that the hook might make. */
void igt__wait_hook_suspend(void);
void igt__wait_hook_resume(void);

/* The outcome of something that another thread does, for one thread that waits for it. Lives on the
 * waiting thread's stack. */
typedef struct igt__completion {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  igt_status status;
  igt_error err;
} igt__completion;

void igt__completion_init(igt__completion *completion);
/* Once. err: copied if status is an error; may be NULL. completion may be gone when it returns. */
void igt__completion_set(igt__completion *completion, igt_status status, const igt_error *err);
/* False: not done after ms; wait again. */
bool igt__completion_wait_for(igt__completion *completion, unsigned ms);
/* Waits until it is done, releases what it uses and returns the status, with *err if that is an
 * error. */
igt_status igt__completion_finish(igt__completion *completion, igt_error *err);

#endif
