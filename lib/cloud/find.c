/* SPDX-License-Identifier: MIT */
/* Finds projects and institutes by their exact name or id. A name that several have is an error
 * that lists their ids, collected by igt__several, so that the user can choose. Called by programs
 * through igtcloud/cloud.h, and by lib/transfer. */
#include "cloud/find.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/unicode.h"
#include "cloud/once.h"
#include "igtcloud/name.h"

const char *igt__text_of(const igt_string_field *field) {
  return field->is == IGT_SET && field->v ? field->v : "";
}

bool igt__is_id(const char *name, const char *id) {
  return *id && strcmp(igt__str_starts(name, "id:") ? name + 3 : name, id) == 0;
}

/* ---- several with one name ---- */

void igt__several_add(igt__several *several, const char *id, const char *note) {
  size_t used = strlen(several->ids), cap = sizeof several->ids;
  size_t need = strlen(id) + strlen(note) + 8;

  several->count++;
  if (used + need + 8 < cap) /* keeps space for the dots */
    (void)snprintf(several->ids + used, cap - used, "%s%s%s%s%s", used ? ", " : "", id,
                   *note ? " (" : "", note, *note ? ")" : "");
  else if (used < 4 || strcmp(several->ids + used - 3, "...") != 0)
    (void)snprintf(several->ids + used, cap - used, ", ...");
}

igt_status igt__several_fail(const igt__several *several, const char *what, const char *name,
                             igt_error *err) {
  return igt__fail(err, IGT_E_AMBIGUOUS, "%u %s have the name '%s'; their ids are %s",
                   several->count, what, name, several->ids);
}

/* ---- did you mean ---- */

void igt__similar_offer(igt__similar *similar, const char *wanted, const char *name) {
  size_t distance = igt_name_distance(wanted, name);

  if (distance == SIZE_MAX || strlen(name) >= sizeof similar->name ||
      (*similar->name && distance >= similar->distance))
    return;
  similar->distance = distance;
  igt__str_copy(similar->name, sizeof similar->name, name);
}

void igt__similar_say(const igt__similar *similar, igt_error *err) {
  if (*similar->name)
    igt__error_append(err, "; did you mean '%s'?", similar->name);
}

/* ---- projects and institutes ---- */

typedef struct search {
  const char *name;
  bool exact; /* found has the name byte for byte: other Unicode forms of it don't count */
  igt_model *found;
  igt_model *by_id; /* counts if none has the name */
  igt__several several;
  igt__similar similar;
} search;

static igt_status look(search *s, const igt_model *model, const igt_string_field *name,
                       const igt_string_field *id, const igt_string_field *description) {
  bool exact = strcmp(igt__text_of(name), s->name) == 0;

  if (!s->by_id && igt__is_id(s->name, igt__text_of(id)) && !(s->by_id = igt_model_copy(model)))
    return IGT_E_NO_MEMORY;
  if (!exact && (s->exact || !igt__nfc_eq(igt__text_of(name), s->name))) {
    if (!s->found && !s->by_id)
      igt__similar_offer(&s->similar, s->name, igt__text_of(name));
    return IGT_OK;
  }
  if (exact && !s->exact) {
    memset(&s->several, 0, sizeof s->several);
    igt_model_free(s->found);
    s->found = NULL;
    s->exact = true;
  }
  igt__several_add(&s->several, igt__text_of(id), igt__text_of(description));
  if (!s->found)
    s->found = igt_model_copy(model);
  return s->found ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status look_at_project(void *payload, igt_project *project) {
  return look(payload, &project->model, &project->name, &project->id, &project->description);
}

static igt_status look_at_institute(void *payload, igt_institute *institute) {
  return look(payload, &institute->model, &institute->name, &institute->id,
              &institute->description);
}

/* One is the result; several are an error that lists them. */
static igt_status settle(search *s, igt_status status, const char *what, igt_error *err) {
  if (status == IGT_OK && s->several.count > 1) {
    (void)igt__several_fail(&s->several, what, s->name, err);
    igt__error_append(err, "; give one of them as id:... in place of the name");
    status = IGT_E_AMBIGUOUS;
  }
  if (s->found)
    igt_model_free(s->by_id);
  else
    s->found = s->by_id;
  if (status != IGT_OK) {
    igt_model_free(s->found);
    s->found = NULL;
  }
  return status;
}

igt_status igt_find_project(igt_client *client, const char *name, igt_project **out,
                            igt_error *err) {
  search s = {.name = name ? name : ""};
  igt_status status = igt__each_project(client, look_at_project, &s, err);

  if (status == IGT_OK && !s.found && !s.by_id) {
    status = igt__fail(err, IGT_E_NOT_FOUND,
                       "no project '%s' on %s is visible to you; names must match exactly", s.name,
                       igt_client_domain(client));
    igt__similar_say(&s.similar, err);
  }
  status = settle(&s, status, "projects", err);
  *out = (igt_project *)s.found;
  return status;
}

igt_status igt_find_institute(igt_client *client, const igt_project *project, const char *name,
                              igt_institute **out, igt_error *err) {
  search s = {.name = name ? name : ""};
  igt_status status =
      igt__each_institute(client, igt__text_of(&project->id), look_at_institute, &s, err);

  if (status == IGT_OK && !s.found && !s.by_id) {
    status = igt__fail(err, IGT_E_NOT_FOUND, "the project '%s' has no institute '%s'",
                       igt__text_of(&project->name), s.name);
    igt__similar_say(&s.similar, err);
  }
  status = settle(&s, status, "institutes", err);
  *out = (igt_institute *)s.found;
  return status;
}
