/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PROGRESS_H
#define IGT_TRANSFER_PROGRESS_H

/* A progress report with what it points at, so that it can be kept. */

#include "igtcloud/transfer.h"

/* Studies in progress that a report names; the others are counted. */
#define IGT__SHOWN_MOST 16

typedef struct igt__shown {
  igt_transfer_study study;
  char name[256];
} igt__shown;

/* Points into itself: copied by igt__snapshot_copy only. */
typedef struct igt__snapshot {
  igt_transfer_progress progress;
  igt__shown rows[IGT__SHOWN_MOST];
  const igt_transfer_study *running[IGT__SHOWN_MOST];
} igt__snapshot;

/* Adds a study; once there are too many, counts it. */
void igt__snapshot_add(igt__snapshot *snapshot, const igt_transfer_study *study);
void igt__snapshot_copy(igt__snapshot *to, const igt__snapshot *from);

#endif
