/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DURABLE_H
#define IGT_TRANSFER_DURABLE_H

/* Downloads against a loss of power. An fsync for each file would cost more than the file: one
 * syncfs at the end does for all, and the journal knows of runs that did not get there. What such
 * a run wrote before the machine went down counts by its content, not by its size. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/path.h"
#include "igtcloud/transfer.h"
#include "transfer/engine/run.h"

typedef struct igt__durable {
  char *target; /* absolute */
  char *scope;
  char boot[64]; /* "": the system does not tell, and nothing is remembered */
  int64_t doubt; /* files that changed since then; seconds since 1970, 0: none */
} igt__durable;

/* Zeroed before. Without memory or a journal nothing is remembered. */
void igt__durable_begin(igt__durable *durable, igt__run *run, const igt_download_options *options,
                        const char *target);
bool igt__durable_doubts(const igt__durable *durable, const struct stat *st);
/* For a run that begins no durable: brings what is below root to the disk. */
igt_status igt__durable_sync(igt__run *run, igt__root *root, igt_error *err);
/* Once nothing is written any more. status: how the run ended; becomes IGT_E_IO, with err, when the
 * system says that what was written is lost. */
igt_status igt__durable_end(igt__durable *durable, igt__run *run, igt__root *root,
                            igt_status status, igt_error *err);

#endif
