/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_PRINTS_H
#define IGT_BASE_PRINTS_H

/* Texts of which it is enough to know whether they were seen before, and a number of each: a
 * fingerprint of 16 bytes (sip.h) in place of a name of 50 to 100 and what a map needs beside it.
 * Of the longest list that is taken (IGT__MAX_LIST_COUNT) two different texts have the same
 * fingerprint with a probability of 10^-25; a bit of memory turns over more often. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"

typedef struct igt__prints igt__prints;

/* numbers: each text has one; without, there are only texts. The memory is of the quota (NULL: no
 * bound); what does not fit fails as memory does that is not there. */
igt__prints *igt__prints_new(bool numbers, igt__quota *quota);
void igt__prints_free(igt__prints *prints);
bool igt__prints_has(const igt__prints *prints, const char *text);
/* The text's number, until the next text is added; NULL: no such text. */
uint64_t *igt__prints_number(const igt__prints *prints, const char *text);
/* Adds the text, or gives it another number. False: memory. */
bool igt__prints_set(igt__prints *prints, const char *text, uint64_t number);

#endif
