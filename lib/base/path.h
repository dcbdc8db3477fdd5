/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_PATH_H
#define IGT_BASE_PATH_H

/* Checks and parts of paths, whose names may be chosen by a server, and files that the user named.
 * Access to files below a root is in root.h. */

#include <stdint.h>

#include "error.h"
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

#endif
