/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_DELAY_H
#define SANDBOX_DELAY_H

/* Calls back after a while, from one thread of its own: answers that are late by wish hold no
 * thread of the server. */

#include <stdint.h>

typedef struct sbx_delay sbx_delay;

sbx_delay *sbx_delay_new(void); /* NULL: no memory or no thread */
/* fn(arg) runs after ms milliseconds on the delay's thread; after _flush at once, on the
 * caller's. fn must be quick. Thread-safe. */
void sbx_delay_add(sbx_delay *delay, int ms, void (*fn)(void *arg), void *arg);
/* Runs all that waits now; nothing waits any more from here on. */
void sbx_delay_flush(sbx_delay *delay);
void sbx_delay_free(sbx_delay *delay); /* flushes first; NULL is fine */

#endif
