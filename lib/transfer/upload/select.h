/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SELECT_H
#define IGT_TRANSFER_SELECT_H

/* Which study folders of the source a selection means, for uploads and verify. */

#include "base/root.h"
#include "transfer/upload/upload.h"

typedef struct igt__upload_selected igt__upload_selected;

/* Whether the selection concerns studies at all, not institutes alone. */
bool igt__upload_selects(const igt__selection *selection);
/* Looks at all study folders of the source, and limits the run to the selected ones (u->chosen).
 * Called on the lister's thread. *out: freed with igt__upload_selected_free after the run. Errors:
 * IGT_E_NOT_FOUND (none is selected), those of reading the source. */
igt_status igt__upload_select(igt__upload *u, igt__upload_selected **out, igt_error *err);
void igt__upload_selected_free(igt__upload_selected *selected);

/* A folder that would be reported, although its studies may not be among the selected ones. */
typedef struct igt__candidate {
  const igt_institute *institute; /* NULL: it is not in the folder of one */
  const char *folder;             /* below the root */
  const char *human;              /* its name from the patient on; NULL: an institute's folder */
  bool is_study;                  /* else it holds studies */
  size_t names;                   /* then: how many components of their names human has */
} igt__candidate;
/* False: it certainly is, and has, no selected study. On the lister's thread. */
bool igt__may_be_selected(igt__run *run, igt__found *found, igt__root *root,
                          const igt__candidate *candidate);

/* Sorts folders (of the source, or in the folder `path`) by the newest selected study in each, if
 * the newest come first. */
void igt__upload_sort(const igt__upload *u, const igt__upload_selected *selected, const char *path,
                      igt__folders *folders);

#endif
