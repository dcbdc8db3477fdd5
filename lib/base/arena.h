/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_ARENA_H
#define IGT_BASE_ARENA_H

/* Memory that is freed all at once. Each arena belongs to one result; not thread-safe. */

#include <stddef.h>

#include "error.h"
#include "quota.h"

typedef struct igt__arena igt__arena;

igt__arena *igt__arena_new(size_t first_block); /* 0: a small default; NULL: no memory */
void igt__arena_free(igt__arena *arena);
/* Call while the arena is empty: limits it to `most` bytes, which also count against a larger quota
 * (NULL: none). An allocation beyond the limit fails like one without memory; _is_full tells the
 * two apart. */
void igt__arena_bound(igt__arena *arena, uint64_t most, igt__quota *whole);
bool igt__arena_is_full(const igt__arena *arena);
size_t igt__arena_held(const igt__arena *arena);        /* memory taken from the system */
void *igt__arena_alloc(igt__arena *arena, size_t size); /* aligned for any type, not zeroed */
char *igt__arena_text(igt__arena *arena, size_t size);  /* unaligned, not zeroed */
void *igt__arena_calloc(igt__arena *arena, size_t count, size_t size);
char *igt__arena_strdup(igt__arena *arena, const char *s);
char *igt__arena_strndup(igt__arena *arena, const char *s, size_t n);
char *igt__arena_printf(igt__arena *arena, const char *fmt, ...) IGT_PRINTF(2, 3);
/* Empties the arena but keeps its largest block for reuse: for streams. */
void igt__arena_reset(igt__arena *arena);

#endif
