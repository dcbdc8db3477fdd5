/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_POOL_H
#define IGT_TRANSFER_POOL_H

/* Threads that may block: they ask the API, hash what goes up, verify what came down. Threads are
 * made when there is work for them, up to the maximum. */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct igt__pool igt__pool;
typedef void (*igt__task_fn)(void *arg);

igt__pool *igt__pool_new(unsigned max_threads); /* NULL: no memory, or no thread */
/* Runs fn(arg) soon, in order of adding; never blocks. Without memory it runs at once, on the
 * caller's thread. */
void igt__pool_add(igt__pool *pool, igt__task_fn fn, void *arg);
/* No more than so many tasks at once from now on, and one at least; what runs is not ended. Without
 * it, and at most, as many as there may be threads. */
void igt__pool_limit(igt__pool *pool, unsigned tasks);
/* Tasks added and not begun: producers wait while it is high. */
size_t igt__pool_waiting(igt__pool *pool);
/* Runs what was added, also while this goes on, joins and frees. */
void igt__pool_free(igt__pool *pool);

#endif
