/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_DELAY_H
#define SANDBOX_DELAY_H

/* Calls back after a delay, from a dedicated thread: delayed responses do not block a thread of the
 * server. */

#include <stdint.h>

typedef struct sbx_delay sbx_delay;

sbx_delay *sbx_delay_new(void); /* NULL: out of memory, or no thread */
/* Calls fn(arg) after ms milliseconds on the delay's thread; after sbx_delay_flush immediately, on
 * the caller's thread. fn must be quick. Thread-safe. */
void sbx_delay_add(sbx_delay *delay, int ms, void (*fn)(void *arg), void *arg);
/* Runs all pending callbacks; from then on nothing is delayed any more. */
void sbx_delay_flush(sbx_delay *delay);
void sbx_delay_free(sbx_delay *delay); /* flushes first; NULL is allowed */

#endif
