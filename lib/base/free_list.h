/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_SPARES_H
#define IGT_BASE_SPARES_H

/* Memory that is over, kept for the next that needs as much: for what is made and freed for each
 * request and is too large for what the C library keeps for each thread. From any thread. */

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

/* The sanitizer of addresses is to see what is used after its end: then nothing is kept. */
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

void *igt__free_list_take(igt__free_list *free_list); /* NULL: there is none */
/* False: there are enough, or none are kept, and p stays the caller's. While it is kept, the first
 * bytes of it, as many as a pointer has, are not its own. */
bool igt__free_list_give(igt__free_list *free_list, void *p);

#endif
