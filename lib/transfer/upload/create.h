/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CREATE_H
#define IGT_TRANSFER_CREATE_H

/* New studies, each once. */

#include "igtcloud/operations.h"
#include "transfer/engine/run.h"
#include "transfer/upload/match.h"

typedef enum igt__created {
  IGT__CREATED_BEFORE, /* by another program with this journal, at the same time */
  IGT__CREATED_SEEN,   /* found after a lost response: it may have files from another client */
  IGT__CREATED_NOW     /* just created: it cannot have files yet */
} igt__created;

/* Blocking. folder: what wanted was made from; used to find the study again. A request of unknown
 * outcome is never retried before a lookup shows that it had no effect. before: the institute's
 * studies until then; IGT_E_PROTOCOL: the cloud responded with one of them. */
igt_status igt__create_study(igt__run *run, const igt_institute *institute,
                             const igt__folder *folder, const igt_root_study *wanted,
                             const igt__studies *before, igt_root_study **out, igt__created *made,
                             igt_error *err);

/* Whether a request that failed may have been carried out. */
bool igt__is_unclear(igt_status status);
/* Waits before the n-th lookup of the outcome; false: enough, or cancelled. */
bool igt__wait_to_look(const igt__run *run, unsigned n, const igt_error *err);

#endif
