/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?" for commands, options, variables and keys that do not exist: of the names
 * offered to suggest(), the one most similar to what was typed. */
#include "cli.h"
#include "igtcloud/name.h"

void suggest(suggestion *best, const char *wanted, const char *name) {
  size_t distance = igt_name_distance(wanted, name);

  if (distance == SIZE_MAX || (best->name && distance >= best->distance))
    return;
  best->name = name;
  best->distance = distance;
}

const char *suggestion_text(const suggestion *best, char *out, size_t cap) {
  if (best->name)
    snprintf(out, cap, "; did you mean '%s'?", best->name);
  else
    out[0] = '\0';
  return out;
}
