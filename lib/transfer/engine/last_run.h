/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_LAST_RUN_H
#define IGT_TRANSFER_LAST_RUN_H

/* modified_since "last": when the last complete run of the same kind, with the same folder and the
 * same options, began. */

#include "base/limits.h"
#include "journal/journal.h"
#include "transfer/engine/run.h"
#include "transfer/engine/selection.h"

#define IGT__NO_LAST_RUN                                                                           \
  "no complete run with this folder and these options is known: all studies are selected"

typedef struct igt__last_run {
  igt__journal *journal; /* borrowed; NULL: nothing is recorded */
  char *target;
  char source[65]; /* a digest, since options contain names of patients */
  int64_t began;
  bool covers; /* unless something fails, everything up to `began` is settled */
} igt__last_run;

/* Before studies are listed, after the first response of the cloud: resolves "last" in the
 * selection. kind: "download" and so on; target: the folder, absolute; scope: the other options
 * that say what the run covers; began: by the clock that dates the changes. *first: "last" was
 * asked for, and there was no run. Errors: IGT_E_NO_MEMORY; IGT_E_INVALID ("last" without a
 * journal). */
igt_status igt__last_run_begin(igt__last_run *last, igt__journal *journal,
                               igt__selection *selection, const char *kind, const char *origin,
                               const char *target, const char *scope, int64_t began, bool *first,
                               igt_error *err);
/* complete: all of it succeeded. Accepts one that is zero. */
void igt__last_run_end(igt__last_run *last, bool complete);

/* The same for a run, which says if it is the first. A dry run is never complete, nor is one that
 * left out files because their upload was not complete, or they were too young. */
igt_status igt__run_last_begin(igt__run *run, igt__last_run *last, igt__selection *selection,
                               const char *kind, const char *target, unsigned categories,
                               int64_t began, igt_error *err);
void igt__run_last_end(const igt__run *run, igt__last_run *last, igt_status status,
                       const igt_transfer_summary *summary);
/* Bytes of such a text: it names each line of a list of studies. */
#define IGT__SCOPE_MAX (2 * (size_t)IGT__MAX_STUDY_LIST)
/* What the options of a run say about which files it covers, as text. */
bool igt__run_describe(const igt_transfer_options *options, unsigned categories, igt__buf *out);

#endif
