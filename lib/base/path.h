/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_PATH_H
#define IGT_BASE_PATH_H

/* Names that a server chose, and folders below a root that nothing may lead out of. */

#include <stdint.h>
#include <sys/stat.h>

#include "error.h"
#include "name.h"

/* IGT_E_UNSAFE_NAME: "WHAT 'PATH' is not used as a name here: WHY". */
igt_status igt__fail_unsafe(igt_error *err, const char *what, const char *path, const char *why);
/* Why a component may stand in no path, however its bytes are mapped: it is empty, . or ..; NULL:
 * it may. */
const char *igt__component_trouble(const char *s, size_t n);

/* Checks a relative path of '/'-separated components: not empty, not absolute, no NUL within
 * len, no "." or "..", no empty component, no control character, valid UTF-8, each component
 * at most 255 bytes, the whole at most 4,000. `what` names the thing in the sentence. A
 * backslash is an ordinary byte on POSIX. */
igt_status igt__path_check(const char *path, size_t len, const char *what, igt_error *err);
/* The same for one component ('/' refused): an institute's or project's name. */
igt_status igt__name_check(const char *name, const char *what, igt_error *err);

/* A directory that things are opened below, component by component with O_NOFOLLOW, without
 * blocking, and nothing but regular files and folders: others may have made what is in it. The root
 * itself may be reached by links: the user named it. Thread-safe after _open. Keeps a small cache
 * of directory handles.
 *
 * A path is relative to the root, or absolute and inside of it (igt__root_below); "" is the root.
 */
typedef struct igt__root igt__root;

/* create: mkdir -p of the root first. */
igt_status igt__root_open(const char *path, bool create, igt__root **out, igt_error *err);
void igt__root_close(igt__root *root);
/* From now on links below it are followed, because the user asked for it (--follow-links). Before
 * other threads use it. */
void igt__root_follow_links(igt__root *root);
bool igt__root_follows(const igt__root *root);
/* The part of path below the root; a relative path is returned as it is. */
const char *igt__root_below(const igt__root *root, const char *path);
const char *igt__root_path(const igt__root *root); /* absolute, for the journal and messages */
int igt__root_fd(const igt__root *root);
/* Whether a write may turn out to have failed when the file is closed, as on NFS, or where quotas
 * are kept elsewhere (close(2)). Disks of this machine say so when it is written, or synced. */
bool igt__root_tells_at_close(const igt__root *root);
/* That files below have no flock: noted by who found it out (why: the errno), and told in the log
 * once. Any thread. */
void igt__root_note_no_locks(igt__root *root, int why);
bool igt__root_has_no_locks(const igt__root *root);
/* True when two names may be one file here: they differ in case alone, or é is one character in
 * the one and two in the other. Probed once, on demand. */
bool igt__root_folds(igt__root *root);
/* What names the disk below can hold; probed once, on demand. */
igt__name_rules igt__root_names(igt__root *root);

/* open(2) of root/path with flags and mode; make_dirs makes missing folders (0777 & ~umask).
 * *fd >= 0 on success. A link anywhere on the way is IGT_E_UNSAFE_NAME, as is what is there and no
 * regular file (a FIFO, a device, a socket); a file where a folder must be is IGT_E_COLLISION; the
 * sentence names the component. Never blocks. */
igt_status igt__root_open_file(igt__root *root, const char *path, int flags, mode_t mode,
                               bool make_dirs, int *fd, igt_error *err);
/* An existing file for reading, and what fstat(2) says of it. */
igt_status igt__root_open_read(igt__root *root, const char *path, int *fd, struct stat *st,
                               igt_error *err);
/* A folder whose entries are to be read. */
igt_status igt__root_open_folder(igt__root *root, const char *path, int *fd, igt_error *err);
/* Reads a whole small file; past max is IGT_E_LIMIT. *data is NUL-terminated, igt__free it. */
igt_status igt__root_read_file(igt__root *root, const char *path, size_t max, char **data,
                               size_t *len, igt_error *err);
