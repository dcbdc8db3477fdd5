/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CHOSEN_H
#define IGT_TRANSFER_CHOSEN_H

/* The folders of a local tree that a run is limited to: igt_upload_options.folders. */

#include "base/error.h"

typedef struct igt__chosen {
  const char *const *v; /* relative to the root of the tree */
  size_t count;         /* 0: everything */
} igt__chosen;

/* Each must be a path below the root. Errors: IGT_E_INVALID. */
igt_status igt__chosen_check(const igt__chosen *chosen, igt_error *err);

/* Whether the folder of this path, relative to the root, is a chosen one, or lies above or below
 * one. */
bool igt__is_chosen(const igt__chosen *chosen, const char *path);
/* The same for an absolute path; root: of the tree. */
bool igt__is_chosen_at(const igt__chosen *chosen, const char *root, const char *path);

#endif
