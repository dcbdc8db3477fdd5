/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SURPLUS_H
#define IGT_TRANSFER_SURPLUS_H

/* Local files that the cloud does not have, in the folders of studies that were downloaded before:
 * igt_download_options.delete_extra. They are collected while studies are planned, and deleted when
 * the run has ended without a failure. */

#include "base/arena.h"
#include "base/fingerprints.h"
#include "transfer/engine/plan.h"

struct igt__download;

typedef struct igt__surplus_file igt__surplus_file;
typedef struct igt__surplus {
  uint64_t most;
  pthread_mutex_t lock; /* what follows */
  igt__arena *arena;
  igt__surplus_file *first, **last; /* at most `most` of them */
  uint64_t count;
} igt__surplus;
igt_status igt__surplus_init(igt__surplus *extra, uint64_t most, igt_error *err);
void igt__surplus_finish(igt__surplus *extra);

/* The files of one study that the cloud lists. */
typedef struct igt__present {
  igt__fingerprints *paths; /* below the study's folder; NULL: nothing will be deleted there */
  unsigned folders;         /* categories in whose folders' names listed files lie */
} igt__present;
/* Only for a folder whose study.json names the study already: other files there are not ours. */
igt_status igt__present_begin(igt__present *present, const struct igt__download *d,
                              const char *folder, const char *study_id, igt__quota *quota,
                              igt_error *err);
/* A listed file, selected or not. subfolder: of its category, or "". */
igt_status igt__present_add(igt__present *present, const struct igt__download *d,
                            const char *subfolder, const char *name, igt__quota *quota,
                            igt_error *err);
void igt__present_end(igt__present *present);

/* After a complete list of all wanted categories: whether something else is in the folder. */
igt_status igt__surplus_look(struct igt__download *d, const igt__group *group, const char *folder,
                             const igt__present *present, unsigned wanted, bool *any,
                             igt_error *err);
/* After a complete list of all categories, in every place where their files may lie: collects what
 * else is in the folder. */
igt_status igt__surplus_collect(struct igt__download *d, const igt__group *group,
                                const char *folder, const igt__present *present, unsigned wanted,
                                igt_error *err);

/* At the end of a run without failures, on the thread that waited for it: deletes, or in a dry run
 * reports what would be deleted. IGT_E_SOME_FAILED: nothing was deleted because there is more than
 * allowed, or a file could not be deleted. */
igt_status igt__surplus_delete(struct igt__download *d, igt_transfer_summary *summary,
                               igt_error *err);

#endif
