/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_FIND_H
#define IGT_CLOUD_FIND_H

/* Things of the cloud by their names, exactly. */

#include "igtcloud/cloud.h"

/* A field's text; "" when it has none. */
const char *igt__text_of(const igt_string_field *field);

/* Says that several have a name, and lists their ids as they are met. */
typedef struct igt__several {
  unsigned count;
  char ids[600];
} igt__several;
/* note: what tells it from the others; may be "". */
void igt__several_add(igt__several *several, const char *id, const char *note);
igt_status igt__several_fail(const igt__several *several, const char *what, const char *name,
                             igt_error *err);

#endif
