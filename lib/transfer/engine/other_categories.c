/* SPDX-License-Identifier: MIT */
#include "transfer/engine/other_categories.h"

#include <stdio.h>
#include <string.h>

#include "igtcloud/operations.h"

/* A request each: a hint is worth a few of them. */
#define LOOKS_MOST 4

/* The first one is enough; the rest is not read. */
static igt_status first_file(void *payload, const char *list, igt_file *file) {
  igt__other_categories *e = payload;

  (void)file;
  if (list && strcmp(list, "dicom") == 0)
    atomic_store(&e->dicom, true);
  else if (list && strcmp(list, "annotations") == 0)
    atomic_store(&e->annotations, true);
  return atomic_load(&e->dicom) ? IGT_E_CANCELLED : IGT_OK;
}

void igt__other_categories_look(igt__other_categories *e, igt_client *client,
                                const char *institute_id, const char *study_id) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;

  atomic_fetch_add(&e->empty, 1);
  if (atomic_load(&e->dicom) || atomic_fetch_add(&e->looked, 1) >= LOOKS_MOST)
    return;
  options.auxiliary = "True";
  (void)!igt_get_study_files_each(client, institute_id, study_id, &options, first_file, e, NULL);
}

bool igt__other_categories_text(const igt__other_categories *e, char *text, size_t cap) {
  unsigned n = atomic_load(&e->empty);
  bool dicom = atomic_load(&e->dicom), annotations = atomic_load(&e->annotations);
  const char *which = dicom ? "dicom" : "annotations";

  if (!dicom && !annotations)
    return false;
  (void)snprintf(text, cap,
                 "%u %s no files in the category files, but files in the category %s%s: select "
                 "them with --category %s",
                 n, n == 1 ? "study has" : "studies have", which,
                 dicom && annotations ? " and annotations" : "", which);
  return true;
}
