/* SPDX-License-Identifier: MIT */
/* Projects and institutes: list, create, read and delete. A project's type decides the type of its
 * studies. Reading a project or an institute includes its institutes and studies where the request
 * asks for them; deleting goes through cascade.c. routes.c calls each rest_* function for its
 * route, seed.c uses rest_project_new and rest_institute_new. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"

/* A project's type decides the type of its studies. The names are ours. */
static const struct {
  const char *name;
  const char *study_type;
  bool has_series;
} types[] = {
    {"IGT", "Study", true},
    {"EPD", "EpdStudy", false},
    {"CoreLabs", "CoreLabsStudy", true},
    {"Annotation", "AnnotationStudy", true},
    {"IGuideU", "IGuideUStudy", false},
    {"WeTrust", "WeTrustStudy", true},
    {"EchoNav", "EchoNavStudy", true},
    {"Marvel", "MarvelStudy", true},
    {"ClinicalImageLibrary", "ClinicalImageLibraryStudy", true},
};
#define TYPES (sizeof types / sizeof types[0])

const char *rest_study_type_of(const char *project_type) {
  for (size_t i = 0; i < TYPES; i++) {
    if (igt__str_eq(types[i].name, project_type) || igt__str_eq(types[i].study_type, project_type))
      return types[i].study_type;
  }
  return NULL;
}

static size_t type_index(const char *study_type) {
  for (size_t i = 0; i < TYPES; i++) {
    if (igt__str_eq(types[i].study_type, study_type))
      return i;
  }
  return 0;
}

void rest_project_types(rest_call *call) {
  igt__json *list = igt__json_new_array();

  for (size_t i = 0; i < TYPES; i++)
    igt__json_push(list, igt__json_new_str(types[i].name));
  rest_respond(call, 200, list);
}

/* ---- projects ---- */

static const char *id_or_new(const char *id, char uuid[37]) {
  if (id)
    return id;
  return igt__uuid(uuid) ? uuid : NULL;
}

static void set_or(igt__json *out, const igt__json *body, const char *key, const char *otherwise) {
  const char *said = igt__json_get_str(body, key);

  igt__json_set_str(out, key, said ? said : otherwise);
}

igt__json *rest_project_new(const igt__json *body, const char *id) {
  char uuid[37], prefix[128];
  const char *type = igt__json_get_str(body, "projectTypeName");
  const char *study_type = rest_study_type_of(type ? type : "IGT");
  const igt__json *continents = igt__json_get(body, "continents");

  id = id_or_new(id, uuid);
  igt__json *out = id && study_type ? igt__json_new_object() : NULL;
  if (!out)
    return NULL;
  snprintf(prefix, sizeof prefix, "%.80s/files/", id);
  igt__json_set_str(out, "id", id);
  set_or(out, body, "name", id);
  set_or(out, body, "description", "");
  igt__json_set_str(out, "projectTypeName", types[type_index(study_type)].name);
  igt__json_set_str(out, "studyType", study_type);
  igt__json_set(out, "continents", continents ? igt__json_copy(continents) : igt__json_new_array());
  igt__json_set_str(out, "s3Prefix", prefix);
  return out;
}

void rest_projects_get(rest_call *call) {
  rest_respond_docs(call, "project", NULL, NULL, NULL, NULL);
}

void rest_projects_post(rest_call *call) {
  const char *name = igt__json_get_str(call->json, "name");
  const char *type = igt__json_get_str(call->json, "projectTypeName");

  if (!name || !*name) {
    rest_fail(call, 400, "name is required");
    return;
  }
  if (type && !rest_study_type_of(type)) {
    rest_fail(call, 400, "unknown projectTypeName %.60s", type);
    return;
  }
  igt__json *project = rest_project_new(call->json, NULL);
  if (!rest_store(call, "project", igt__json_get_str(project, "id"), NULL, project)) {
    igt__json_free(project);
    return;
  }
  igt__json *list = igt__json_new_array(); /* as in the description: a list of one */
  igt__json_push(list, project);
  rest_respond(call, 200, list);
}

typedef struct children {
  sbx_store *store;
  igt__json *list;
  bool with_studies;
} children;

