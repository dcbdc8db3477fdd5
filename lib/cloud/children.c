/* SPDX-License-Identifier: MIT */
/* Which operations list, create and delete each kind of node. A function for each kind calls the
 * generated operation and passes the models to the caller; switches over the kind select it. Called
 * by node.c and resolve.c. */
#include <string.h>

#include "base/error.h"
#include "cloud/node.h"
#include "cloud/once.h"
#include "cloud/study_list.h"

static const char *institute_of(const igt_node *study) {
  const igt_root_study *model = (const igt_root_study *)study->model;

  /* A study that was found through its institute's node takes the id from there. */
  return study->parent && *study->parent->id ? study->parent->id
                                             : igt__text_of(&model->institute_id);
}

/* ---- listing ---- */

typedef struct listing {
  igt__model_fn fn;
  void *payload;
  const char *list; /* which list of a Files response is wanted */
} listing;

static igt_status each_project(void *payload, igt_project *project) {
  const listing *l = payload;

  return l->fn(l->payload, &project->model);
}

static igt_status each_institute(void *payload, igt_institute *institute) {
  const listing *l = payload;

  return l->fn(l->payload, &institute->model);
}

static igt_status each_study(void *payload, igt_root_study *study) {
  const listing *l = payload;

  return l->fn(l->payload, &study->model);
}

static igt_status each_series(void *payload, igt_series *series) {
  const listing *l = payload;

  return l->fn(l->payload, &series->model);
}

static igt_status each_file(void *payload, const char *list, igt_file *file) {
  const listing *l = payload;

  return strcmp(list, l->list) == 0 ? l->fn(l->payload, &file->model) : IGT_OK;
}

static igt_status list_series(igt_node *node, listing *l, igt_error *err) {
  if (node->kind == IGT_NODE_INSTITUTE)
    return igt_get_series_list_each(node->client, node->id, NULL, each_series, l, err);
  return igt_get_study_series_list_each(node->client, institute_of(node), node->id, NULL,
                                        each_series, l, err);
}

/* dicom and annotations are in the auxiliary list, the study's own files in the other. */
static igt_status list_files(igt_node *node, const char *list, listing *l, igt_error *err) {
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;

  l->list = list;
  if (node->kind == IGT_NODE_PROJECT)
    return igt_get_project_files_each(node->client, node->id, NULL, each_file, l, err);
  if (strcmp(list, "files") != 0)
    options.auxiliary = "true";
  return igt_get_study_files_each(node->client, institute_of(node), node->id, &options, each_file,
                                  l, err);
}

igt_status igt__children_each(igt_node *node, igt_node_kind kind, igt__model_fn fn, void *payload,
                              igt_error *err) {
  listing l = {fn, payload, NULL};

  switch (kind) {
  case IGT_NODE_PROJECT:
    return igt__each_project(node->client, each_project, &l, err);
  case IGT_NODE_INSTITUTE:
    return igt__each_institute(node->client, node->id, each_institute, &l, err);
  case IGT_NODE_STUDY:
    return igt__each_study(node->client, node->id, each_study, &l, err);
  case IGT_NODE_SERIES:
    return list_series(node, &l, err);
  case IGT_NODE_FILE:
    return list_files(node, "files", &l, err);
  case IGT_NODE_DICOM:
    return list_files(node, "dicom", &l, err);
  case IGT_NODE_ANNOTATION:
    return list_files(node, "annotations", &l, err);
  case IGT_NODE_NONE:
  case IGT_NODE_CLOUD:
    break;
  }
  return igt__fail(err, IGT_E_INTERNAL, "the node has no kind");
}

/* ---- one child by its id ---- */

typedef struct by_id {
  igt_node_kind kind;
  const char *id;
  igt_model *found;
} by_id;

