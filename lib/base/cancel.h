/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_CANCEL_H
#define IGT_BASE_CANCEL_H

/* A flag that stops an operation, set by any thread or signal handler. Reference counted. */

#include <stdbool.h>

typedef struct igt_cancel igt__cancel;

igt__cancel *igt__cancel_new(void);
/* A flag of its own that also counts as set when one of these is (either may be NULL): what stops a
 * client stops its calls, but not the other way round. */
igt__cancel *igt__cancel_below(igt__cancel *a, igt__cancel *b);
igt__cancel *igt__cancel_ref(igt__cancel *cancel); /* NULL returns NULL */
void igt__cancel_unref(igt__cancel *cancel);
void igt__cancel_set(igt__cancel *cancel);          /* async-signal-safe */
bool igt__cancel_is_set(const igt__cancel *cancel); /* false for NULL */

#endif
