/* SPDX-License-Identifier: MIT */
/* A bump allocator: a list of blocks, the newest on top, each twice as large as the one before up
 * to LARGEST_STEP. An allocation takes the next aligned bytes of the top block, or adds a block.
 * Nothing is freed singly; igt__arena_free wipes and frees all, igt__arena_reset keeps the largest
 * block. Blocks count against the arena's quota. Holds the decoded models (lib/model) and the lists
 * of transfers (lib/transfer), and the sandbox's requests. */
#include "arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

#define DEFAULT_BLOCK ((size_t)4096)
#define LARGEST_STEP ((size_t)1024 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

typedef struct block {
  struct block *next; /* older ones */
  size_t cap;
  size_t used;
  _Alignas(max_align_t) unsigned char data[];
} block;

struct igt__arena {
  block *top;
  size_t next_cap;
  igt__quota quota;
};

static block *block_new(igt__quota *quota, size_t cap) {
  if (cap > SIZE_MAX - sizeof(block) || !igt__quota_take(quota, sizeof(block) + cap))
    return NULL;
  block *b = igt__malloc(sizeof(block) + cap);
  if (!b) {
    igt__quota_give(quota, sizeof(block) + cap);
    return NULL;
  }
  b->next = NULL;
  b->cap = cap;
  b->used = 0;
  return b;
}

igt__arena *igt__arena_new(size_t first_block) {
  igt__arena *arena = igt__calloc(1, sizeof *arena);

  if (!arena)
    return NULL;
  arena->next_cap = first_block ? first_block : DEFAULT_BLOCK;
  igt__quota_init(&arena->quota, UINT64_MAX, NULL);
  return arena;
}

void igt__arena_bound(igt__arena *arena, uint64_t most, igt__quota *whole) {
  igt__quota_init(&arena->quota, most, whole);
}

size_t igt__arena_held(const igt__arena *arena) {
  return sizeof *arena + (size_t)arena->quota.used;
}

bool igt__arena_is_full(const igt__arena *arena) {
  return igt__quota_refused(&arena->quota);
}

/* Responses contain credentials and personal data, so blocks are wiped. */
static void block_free(igt__arena *arena, block *b) {
  if (!b)
    return;
  igt__wipe(b->data, b->used);
  igt__quota_give(&arena->quota, sizeof *b + b->cap);
  igt__free(b);
}

static void free_blocks(igt__arena *arena) {
  for (block *b = arena->top, *next; b; b = next) {
    next = b->next;
    block_free(arena, b);
  }
}

void igt__arena_free(igt__arena *arena) {
  if (!arena)
    return;
  free_blocks(arena);
  igt__free(arena);
}

static bool add_block(igt__arena *arena, size_t size) {
  size_t cap = size > arena->next_cap ? size : arena->next_cap;
  block *b = block_new(&arena->quota, cap);

  if (!b)
    return false;
  if (arena->next_cap < LARGEST_STEP)
    arena->next_cap *= 2;
  b->next = arena->top;
  arena->top = b;
  return true;
}

/* size bytes at the next multiple of alignment, a power of two. */
static void *take(igt__arena *arena, size_t size, size_t alignment) {
  size_t begin = 0;

  if (size > SIZE_MAX / 2)
    return NULL;
  if (arena->top)
    begin = (arena->top->used + alignment - 1) & ~(alignment - 1);
  if (!arena->top || begin > arena->top->cap || arena->top->cap - begin < size) {
    if (!add_block(arena, size))
      return NULL;
    begin = 0;
  }
  arena->top->used = begin + size;
  return arena->top->data + begin;
}

void *igt__arena_alloc(igt__arena *arena, size_t size) {
  return take(arena, size, ALIGNMENT);
}

char *igt__arena_text(igt__arena *arena, size_t size) {
  return take(arena, size, 1);
}

void *igt__arena_calloc(igt__arena *arena, size_t count, size_t size) {
  size_t total;

  if (__builtin_mul_overflow(count, size, &total))
    return NULL;
  void *p = igt__arena_alloc(arena, total);
  if (p)
    memset(p, 0, total);
  return p;
}

char *igt__arena_strdup(igt__arena *arena, const char *s) {
  return s ? igt__arena_strndup(arena, s, strlen(s)) : NULL;
}

char *igt__arena_strndup(igt__arena *arena, const char *s, size_t n) {
  n = strnlen(s, n);
  char *copy = igt__arena_text(arena, n + 1);
  if (!copy)
    return NULL;
  memcpy(copy, s, n);
  copy[n] = '\0';
  return copy;
}

char *igt__arena_printf(igt__arena *arena, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  char *out = n < 0 ? NULL : igt__arena_text(arena, (size_t)n + 1);
  if (!out)
    return NULL;
  va_start(args, fmt);
  vsnprintf(out, (size_t)n + 1, fmt, args);
  va_end(args);
  return out;
}

void igt__arena_reset(igt__arena *arena) {
  block *largest = NULL;

  for (block *b = arena->top, *next; b; b = next) {
    next = b->next;
    if (!largest || b->cap > largest->cap) {
      block_free(arena, largest);
      largest = b;
    } else {
      block_free(arena, b);
    }
  }
  if (largest) {
    igt__wipe(largest->data, largest->used);
    largest->next = NULL;
    largest->used = 0;
  }
  arena->top = largest;
}
