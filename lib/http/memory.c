/* SPDX-License-Identifier: MIT */
/* curl's memory. It builds each request, tokens and passwords in it, in memory that it frees as it
 * is, so that memory is overwritten first. And it frees the large buffer of a transfer after each
 * request: overwriting them, and the kernel's pages that come and go with them, were a
 * seventh of the time of a file of 32 KiB. They are kept for the next request instead. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/free_list.h"
#include "base/mem.h"
#include "http/internal.h"

/* curl asks for one byte more than it was told. */
#define KEPT_SIZE ((size_t)IGT__BULK_BUFFER + 1)
/* As the default of connections. */
#define KEPT_MOST 128

static igt__free_list spare = IGT__FREE_LIST_INIT(KEPT_MOST);

static void *get(size_t n) {
  void *p;

  if (n != IGT__BULK_BUFFER && n != KEPT_SIZE)
    return malloc(n);
  p = igt__free_list_take(&spare);
  return p ? p : malloc(KEPT_SIZE);
}

/* By what the C library made of KEPT_SIZE. */
static bool is_kept_size(size_t usable) {
  return usable >= KEPT_SIZE && usable < KEPT_SIZE + 64;
}

/* A large buffer carries files and lists, and what is secret there, header lines, is shorter than
 * IGT__BULK_HEAD (see set_buffers): the rest of it holds no secret. */
static void wipe_and_free(void *p) {
  size_t n = p ? malloc_usable_size(p) : 0;

  if (is_kept_size(n)) {
    igt__wipe(p, IGT__BULK_HEAD);
    if (igt__free_list_give(&spare, p))
      return;
  }
  igt__wipe(p, n);
  free(p);
}

/* What grows will grow again: curl doubles its buffers, from 32 bytes on. */
static size_t with_space(size_t n) {
  return n < 1024 ? n * 4 : n;
}

static void *move_and_wipe(void *p, size_t n) {
  size_t old = p ? malloc_usable_size(p) : 0;
  void *moved;

  if (p && n <= old)
    return p;
  moved = get(p ? with_space(n) : n ? n : 1);
  if (!moved)
    return NULL;
  if (p)
    memcpy(moved, p, old);
  wipe_and_free(p);
  return moved;
}

void igt__curl_init_memory(void) {
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, get, wipe_and_free, move_and_wipe, strdup, calloc);
}

void igt__curl_trim(void) {
  void *p;

  while ((p = igt__free_list_take(&spare)) != NULL) {
    igt__wipe(p, malloc_usable_size(p));
    free(p);
  }
}
