/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SELECT_H
#define IGT_TRANSFER_SELECT_H

/* Which study folders of the source an upload's selection means. */

#include "transfer/upload/upload.h"

typedef struct igt__upload_selected igt__upload_selected;

/* Whether the selection concerns studies at all, not institutes alone. */
bool igt__upload_selects(const igt__selection *selection);
/* Looks at all study folders of the source, and limits the run to the selected ones (u->chosen).
 * Called on the lister's thread. *out: freed with igt__upload_selected_free after the run. Errors:
 * IGT_E_NOT_FOUND (none is selected), those of reading the source. */
igt_status igt__upload_select(igt__upload *u, igt__upload_selected **out, igt_error *err);
void igt__upload_selected_free(igt__upload_selected *selected);
/* Sorts folders (of the source, or in the folder `path`) by the newest selected study in each, if
 * the newest come first. */
void igt__upload_sort(const igt__upload *u, const igt__upload_selected *selected, const char *path,
                      igt__folders *folders);

#endif
