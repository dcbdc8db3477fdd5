/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SPACE_H
#define IGT_TRANSFER_SPACE_H

/* Room on the disk: files that were found and have no place on it yet, against what is free. It is
 * told when it is known, and not when the disk is full. */

#include <stdint.h>

#include "base/path.h"

typedef struct igt__run igt__run;

/* Bytes of a file that wait for their place, and that have it now. Any thread. */
void igt__space_wait(igt__run *run, uint64_t bytes);
void igt__space_take(igt__run *run, uint64_t bytes);
/* IGT_E_NO_SPACE: more bytes wait than are free. Cheap enough for each file: it asks the system
 * once in a while; surely: now. */
igt_status igt__space_check(igt__run *run, igt__root *root, bool surely, igt_error *err);

#endif
