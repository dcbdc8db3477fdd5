/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_OTHER_CATEGORIES_H
#define IGT_TRANSFER_OTHER_CATEGORIES_H

/* Detects studies that look empty because their files are in another category than the selected
 * one, as after a DICOM import. Thread-safe. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "igtcloud/client.h"

typedef struct igt__other_categories {
  atomic_uint empty;  /* studies without files of category files */
  atomic_uint looked; /* checked so far */
  atomic_bool dicom, annotations;
} igt__other_categories;

/* For a study without files of category files: queries its other categories, for the first few of a
 * run. */
void igt__other_categories_look(igt__other_categories *e, igt_client *client,
                                const char *institute_id, const char *study_id);
/* A message that names the option; false: nothing to report. */
bool igt__other_categories_text(const igt__other_categories *e, char *text, size_t cap);

#endif
