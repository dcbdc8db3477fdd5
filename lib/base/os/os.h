/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_OS_H
#define IGT_BASE_OS_H

/* What the layers ask of the operating system. posix/ and windows/ implement it, each with an
 * os_types.h of its own, which the build finds by its include path: no #ifdef above this folder.
 *
 * Functions are those of POSIX under our prefix, and behave like them: -1 and errno after an
 * error, flags and modes by their POSIX names, UTF-8 paths with '/'. Where a system has no such
 * thing, os_types.h gives it a number and the implementation does what comes closest; the comments
 * below say where callers have to know. Descriptors are small numbers that only these functions
 * take. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* igt__stat (struct stat: st_dev, st_ino, st_mode, st_nlink, st_uid, st_size, st_mtim, st_ctim),
 * the S_IS... macros, O_..., AT_FDCWD, mode_t, ssize_t; igt__os_signals. */
#include "os_types.h"

/* ---- files ---- */

/* Never inherited by a child (O_CLOEXEC is implied). mode: for O_CREAT, else 0. */
int igt__os_open(const char *path, int flags, mode_t mode);
/* name: one component, or "." for the folder itself. */
int igt__os_openat(int dir, const char *name, int flags, mode_t mode);
int igt__os_close(int fd);
int igt__os_dup(int fd);
ssize_t igt__os_read(int fd, void *data, size_t n);
ssize_t igt__os_write(int fd, const void *data, size_t n);
ssize_t igt__os_pread(int fd, void *data, size_t n, int64_t at);
ssize_t igt__os_pwrite(int fd, const void *data, size_t n, int64_t at);
int igt__os_truncate(int fd, int64_t size);
int igt__os_sync(int fd); /* fsync */
int igt__os_stat(const char *path, igt__stat *st);
int igt__os_lstat(const char *path, igt__stat *st);
int igt__os_fstat(int fd, igt__stat *st);
int igt__os_statat(int dir, const char *name, igt__stat *st, bool follow);
bool igt__os_is_readable(const char *path); /* access, R_OK */
int igt__os_current_folder(char *out, size_t cap);

/* ---- folders, names ---- */

int igt__os_mkdir(const char *path, mode_t mode);
int igt__os_mkdirat(int dir, const char *name, mode_t mode);
int igt__os_unlinkat(int dir, const char *name);
int igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to);
/* EEXIST if `to` exists. A system or file system without it checks first, which leaves a race. */
int igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to);

typedef struct igt__os_dir igt__os_dir;
/* Its own descriptor of the folder: fd stays the caller's. NULL: errno. */
igt__os_dir *igt__os_dir_open(int fd);
/* Without . and ..; NULL: the end (*os_error 0), or an error. Valid until the next call. */
const char *igt__os_dir_next(igt__os_dir *dir, int *os_error);
void igt__os_dir_close(igt__os_dir *dir);

/* Whether writes fail at once when they fail, as on a local disk; not so over a network. */
bool igt__os_is_local_disk(int fd);

/* ---- pipes that the user named ---- */

/* A descriptor that a path denotes (/dev/fd/3, /dev/stdin), duplicated; -1: not such a path. -2:
 * such a path, but errno. */
int igt__os_open_named_fd(const char *path);
/* Waits until there is something to read: 1; 0: not within ms; -1: errno. */
int igt__os_wait_readable(int fd, int ms);
void igt__os_pause(int ms);

/* ---- events that poll() sees ---- */

/* A descriptor that becomes readable by _set and no longer is after _clear, any thread. -1: errno;
 * ENOSYS: the system has no such descriptors. Closed by igt__os_close. */
int igt__os_event_new(void);
void igt__os_event_set(int fd);
void igt__os_event_clear(int fd);

/* ---- signals ---- */

/* A thread inherits what is blocked: signals are for the threads that the program itself has. */
void igt__os_block_signals(igt__os_signals *before);
void igt__os_unblock_signals(const igt__os_signals *before);

/* ---- the machine ---- */

void igt__os_wipe(void *p, size_t n); /* not optimized away */

/* False without entropy (early in the boot). Does not wait. */
bool igt__os_random(void *out, size_t n);
/* What this process may use: of the machine, its container and its limits. UINT64_MAX: unknown. */
uint64_t igt__os_memory(void);

#endif
