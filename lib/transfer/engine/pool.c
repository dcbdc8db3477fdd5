/* SPDX-License-Identifier: MIT */
/* A pool of threads that may block. Tasks are queued in order; a thread is started when a task
 * finds none idle, up to the maximum, and igt__pool_limit can lower the number of concurrent tasks
 * later. The first thread is started with the pool, because running a task on its caller's thread
 * could deadlock a loop. Each run creates its pools in run.c; those of single files share the
 * client's (igt__pool_share): three threads for each file would cost more than a small file. */
#include "transfer/engine/pool.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"

struct task {
  struct task *next;
  igt__task_fn fn;
  void *arg;
  igt__pool *owner; /* a shared pool, which waits for it; NULL: none */
};

struct igt__pool {
  const char *name;      /* of its threads */
  igt__pool *threads_of; /* a shared pool's; the other members but lock, wake, waiting are unused */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  IGT__QUEUE(struct task) tasks;
  size_t waiting;
  unsigned idle, count, max;
  unsigned busy, limit; /* running tasks, and their limit */
  bool closing;
  pthread_t threads[];
};

static struct task *take_locked(igt__pool *pool) {
  pool->waiting--;
  return igt__queue_take(&pool->tasks);
}

static bool may_take_locked(const igt__pool *pool) {
  return pool->tasks.first && pool->busy < pool->limit;
}

static void end_shared(igt__pool *pool) {
  pthread_mutex_lock(&pool->lock);
  if (--pool->waiting == 0)
    pthread_cond_signal(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

static void run_task(struct task *task) {
  igt__pool *owner = task->owner;

  task->fn(task->arg);
  igt__free(task);
  if (owner)
    end_shared(owner);
}

static void *job(void *arg) {
  igt__pool *pool = arg;

  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!may_take_locked(pool) && (pool->tasks.first || !pool->closing)) {
      pool->idle++;
      pthread_cond_wait(&pool->wake, &pool->lock);
      pool->idle--;
    }
    if (!pool->tasks.first)
      break;
    struct task *task = take_locked(pool);
    pool->busy++;
    pthread_mutex_unlock(&pool->lock);
    run_task(task);
    pthread_mutex_lock(&pool->lock);
    pool->busy--;
  }
  pthread_cond_broadcast(&pool->wake); /* queued ones finish, too */
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static bool start_thread_locked(igt__pool *pool) {
  int os_error =
      igt__thread_start(&pool->threads[pool->count], pool->name, IGT__THREAD_STACK, job, pool);

  pool->count += os_error == 0;
  return os_error == 0;
}

igt__pool *igt__pool_new(const char *name, unsigned max_threads) {
  igt__pool *pool = igt__calloc(1, sizeof *pool + max_threads * sizeof(pthread_t));

  if (!pool)
    return NULL;
  (void)pthread_mutex_init(&pool->lock, NULL);
  (void)pthread_cond_init(&pool->wake, NULL);
  pool->name = name;
  igt__queue_init(&pool->tasks);
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

igt__pool *igt__pool_share(igt__pool *threads) {
  igt__pool *pool = igt__calloc(1, sizeof *pool);

  if (!pool)
    return NULL;
  (void)pthread_mutex_init(&pool->lock, NULL);
  (void)pthread_cond_init(&pool->wake, NULL);
  pool->threads_of = threads;
  return pool;
}

static void add_task(igt__pool *pool, struct task *task) {
  pthread_mutex_lock(&pool->lock);
  igt__queue_add(&pool->tasks, task);
  pool->waiting++;
  if (pool->idle < pool->waiting && pool->count < pool->limit)
    (void)start_thread_locked(pool); /* else the existing ones will run it */
  pthread_cond_signal(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

static void add_shared(igt__pool *pool, struct task *task) {
  pthread_mutex_lock(&pool->lock);
  pool->waiting++;
  pthread_mutex_unlock(&pool->lock);
  task->owner = pool;
  add_task(pool->threads_of, task);
}

void igt__pool_add(igt__pool *pool, igt__task_fn fn, void *arg) {
  struct task *task = igt__malloc(sizeof *task);

  if (!task) {
    fn(arg);
    return;
  }
  *task = (struct task){NULL, fn, arg, NULL};
  if (pool->threads_of)
    add_shared(pool, task);
  else
    add_task(pool, task);
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

void igt__pool_free(igt__pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->lock);
  while (pool->threads_of && pool->waiting > 0)
    pthread_cond_wait(&pool->wake, &pool->lock);
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
