/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_TYPES_H
#define IGT_BASE_OS_TYPES_H

/* See ../os.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>

#define IGT__OS_PATH_MAX PATH_MAX

/* Commands for a user: only the owner may use a file; only the owner may write to it. */
#define IGT__OS_MAKE_PRIVATE(file) "chmod 600 " file
#define IGT__OS_REFUSE_WRITERS(file) "chmod go-w " file

typedef struct stat igt__stat;
typedef sigset_t igt__os_signals;
typedef int igt__os_socket;
typedef struct pollfd igt__os_pollfd; /* fd, events, revents */

#define IGT__OS_POLL_IN POLLIN
#define IGT__OS_POLL_OUT POLLOUT
#define IGT__OS_POLL_READ (POLLIN | POLLHUP) /* of revents */
#define IGT__OS_POLL_FAILED (POLLERR | POLLNVAL)

#endif
