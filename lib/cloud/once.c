/* SPDX-License-Identifier: MIT */
/* Lists in which each id counts once. What the server lists twice is handed on once: two transfers
 * of one study would use one folder. Elements that differ and have one id are an error, at the end
 * of the list: a request names the id alone, so files could be taken from, or filed under, the
 * wrong one. Called by everything that lists projects, institutes (find.c, children.c and
 * lib/transfer/engine/find.c) and studies (study_list.c). */
#include "cloud/once.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cloud/find.h"
#include "crypto/crc.h"

igt_status igt__once_init(igt__once *once, igt_error *err) {
  once->ids = igt__fingerprints_new(true, NULL);
  return once->ids ? IGT_OK : igt__fail_memory(err);
}

void igt__once_finish(igt__once *once) {
  igt__free(once->twice);
  igt__fingerprints_free(once->ids);
}

uint64_t igt__once_text(uint64_t who, const char *text) {
  return igt__crc_update(IGT__CRC64NVME, who, text, strlen(text) + 1);
}

igt_status igt__once_add(igt__once *once, const char *id, uint64_t who, bool *is_new) {
  const uint64_t *before = *id ? igt__fingerprints_number(once->ids, id) : NULL;

  *is_new = !before;
  if (!*id)
    return IGT_OK;
  if (!before)
    return igt__fingerprints_set(once->ids, id, who) ? IGT_OK : IGT_E_NO_MEMORY;
  if (*before == who)
    igt__log(IGT_LOG_WARNING, IGT_LOG_API,
             "the cloud lists the %s %s more than once; the duplicate is ignored", once->what, id);
  else if (!once->twice && !(once->twice = igt__strdup(id)))
    return IGT_E_NO_MEMORY;
  return IGT_OK;
}

igt_status igt__once_end(const igt__once *once, const char *which, igt_error *err) {
  if (!once->twice)
    return IGT_OK;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "the cloud lists different %s with the id %s: which one %s is not known; report "
                   "it to the cloud's support",
                   once->whats, once->twice, which);
}

/* ---- projects and institutes ---- */

#define PROJECTS                                                                                   \
  { .what = "project", .whats = "projects" }
#define INSTITUTES                                                                                 \
  { .what = "institute", .whats = "institutes" }
#define WHOSE_STUDIES "its studies are of"

typedef struct each {
  igt__once once;
  igt_project_fn project;
  igt_institute_fn institute;
  void *payload;
} each;

static igt_status each_project(void *payload, igt_project *project) {
  each *e = payload;
  uint64_t who = igt__once_text(0, igt__text_of(&project->name));
  bool is_new;
  igt_status status = igt__once_add(&e->once, igt__text_of(&project->id), who, &is_new);

  return status == IGT_OK && is_new ? e->project(e->payload, project) : status;
}

static igt_status add_institute(igt__once *once, const igt_institute *institute, bool *is_new) {
  uint64_t who = igt__once_text(0, igt__text_of(&institute->name));

  who = igt__once_text(who, igt__text_of(&institute->study_type));
  return igt__once_add(once, igt__text_of(&institute->id), who, is_new);
}

static igt_status each_institute(void *payload, igt_institute *institute) {
  each *e = payload;
  bool is_new;
  igt_status status = add_institute(&e->once, institute, &is_new);

  return status == IGT_OK && is_new ? e->institute(e->payload, institute) : status;
}

static igt_status end(each *e, igt_status status, igt_error *err) {
  if (status == IGT_OK)
    status = igt__once_end(&e->once, WHOSE_STUDIES, err);
  igt__once_finish(&e->once);
  return status;
}

igt_status igt__each_project(igt_client *client, igt_project_fn fn, void *payload, igt_error *err) {
  each e = {.once = PROJECTS, .project = fn, .payload = payload};
  igt_status status = igt__once_init(&e.once, err);

  if (status == IGT_OK)
    status = igt_get_projects_each(client, NULL, each_project, &e, err);
  return end(&e, status, err);
}

igt_status igt__each_institute(igt_client *client, const char *project_id, igt_institute_fn fn,
                               void *payload, igt_error *err) {
  each e = {.once = INSTITUTES, .institute = fn, .payload = payload};
  igt_status status = igt__once_init(&e.once, err);

  if (status == IGT_OK)
    status = igt_get_institutes_each(client, project_id, NULL, each_institute, &e, err);
  return end(&e, status, err);
}

igt_status igt__list_institutes(igt_client *client, const char *project_id,
                                igt_institute_list **out, igt_error *err) {
  igt__once once = INSTITUTES;
  igt_status status = igt__once_init(&once, err);
  bool is_new = true;

  *out = NULL;
  if (status == IGT_OK)
    status = igt_get_institutes(client, project_id, NULL, out, err);
  for (size_t i = 0; status == IGT_OK && i < (*out)->count; i++) {
    if ((*out)->v[i] && (status = add_institute(&once, (*out)->v[i], &is_new)) != IGT_OK)
      (void)igt__fail_memory(err);
    if (!is_new)
      (*out)->v[i] = NULL;
  }
  if (status == IGT_OK)
    status = igt__once_end(&once, WHOSE_STUDIES, err);
  if (status != IGT_OK) {
    igt_model_free(*out ? &(*out)->model : NULL);
    *out = NULL;
  }
  igt__once_finish(&once);
  return status;
}
