/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DURABLE_H
#define IGT_TRANSFER_DURABLE_H

/* Protects downloads from a loss of power. An fsync for each file would cost more than the file:
 * one syncfs at the end covers all, and the journal records runs that did not reach it. Files that
 * such a run wrote before the crash are verified by content, not by size. */

#include <stdbool.h>
#include <stdint.h>

#include "base/os/os.h"
#include "base/root.h"
#include "igtcloud/transfer.h"
#include "transfer/download/sync_group.h"
#include "transfer/engine/run.h"
#include "transfer/engine/selection.h"

typedef struct igt__durable {
  char *target; /* absolute */
  char *scope;
  char boot[64]; /* "": unknown, and nothing is recorded */
  int64_t doubt; /* verify files changed since then; seconds since 1970, 0: none */
} igt__durable;

/* The caller zeroes it first. Without memory or a journal nothing is recorded. */
void igt__durable_begin(igt__durable *durable, igt__run *run, const igt_download_options *options,
                        const igt__selection *selection, const char *target);
bool igt__durable_doubts(const igt__durable *durable, const igt__stat *st);
/* Errors of a file system without such a call, as opposed to one that lost data. */
bool igt__durable_is_refused(int os_error);
/* For a run without an igt__durable: syncs the file system of root, together with other callers. */
igt_status igt__durable_sync(igt__run *run, igt__root *root, igt__sync_group *group,
                             igt_error *err);
/* Call when all writes are finished. status: how the run ended; the result is IGT_E_IO, with err,
 * if the system reports that data was lost. */
igt_status igt__durable_end(igt__durable *durable, igt__run *run, igt__root *root,
                            igt_status status, igt_error *err);

#endif
