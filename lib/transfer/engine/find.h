/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FIND_H
#define IGT_TRANSFER_FIND_H

/* Finds what a selection names: the project, institutes, and which studies match. */

#include "base/time.h"
#include "cloud/find.h"
#include "igtcloud/transfer.h"

typedef struct igt__found {
  igt_project *project;
  igt_institute_list *institutes; /* all of the project's; NULL unless requested */
  const char *wanted;             /* the selected one; NULL: all */
  int64_t first_day, last_day;    /* since 1970; INT64_MIN and MAX: open */
  bool by_date;
} igt__found;

/* Finds the project by its exact name, and the selected institutes in it. IGT_E_NOT_FOUND: none;
 * IGT_E_AMBIGUOUS: several projects; IGT_E_INVALID: bad dates. */
igt_status igt__find(igt_client *client, const igt_study_selection *selection, bool with_institutes,
                     igt__found *out, igt_error *err);
void igt__found_free(igt__found *found);
bool igt__found_selects(const igt__found *found, const igt_institute *institute);

/* The date of a study: datetime of an EpdStudy, studyDate of others. False: it has none. */
bool igt__study_day(const igt_root_study *study, int64_t *day);
/* *undated: it passed because it has no date. */
bool igt__found_has_day(const igt__found *found, const igt_root_study *study, bool *undated);
/* The same for a known date. */
bool igt__found_has(const igt__found *found, bool dated, int64_t day, bool *undated);
/* Whether the study belongs to this shard; determined by its id, so always the same. */
bool igt__in_shard(const char *id, unsigned shard, unsigned shards);
igt_status igt__shard_check(unsigned shard, unsigned shards, igt_error *err);

#endif
