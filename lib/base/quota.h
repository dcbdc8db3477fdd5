/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_QUOTA_H
#define IGT_BASE_QUOTA_H

/* Memory for what others decide the length of: a server's lists, the entries of a folder. Arenas
 * and maps take from a quota what they hold and give it back when they are freed. A quota may be
 * part of a larger one, such as that of a whole run, which has to have it too. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct igt__quota {
  struct igt__quota *whole; /* that it is part of; NULL: none */
  uint64_t most;            /* bytes */
  uint64_t used;            /* atomic */
  bool refused;             /* atomic; something did not fit any more */
} igt__quota;

void igt__quota_init(igt__quota *quota, uint64_t most, igt__quota *whole);
/* For what is not worth more of the machine: most, or half of what the process may have at all, if
 * that is less (of the machine, its container, `ulimit -v`). */
void igt__quota_init_fair(igt__quota *quota, uint64_t most);
/* Half of a whole: so that what has no end leaves the others something. */
void igt__quota_init_part(igt__quota *quota, igt__quota *whole);
/* False: there is not so much left. quota NULL: without bound. */
bool igt__quota_take(igt__quota *quota, size_t n);
void igt__quota_give(igt__quota *quota, size_t n);
uint64_t igt__quota_used(const igt__quota *quota);
/* Whether what failed for want of memory failed because of the quota. */
bool igt__quota_refused(const igt__quota *quota);

#endif
