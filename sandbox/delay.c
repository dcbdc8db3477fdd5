/* SPDX-License-Identifier: MIT */
/* Delayed callbacks, used for --latency. One thread waits on a condition variable for the earliest
 * entry of a list sorted by due time, and calls each callback without holding the lock. After a
 * flush (the server is stopping) nothing is delayed any more: callbacks run at once on the caller's
 * thread. http.c is the only user. */
#include "delay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/mem.h"
#include "base/thread.h"

typedef struct delayed {
  struct timespec due;
  void (*fn)(void *arg);
  void *arg;
  struct delayed *next, *prev;
} delayed;

struct sbx_delay {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  delayed head; /* ring, sorted by due time; latency is mostly constant, so new entries go last */
  bool ended;
};

static int compare(const struct timespec *a, const struct timespec *b) {
  if (a->tv_sec != b->tv_sec)
    return a->tv_sec < b->tv_sec ? -1 : 1;
  return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

static delayed *first_locked(sbx_delay *delay) {
  return delay->head.next == &delay->head ? NULL : delay->head.next;
}

static void run_first_locked(sbx_delay *delay) {
  delayed *d = delay->head.next;

  d->prev->next = d->next;
  d->next->prev = d->prev;
  pthread_mutex_unlock(&delay->lock);
  d->fn(d->arg);
  igt__free(d);
  pthread_mutex_lock(&delay->lock);
}

static void *delay_thread(void *arg) {
  sbx_delay *delay = arg;

  pthread_mutex_lock(&delay->lock);
  while (!delay->ended) {
    delayed *d = first_locked(delay);
    if (!d) {
      pthread_cond_wait(&delay->changed, &delay->lock);
      continue;
    }
    struct timespec now, due = d->due;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (compare(&due, &now) <= 0)
      run_first_locked(delay);
    else
      (void)igt__cond_wait_until(&delay->changed, &delay->lock, &due);
  }
  pthread_mutex_unlock(&delay->lock);
  return NULL;
}

sbx_delay *sbx_delay_new(void) {
  sbx_delay *delay = igt__calloc(1, sizeof *delay);

  if (!delay)
    return NULL;
  igt__cond_init(&delay->changed);
  pthread_mutex_init(&delay->lock, NULL);
  delay->head.next = delay->head.prev = &delay->head;
  if (igt__thread_start(&delay->thread, "sbx-delay", 0, delay_thread, delay) == 0)
    return delay;
  pthread_mutex_destroy(&delay->lock);
  pthread_cond_destroy(&delay->changed);
  igt__free(delay);
  return NULL;
}

static bool insert(sbx_delay *delay, delayed *d) {
  pthread_mutex_lock(&delay->lock);
  bool ended = delay->ended;
  if (!ended) {
    delayed *before = delay->head.prev;
    while (before != &delay->head && compare(&before->due, &d->due) > 0)
      before = before->prev;
    d->prev = before;
    d->next = before->next;
    before->next->prev = d;
    before->next = d;
    if (before == &delay->head)
      pthread_cond_signal(&delay->changed);
  }
  pthread_mutex_unlock(&delay->lock);
  return !ended;
}

void sbx_delay_add(sbx_delay *delay, int ms, void (*fn)(void *arg), void *arg) {
  delayed *d = igt__malloc(sizeof *d);

  if (d) {
    *d = (delayed){.fn = fn, .arg = arg};
    d->due = igt__deadline(ms > 0 ? (unsigned)ms : 0);
    if (insert(delay, d))
      return;
    igt__free(d);
  }
  fn(arg);
}

void sbx_delay_flush(sbx_delay *delay) {
  pthread_mutex_lock(&delay->lock);
  delay->ended = true;
  pthread_cond_signal(&delay->changed);
  while (first_locked(delay))
    run_first_locked(delay);
  pthread_mutex_unlock(&delay->lock);
}

void sbx_delay_free(sbx_delay *delay) {
  if (!delay)
    return;
  sbx_delay_flush(delay);
  pthread_join(delay->thread, NULL);
  pthread_mutex_destroy(&delay->lock);
  pthread_cond_destroy(&delay->changed);
  igt__free(delay);
}
