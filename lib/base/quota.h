/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_QUOTA_H
#define IGT_BASE_QUOTA_H

/* Limits memory whose size others determine: a server's lists, the entries of a folder. Arenas and
 * maps take their memory from a quota and return it when they are freed. A quota may be part of a
 * larger one, such as that of a whole transfer, which must have the memory as well. Thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct igt__quota {
  struct igt__quota *whole; /* the larger quota; NULL: none */
  uint64_t most;            /* bytes */
  uint64_t used;            /* atomic */
  bool refused;             /* atomic; a request was refused */
} igt__quota;

void igt__quota_init(igt__quota *quota, uint64_t most, igt__quota *whole);
/* Limit: the smaller of `most` and half of the memory available to the process (that of the
 * machine, its container, `ulimit -v`). */
void igt__quota_init_fair(igt__quota *quota, uint64_t most);
/* Half of a larger quota, so that one endless list leaves some for the others. */
void igt__quota_init_part(igt__quota *quota, igt__quota *whole);
/* False: not enough left. quota NULL: unlimited. */
bool igt__quota_take(igt__quota *quota, size_t n);
void igt__quota_give(igt__quota *quota, size_t n);
uint64_t igt__quota_used(const igt__quota *quota);
/* Whether an allocation that failed did so because of the quota. */
bool igt__quota_refused(const igt__quota *quota);

#endif
