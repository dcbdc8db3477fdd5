/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_UPLOAD_INTERNAL_H
#define IGT_TRANSFER_UPLOAD_INTERNAL_H

/* Shared by the files that upload one institute: upload_institute.c walks its folders,
 * upload_study.c and upload_annotations.c handle one study folder, new_study.c creates a study, and
 * submit.c follows when its files are finished. */

#include "transfer/upload/upload.h"

/* One institute while its folders are processed. */
typedef struct igt__upload_institute {
  igt__upload *u;
  const igt_institute *institute;
  igt__studies *studies;
} igt__upload_institute;

const char *igt__upload_institute_name(const igt__upload_institute *in);

/* Uploads one study folder of the institute. patient NULL: the name has one level. only: the
 * patient's only study folder without a study.json. Errors are reported as the study's. */
typedef void igt__upload_folder_fn(igt__upload_institute *in, const char *path, const char *patient,
                                   const char *name, bool only);
igt__upload_folder_fn igt__upload_study, igt__upload_annotations;

/* Prepares the plan of a study that has to be created. Takes ownership of study, also on failure.
 * False: no memory. */
bool igt__upload_new_study(igt__upload_plan *plan, const igt__folder *folder, igt__studies *before,
                           igt_root_study *study);
/* The study's name in the cloud, or if it has none that of its folder. */
const char *igt__upload_study_name(const char *human, const igt__upload_plan *plan);

/* Release the study's slot; the first one submits the study before that, if it is requested. */
void igt__upload_study_settled(igt__group *group);
void igt__upload_only_settled(igt__group *group);

#endif
