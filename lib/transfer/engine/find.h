/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FIND_H
#define IGT_TRANSFER_FIND_H

/* Finds what a selection names: the project, institutes, and which studies match. */

#include "base/time.h"
#include "cloud/find.h"
#include "igtcloud/transfer.h"
#include "transfer/engine/selection.h"

typedef struct igt__found {
  igt_project *project;
  igt_institute_list *institutes; /* all of the project's; NULL unless requested */
  bool *chosen;                   /* of institutes->v: it is selected; NULL: all are */
  bool by_name;                   /* institutes were selected by their names */
  igt__selection *selection;      /* borrowed */
} igt__found;

/* Finds the project by its exact name, and the selected institutes in it. IGT_E_NOT_FOUND: none;
 * IGT_E_AMBIGUOUS: several projects; IGT_E_INVALID: no institute's studies have the requested
 * fields.
 */
igt_status igt__find(igt_client *client, igt__selection *selection, bool with_institutes,
                     igt__found *out, igt_error *err);
/* The second half, for a project that is known: lists its institutes unless found has some, and
 * chooses among them. */
igt_status igt__found_institutes(igt_client *client, igt__found *found, igt_error *err);
void igt__found_free(igt__found *found);
bool igt__found_selects(const igt__found *found, const igt_institute *institute);
/* Whether the name, in any Unicode form, is that of a selected institute. */
bool igt__found_selects_name(const igt__found *found, const char *name);
/* The only institute that was selected by name; NULL: all are selected, or several. */
const igt_institute *igt__found_only(const igt__found *found);

/* The date of a study: datetime of an EpdStudy, studyDate of others. False: it has none. */
bool igt__study_day(const igt_root_study *study, int64_t *day);
/* Whether start and end select it; undated: because it has no date. */
bool igt__study_has_day(const igt__selection *selection, const igt_root_study *study,
                        bool *undated);
/* Whether the study is selected, but for `limit`. *undated: it passed because it has no date. */
bool igt__found_takes(const igt__found *found, const igt_root_study *study, bool *undated);
/* Whether the study belongs to this shard; determined by its id, so always the same. */
bool igt__in_shard(const char *id, unsigned shard, unsigned shards);
igt_status igt__shard_check(unsigned shard, unsigned shards, igt_error *err);

/* ---- selection_walk.c ---- */

/* What igt__each_selected calls, on the calling thread. */
typedef struct igt__selected_fns {
  /* Before an institute's studies; may be NULL. */
  void (*institute)(void *payload, const igt_institute *institute);
  /* Any status but IGT_OK ends the walk with it. */
  igt_status (*study)(void *payload, const igt_institute *institute, igt_root_study *study,
                      bool undated);
  /* Its studies could not be listed: IGT_OK goes on with the others. NULL: the walk ends. */
  igt_status (*failed)(void *payload, const igt_institute *institute, const igt_error *err);
} igt__selected_fns;

/* Hands out the selected studies of this shard (shards 0: of all) in the order of the lists, or the
 * newest first. */
igt_status igt__each_selected(igt_client *client, igt__found *found, unsigned shard,
                              unsigned shards, const igt__selected_fns *fns, void *payload,
                              igt_error *err);
/* For a run that has to look studies up in its own order: what igt__found_takes needs to know of an
 * institute (its series), before its studies are listed. */
igt_status igt__found_enter(igt_client *client, igt__found *found, const igt_institute *institute,
                            igt_error *err);
/* And of all: with limit or newest, which studies these are. */
igt_status igt__found_settle(igt_client *client, igt__found *found, unsigned shard, unsigned shards,
                             igt_error *err);

/* At the end of the listing: calls report for each entry that matched no study. source: the folder
 * whose studies were listed; NULL: the project's were. Errors:
 * IGT_E_NOT_FOUND (no study matched at all). *text: a message for the user; "" if there is none. */
typedef void (*igt__unmatched_fn)(void *payload, const char *study, const igt_error *err);
/* The outcome of a run that reported so many. */
igt_status igt__fail_unmatched(unsigned long long count, igt_error *err);
igt_status igt__found_end(const igt__found *found, const char *source, igt__unmatched_fn report,
                          void *payload, char *text, size_t cap, igt_error *err);

#endif
