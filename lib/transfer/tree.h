/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_TREE_H
#define IGT_TRANSFER_TREE_H

/* The local tree that is uploaded or verified: LOCAL/INSTITUTE/study folders, their study.json, and
 * where in a study's folder its files are. */

#include "base/error.h"
#include "model/json.h"

#define IGT__SIDECAR "study.json"

/* Names of the folders in a folder, sorted. */
typedef struct igt__folders {
  char **v;
  char **cloud; /* the names that they have in the cloud: docs/names.md */
  size_t count;
} igt__folders;
void igt__folders_free(igt__folders *list);

/* Whether a component of the path is what macOS or Windows leaves beside people's files ("._NAME",
 * ".DS_Store", "__MACOSX", "Thumbs.db", ...): never a study, and sent only when asked for. */
bool igt__is_clutter(const char *path);

/* stray gets the path of everything in it that is no folder, and of folders that are clutter. */
igt_status igt__folders_in(const char *path, bool follow_links,
                           void (*stray)(void *payload, const char *path), void *payload,
                           igt__folders *out, igt_error *err);

/* How many of the folders in path have no study.json. */
size_t igt__folders_undescribed(const char *path, const igt__folders *list);

bool igt__is_folder(const char *path, bool follow_links);

/* The folder's study.json; *doc NULL with IGT_OK: it has none. */
igt_status igt__sidecar_read(const char *folder, igt__json **doc, igt_error *err);

/* Everything below the folder, or below its "files" when it has "files" or "dicom". *whole: the
 * former, so a sidecar may lie in it. igt__free; NULL: no memory. */
char *igt__content_folder(const char *folder, bool follow_links, bool *whole);

/* What a file below folder is called in the cloud. IGT_E_UNSAFE_NAME; IGT_E_COLLISION: another
 * local file is called so already. igt__free. */
igt_status igt__cloud_path(const char *folder, const char *path, char **out, igt_error *err);

#endif
