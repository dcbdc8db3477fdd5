/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_FREE_LIST_H
#define IGT_BASE_FREE_LIST_H

/* Freed memory that is kept for the next request: for blocks that are allocated and freed with each
 * request and are too large for the C library's per-thread caches. Thread-safe. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct igt__free_list {
  pthread_mutex_t lock;
  size_t count, most;
  void *first;
} igt__free_list;

#define IGT__FREE_LIST_INIT(how_many)                                                              \
  { .lock = PTHREAD_MUTEX_INITIALIZER, .most = (how_many) }

/* Address sanitizer should see use after free, so nothing is kept then. */
#if defined(__SANITIZE_ADDRESS__)
#define IGT__FREE_LIST_KEPT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IGT__FREE_LIST_KEPT 0
#endif
#endif
#ifndef IGT__FREE_LIST_KEPT
#define IGT__FREE_LIST_KEPT 1
#endif

void *igt__free_list_take(igt__free_list *free_list); /* NULL: the list is empty */
/* False: the list is full, or keeping is disabled, and p still belongs to the caller. While a block
 * is on the list, its first bytes (the size of a pointer) are overwritten. */
bool igt__free_list_give(igt__free_list *free_list, void *p);

#endif
