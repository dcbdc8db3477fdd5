/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_TYPES_H
#define IGT_BASE_OS_TYPES_H

/* See ../os.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct stat igt__stat;
typedef sigset_t igt__os_signals;

#endif
