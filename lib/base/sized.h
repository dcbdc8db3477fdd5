/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_SIZED_H
#define IGT_BASE_SIZED_H

/* Structs that a program allocates and that begin with their size (IGT_SIZED): the program may have
 * been built with a header that had fewer members, or more. The library therefore never touches one
 * through its own type: it copies options into a struct of its own, and results out of one. Errors
 * are the exception, see error.h. */

#include <stddef.h>

#include "igtcloud/error.h"

/* Copies options to own, a struct of own_size bytes; members that theirs does not have become zero,
 * which is their default. theirs NULL: all are. name: of the type, for messages.
 * Errors: IGT_E_INVALID (theirs has no size), IGT_E_UNSUPPORTED (members that are unknown here are
 * set). In both cases own has the defaults. */
igt_status igt__options_read(void *own, size_t own_size, const void *theirs, const char *name,
                             igt_error *err);
/* The same, only checked: for callers that read members by their offset. */
igt_status igt__options_check(size_t own_size, const void *theirs, const char *name,
                              igt_error *err);

/* Before a call does anything: IGT_E_INVALID if theirs has no size. theirs NULL: not wanted. */
igt_status igt__result_check(const void *theirs, const char *name, igt_error *err);
/* Copies own to theirs, as much of it as theirs has; its size stays. theirs may be NULL. */
void igt__result_write(void *theirs, const void *own, size_t own_size);

void igt__sized_init(void *theirs, size_t size);

/* The exported igt_x_init() of a struct. */
#define IGT__DEFINE_INIT(type)                                                                     \
  void type##_init(type *theirs, size_t size) {                                                    \
    igt__sized_init(theirs, size);                                                                 \
  }

#endif
