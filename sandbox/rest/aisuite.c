/* SPDX-License-Identifier: MIT */
/* The connection to an AI Suite server. There is one, "demo", with a project and two collections,
 * one of which requires the header X-AUTHORIZATION-CODE. Links between collections and projects or
 * institutes, mappings and synchronisation tasks are stored as documents. routes.c calls each
 * rest_ai_* function for its route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"

#define CONNECTION "demo"
#define PROJECT "demo-ai-project"
#define CREATED 1704067200 /* 2024-01-01 */
#define TOKEN_CHARS 32

static igt__json *resource(const char *id, const char *name, const char *description) {
  igt__json *out = igt__json_new_object();
  char reference[80];

  snprintf(reference, sizeof reference, "aisuite:%s", id);
  igt__json_set_str(out, "name", name);
  igt__json_set_str(out, "description", description);
  igt__json_set_str(out, "id", id);
  igt__json_set_str(out, "reference", reference);
  return out;
}

static bool connection_ok(rest_call *call) {
  if (strcmp(call->args[0], CONNECTION) == 0)
    return true;
  rest_fail(call, 404, "Connection %.100s does not exist", call->args[0]);
  return false;
}

static bool project_ok(rest_call *call) {
  if (!connection_ok(call))
    return false;
  if (strcmp(call->args[1], PROJECT) == 0)
    return true;
  rest_fail(call, 404, "AI Suite project %.100s does not exist", call->args[1]);
  return false;
}

/* Checks the query's project and institute, if given; false: responded. */
static bool ours_ok(rest_call *call) {
  const char *project = sbx_query(call->req, "projectId", 0);
  const char *institute = sbx_query(call->req, "instituteId", 0);

  return (!project || rest_exists(call, "project", project, "Project")) &&
         (!institute || rest_exists(call, "institute", institute, "Institute"));
}

void rest_ai_connections(rest_call *call) {
  igt__json *list = igt__json_new_array(), *connection = igt__json_new_object();
  char url[400];

  snprintf(url, sizeof url, "%s/__aisuite", call->server->base_url);
  igt__json_set_str(connection, "name", CONNECTION);
  igt__json_set_str(connection, "url", url);
  igt__json_push(list, connection);
  rest_respond(call, 200, list);
}

void rest_ai_projects(rest_call *call) {
  igt__json *list, *project;

  if (!connection_ok(call))
    return;
  list = igt__json_new_array();
  project = resource(PROJECT, "Vessels", "Models of vessels");
  igt__json_set_int(project, "createDate", CREATED);
  igt__json_push(list, project);
  rest_respond(call, 200, list);
}

/* ---- synchronisation ---- */

void rest_ai_sync_get(rest_call *call) {
  static const char *const names[] = {"open", "restricted"};
  const char *code = sbx_header(call->req, "X-AUTHORIZATION-CODE");
  igt__json *list;

  if (!project_ok(call) || !ours_ok(call))
    return;
  list = igt__json_new_array();
  for (size_t i = 0; i < (code && *code ? 2 : 1); i++) {
    igt__json *collection = resource(names[i], names[i], "A collection of images");
    igt__json_set_str(collection, "version", "1");
    igt__json_set_int(collection, "createDate", CREATED);
    igt__json_push(list, collection);
  }
  rest_respond(call, 200, list);
}

/* The task runs until AI Suite reports its end with the callback's token. */
void rest_ai_sync_post(rest_call *call) {
  char token[40], callback[TOKEN_CHARS + 1];
  igt__json *response;

  if (!project_ok(call) || !ours_ok(call))
    return;
  if (!rest_task_new(call, "aisuite", "running", NULL, token) ||
      !igt__random_token(callback, TOKEN_CHARS) ||
      !sbx_kv_put(call->server->store, "ai-callback", callback, token, 0)) {
    rest_fail(call, 500, "The task could not be stored");
    return;
  }
  response = igt__json_new_object();
  igt__json_set_str(response, "token", token);
  igt__json_set_str(response, "callbackToken", callback);
  rest_respond(call, 202, response);
}

void rest_ai_task_post(rest_call *call) {
  char *token = sbx_kv_get(call->server->store, "ai-callback", call->args[0]);

  if (token)
    rest_task_end(call, token);
  else
    rest_fail(call, 404, "Task %.100s does not exist", call->args[0]);
  igt__free(token);
}

/* ---- links to collections ---- */

typedef struct link_choice {
  char *values[4];
} link_choice;

static const char *const link_fields[4][2] = {{"igtcloudIdentifier", "identifier"},
                                              {"igtcloudIdentifierType", "identifierType"},
                                              {"aisuiteProjectId", "aisuiteProjectId"},
                                              {"aisuiteCollectionId", "aisuiteCollectionId"}};

