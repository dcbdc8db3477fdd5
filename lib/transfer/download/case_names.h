/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SPELLING_H
#define IGT_TRANSFER_SPELLING_H

/* Where a file system takes two names for one (A and a; é of one character and of two): which
 * spelling a file has. What is there under another one is another file of the cloud, and must not
 * be replaced, nor taken for this one. docs/names.md. */

#include "base/path.h"
#include "base/quota.h"

typedef struct igt__case_names igt__case_names;

/* Of what is in one folder below the root, such as a study's. root, folder and held, of which its
 * memory is, are borrowed; NULL: no memory. */
igt__case_names *igt__case_names_new(igt__root *root, const char *folder, igt__quota *held);
void igt__case_names_free(igt__case_names *spelling);

/* The path (below the root, in that folder) is this run's from now on. IGT_E_COLLISION: it, or a
 * folder on the way, is there under another spelling. By one thread; a path is claimed before it is
 * written. */
igt_status igt__case_names_claim(igt__case_names *spelling, const char *path, igt_error *err);

#endif
