/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_FIND_H
#define IGT_CLOUD_FIND_H

/* Finds objects of the cloud by their exact names. */

#include "igtcloud/cloud.h"

/* A field's text; "" if it has none. */
const char *igt__text_of(const igt_string_field *field);

/* Whether it is given in place of a name: the id itself, or id:ID as in the paths of `ls`. */
bool igt__is_id(const char *name, const char *id);

/* Reports that several have the same name, and collects their ids. */
typedef struct igt__several {
  unsigned count;
  char ids[600];
} igt__several;
/* note: what distinguishes it from the others; may be "". */
void igt__several_add(igt__several *several, const char *id, const char *note);
igt_status igt__several_fail(const igt__several *several, const char *what, const char *name,
                             igt_error *err);

/* Of the names that were offered, the one most similar to the wanted one, for "did you mean". A
 * copy, as lists are read piece by piece. Starts as {0}. */
typedef struct igt__similar {
  size_t distance;
  char name[256]; /* "": none is similar */
} igt__similar;
void igt__similar_offer(igt__similar *similar, const char *wanted, const char *name);
/* Appends it to the error, if there is one. */
void igt__similar_say(const igt__similar *similar, igt_error *err);

#endif
