/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_FINGERPRINTS_H
#define IGT_BASE_FINGERPRINTS_H

/* A set of strings, or a map from strings to numbers, that stores fingerprints of 16 bytes (sip.h)
 * instead of the strings: a name has 50 to 100 bytes, plus the overhead of a map. In the longest
 * list that is accepted (IGT__MAX_LIST_COUNT) two different strings share a fingerprint with a
 * probability of 10^-25; memory errors are more frequent. Not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"

typedef struct igt__fingerprints igt__fingerprints;

/* numbers: whether each string has a number. Memory counts against the quota (NULL: none); an
 * allocation beyond it fails like one without memory. */
igt__fingerprints *igt__fingerprints_new(bool numbers, igt__quota *quota);
void igt__fingerprints_free(igt__fingerprints *fingerprints);
bool igt__fingerprints_has(const igt__fingerprints *fingerprints, const char *text);
/* The string's number, valid until the next string is added; NULL: not in the set. */
uint64_t *igt__fingerprints_number(const igt__fingerprints *fingerprints, const char *text);
/* Adds the string, or replaces its number. False: no memory. */
bool igt__fingerprints_set(igt__fingerprints *fingerprints, const char *text, uint64_t number);

#endif
