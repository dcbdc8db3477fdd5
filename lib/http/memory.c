/* SPDX-License-Identifier: MIT */
/* The allocator that curl uses in igtcloud, which wipes memory before it is freed: curl builds
 * requests, including tokens and passwords, in memory that it frees without wiping. curl also frees
 * the large buffer of a transfer after each request; wiping those buffers, and mapping and
 * unmapping their pages, took a seventh of the time of a 32 KiB file. They are kept for the next
 * request instead. Installed by curl.c when libcurl is loaded; never in a host program, whose own
 * use of libcurl it would change. */
#include <stdlib.h>
#include <string.h>

#include "base/free_list.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "http/internal.h"

/* curl allocates one byte more than the size that was set. */
#define KEPT_SIZE ((size_t)IGT__BULK_BUFFER + 1)
/* Matches the default number of connections. */
#define KEPT_MOST 128

static igt__free_list free_blocks = IGT__FREE_LIST_INIT(KEPT_MOST);

static void *get(size_t n) {
  void *p;

  if (n != IGT__BULK_BUFFER && n != KEPT_SIZE)
    return malloc(n);
  p = igt__free_list_take(&free_blocks);
  return p ? p : malloc(KEPT_SIZE);
}

/* Judged by the usable size that the C library gives KEPT_SIZE. */
static bool is_kept_size(size_t usable) {
  return usable >= KEPT_SIZE && usable < KEPT_SIZE + 64;
}

/* A large buffer carries files and lists. Its only secrets are header lines, which are shorter than
 * IGT__BULK_HEAD (see set_buffers): the rest needs no wiping. */
static void wipe_and_free(void *p) {
  size_t n = p ? igt__os_usable_size(p) : 0;

  if (is_kept_size(n)) {
    igt__wipe(p, IGT__BULK_HEAD);
    if (igt__free_list_give(&free_blocks, p))
      return;
  }
  igt__wipe(p, n);
  free(p);
}

/* A block that grows will grow again: curl doubles its buffers, starting at 32 bytes. */
static size_t with_space(size_t n) {
  return n < 1024 ? n * 4 : n;
}

static void *move_and_wipe(void *p, size_t n) {
  size_t old = p ? igt__os_usable_size(p) : 0;
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

static bool own_process;

void igt__curl_own_process(void) {
  own_process = true;
}

void igt__curl_init(void) {
  if (own_process)
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, get, wipe_and_free, move_and_wipe, strdup, calloc);
  else
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void igt__curl_trim(void) {
  void *p;

  while ((p = igt__free_list_take(&free_blocks)) != NULL) {
    igt__wipe(p, igt__os_usable_size(p));
    free(p);
  }
}
