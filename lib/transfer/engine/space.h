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

/* Reserves the place of a file of `size` bytes, or gives it its length where the file system cannot
 * reserve (the system call, never glibc's emulation, which writes to each block). Looks first
 * whether so much is free, and gives back what a failed attempt has taken: then the file is as it
 * was, but for holes, which are the caller's to punch. IGT_E_NO_SPACE; IGT_E_CANCELLED. */
igt_status igt__space_reserve(igt__run *run, igt__root *root, int fd, uint64_t size,
                              igt_error *err);
/* Bytes that a failed attempt filled in between. */
void igt__space_punch(int fd, uint64_t at, uint64_t n);

#endif
