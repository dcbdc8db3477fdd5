/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_NAME_H
#define IGT_BASE_NAME_H

/* Maps paths of the cloud to names on this machine's disks, and back. docs/names.md describes it
 * for users; the mapping is one to one, so an upload reverses what a download did.
 *
 * A component that the disk can store keeps its name. Any other is prefixed with "%%", and its
 * unsupported bytes and '%' are written as %XX; if the result is longer than a component may be, it
 * is split into folders, all but the last of which end in "%+". */

#include "error.h"

/* Names that the disk can store. */
typedef enum igt__name_rules {
  IGT__NAMES_POSIX,   /* all but those that are too long or have control characters (which terminals
                         obey) */
  IGT__NAMES_PORTABLE /* and none that Windows, FAT or SMB reject: <>:"\|?*, a trailing dot or
                         space, CON, AUX, COM1, ... */
} igt__name_rules;

/* Checks a path as the cloud has it: not empty, not absolute, no NUL within len, no "." or "..", no
 * empty component, valid UTF-8, at most 4,000 bytes. `what` names the object in the message. */
igt_status igt__path_check_cloud(const char *path, size_t len, const char *what, igt_error *err);

/* Checks, then maps. *out passes igt__path_check; free it with igt__free. */
igt_status igt__path_to_local(const char *path, size_t len, igt__name_rules rules, const char *what,
                              char **out, igt_error *err);
/* Same for one component, the name of an institute or a study: '/' is mapped as well, and the
 * result is never split. */
igt_status igt__name_to_local(const char *name, igt__name_rules rules, const char *what, char **out,
                              igt_error *err);

/* The path that was mapped to this one; the path itself if none was. igt__free; NULL: no memory. */
char *igt__path_from_local(const char *path);
char *igt__name_from_local(const char *name);

#endif