static igt_status look_for_id(void *payload, igt_model *model) {
  by_id *s = payload;

  if (s->found || strcmp(igt__model_id(s->kind, model), s->id) != 0)
    return IGT_OK;
  s->found = igt_model_copy(model);
  return s->found ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status search_id(igt_node *node, igt_node_kind kind, const char *id, igt_model **out,
                            igt_error *err) {
  by_id s = {kind, id, NULL};
  igt_status status = igt__children_each(node, kind, look_for_id, &s, err);

  if (status == IGT_OK && !s.found)
    status = igt__fail(err, IGT_E_NOT_FOUND, "the %s '%s' has no %s with the id '%s'",
                       igt_node_kind_name(node->kind), node->name, igt_node_kind_name(kind), id);
  if (status != IGT_OK) {
    igt_model_free(s.found);
    s.found = NULL;
  }
  *out = s.found;
  return status;
}

/* The API finds an institute without its project; it must belong to this project, and one of
 * another project must not be mistaken for it. */
static igt_status institute_by_id(igt_node *project, const char *id, igt_model **out,
                                  igt_error *err) {
  igt_institute *institute = NULL;
  igt_status status = igt_get_institute(project->client, id, NULL, &institute, err);

  if (status == IGT_OK && strcmp(igt__text_of(&institute->parent_id), project->id) != 0) {
    igt_model_free(&institute->model);
    institute = NULL;
    status = igt__fail(err, IGT_E_NOT_FOUND, "the project '%s' has no institute with the id '%s'",
                       project->name, id);
  }
  *out = institute ? &institute->model : NULL;
  return status;
}

igt_status igt__child_by_id(igt_node *node, igt_node_kind kind, const char *id, igt_model **out,
                            igt_error *err) {
  igt_project *project = NULL;
  igt_root_study *study = NULL;
  igt_status status;

  *out = NULL;
  switch (kind) {
  case IGT_NODE_PROJECT:
    status = igt_get_project(node->client, id, NULL, &project, err);
    *out = project ? &project->model : NULL;
    return status;
  case IGT_NODE_INSTITUTE:
    return institute_by_id(node, id, out, err);
  case IGT_NODE_STUDY:
    status = igt_get_study(node->client, node->id, id, &study, err);
    *out = study ? &study->model : NULL;
    return status;
  default:
    return search_id(node, kind, id, out, err);
  }
}

/* ---- creating ---- */

/* The response is described as a list; in practice it contains only the new project. */
static igt_status create_project(igt_node *cloud, const igt_project *body, igt_model **out,
                                 igt_error *err) {
  igt_project_list *list = NULL;
  igt_project *made = NULL;
  igt_status status = igt_create_project(cloud->client, NULL, body, &list, err);

  if (status != IGT_OK)
    return status;
  for (size_t i = 0; i < list->count; i++)
    if (list->v[i] && strcmp(igt__text_of(&list->v[i]->name), igt__text_of(&body->name)) == 0)
      made = list->v[i];
  if (made)
    *out = igt_model_copy(&made->model);
  igt_model_free(&list->model);
  if (!made)
    return igt__fail(
        err, IGT_E_PROTOCOL,
        "the project was created, but the response of post_projects does not contain it");
  return *out ? IGT_OK : igt__fail_memory(err);
}

igt_status igt__child_create(igt_node *node, igt_node_kind kind, const igt_model *model,
                             igt_model **out, igt_error *err) {
  igt_institute *institute = NULL;
  igt_root_study *study = NULL;
  igt_status status;

  *out = NULL;
  switch (kind) {
  case IGT_NODE_PROJECT:
    return create_project(node, (const igt_project *)model, out, err);
  case IGT_NODE_INSTITUTE:
    status = igt_create_institute(node->client, node->id, NULL, (const igt_institute *)model,
                                  &institute, err);
    *out = institute ? &institute->model : NULL;
    return status;
  case IGT_NODE_STUDY:
    status = igt_create_study(node->client, node->id, (const igt_root_study *)model, &study, err);
    *out = study ? &study->model : NULL;
    return status;
  default:
    return igt__fail(err, IGT_E_UNSUPPORTED,
                     kind == IGT_NODE_SERIES ? "series are created by the cloud from uploaded DICOM"
                                             : "to add a file, upload it: igt_file_upload()");
  }
}

/* ---- deleting ---- */

static igt_status delete_file(const igt_node *file, igt_error *err) {
  igt_delete_study_files_options options = IGT_DELETE_STUDY_FILES_OPTIONS_INIT;
  igt_delete_project_files_options of_project = IGT_DELETE_PROJECT_FILES_OPTIONS_INIT;
  const igt_node *in = file->parent;

  options.keys = of_project.keys = &file->id;
  options.keys_count = of_project.keys_count = 1;
  if (in->kind == IGT_NODE_PROJECT)
    return igt_delete_project_files(file->client, in->id, &of_project, err);
  return igt_delete_study_files(file->client, institute_of(in), in->id, &options, err);
}

static igt_status delete_series(const igt_node *series, igt_error *err) {
  const igt_root_study *study = (const igt_root_study *)series->parent->model;
  const igt_series *model = (const igt_series *)series->model;

  if (series->parent->kind == IGT_NODE_STUDY)
    return igt_delete_study_series(series->client, institute_of(series->parent),
                                   igt__text_of(&study->study_database_id), series->id, err);
  return igt_delete_study_series(series->client, series->parent->id,
                                 igt__text_of(&model->study_database_id), series->id, err);
}

igt_status igt__node_delete(igt_node *node, igt_error *err) {
  switch (node->kind) {
  case IGT_NODE_PROJECT:
    return igt_delete_project(node->client, node->id, err);
  case IGT_NODE_INSTITUTE:
    return igt_delete_institute(node->client, node->parent->id, node->id, err);
  case IGT_NODE_STUDY:
    return igt_delete_study(node->client, institute_of(node), node->id, err);
  case IGT_NODE_SERIES:
    return delete_series(node, err);
  case IGT_NODE_FILE:
  case IGT_NODE_DICOM:
  case IGT_NODE_ANNOTATION:
    return delete_file(node, err);
  case IGT_NODE_NONE:
  case IGT_NODE_CLOUD:
    break;
  }
  return igt__fail(err, IGT_E_INVALID, "a cloud cannot be removed");
}
