/* SPDX-License-Identifier: MIT */
/* A pool of threads that may block. Tasks are queued in order; a thread is started when a task
 * finds none idle, up to the maximum, and igt__pool_limit can lower the number of concurrent tasks
 * later. The first thread is started with the pool, because running a task on its caller's thread
 * could deadlock a loop. Each run creates its pools in run.c. */
#include "transfer/engine/pool.h"

#include <pthread.h>
#include <signal.h>

#include "base/mem.h"

/* Tasks call libcurl's blocking wait, OpenSSL and SQLite; none recurses deeply. */
#define STACK_BYTES (512u * 1024)

struct task {
  struct task *next;
  igt__task_fn fn;
  void *arg;
};

struct igt__pool {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  struct task *head, **tail;
  size_t waiting;
  unsigned idle, count, max;
  unsigned busy, limit; /* running tasks, and their limit */
  bool closing;
  pthread_t threads[];
};

static struct task *take_locked(igt__pool *pool) {
  struct task *task = pool->head;

  pool->head = task->next;
  if (!pool->head)
    pool->tail = &pool->head;
  pool->waiting--;
  return task;
}

static bool may_take_locked(const igt__pool *pool) {
  return pool->head && pool->busy < pool->limit;
}

static void *job(void *arg) {
  igt__pool *pool = arg;

  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!may_take_locked(pool) && (pool->head || !pool->closing)) {
      pool->idle++;
      pthread_cond_wait(&pool->wake, &pool->lock);
      pool->idle--;
    }
    if (!pool->head)
      break;
    struct task *task = take_locked(pool);
    pool->busy++;
    pthread_mutex_unlock(&pool->lock);
    task->fn(task->arg);
    igt__free(task);
    pthread_mutex_lock(&pool->lock);
    pool->busy--;
  }
  pthread_cond_broadcast(&pool->wake); /* queued ones finish, too */
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

/* A library's threads leave signals to the program. */
static bool start_thread_locked(igt__pool *pool) {
  sigset_t all, old;
  pthread_attr_t attr;
  int rc;

  sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  (void)pthread_attr_init(&attr);
  (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
  rc = pthread_create(&pool->threads[pool->count], &attr, job, pool);
  (void)pthread_attr_destroy(&attr);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (rc == 0)
    pool->count++;
  return rc == 0;
}

igt__pool *igt__pool_new(unsigned max_threads) {
  igt__pool *pool = igt__calloc(1, sizeof *pool + max_threads * sizeof(pthread_t));

  if (!pool)
    return NULL;
  (void)pthread_mutex_init(&pool->lock, NULL);
  (void)pthread_cond_init(&pool->wake, NULL);
  pool->tail = &pool->head;
  pool->max = pool->limit = max_threads;
  /* Start the first thread now: a task without a thread would run on its caller's, which may be a
   * loop that the task waits for. */
  if (!start_thread_locked(pool)) {
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->lock);
    igt__free(pool);
    return NULL;
  }
  return pool;
}

void igt__pool_add(igt__pool *pool, igt__task_fn fn, void *arg) {
  struct task *task = igt__malloc(sizeof *task);
  bool run_here = !task;

  if (task) {
    *task = (struct task){NULL, fn, arg};
    pthread_mutex_lock(&pool->lock);
    *pool->tail = task;
    pool->tail = &task->next;
    pool->waiting++;
    if (pool->idle < pool->waiting && pool->count < pool->limit)
      (void)start_thread_locked(pool); /* else the existing ones will run it */
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
  if (run_here) {
    igt__free(task);
    fn(arg);
  }
}

void igt__pool_limit(igt__pool *pool, unsigned tasks) {
  unsigned limit = tasks < 1 ? 1 : tasks < pool->max ? tasks : pool->max;

  pthread_mutex_lock(&pool->lock);
  if (limit > pool->limit) {
    pool->limit = limit;
    for (size_t n = pool->idle; n < pool->waiting && pool->count < limit; n++)
      if (!start_thread_locked(pool))
        break;
    pthread_cond_broadcast(&pool->wake);
  }
  pool->limit = limit;
  pthread_mutex_unlock(&pool->lock);
}

size_t igt__pool_waiting(igt__pool *pool) {
  size_t n;

  pthread_mutex_lock(&pool->lock);
  n = pool->waiting;
  pthread_mutex_unlock(&pool->lock);
  return n;
}

void igt__pool_free(igt__pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->lock);
  pool->closing = true;
  pthread_cond_broadcast(&pool->wake);
  for (unsigned i = 0; i < pool->count; i++) {
    pthread_t thread = pool->threads[i];
    pthread_mutex_unlock(&pool->lock);
    (void)pthread_join(thread, NULL);
    pthread_mutex_lock(&pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  (void)pthread_cond_destroy(&pool->wake);
  (void)pthread_mutex_destroy(&pool->lock);
  igt__free(pool);
}
