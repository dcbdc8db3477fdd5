/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CASE_NAMES_H
#define IGT_TRANSFER_CASE_NAMES_H

/* Case collisions, on file systems that treat two names as one (A and a; é as one character and as
 * two): records how each name is written. A file under another variant is another file of the
 * cloud, and must neither be replaced nor taken for this one. docs/names.md. */

#include "base/quota.h"
#include "base/root.h"

typedef struct igt__case_names igt__case_names;

/* For one folder below the root, such as a study's. root, folder and lists (the quota its memory
 * counts against) are borrowed; NULL: no memory. */
igt__case_names *igt__case_names_new(igt__root *root, const char *folder, igt__quota *lists);
void igt__case_names_free(igt__case_names *names);

/* Claims the path (below the root, in that folder) for this run. IGT_E_COLLISION: it, or a folder
 * of it, exists under another variant. One thread only; claim a path before writing it. */
igt_status igt__case_names_claim(igt__case_names *names, const char *path, igt_error *err);

#endif
