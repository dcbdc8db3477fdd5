/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_TYPES_H
#define IGT_BASE_OS_TYPES_H

/* See ../os.h. What POSIX has and Windows' C library lacks gets a number of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define AT_FDCWD (-100)

/* Beside those of <fcntl.h>, which end at 0x40000. */
#define O_NOFOLLOW 0x01000000
#define O_DIRECTORY 0x02000000
#define O_PATH 0x04000000
#define O_NONBLOCK 0 /* no file is a pipe by its name alone */
#define O_NOCTTY 0

/* Commands for a user, in cmd.exe and PowerShell: only the owner (S-1-3-4) may use a file. The
 * first removes what was granted to others on the file itself, the second what it inherits. */
#define IGT__OS_MAKE_PRIVATE(file)                                                                 \
  "icacls \"" file "\" /reset, then the same with /inheritance:r /grant:r *S-1-3-4:F for /reset"
#define IGT__OS_REFUSE_WRITERS IGT__OS_MAKE_PRIVATE

#define S_IFMT 0xF000
#define S_IFLNK 0xA000
#define S_IFREG 0x8000
#define S_IFDIR 0x4000
#define S_IFCHR 0x2000
#define S_IFIFO 0x1000
#define S_ISLNK(mode) (((mode)&S_IFMT) == S_IFLNK)
#define S_ISREG(mode) (((mode)&S_IFMT) == S_IFREG)
#define S_ISDIR(mode) (((mode)&S_IFMT) == S_IFDIR)
#define S_ISCHR(mode) (((mode)&S_IFMT) == S_IFCHR)
#define S_ISFIFO(mode) (((mode)&S_IFMT) == S_IFIFO)

#define S_IWGRP 0020
#define S_IWOTH 0002

/* Windows has 32,767 UTF-16 units; this is what fits a stack. */
#define IGT__OS_PATH_MAX 16384

/* Errors that this C library does not name; nothing on Windows is mapped to them. */
#ifndef EDQUOT
#define EDQUOT 122
#endif

/* Not <sys/stat.h>'s, whose st_ino has 16 bits. A file has the user's own id (0) and a mode for the
 * user alone: whether others may use it is a question to its access list. */
typedef struct igt__stat {
  uint64_t st_dev, st_ino;
  unsigned st_mode, st_nlink, st_uid;
  int64_t st_size, st_blocks; /* of 512 bytes: of the size, which is what was reserved */
  struct timespec st_mtim, st_ctim;
} igt__stat;

typedef int igt__os_signals; /* none */

/* As curl's curl_socket_t, without <winsock2.h>. */
typedef uintptr_t igt__os_socket;
typedef struct igt__os_pollfd {
  igt__os_socket fd;
  short events, revents;
} igt__os_pollfd;

/* The HANDLE of a descriptor, for cli/os/windows. */
intptr_t igt__os_handle(int fd);

#define IGT__OS_POLL_IN 1
#define IGT__OS_POLL_OUT 2
#define IGT__OS_POLL_READ IGT__OS_POLL_IN
#define IGT__OS_POLL_FAILED 4

#endif
