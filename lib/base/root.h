/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_ROOT_H
#define IGT_BASE_ROOT_H

/* Access to the files below a root that nothing can escape from: opening (root.c), changing
 * (root_change.c), and what the root's disk can do (root_probe.c). */

#include <stdint.h>

#include "error.h"
#include "name.h"
#include "os/os.h"

/* A directory below which paths are opened, component by component with O_NOFOLLOW, without
 * blocking, and only regular files and folders, because others may control its content. The path of
 * the root itself may contain links: the user chose it. Thread-safe after _open. Keeps a small
 * cache of directory handles.
 *
 * A path is relative to the root, or absolute and within it (igt__root_below); "" is the root. */
typedef struct igt__root igt__root;

/* create: mkdir -p the root first. */
igt_status igt__root_open(const char *path, bool create, igt__root **out, igt_error *err);
void igt__root_close(igt__root *root);
/* Follows links below the root from now on, at the user's request (--follow-links). Call before
 * other threads use it. */
void igt__root_follow_links(igt__root *root);
bool igt__root_follows(const igt__root *root);
/* The part of path below the root; a relative path is returned unchanged. */
const char *igt__root_below(const igt__root *root, const char *path);
const char *igt__root_path(const igt__root *root); /* absolute, for the journal and messages */
int igt__root_fd(const igt__root *root);
/* Whether a failed write may be reported only by close, as on NFS or with remote quotas (close(2)).
 * Local disks report it on write or sync. */
bool igt__root_tells_at_close(const igt__root *root);
/* Notes that files below have no flock (why: the errno), and logs it once. Any thread. */
void igt__root_note_no_locks(igt__root *root, int why);
bool igt__root_has_no_locks(const igt__root *root);
/* Whether two names may denote the same file here: they differ only in case, or in é being one
 * character or two. Probed once, on demand. */
bool igt__root_folds(igt__root *root);
/* Removes a file that was created in the folder to find out what its disk does; warns if it stays
 * there. path: of the folder. */
void igt__probe_remove(int folder, const char *path, const char *name);
/* The names that the disk can store; probed once, on demand. */
igt__name_rules igt__root_names(igt__root *root);

/* open(2) of root/path with flags and mode; make_dirs creates missing folders (0777 & ~umask). *fd
 * >= 0 on success. A link anywhere in the path is IGT_E_UNSAFE_NAME, as is anything that exists and
 * is not a regular file (a FIFO, a device, a socket); a file in place of a folder is
 * IGT_E_COLLISION; the message names the component. Never blocks. */
igt_status igt__root_open_file(igt__root *root, const char *path, int flags, mode_t mode,
                               bool make_dirs, int *fd, igt_error *err);
/* Opens an existing file for reading; *st is its fstat(2). */
igt_status igt__root_open_read(igt__root *root, const char *path, int *fd, igt__stat *st,
                               igt_error *err);
/* Opens a folder to read its entries. */
igt_status igt__root_open_folder(igt__root *root, const char *path, int *fd, igt_error *err);
/* Reads a whole small file; more than max bytes are IGT_E_LIMIT. *data is NUL-terminated; igt__free
 * it. */
igt_status igt__root_read_file(igt__root *root, const char *path, size_t max, char **data,
                               size_t *len, igt_error *err);
/* lstat, or stat where links are followed. *found is false only if the system reports that nothing
 * exists (ENOENT, ENOTDIR, a name that is too long): a path that cannot be examined (EACCES, EIO,
 * ESTALE), or a broken link where links are followed, is an error. A link that is not followed is
 * found, as a link. */
igt_status igt__root_look(igt__root *root, const char *path, bool *found, igt__stat *st,
                          igt_error *err);
/* stat of a link's target, which may be outside the root: only for reports, since nothing is
 * opened. Returns an errno; 0: success. */
int igt__root_look_beyond(igt__root *root, const char *path, igt__stat *st);
igt_status igt__root_mkdirs(igt__root *root, const char *path, igt_error *err);
/* lstat, or stat where links are followed; IGT_E_NO_FILE if nothing exists (not worth a log
 * line). */
igt_status igt__root_stat(igt__root *root, const char *path, igt__stat *st, igt_error *err);
/* Both paths are below the root; replaces `to` atomically. On a file system that cannot replace
 * files, `to` is first moved aside, and back if the rename fails. */
igt_status igt__root_rename(igt__root *root, const char *from, const char *to, igt_error *err);
/* Same, but IGT_E_COLLISION if `to` exists under another variant of its name, which the file system
 * treats as the same. What exists under exactly this name is replaced. */
igt_status igt__root_rename_new(igt__root *root, const char *from, const char *to, igt_error *err);
/* Whether a file is stored under exactly this name, not under a variant of it. Reads the folder. */
bool igt__root_is_stored_as(igt__root *root, const char *path);
igt_status igt__root_unlink(igt__root *root, const char *path, igt_error *err);

/* Writes root/path as a whole: hidden temporary file beside it, write, rename. Does not sync: a
 * download syncs once at its end (lib/transfer/download/durable.h), and after a crash the next run
 * verifies the content. */
igt_status igt__root_write_file(igt__root *root, const char *path, const void *data, size_t len,
                                mode_t mode, igt_error *err);

/* fsync; file systems without it (FUSE, some of NFS and CIFS) lose nothing: false only if data was
 * not stored, with errno. */
bool igt__file_sync(int fd);
/* Write all n bytes, also where write(2) takes fewer or a signal interrupts it. False: errno says
 * why. */
bool igt__fd_write(int fd, const void *data, size_t n);
bool igt__fd_write_at(int fd, const void *data, size_t n, uint64_t at);

#endif
