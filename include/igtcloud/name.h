/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_NAME_H
#define IGTCLOUD_NAME_H

/** @file Names as users type them. */

#include <stddef.h>

#include "igtcloud/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * How far a name is from the one that was wanted, for "did you mean": the number of bytes to
 * insert, delete or replace, or of neighbours to swap, after case folding and Unicode normalization
 * (NFC). Surrounding blanks do not count. 0: the same. SIZE_MAX: not similar (more than one edit
 * and one for each four bytes of the shorter name), an empty name, one of more than 128 bytes, or
 * no memory. Any thread.
 */
IGT_EXTERN size_t igt_name_distance(const char *wanted, const char *name);

#ifdef __cplusplus
}
#endif

#endif
