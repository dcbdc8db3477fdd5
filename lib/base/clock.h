/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_CLOCK_H
#define IGT_BASE_CLOCK_H

/* Clocks, sleep and back-off jitter behind one interface that tests can replace. */

#include <stdint.h>

typedef struct igt__clock_hooks {
  int64_t (*wall)(void);      /* microseconds since 1970-01-01 UTC */
  int64_t (*monotonic)(void); /* microseconds since an arbitrary time */
  void (*sleep)(int64_t microseconds);
  uint64_t (*jitter)(void); /* 64 uniformly distributed bits; not for secrets (see crypto) */
} igt__clock_hooks;

void igt__clock_set_hooks(const igt__clock_hooks *replacement); /* NULL restores the system's */
igt__clock_hooks igt__clock_get_hooks(void);                    /* to replace some of them only */
int64_t igt__wall_us(void);
int64_t igt__wall_seconds(void);
int64_t igt__mono_us(void);
void igt__sleep_us(int64_t microseconds);
uint64_t igt__jitter(void);

#endif
