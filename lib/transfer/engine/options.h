/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_OPTIONS_H
#define IGT_TRANSFER_OPTIONS_H

/* Reading what a program passes to igt_download, igt_upload, igt_verify and igt_csv. */

#include "base/sized.h"
#include "igtcloud/transfer.h"
#include "transfer/engine/selection.h"

/* What the options of these calls point at, as this library knows it. */
typedef struct igt__shared_options {
  igt_transfer_options transfer;
  igt__selection *selection; /* compiled */
  igt_filters filters;
} igt__shared_options;

/* Copies *transfer (if transfer is not NULL) to own, compiles *selection, and points both there.
 * own is zero before, and is finished in any case. Errors: those of igt__selection_new. */
igt_status igt__shared_options_read(igt__shared_options *own, const igt_transfer_options **transfer,
                                    const igt_study_selection **selection, igt_error *err);

void igt__shared_options_finish(igt__shared_options *own);

/* Copies *filters (NULL: none) to own, and points it there. */
igt_status igt__filters_read(igt__shared_options *own, const igt_filters **filters, igt_error *err);

/* Before a blocking call does anything: checks the caller's summary (NULL: not wanted) and clears
 * it. */
igt_status igt__summary_begin(igt_transfer_summary *summary, igt_error *err);

#endif
