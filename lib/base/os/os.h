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

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* igt__stat (struct stat: st_dev, st_ino, st_mode, st_nlink, st_uid, st_size, st_mtim, st_ctim),
 * the S_IS... macros, O_..., AT_FDCWD, mode_t, ssize_t, IGT__OS_PATH_MAX; igt__os_signals;
 * igt__os_socket (what curl calls a socket), igt__os_pollfd and IGT__OS_POLL_... */
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
/* fd: what the program opened itself, by its C library. */
ssize_t igt__os_write_foreign(int fd, const void *data, size_t n);
ssize_t igt__os_pread(int fd, void *data, size_t n, int64_t at);
ssize_t igt__os_pwrite(int fd, const void *data, size_t n, int64_t at);
int igt__os_rewind(int fd); /* for _read and _write */
int igt__os_truncate(int fd, int64_t size);
int igt__os_sync(int fd); /* fsync */
/* All that was written to the file system of fd, a folder or a file open for writing: syncfs. */
int igt__os_sync_all(int fd);
/* Before it: hands a complete file to the disk where _sync_all covers only what was handed over. */
int igt__os_write_back(int fd);
/* Later reads of what has reached the disk come from there. A hint: systems may lack it. */
void igt__os_drop_cached(int fd);
int igt__os_set_mtime(int fd, int64_t seconds);
/* A file that disappears with its descriptor, in a folder, or in memory. */
int igt__os_temporary(const char *folder);
int igt__os_memory_file(void);
/* A path by which igt__os_open opens the same file again, while fd is open. */
int igt__os_path_of(int fd, char *out, size_t cap);
int igt__os_stat(const char *path, igt__stat *st);
int igt__os_lstat(const char *path, igt__stat *st);
int igt__os_fstat(int fd, igt__stat *st);
int igt__os_statat(int dir, const char *name, igt__stat *st, bool follow);
bool igt__os_is_readable(const char *path); /* access, R_OK */
bool igt__os_is_absolute(const char *path);
bool igt__os_is_separator(char c); /* of a path that a user gave */
/* Absolute, with '/' between its parts; free() it. NULL: errno. */
char *igt__os_full_path(const char *path);
/* Where temporary files go: TMPDIR, or what this system has in its place. */
const char *igt__os_temporary_folder(void);
/* The folder for a program's state. False: not known. */
bool igt__os_state_folder(char *out, size_t cap);
/* Without links and relative parts; free() it. NULL: errno. */
char *igt__os_real_path(const char *path);

/* ---- owners ---- */

/* st_uid of what this user creates. */
unsigned igt__os_user(void);
/* Completes st with the owner, and what others may do, where igt__os_fstat leaves them out because
 * asking is slow. For files that decide what is trusted. */
int igt__os_stat_owner(int fd, igt__stat *st);
/* igt__os_stat with these. */
int igt__os_stat_with_owner(const char *path, igt__stat *st);
/* Whether the disk of an open file can refuse other users: FAT and exFAT store no modes or access
 * lists. On Linux their mount gives all files one mode; on Windows every user may do everything. */
bool igt__os_has_modes(int fd);
/* What this process creates is for its user alone until _restore_mode. */
mode_t igt__os_private_mode(void);
void igt__os_restore_mode(mode_t before);
/* Owner and mode of an earlier file. */
int igt__os_take_after(int fd, const igt__stat *earlier);

/* ---- locks: released by close, or when the process ends ---- */

/* The whole file; others may read it. EAGAIN: another descriptor has it. */
int igt__os_lock(int fd);
/* One byte, also far behind the end. A shared lock becomes exclusive with a second call, but if
 * that fails it may be lost: EAGAIN. */
int igt__os_lock_byte(int fd, int64_t at, bool shared);
int igt__os_unlock_byte(int fd, int64_t at);
bool igt__os_byte_is_locked(int fd, int64_t at); /* by another descriptor */
/* Shows others which process holds the file: after igt__os_lock. */
int igt__os_show_holder(int fd);
int64_t igt__os_holder(int fd); /* its process id; 0: none, or unknown */

/* ---- space ---- */

/* UINT64_MAX: unknown, or unreliable as the file system compresses. */
uint64_t igt__os_free_space(int fd);
/* The file system's name, such as "ext4", or a number; "": unknown. *total: its size in bytes; 0:
 * unknown. */
void igt__os_disk(int fd, char *name, size_t cap, uint64_t *total);
/* 0, or an error number; EOPNOTSUPP and the like: not on this file system. */
int igt__os_allocate(int fd, int64_t size);
void igt__os_punch(int fd, int64_t at, int64_t n);

/* ---- folders, names ---- */

