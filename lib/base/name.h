/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_NAME_H
#define IGT_BASE_NAME_H

/* The names that paths of the cloud have on this machine's disks, and back. docs/names.md says
 * what people should know; the mapping is one to one, so an upload undoes what a download did.
 *
 * A component that a disk can hold keeps its name. Another one becomes "%%" and its name, in which
 * the bytes that are in the way, and '%', are %XX; where that is longer than a component may be, it
 * is cut into folders, each but the last of which ends in "%+". */

#include "error.h"

/* Which names the disk can hold. */
typedef enum igt__name_rules {
  IGT__NAMES_POSIX,   /* all but control characters (which a terminal obeys) and long ones */
  IGT__NAMES_PORTABLE /* and none of what Windows, FAT and SMB cannot hold: <>:"\|?*, a dot or a
                         space at the end, CON, AUX, COM1, ... */
} igt__name_rules;

/* A path as the cloud has it: not empty, not absolute, no NUL within len, no "." or "..", no empty
 * component, valid UTF-8, at most 4,000 bytes. `what` names the thing in the sentence. */
igt_status igt__path_check_cloud(const char *path, size_t len, const char *what, igt_error *err);

/* Checks, then maps. *out is igt__path_check'd and the caller's to igt__free. */
igt_status igt__path_to_local(const char *path, size_t len, igt__name_rules rules, const char *what,
                              char **out, igt_error *err);
/* The same for one component, in which '/' is mapped, too, and which is never cut: the name of an
 * institute or a study. */
igt_status igt__name_to_local(const char *name, igt__name_rules rules, const char *what, char **out,
                              igt_error *err);

/* The path that was mapped to this one; itself where none was. igt__free; NULL: no memory. */
char *igt__path_from_local(const char *path);
char *igt__name_from_local(const char *name);

#endif
