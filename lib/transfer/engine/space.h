/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SPACE_H
#define IGT_TRANSFER_SPACE_H

/* Disk space: compares the size of files found but not yet stored with the free space, to report a
 * shortage early and not when the disk is full. */

#include <stdint.h>

#include "base/root.h"

typedef struct igt__run igt__run;

/* Bytes of a file that need space, and bytes that have it now. Any thread. */
void igt__space_wait(igt__run *run, uint64_t bytes);
void igt__space_take(igt__run *run, uint64_t bytes);
/* IGT_E_NO_SPACE: more bytes are needed than are free. Cheap enough for each file: queries the
 * system once in a while; surely: now. */
igt_status igt__space_check(igt__run *run, igt__root *root, bool surely, igt_error *err);

/* Reserves space for a file of `size` bytes, or only sets its length where the file system cannot
 * reserve (uses the system call, never glibc's emulation, which writes to each block). Checks the
 * free space first, and releases what a failed attempt has allocated: then the file is unchanged
 * but for holes, which the caller must punch. IGT_E_NO_SPACE; IGT_E_CANCELLED. */
igt_status igt__space_reserve(igt__run *run, igt__root *root, int fd, uint64_t size,
                              igt_error *err);
/* Bytes that a failed attempt filled in between. */
void igt__space_punch(int fd, uint64_t at, uint64_t n);

#endif
