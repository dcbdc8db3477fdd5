/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_TYPES_H
#define IGT_BASE_OS_TYPES_H

/* See ../os.h. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct stat igt__stat;

#endif