static bool link_keep(void *payload, const igt__json *doc) {
  const link_choice *choice = payload;

  for (size_t i = 0; i < 4; i++) {
    if (choice->values[i] &&
        !igt__str_eq(choice->values[i], igt__json_get_str(doc, link_fields[i][1])))
      return false;
  }
  return true;
}

static void link_release(void *payload) {
  link_choice *choice = payload;

  for (size_t i = 0; choice && i < 4; i++)
    igt__free(choice->values[i]);
  igt__free(choice);
}

void rest_ai_collections_get(rest_call *call) {
  link_choice *choice;

  if (!connection_ok(call))
    return;
  choice = igt__calloc(1, sizeof *choice);
  if (!choice) {
    rest_fail(call, 500, "out of memory");
    return;
  }
  for (size_t i = 0; i < 4; i++)
    choice->values[i] = igt__strdup(sbx_query(call->req, link_fields[i][0], 0));
  rest_respond_docs(call, "ai-link", NULL, link_keep, link_release, choice);
}

void rest_ai_collections_post(rest_call *call) {
  static const struct {
    const char *name;
    bool required;
  } fields[] = {{"aisuiteUrl", true},
                {"identifier", true},
                {"identifierType", true},
                {"aisuiteProjectId", false},
                {"aisuiteCollectionId", true}};
  char id[37];
  igt__json *link;
  if (!connection_ok(call))
    return;
  link = igt__json_new_object();
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    const char *value = sbx_query(call->req, fields[i].name, 0);
    if (fields[i].required && (!value || !*value)) {
      rest_fail(call, 400, "%s is required", fields[i].name);
      igt__json_free(link);
      return;
    }
    if (value)
      igt__json_set_str(link, fields[i].name, value);
  }
  if (rest_store(call, "ai-link", igt__uuid(id) ? id : NULL, NULL, link))
    rest_respond(call, 200, link);
  else
    igt__json_free(link);
}

/* ---- mappings ---- */

static bool add_attribute(void *payload, const rest_field *field) {
  igt__json *attributes = payload, *one;

  if (field->read_only)
    return true;
  one = igt__json_new_object();
  igt__json_set_str(one, "attribute", field->name);
  igt__json_set_str(one, "aisuiteAttribute", field->name);
  return igt__json_push(attributes, one);
}

static igt__json *mapping_new(const igt__json *project) {
  igt__json *mapping = igt__json_new_object(), *attributes = igt__json_new_array();
  igt__json *files = igt__json_new_array();

  rest_model_fields(igt__json_get_str(project, "studyType"), add_attribute, attributes);
  for (rest_category c = REST_FILES; c < REST_CATEGORIES; c++) {
    igt__json *one = igt__json_new_object();
    igt__json_set_str(one, "category", rest_category_names[c]);
    igt__json_set_str(one, "folder", rest_category_folders[c]);
    igt__json_push(files, one);
  }
  igt__json_set_str(mapping, "projectId", igt__json_get_str(project, "id"));
  igt__json_set(mapping, "attributes", attributes);
  igt__json_set(mapping, "files", files);
  return mapping;
}

void rest_ai_mappings_post(rest_call *call) {
  const char *id = sbx_query(call->req, "projectId", 0);
  igt__json *project, *mapping;

  if (!id || !*id) {
    rest_fail(call, 400, "projectId is required");
    return;
  }
  project = rest_find(call, "project", id, "Project");
  if (!project)
    return;
  mapping = mapping_new(project);
  if (rest_store(call, "ai-mapping", id, id, mapping))
    rest_respond(call, 200, mapping);
  else
    igt__json_free(mapping);
  igt__json_free(project);
}

static void response_mapping(rest_call *call, const char *member) {
  const char *id = sbx_query(call->req, "projectId", 0);
  igt__json *mapping;

  if (!id || !*id) {
    rest_fail(call, 400, "projectId is required");
    return;
  }
  if (!rest_exists(call, "project", id, "Project"))
    return;
  mapping = sbx_doc_get(call->server->store, "ai-mapping", id);
  if (mapping)
    rest_respond(call, 200, igt__json_copy(igt__json_get(mapping, member)));
  else
    rest_respond(call, 200, igt__json_new_array()); /* none have been created yet */
  igt__json_free(mapping);
}

void rest_ai_mappings_attributes(rest_call *call) {
  response_mapping(call, "attributes");
}

void rest_ai_mappings_files(rest_call *call) {
  response_mapping(call, "files");
}
