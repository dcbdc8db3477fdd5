/* SPDX-License-Identifier: MIT */
/* curl's memory. It builds each request, tokens and passwords in it, in memory that it frees as it
 * is, so that memory is overwritten first. And it frees the two large buffers of a transfer after
 * each request: overwriting them, and the kernel's pages that come and go with them, were a
 * seventh of the time of a file of 32 KiB. They are kept for the next request instead. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/internal.h"

/* curl asks for one byte more than it was told. */
#define KEPT_SIZE ((size_t)IGT__BULK_BUFFER + 1)
/* As the default of connections: each has one buffer for what comes, or two with one for what goes.
 */
#define KEPT_MOST 64

static struct {
  pthread_mutex_t lock;
  size_t count;
  void *kept[KEPT_MOST];
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_kept_size(size_t n) {
  return n >= IGT__BULK_BUFFER && n < IGT__BULK_BUFFER + 16384u;
}

static void *take_spare(void) {
  void *p = NULL;

  pthread_mutex_lock(&spare.lock);
  if (spare.count > 0)
    p = spare.kept[--spare.count];
  pthread_mutex_unlock(&spare.lock);
  return p;
}

static bool give_spare(void *p) {
  bool kept;

  pthread_mutex_lock(&spare.lock);
  kept = spare.count < KEPT_MOST;
  if (kept)
    spare.kept[spare.count++] = p;
  pthread_mutex_unlock(&spare.lock);
  return kept;
}

static void *get(size_t n) {
  void *p = is_kept_size(n) && n <= KEPT_SIZE ? take_spare() : NULL;

  return p ? p : malloc(is_kept_size(n) && n < KEPT_SIZE ? KEPT_SIZE : n);
}

/* A large buffer carries files and lists, and what is secret there, header lines, is shorter than
 * IGT__BULK_HEAD (see set_buffers): the rest of it holds no secret. */
static void wipe_and_free(void *p) {
  size_t n = p ? malloc_usable_size(p) : 0;

  if (n >= KEPT_SIZE && is_kept_size(n)) {
    igt__wipe(p, IGT__BULK_HEAD);
    if (give_spare(p))
      return;
  }
  igt__wipe(p, n);
  free(p);
}

static void *move_and_wipe(void *p, size_t n) {
  size_t old = p ? malloc_usable_size(p) : 0;
  void *moved;

  if (p && n <= old && n >= old / 2)
    return p;
  moved = get(n ? n : 1);
  if (!moved)
    return NULL;
  if (p)
    memcpy(moved, p, old < n ? old : n);
  wipe_and_free(p);
  return moved;
}

void igt__curl_init_memory(void) {
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, get, wipe_and_free, move_and_wipe, strdup, calloc);
}

void igt__curl_trim(void) {
  void *p;

  while ((p = take_spare()) != NULL) {
    igt__wipe(p, malloc_usable_size(p));
    free(p);
  }
}
