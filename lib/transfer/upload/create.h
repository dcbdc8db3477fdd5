/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CREATE_H
#define IGT_TRANSFER_CREATE_H

/* New studies, each once. */

#include "igtcloud/operations.h"
#include "transfer/engine/run.h"
#include "transfer/upload/match.h"

typedef enum igt__created {
  IGT__CREATED_BEFORE, /* by another program with this journal, at the same time */
  IGT__CREATED_SEEN,   /* found where an answer was lost: it may have files of somebody else */
  IGT__CREATED_NOW     /* the cloud has just said so: nobody can have put files into it */
} igt__created;

/* Blocking. folder: what wanted was made of; it finds the study again. A request of unknown outcome
 * is never sent again before a look shows that it did nothing. */
igt_status igt__create_study(igt__run *run, const igt_institute *institute,
                             const igt__folder *folder, const igt_root_study *wanted,
                             igt_root_study **out, igt__created *made, igt_error *err);

/* Whether a request may have been done although it looks like a failure. */
bool igt__is_unclear(igt_status status);
/* Waits before the n-th look at what became of it; false: enough, or cancelled. */
bool igt__wait_to_look(const igt__run *run, unsigned n, const igt_error *err);

#endif
