/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_INSTITUTES_H
#define IGT_TRANSFER_INSTITUTES_H

/* Matches local folders with the project's institutes, and reports folders that match none. */

#include "base/root.h"
#include "transfer/engine/find.h"
#include "transfer/engine/run.h"
#include "transfer/engine/tree.h"

/* The institute of this name: exactly, else in NFC. Of several a selected one,
 * else the first. NULL: none. */
const igt_institute *igt__institute_named(const igt__found *found, const char *name);

/* IGT_E_AMBIGUOUS: several of the selected institutes have its name, so a folder of that name could
 * be any of them. */
igt_status igt__institute_alone(const igt__found *found, const igt_institute *institute,
                                igt_error *err);

/* Whether the i-th folder matches an institute that a better or earlier variant of its name already
 * matches: two folders of one institute are not merged. */
bool igt__institute_twice(const igt__found *found, const igt__folders *folders, size_t i,
                          igt_error *err);

/* Whether a link of this path has the name of a selected institute: its target was meant to be
 * uploaded. IGT_OK: it does not. */
igt_status igt__institute_link(const igt__found *found, const char *path, igt_error *err);

/* The institute with the most similar name, for "did you mean". */
igt__similar igt__institute_like(const igt__found *found, const char *name);

/* Warns if the source itself has an institute's name and none of its folders has one: its parent
 * was meant. */
void igt__suggest_parent(igt__run *run, const igt__found *found, const char *source,
                         const igt__folders *folders);

/* Reports a folder of root that is not an institute: each file below it is an item with this result
 * (IGT_RESULT_FAILED or IGT_RESULT_MISSING_THERE), so that it is not taken for sent. *files: their
 * number. With --ignore-unknown, and without files, the folder is one ignored item. name: the
 * folder's; cloud: its name in the cloud. */
void igt__unknown_folder(igt__run *run, igt__root *root, const igt__found *found, const char *name,
                         const char *cloud, igt_transfer_result result, size_t *files);

#endif
