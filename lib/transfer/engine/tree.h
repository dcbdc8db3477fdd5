/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_TREE_H
#define IGT_TRANSFER_TREE_H

/* The local tree that is uploaded or verified: LOCAL/INSTITUTE/study folders, their study.json, and
 * the location of the files in a study's folder. */

#include "base/error.h"
#include "base/root.h"
#include "model/json.h"

#define IGT__SIDECAR "study.json"
#define IGT__MIXED_STUDIES                                                                         \
  "'%s' has a study.json and contains the folders of other studies, so its own files cannot be "   \
  "distinguished from theirs; download it with a flat folder structure, which keeps them apart"
#define IGT__LINK_LEFT_OUT "links are not followed (--follow-links does)"

/* Names of the folders in a folder, sorted. */
typedef struct igt__folders {
  char **v;
  char **cloud; /* the names that they have in the cloud: docs/names.md */
  size_t count;
  size_t links; /* links left out of the list */
  size_t files; /* other entries left out, without clutter */
} igt__folders;
void igt__folders_free(igt__folders *list);

/* Whether a component of the path is a metadata file of macOS, Windows or a NAS ("._NAME",
 * ".DS_Store", "__MACOSX", "Thumbs.db", "@eaDir", ...): never a study, and sent only on request. */
bool igt__is_clutter(const char *path);

/* Receives everything in a folder that is not used as a folder, or is clutter. err NULL: `why` says
 * what it is if that matters (a link), else NULL. With err it could not be read, or has a name that
 * the cloud cannot store: it may be a study, so it must count as failed. */
typedef void (*igt__stray_fn)(void *payload, const char *path, const char *why,
                              const igt_error *err);

/* All paths are absolute and below root, or relative to it. Nothing here treats an unreadable path
 * as a missing one: that would leave out a study, or create a second one. */
igt_status igt__folders_in(igt__root *root, const char *path, igt__stray_fn stray, void *payload,
                           igt__folders *out, igt_error *err);
/* How many folders are in path, 0 if it cannot be read: for the total of a progress report. */
uint64_t igt__folders_count(igt__root *root, const char *path);
/* IGT_E_NO_FILE: links or files alone were found in path, so all of it would be left out without an
 * error. */
igt_status igt__folders_check(const igt__folders *list, const char *path, igt_error *err);

/* IGT_E_COLLISION: the folder of a patient is that of a study according to its study.json, or the
 * folder of a study without a study.json holds described ones: the tree has the other folder
 * structure, and would create wrong patients, or mix studies. */
igt_status igt__patient_check(igt__root *root, const char *path, igt_error *err);
igt_status igt__flat_check(igt__root *root, const char *path, igt_error *err);

/* *count: the folders in path, if it has neither files of its own nor folders of the categories;
 * else 0. Appends the names of the first ones to names. */
igt_status igt__folders_only(igt__root *root, const char *path, igt__buf *names, size_t *count,
                             igt_error *err);

/* How many of the folders in path have no study.json. */
size_t igt__folders_undescribed(igt__root *root, const char *path, const igt__folders *list);

/* How a download stores names that are not patient/study, in a hierarchical tree. */
/* The number of components of the studyIdHumanReadable in the folder's study.json; 0: it has
 * none. */
size_t igt__sidecar_names(igt__root *root, const char *folder);
/* Whether the folder, itself `names` components deep, contains nothing but folders, and somewhere
 * below them the study of a longer name: then it is not a study, but a component of that name. */
bool igt__holds_studies(igt__root *root, const char *folder, size_t names);
/* *holds: a folder in it has a study.json, so that folder is another study. */
igt_status igt__holds_described(igt__root *root, const char *folder, bool *holds, igt_error *err);

/* *is: whether the folder exists. */
igt_status igt__folder_look(igt__root *root, const char *path, bool *is, igt_error *err);

/* The folder's study.json; *doc NULL with IGT_OK: it has none. */
igt_status igt__sidecar_read(igt__root *root, const char *folder, igt__json **doc, igt_error *err);

/* Skips the byte order mark that Windows editors write. */
const char *igt__skip_mark(const char *text, size_t *n);

/* The name in the cloud of a file below folder. IGT_E_UNSAFE_NAME; IGT_E_COLLISION: another local
 * file has that name already. igt__free. */
igt_status igt__cloud_path(igt__root *root, const char *folder, const char *path, char **out,
                           igt_error *err);

#endif
