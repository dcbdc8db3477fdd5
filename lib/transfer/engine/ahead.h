/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_AHEAD_H
#define IGT_TRANSFER_AHEAD_H

/* The studies that were listed and wait for their turn. The list is read ahead of the work, so that
 * its length is known from the start; what waits is packed, and its memory is bounded. One thread
 * puts, another takes. */

#include "base/buf.h"
#include "igtcloud/operations.h"

struct igt__run;
typedef struct igt__ahead igt__ahead;

/* NULL: no memory. The studies that wait are counted in run->waiting. */
igt__ahead *igt__ahead_new(struct igt__run *run);
void igt__ahead_free(igt__ahead *ahead);
/* Appends a study; waits while there are too many. institute must outlive it. IGT_E_CANCELLED: the
 * run is stopping. */
igt_status igt__ahead_put(igt__ahead *ahead, const igt_institute *institute,
                          const igt_root_study *study, igt_error *err);
/* No more will come. */
void igt__ahead_close(igt__ahead *ahead);
/* The oldest one, the caller's; waits for it. *study NULL: there are no more, or the run is
 * stopping. */
igt_status igt__ahead_take(igt__ahead *ahead, const igt_institute **institute,
                           igt_root_study **study, igt_error *err);

/* text as its difference to an earlier one; false: no memory. Records of a list share most of their
 * bytes. */
bool igt__pack(const char *earlier, size_t earlier_len, const char *text, size_t n, igt__buf *out);
/* False: no memory, or not what igt__pack wrote. */
bool igt__unpack(const char *earlier, size_t earlier_len, const char *from, size_t n,
                 igt__buf *out);

#endif