int igt__os_mkdir(const char *path, mode_t mode);
int igt__os_mkdirat(int dir, const char *name, mode_t mode);
/* No folder of this system can have names that Windows, FAT or SMB reject. */
bool igt__os_has_portable_names(void);
int igt__os_unlink(const char *path);
int igt__os_unlinkat(int dir, const char *name);
int igt__os_rmdirat(int dir, const char *name);
int igt__os_rename(const char *from, const char *to);
/* The same where `to` may be a running program. */
int igt__os_replace_program(const char *from, const char *to);
int igt__os_link(const char *from, const char *to);
int igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to);
/* EEXIST if `to` exists. A system or file system without it checks first, which leaves a race. */
int igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to);

typedef enum igt__os_kind { IGT__OS_UNKNOWN, IGT__OS_FOLDER, IGT__OS_OTHER } igt__os_kind;
typedef struct igt__os_dir igt__os_dir;
/* Its own descriptor of the folder: fd stays the caller's. NULL: errno. */
igt__os_dir *igt__os_dir_open(int fd);
/* fd is the directory's from now on, and closed with it; also after an error. */
igt__os_dir *igt__os_dir_take(int fd);
/* Without . and ..; NULL: the end (*os_error 0), or an error. Valid until the next call. kind
 * may be NULL. */
const char *igt__os_dir_next(igt__os_dir *dir, igt__os_kind *kind, int *os_error);
void igt__os_dir_close(igt__os_dir *dir);

/* Whether a failed write is reported by the write itself, as on a local disk; over a network
 * perhaps only by close. */
bool igt__os_is_local_disk(int fd);

/* ---- pipes that the user named ---- */

/* A descriptor that a path denotes (/dev/fd/3, /dev/stdin), duplicated; -1: not such a path. -2:
 * such a path, but errno. */
int igt__os_open_named_fd(const char *path);
/* Waits until there is something to read: 1; 0: not within ms; -1: errno. */
int igt__os_wait_readable(int fd, int ms);
void igt__os_pause(int ms);

/* ---- events that poll() sees ---- */

/* A descriptor that becomes readable by _set and no longer is after _clear, any thread. On Windows
 * the handle of an event, which fits an int. -1: errno. */
int igt__os_event_new(void);
void igt__os_event_set(int fd);
void igt__os_event_clear(int fd);
void igt__os_event_close(int fd);

/* ---- sockets ---- */

/* poll(2) for sockets alone. */
int igt__os_poll(igt__os_pollfd *sockets, size_t n, int ms);
/* Two ends of a pipe, of which the first may be polled; neither blocks. */
int igt__os_wake_open(igt__os_socket ends[2]);
void igt__os_wake(igt__os_socket end);
void igt__os_wake_drain(igt__os_socket end);
void igt__os_wake_close(igt__os_socket ends[2]);
/* How many of the `up` bytes that a connection was given since the mark the other side has
 * received. On a slow line the kernel keeps some for seconds. All of them where a system cannot
 * say. */
uint64_t igt__os_mark_received(igt__os_socket fd);
uint64_t igt__os_received(igt__os_socket fd, uint64_t mark, uint64_t up);
/* Of a new connection: the kernel buffers no more than `unsent` bytes that were not sent, and
 * segments have at most `segment` bytes (0: the line's own size). Hints. */
void igt__os_tune_socket(igt__os_socket fd, int unsent, int segment);
/* The text for a failed connection's error number, as curl returns it, such as "Connection
 * refused"; *number becomes errno's. */
const char *igt__os_socket_error(int *number);
/* 4 or 6 with the address in network order, 0: a name. */
int igt__os_parse_ip(const char *text, unsigned char out[16]);

/* ---- signals ---- */

/* A thread inherits what is blocked: signals are for the threads that the program itself has. */
void igt__os_block_signals(igt__os_signals *before);
void igt__os_unblock_signals(const igt__os_signals *before);
/* Between these two a connection that the other side has closed is an error, not SIGPIPE: for work
 * on a thread of the program, whatever libraries write to sockets there. */
void igt__os_block_broken_pipe(igt__os_signals *before);
void igt__os_unblock_broken_pipe(const igt__os_signals *before);

/* ---- waiting with a deadline ---- */

void igt__os_cond_init(pthread_cond_t *cond);
/* The deadline is CLOCK_MONOTONIC's. False: it has passed. */
bool igt__os_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                             const struct timespec *deadline);

/* ---- the process ---- */

int64_t igt__os_process_id(void);
size_t igt__os_usable_size(void *p); /* of malloc's block */

/* ---- the machine ---- */

void igt__os_host_name(char *out, size_t cap);
/* Of this boot: changes with each; "" if the system has none. */
void igt__os_boot_id(char *out, size_t cap);
/* The end of a release's name: "linux-x86_64". */
int igt__os_machine(char *out, size_t cap);
unsigned igt__os_cores(void);
/* How many files and connections this process may have open; UINT_MAX: no limit is known. */
unsigned igt__os_open_files(void);

void igt__os_wipe(void *p, size_t n); /* not optimized away */

/* False without entropy (early in the boot). Does not wait. */
bool igt__os_random(void *out, size_t n);
/* What this process may use: of the machine, its container and its limits. UINT64_MAX: unknown. */
uint64_t igt__os_memory(void);

#endif
