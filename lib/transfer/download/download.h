/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DOWNLOAD_H
#define IGT_TRANSFER_DOWNLOAD_H

/* igt_download, between its parts: download.c walks institutes and studies, download_study.c plans
 * what becomes of a study's files. */

#include "base/fingerprints.h"
#include "base/path.h"
#include "base/str.h"
#include "transfer/download/durable.h"
#include "transfer/engine/other_categories.h"
#include "transfer/engine/plan.h"

typedef struct igt__download {
  igt__run run;
  const igt_download_options *options;
  igt__found found;
  igt__root *root; /* NULL: a dry run, and the target is not there */
  char *target;    /* absolute */
  igt__semaphore room;
  igt__fingerprints *folders; /* study folders of this run: each may be used once */
  igt__map *institutes;       /* ids of institutes by their folders */
  igt__quota held;            /* folders */
  igt__name_rules rules;
  bool folds; /* two names may be one file in the target */
  igt__durable durable;
  igt__other_categories elsewhere;
} igt__download;

/* Waits for room, then plans a study on a producer's thread. What is wrong with the study is its
 * item's; IGT_E_CANCELLED or IGT_E_NO_MEMORY: there is no such item. */
igt_status igt__download_study(igt__download *d, const igt_institute *institute,
                               const igt_root_study *study, igt_error *err);
/* *out, the caller's: "institute/study" below the target, which is this study's alone. By the
 * lister's thread. IGT_E_COLLISION: another institute has the institute's folder, or other studies
 * have all that the study's may be called. */
igt_status igt__download_folder(igt__download *d, const igt_institute *institute, const char *human,
                                const char *id, char **out, igt_error *err);
/* A task: plans the project's own files. */
void igt__download_project_files(void *download);

#endif
