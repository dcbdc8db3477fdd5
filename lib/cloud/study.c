/* SPDX-License-Identifier: MIT */
#include "cloud/study.h"

#include <string.h>

#include "base/error.h"
#include "cloud/find.h"

igt_status igt__study_check(const igt_root_study *study, const char *id, igt_error *err) {
  const char *theirs = igt__text_of(&study->study_database_id);

  if (strcmp(theirs, id) == 0)
    return IGT_OK;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "the cloud responded with another study (%s) instead of the requested one (%s)",
                   theirs, id);
}