static bool add_study(void *payload, const char *id, const char *doc, size_t n) {
  igt__json *study = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "a study", &study, NULL) == IGT_OK)
    igt__json_push(payload, study);
  return true;
}

static void add_studies(sbx_store *store, igt__json *institute) {
  igt__json *list = igt__json_new_array();

  sbx_doc_each(store, "study", igt__json_get_str(institute, "id"), add_study, list);
  igt__json_set(institute, "studies", list);
}

static bool add_institute(void *payload, const char *id, const char *doc, size_t n) {
  children *c = payload;
  igt__json *institute = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "an institute", &institute, NULL) != IGT_OK)
    return true;
  if (c->with_studies)
    add_studies(c->store, institute);
  igt__json_push(c->list, institute);
  return true;
}

void rest_project_get(rest_call *call) {
  igt__json *project = rest_find(call, "project", call->args[0], "Project");

  if (!project)
    return;
  if (rest_query_bool(call, "includeChildRelations", false)) {
    children c = {call->server->store, igt__json_new_array(), true};
    sbx_doc_each(c.store, "institute", call->args[0], add_institute, &c);
    igt__json_set(project, "institutes", c.list);
  }
  rest_respond(call, 200, project);
}

void rest_project_delete(rest_call *call) {
  igt__json *project = rest_find(call, "project", call->args[0], "Project");

  if (!project)
    return;
  if (rest_drop_project(call->server, project))
    rest_respond_empty(call, 204);
  else
    rest_fail(call, 500, "The project could not be deleted");
  igt__json_free(project);
}

/* ---- institutes ---- */

igt__json *rest_institute_new(const igt__json *project, const igt__json *body, const char *id) {
  char uuid[37], prefix[192];
  const char *parent = igt__json_get_str(project, "id");
  const char *study_type = igt__json_get_str(project, "studyType");

  id = id_or_new(id, uuid);
  igt__json *out = id && parent ? igt__json_new_object() : NULL;
  if (!out)
    return NULL;
  snprintf(prefix, sizeof prefix, "%.80s/%.80s/", parent, id);
  igt__json_set_str(out, "id", id);
  set_or(out, body, "name", id);
  set_or(out, body, "description", "");
  igt__json_set_str(out, "parentId", parent);
  igt__json_set_bool(out, "hasSeries", types[type_index(study_type)].has_series);
  igt__json_set_str(out, "projectTypeName", igt__json_get_str(project, "projectTypeName"));
  igt__json_set_str(out, "studyType", study_type);
  igt__json_set_str(out, "s3Prefix", prefix);
  return out;
}

void rest_institutes_all(rest_call *call) {
  rest_respond_docs(call, "institute", NULL, NULL, NULL, NULL);
}

void rest_institutes_get(rest_call *call) {
  if (rest_exists(call, "project", call->args[0], "Project"))
    rest_respond_docs(call, "institute", call->args[0], NULL, NULL, NULL);
}

void rest_institutes_post(rest_call *call) {
  const char *name = igt__json_get_str(call->json, "name");
  igt__json *project = rest_find(call, "project", call->args[0], "Project"), *institute = NULL;

  if (!project)
    return;
  if (!name || !*name) {
    rest_fail(call, 400, "name is required");
    goto out;
  }
  institute = rest_institute_new(project, call->json, NULL);
  if (rest_store(call, "institute", igt__json_get_str(institute, "id"), call->args[0], institute)) {
    rest_respond(call, 201, institute);
    institute = NULL;
  }
out:
  igt__json_free(institute);
  igt__json_free(project);
}

void rest_institute_get(rest_call *call) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute");

  if (!institute)
    return;
  if (rest_query_bool(call, "includeChildRelations", false))
    add_studies(call->server->store, institute);
  rest_respond(call, 200, institute);
}

void rest_institute_delete(rest_call *call) {
  igt__json *institute = rest_find(call, "institute", call->args[1], "Institute");

  if (!institute)
    return;
  if (!igt__str_eq(igt__json_get_str(institute, "parentId"), call->args[0])) {
    rest_fail(call, 404, "Institute %.100s does not exist in this project", call->args[1]);
  } else if (rest_drop_institute(call->server, institute)) {
    rest_respond_empty(call, 204);
  } else {
    rest_fail(call, 500, "The institute could not be deleted");
  }
  igt__json_free(institute);
}
