/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_ELSEWHERE_H
#define IGT_TRANSFER_ELSEWHERE_H

/* Studies that look empty because their files are of another category than the one that was asked
 * for, as after an import of DICOM. Thread-safe. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "igtcloud/client.h"

typedef struct igt__other_categories {
  atomic_uint empty;  /* studies without files of category files */
  atomic_uint looked; /* of them at so many */
  atomic_bool dicom, annotations;
} igt__other_categories;

/* A study without files of category files: what else it has is asked, for the first few of a run.
 */
void igt__other_categories_look(igt__other_categories *e, igt_client *client,
                                const char *institute_id, const char *study_id);
/* A sentence that names the option; false: there is nothing to say. */
bool igt__other_categories_tell(const igt__other_categories *e, char *text, size_t cap);

#endif
