/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DOWNLOAD_H
#define IGT_TRANSFER_DOWNLOAD_H

/* Shared by the files of igt_download: download.c walks institutes and studies, download_study.c
 * plans a study's files (download_plan.h). */

#include "base/fingerprints.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/download/durable.h"
#include "transfer/download/surplus.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/last_run.h"
#include "transfer/engine/manifest.h"
#include "transfer/engine/options.h"
#include "transfer/engine/other_categories.h"
#include "transfer/engine/plan.h"

typedef struct igt__download {
  igt__run run;
  igt_download_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  const igt_download_options *options; /* own */
  igt__found found;
  igt__root *root;          /* NULL: a dry run without an existing target */
  char *target;             /* absolute */
  struct igt__ahead *ahead; /* studies of the list that wait for the semaphore */
  igt__semaphore studies;
  igt__fingerprints *folders; /* study folders of this run: each may be used once */
  igt__map *institutes;       /* ids of institutes by their folders */
  igt__quota lists;           /* folders */
  igt__name_rules rules;
  bool folds; /* the target may treat two names as one file */
  igt__durable durable;
  igt__last_run last;
  igt__other_categories elsewhere;
  igt__surplus extra;     /* with delete_extra */
  igt_manifest *manifest; /* only what it lists; NULL: everything that was selected */
} igt__download;

/* Waits for a slot, then plans a study on a producer's thread. Errors of the study are reported by
 * its item; after IGT_E_CANCELLED or IGT_E_NO_MEMORY there is no item. */
igt_status igt__download_study(igt__download *d, const igt_institute *institute,
                               const igt_root_study *study, igt_error *err);
/* *out, the caller's: "institute/study" below the target, reserved for this study. Called on the
 * lister's thread. IGT_E_COLLISION: another institute uses the institute's folder, or other studies
 * use all names that this one may have. */
igt_status igt__download_folder(igt__download *d, const igt_institute *institute, const char *human,
                                const char *id, char **out, igt_error *err);
/* *claimed: a study of this run has the folder, a path below the target. */
igt_status igt__download_is_claimed(const igt__download *d, const char *folder, bool *claimed,
                                    igt_error *err);
/* *out, the caller's: a path below the target in the forms of Unicode (NFC, NFD) in which its
 * components exist there; components that do not exist keep the form that they have. */
igt_status igt__download_on_disk(const igt__download *d, const char *path, char **out,
                                 igt_error *err);
/* A task: plans the project's own files. */
void igt__download_project_files(void *download);

#endif
