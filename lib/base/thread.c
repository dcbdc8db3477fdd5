/* SPDX-License-Identifier: MIT */
/* Threads with names, timed waits on the monotonic clock, and completions. The loops (lib/http),
 * the pools of a transfer and the sandbox start their threads here; whatever waits for a request
 * that runs on a loop waits for a completion. */
#include "thread.h"

#include <errno.h>

#include "igtcloud/client.h"
#include "mem.h"
#include "os/os.h"

typedef struct start {
  const char *name;
  void *(*fn)(void *arg);
  void *arg;
} start;

/* A thread names itself with one system call; another thread would write to a file in /proc. */
static void *run(void *arg) {
  start own = *(start *)arg;

  igt__free(arg);
  (void)pthread_setname_np(pthread_self(), own.name);
  return own.fn(own.arg);
}

static int create(pthread_t *thread, size_t stack, bool detached, start *s) {
  igt__os_signals before;
  pthread_attr_t attr;

  igt__os_block_signals(&before);
  (void)pthread_attr_init(&attr);
  if (stack)
    (void)pthread_attr_setstacksize(&attr, stack);
  if (detached)
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  int os_error = pthread_create(thread, &attr, run, s);
  (void)pthread_attr_destroy(&attr);
  igt__os_unblock_signals(&before);
  return os_error;
}

int igt__thread_start(pthread_t *thread, const char *name, size_t stack, void *(*fn)(void *arg),
                      void *arg) {
  start *s = igt__malloc(sizeof *s);
  pthread_t unused;

  if (!s)
    return ENOMEM;
  *s = (start){name, fn, arg};
  int os_error = create(thread ? thread : &unused, stack, !thread, s);
  if (os_error)
    igt__free(s);
  return os_error;
}

void igt__cond_init(pthread_cond_t *cond) {
  igt__os_cond_init(cond);
}

struct timespec igt__deadline(unsigned ms) {
  struct timespec deadline;

  (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += (time_t)(ms / 1000);
  deadline.tv_nsec += (long)(ms % 1000) * 1000000;
  deadline.tv_sec += deadline.tv_nsec / 1000000000;
  deadline.tv_nsec %= 1000000000;
  return deadline;
}

bool igt__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                          const struct timespec *deadline) {
  return igt__os_cond_wait_until(cond, lock, deadline);
}

bool igt__cond_wait_for(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms) {
  struct timespec deadline = igt__deadline(ms);

  return igt__cond_wait_until(cond, lock, &deadline);
}

/* ---- waits of blocking calls ---- */

/* A user who pressed Ctrl-C does not notice the delay, and a call that takes less never pays. */
#define HOOK_MS 50

static _Thread_local struct {
  void (*fn)(void *payload);
  void *payload;
  unsigned suspended;
} wait_hook;

void igt_wait_hook_set(void (*fn)(void *payload), void *payload) {
  wait_hook.fn = fn;
  wait_hook.payload = payload;
}

void igt__wait_hook_suspend(void) {
  wait_hook.suspended++;
}

void igt__wait_hook_resume(void) {
  wait_hook.suspended--;
}

static bool is_hooked(void) {
  return wait_hook.fn && !wait_hook.suspended;
}

static void call_hook_unlocked(pthread_mutex_t *lock) {
  pthread_mutex_unlock(lock);
  wait_hook.fn(wait_hook.payload);
  pthread_mutex_lock(lock);
}

void igt__cond_wait_hooked(pthread_cond_t *cond, pthread_mutex_t *lock) {
  if (!is_hooked())
    pthread_cond_wait(cond, lock);
  else if (!igt__cond_wait_for(cond, lock, HOOK_MS))
    call_hook_unlocked(lock);
}

/* ---- completions ---- */

void igt__completion_init(igt__completion *completion) {
  (void)pthread_mutex_init(&completion->lock, NULL);
  igt__cond_init(&completion->changed);
  completion->done = false;
  completion->status = IGT_OK;
}

void igt__completion_set(igt__completion *completion, igt_status status, const igt_error *err) {
  pthread_mutex_lock(&completion->lock);
  completion->done = true;
  completion->status = status;
  if (status != IGT_OK && err)
    igt__error_keep(&completion->err, err);
  else
    igt__error_clear(&completion->err);
  pthread_cond_signal(&completion->changed);
  pthread_mutex_unlock(&completion->lock);
}

/* Returns the milliseconds that it may have waited. */
static unsigned wait_slice(igt__completion *completion, unsigned ms) {
  unsigned slice = is_hooked() && ms > HOOK_MS ? HOOK_MS : ms;
  struct timespec deadline = igt__deadline(slice);
  bool in_time = true;

  while (!completion->done && in_time)
    in_time = igt__cond_wait_until(&completion->changed, &completion->lock, &deadline);
  if (!completion->done && is_hooked())
    call_hook_unlocked(&completion->lock);
  return slice;
}

bool igt__completion_wait_for(igt__completion *completion, unsigned ms) {
  bool done;

  pthread_mutex_lock(&completion->lock);
  while (!completion->done && ms > 0)
    ms -= wait_slice(completion, ms);
  done = completion->done;
  pthread_mutex_unlock(&completion->lock);
  return done;
}

igt_status igt__completion_finish(igt__completion *completion, igt_error *err) {
  pthread_mutex_lock(&completion->lock);
  while (!completion->done)
    igt__cond_wait_hooked(&completion->changed, &completion->lock);
  pthread_mutex_unlock(&completion->lock);
  (void)pthread_cond_destroy(&completion->changed);
  (void)pthread_mutex_destroy(&completion->lock);
  if (completion->status != IGT_OK && err)
    igt__error_copy(err, &completion->err);
  return completion->status;
}
