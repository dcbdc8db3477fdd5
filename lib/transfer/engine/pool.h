/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_POOL_H
#define IGT_TRANSFER_POOL_H

/* A pool of threads that may block: API calls, hashing of uploads, verification of downloads.
 * Threads are created on demand, up to the maximum. */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct igt__pool igt__pool;
typedef void (*igt__task_fn)(void *arg);

/* name: of its threads, a literal of at most 15 bytes. NULL: no memory, or no thread. */
igt__pool *igt__pool_new(const char *name, unsigned max_threads);
/* A pool whose tasks the threads of `threads` run, which must outlive it: for work that is over
 * sooner than threads are started. No limit of its own. NULL: no memory. */
igt__pool *igt__pool_share(igt__pool *threads);
/* Runs fn(arg) soon, in order of adding; never blocks. Without memory it runs immediately, on the
 * caller's thread. */
void igt__pool_add(igt__pool *pool, igt__task_fn fn, void *arg);
/* Limits the number of concurrent tasks, to at least one; running tasks are not affected. The
 * default and the maximum is the number of threads. */
void igt__pool_limit(igt__pool *pool, unsigned tasks);
/* Runs all added tasks, including those added meanwhile, then joins and frees. Of a shared pool:
 * waits for its own tasks. */
void igt__pool_free(igt__pool *pool);

#endif
