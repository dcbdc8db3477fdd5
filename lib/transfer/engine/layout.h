/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_LAYOUT_H
#define IGT_TRANSFER_LAYOUT_H

/* Where a study's folder has its files: in the folder itself, as a download of files alone puts
 * them, or in its subfolder "files", beside those of the other categories. The subfolder decides,
 * unless the study has a folder of that name in the cloud: then the local files do. Downloads,
 * uploads and verify agree on it here. */

#include <stdbool.h>
#include <stdint.h>

#include "base/root.h"
#include "igtcloud/error.h"

/* *out, the caller's: everything below the folder, or below its "files" if it has "files" or
 * "dicom". *whole: the former, so it may contain a sidecar. */
igt_status igt__content_folder(igt__root *root, const char *folder, char **out, bool *whole,
                               igt_error *err);

/* Whether a file's name in the cloud begins with such a folder. */
bool igt__layout_is_own(const char *name);

/* The files of one study, found in one place or the other; zeroed first. */
typedef struct igt__layout {
  uint64_t direct, divided; /* files that are in this place only */
} igt__layout;

/* Looks for a file that the cloud lists. folder: of the study. */
igt_status igt__layout_look(igt__layout *layout, igt__root *root, const char *folder,
                            const char *name, igt_error *err);
/* Whether they are in the folder itself. A complete copy has no file that is only in the other
 * place; of equal numbers, the subfolder is what an upload takes. */
bool igt__layout_is_direct(const igt__layout *layout);

#endif