/* What is at path. *found is false only when the system says that there is nothing (ENOENT,
 * ENOTDIR): a place that cannot be looked at (EACCES, EIO, ESTALE), or a link to nothing where
 * links are followed, is an error. A link that is not followed is found, as a link. */
igt_status igt__root_look(igt__root *root, const char *path, bool *found, struct stat *st,
                          igt_error *err);
/* stat of what a link leads to, which may be outside of the root: for a report alone, since nothing
 * is opened there. An errno; 0: done. */
int igt__root_look_beyond(igt__root *root, const char *path, struct stat *st);
igt_status igt__root_mkdirs(igt__root *root, const char *path, igt_error *err);
/* lstat; IGT_E_NO_FILE when there is nothing (not an error worth a log). */
igt_status igt__root_stat(igt__root *root, const char *path, struct stat *st, igt_error *err);
/* Both below the root; replaces `to` atomically. On a file system that does not replace files `to`
 * is moved out of the way first, and back when that was to no avail. */
igt_status igt__root_rename(igt__root *root, const char *from, const char *to, igt_error *err);
/* The same, but IGT_E_COLLISION when `to` is there. */
igt_status igt__root_rename_new(igt__root *root, const char *from, const char *to, igt_error *err);
igt_status igt__root_unlink(igt__root *root, const char *path, igt_error *err);

/* Writes root/path whole: hidden temporary file beside it, write, rename. Not synced: a download
 * syncs once at its end (lib/transfer/download/durable.h), and looks at the content the next time.
 */
igt_status igt__root_write_file(igt__root *root, const char *path, const void *data, size_t len,
                                mode_t mode, igt_error *err);

/* fsync; a file system that has no such call (FUSE, some of NFS and CIFS) has lost nothing: false
 * only when what was written is not kept, with errno. */
bool igt__file_sync(int fd);
int64_t igt__mtime_ns(const struct stat *st); /* nanoseconds since 1970 */

/* The hidden name beside `path` under which it is built: "dir/.name.igtpart"; a name too long
 * for that gets a digest of itself. `salt` ("" for none) tells two apart. out: igt__free. */
char *igt__path_partial(const char *path, const char *salt);

/* Reads a whole small file that the user named (what is in a tree: igt__root_read_file); past max
 * is IGT_E_LIMIT. It may be a pipe, such as <(...); one that nothing writes to is IGT_E_IO after
 * half a second, as are devices and sockets. *data is NUL-terminated, igt__free it. */
igt_status igt__file_read(const char *path, size_t max, char **data, size_t *len, igt_error *err);
/* The same of what is open; path is for messages. */
igt_status igt__fd_read(int fd, const char *path, size_t max, char **data, size_t *len,
                        igt_error *err);

char *igt__path_join(const char *a, const char *b); /* one '/' between; igt__free */
const char *igt__path_base(const char *path);       /* behind the last '/' */
char *igt__path_absolute(const char *path);         /* cwd + path, not resolved; igt__free */

/* Walks a folder below a root, depth first, entries sorted by name so that plans repeat. Links to
 * files and folders are followed where the root follows them (a loop is an error of that entry). */
typedef enum igt__walk_kind {
  IGT__WALK_FILE,
  IGT__WALK_DIR,       /* before what is in it */
  IGT__WALK_LINK,      /* not followed */
  IGT__WALK_SPECIAL,   /* device, socket, fifo */
  IGT__WALK_UNREADABLE /* errno in os_error */
} igt__walk_kind;
typedef struct igt__walk_entry {
  igt__walk_kind kind;
  const char *path; /* below the folder that is walked */
  const char *name;
  struct stat st;
  int os_error;
} igt__walk_entry;
/* 0 goes on; 1 (for a DIR) goes on without descending; anything else ends the walk with it. */
typedef int (*igt__walk_fn)(void *payload, const igt__walk_entry *entry);
igt_status igt__walk(igt__root *root, const char *folder, igt__walk_fn fn, void *payload,
                     int *ended_with, igt_error *err);

#endif
