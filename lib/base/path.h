/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_PATH_H
#define IGT_BASE_PATH_H

/* Names chosen by a server, and access to the files below a root that nothing can escape from. */

#include <stdint.h>

#include "error.h"
#include "name.h"
#include "os/os.h"

/* IGT_E_UNSAFE_NAME: "WHAT 'PATH' cannot be used as a name: WHY". */
igt_status igt__fail_unsafe(igt_error *err, const char *what, const char *path, const char *why);
/* Why a component may not be part of any path, however its bytes are mapped: it is empty, . or ..;
 * NULL: it may. */
const char *igt__component_trouble(const char *s, size_t n);

/* Checks a relative path of '/'-separated components: not empty, not absolute, no NUL within len,
 * no "." or "..", no empty component, no control character, valid UTF-8, each component at most 255
 * bytes, the whole at most 4,000. `what` names the object in the message. A backslash is an
 * ordinary byte on POSIX. */
igt_status igt__path_check(const char *path, size_t len, const char *what, igt_error *err);
/* Same for one component ('/' is rejected): the name of an institute or project. */
igt_status igt__name_check(const char *name, const char *what, igt_error *err);

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
int64_t igt__mtime_ns(const igt__stat *st); /* nanoseconds since 1970 */

/* The hidden name beside `path` under which a file is written: "dir/.name.igtpart"; a name too long
 * for that is replaced by its digest. `salt` ("" for none) distinguishes several. igt__free it. */
char *igt__path_partial(const char *path, const char *salt);

/* Reads a whole small file that the user named (for files in a tree: igt__root_read_file); more
 * than max bytes are IGT_E_LIMIT. It may be a pipe, such as <(...); one without a writer is
 * IGT_E_IO after half a second, as are devices and sockets. *data is NUL-terminated; igt__free
 * it. */
igt_status igt__file_read(const char *path, size_t max, char **data, size_t *len, igt_error *err);
/* Opens it: a file or a pipe; igt__os_close it. Does not block; neither does reading. */
igt_status igt__file_open(const char *path, int *fd, igt_error *err);
/* Same, for an open descriptor; path is for messages. */
igt_status igt__fd_read(int fd, const char *path, size_t max, char **data, size_t *len,
                        igt_error *err);

char *igt__path_join(const char *a, const char *b); /* joined by one '/'; igt__free */
const char *igt__path_base(const char *path);       /* after the last '/' */
/* The same of a path that the user gave: on Windows also after the last '\'. */
const char *igt__path_local_base(const char *path);
/* Whether the name ends in the extension ".txt", in any case; NULL: always. */
bool igt__path_has_extension(const char *path, const char *extension);
char *igt__path_absolute(const char *path); /* cwd + path, unresolved; igt__free */

/* Walks a folder below a root, depth first, entries sorted by name so that plans are reproducible.
 * Follows links to files and folders where the root does (a loop is an error of that entry). */
typedef enum igt__walk_kind {
  IGT__WALK_FILE,
  IGT__WALK_DIR,       /* before its entries */
  IGT__WALK_LINK,      /* not followed */
  IGT__WALK_SPECIAL,   /* device, socket, fifo */
  IGT__WALK_UNREADABLE /* errno in os_error */
} igt__walk_kind;
typedef struct igt__walk_entry {
  igt__walk_kind kind;
  const char *path; /* relative to the folder that is walked */
  const char *name;
  igt__stat st;
  int os_error;
} igt__walk_entry;
/* 0 continues; 1 (for a DIR) continues without descending; any other value stops the walk. */
typedef int (*igt__walk_fn)(void *payload, const igt__walk_entry *entry);
/* Whether the open folder lists the name, or cannot be read. Some file systems (network shares,
 * FUSE) list a name that they cannot find again: that file is not absent. */
bool igt__folder_lists(int fd, const char *name);
igt_status igt__walk(igt__root *root, const char *folder, igt__walk_fn fn, void *payload,
                     int *ended_with, igt_error *err);

#endif
