/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_SUFFIX_H
#define IGT_CLOUD_SUFFIX_H

/* Two studies of one institute may have the same name. The folder of the second one gets a suffix
 * made from its studyDatabaseId, " (550e8400)", so that both can be on disk and each is recognised
 * again. See docs/names.md. */

#include "base/buf.h"

/* Appends the suffix: the first eight characters of the id; long: all of it. False: out of
 * memory. */
bool igt__suffix_put(igt__buf *out, const char *id, bool is_long);

/* Whether name is `plain` followed by a suffix of the id. */
bool igt__suffix_is(const char *name, const char *plain, const char *id);

/* Length of name before what may be a suffix; 0: it has none. */
size_t igt__suffix_at(const char *name);

#endif
