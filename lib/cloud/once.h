/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_ONCE_H
#define IGT_CLOUD_ONCE_H

/* Lists in which each id counts once: projects, institutes, and the studies of study_list.h. */

#include "base/fingerprints.h"
#include "igtcloud/operations.h"

/* The ids that a list had so far. Starts as {.what = ...}. */
typedef struct igt__once {
  const char *what;  /* "study" */
  const char *whats; /* "studies" */
  igt__fingerprints *ids;
  char *twice; /* the id that differing ones have; NULL: none */
} igt__once;
igt_status igt__once_init(igt__once *once, igt_error *err);
void igt__once_finish(igt__once *once);
/* Whether an element is to be handed on: *is_new. who: equal for elements that are the same. Those
 * without an id are. */
igt_status igt__once_add(igt__once *once, const char *id, uint64_t who, bool *is_new);
/* After the list: an error if different elements had one id. which: what is not known then. */
igt_status igt__once_end(const igt__once *once, const char *which, igt_error *err);
/* For `who`: adds a text to it. */
uint64_t igt__once_text(uint64_t who, const char *text);

/* Like igt_get_projects_each and igt_get_institutes_each. */
igt_status igt__each_project(igt_client *client, igt_project_fn fn, void *payload, igt_error *err);
igt_status igt__each_institute(igt_client *client, const char *project_id, igt_institute_fn fn,
                               void *payload, igt_error *err);
/* Like igt_get_institutes; a duplicate in the list is NULL. */
igt_status igt__list_institutes(igt_client *client, const char *project_id,
                                igt_institute_list **out, igt_error *err);

#endif
