/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_INSTITUTES_H
#define IGT_TRANSFER_INSTITUTES_H

/* Local folders and the institutes of the project: which one a folder is, and what becomes of a
 * folder that is none. */

#include "base/path.h"
#include "transfer/engine/find.h"
#include "transfer/engine/run.h"
#include "transfer/engine/tree.h"

/* The institute of this name: exactly, else in NFC. NULL: there is none. */
const igt_institute *igt__institute_named(const igt__found *found, const char *name);

/* Whether the i-th folder is an institute that a folder with a better or an earlier spelling is,
 * too: two folders of one institute are not joined. */
bool igt__institute_twice(const igt__found *found, const igt__folders *folders, size_t i,
                          igt_error *err);

/* A link of this path is called as an institute that was asked for: what it leads to was meant to
 * go there. IGT_OK: it is not. */
igt_status igt__institute_link(const igt__found *found, const char *path, igt_error *err);

/* The institute whose name is most like this one, for "did you mean"; NULL: none is like it. */
const char *igt__institute_like(const igt__found *found, const char *name);

/* A folder of root that is no institute: each file below it is an item of this result
 * (IGT_RESULT_FAILED or IGT_RESULT_MISSING_THERE), so that nobody takes it for sent. *files: how
 * many they are. With --ignore-unknown the folder is one ignored item, and so is one without
 * files. name: the folder's; cloud: what it would be called there. */
void igt__unknown_folder(igt__run *run, igt__root *root, const igt__found *found, const char *name,
                         const char *cloud, igt_result result, size_t *files);

#endif
