/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_CREATE_H
#define IGT_TRANSFER_CREATE_H

/* New studies, each once. */

#include "igtcloud/operations.h"
#include "transfer/match.h"
#include "transfer/run.h"

/* Blocking. folder: what wanted was made of; it finds the study again. A request of unknown outcome
 * is never sent again before a look shows that it did nothing. A study that another program with
 * this journal creates at the same time is taken as it is: then not *made. */
igt_status igt__create_study(igt__run *run, const igt_institute *institute,
                             const igt__folder *folder, const igt_root_study *wanted,
                             igt_root_study **out, bool *made, igt_error *err);

/* Whether a request may have been done although it looks like a failure. */
bool igt__is_unclear(igt_status status);
/* Waits before the n-th look at what became of it; false: enough, or cancelled. */
bool igt__wait_to_look(const igt__run *run, unsigned n, const igt_error *err);

#endif
