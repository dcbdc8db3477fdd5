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

typedef struct igt__fingerprints igt__fingerprints;

/* numbers: each text has one; without, there are only texts. The memory is of the quota (NULL: no
 * bound); what does not fit fails as memory does that is not there. */
igt__fingerprints *igt__fingerprints_new(bool numbers, igt__quota *quota);
void igt__fingerprints_free(igt__fingerprints *fingerprints);
bool igt__fingerprints_has(const igt__fingerprints *fingerprints, const char *text);
/* The text's number, until the next text is added; NULL: no such text. */
uint64_t *igt__fingerprints_number(const igt__fingerprints *fingerprints, const char *text);
/* Adds the text, or gives it another number. False: memory. */
bool igt__fingerprints_set(igt__fingerprints *fingerprints, const char *text, uint64_t number);

#endif
