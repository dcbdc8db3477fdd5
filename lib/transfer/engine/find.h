/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FIND_H
#define IGT_TRANSFER_FIND_H

/* Finding what a selection names: project, institutes, and which studies are in it. */

#include "base/time.h"
#include "cloud/find.h"
#include "igtcloud/transfer.h"

typedef struct igt__found {
  igt_project *project;
  igt_institute_list *institutes; /* all of the project's; NULL unless asked for */
  const char *wanted;             /* the one that is meant; NULL: all */
  int64_t first_day, last_day;    /* since 1970; INT64_MIN and MAX: open */
  bool by_date;
} igt__found;

/* Project by name, exactly; of institutes those that are selected, inside that project. None is
 * IGT_E_NOT_FOUND, several projects IGT_E_AMBIGUOUS, dates that don't parse IGT_E_INVALID. */
igt_status igt__find(igt_client *client, const igt_selection *selection, bool with_institutes,
                     igt__found *out, igt_error *err);
void igt__found_free(igt__found *found);
bool igt__found_selects(const igt__found *found, const igt_institute *institute);

/* The day of a study: datetime of an EpdStudy, studyDate of others. False: it has none. */
bool igt__study_day(const igt_root_study *study, int64_t *day);
/* *undated: it passed for want of a date. */
bool igt__found_has_day(const igt__found *found, const igt_root_study *study, bool *undated);
/* The same for a day that is known already. */
bool igt__found_has(const igt__found *found, bool dated, int64_t day, bool *undated);
/* Whether the study belongs to this share of a sharded run; by its id, so it is the same always. */
bool igt__in_shard(const char *id, unsigned shard, unsigned shards);
igt_status igt__shard_check(unsigned shard, unsigned shards, igt_error *err);

#endif
