/* SPDX-License-Identifier: MIT */
/* The cloud as a tree of nodes: cloud, projects, institutes, studies, series and files. A node owns
 * its model and a collection for each kind of child, which is loaded when first used and limited in
 * memory. children.c makes the calls. Programs use the tree through igtcloud/cloud.h. */
#include "cloud/node.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "cloud/prefix.h"
#include "model/model.h"

static const struct {
  const char *name, *plural;
} kinds[IGT__NODE_KINDS] = {
    [IGT_NODE_NONE] = {"", ""},
    [IGT_NODE_CLOUD] = {"cloud", "clouds"},
    [IGT_NODE_PROJECT] = {"project", "projects"},
    [IGT_NODE_INSTITUTE] = {"institute", "institutes"},
    [IGT_NODE_STUDY] = {"study", "studies"},
    [IGT_NODE_SERIES] = {"series", "series"},
    [IGT_NODE_FILE] = {"file", "files"},
    [IGT_NODE_DICOM] = {"dicom", "DICOM files"},
    [IGT_NODE_ANNOTATION] = {"annotation", "annotations"},
};

const char *igt_node_kind_name(igt_node_kind kind) {
  return kind > IGT_NODE_NONE && kind < IGT__NODE_KINDS ? kinds[kind].name : "";
}

const char *igt__kind_plural(igt_node_kind kind) {
  return kinds[kind].plural;
}

/* ---- properties of a node ---- */

static const char *first_of(const igt_string_field *a, const igt_string_field *b) {
  return *igt__text_of(a) ? a->v : igt__text_of(b);
}

static const char *file_name(const igt_file *file) {
  return *igt__text_of(&file->file_name) ? file->file_name.v
                                         : igt__path_base(igt__text_of(&file->key));
}

igt_status igt__node_prefix(const igt_node *node, igt_node_kind kind, char **out, igt_error *err) {
  const char *own = node->kind == IGT_NODE_PROJECT
                        ? igt__text_of(&((const igt_project *)node->model)->s3_prefix)
                        : igt__text_of(&((const igt_root_study *)node->model)->s3_prefix);
  const char *below = node->kind == IGT_NODE_PROJECT ? ""
                      : kind == IGT_NODE_DICOM       ? "0/"
                      : kind == IGT_NODE_ANNOTATION  ? "annotations/"
                                                     : "files/";
  size_t n = strlen(own) + strlen(below) + 1;
  igt_status status =
      node->kind == IGT_NODE_PROJECT ? IGT_OK : igt__prefix_check_shape(own, "study", err);

  *out = NULL;
  if (status != IGT_OK)
    return status;
  if (!(*out = igt__malloc(n)))
    return igt__fail_memory(err);
  (void)snprintf(*out, n, "%s%s", own, below);
  return IGT_OK;
}

const char *igt__model_name(igt_node_kind kind, const igt_model *model) {
  switch (kind) {
  case IGT_NODE_PROJECT:
    return igt__text_of(&((const igt_project *)model)->name);
  case IGT_NODE_INSTITUTE:
    return igt__text_of(&((const igt_institute *)model)->name);
  case IGT_NODE_STUDY:
    return first_of(&((const igt_root_study *)model)->study_id_human_readable,
                    &((const igt_root_study *)model)->study_database_id);
  case IGT_NODE_SERIES:
    return first_of(&((const igt_series *)model)->display_name,
                    &((const igt_series *)model)->series_database_id);
  case IGT_NODE_FILE:
  case IGT_NODE_DICOM:
  case IGT_NODE_ANNOTATION:
    return file_name((const igt_file *)model);
  case IGT_NODE_NONE:
  case IGT_NODE_CLOUD:
    break;
  }
  return "";
}

const char *igt__model_id(igt_node_kind kind, const igt_model *model) {
  switch (kind) {
  case IGT_NODE_PROJECT:
    return igt__text_of(&((const igt_project *)model)->id);
  case IGT_NODE_INSTITUTE:
    return igt__text_of(&((const igt_institute *)model)->id);
  case IGT_NODE_STUDY:
    return igt__text_of(&((const igt_root_study *)model)->study_database_id);
  case IGT_NODE_SERIES:
    return igt__text_of(&((const igt_series *)model)->series_database_id);
  case IGT_NODE_FILE:
  case IGT_NODE_DICOM:
  case IGT_NODE_ANNOTATION:
    return igt__text_of(&((const igt_file *)model)->key);
  case IGT_NODE_NONE:
  case IGT_NODE_CLOUD:
    break;
  }
  return "";
}

igt_node_kind igt_node_kind_of(const igt_node *node) {
  return node ? node->kind : IGT_NODE_NONE;
}

const char *igt_node_name(const igt_node *node) {
  return node ? node->name : "";
}

const char *igt_node_id(const igt_node *node) {
  return node ? node->id : "";
}

igt_node *igt_node_parent(const igt_node *node) {
  return node ? node->parent : NULL;
}

const igt_model *igt_node_model(const igt_node *node) {
  return node ? node->model : NULL;
}

igt_client *igt_node_client(const igt_node *node) {
  return node ? node->client : NULL;
}

/* ---- creating and freeing ---- */

void igt__node_init(igt_node *node, igt_node *parent, igt_node_kind kind, igt_model *model) {
  memset(node, 0, sizeof *node);
  node->client = parent->client;
  node->parent = parent;
  node->kind = kind;
  node->model = model;
  node->name = igt__model_name(kind, model);
  node->id = igt__model_id(kind, model);
}

static void free_node(igt_node *node) {
  igt__node_finish(node);
  igt__free(node);
}

static void empty(igt__children *children) {
  for (size_t i = 0; i < children->count; i++)
    free_node(children->v[i]);
  igt__free(children->v);
  memset(children, 0, sizeof *children);
}

void igt__node_finish(igt_node *node) {
  for (size_t kind = 0; kind < IGT__NODE_KINDS; kind++)
    empty(&node->children[kind]);
  if (!node->borrowed)
    igt_model_free(node->model);
}

igt_status igt_cloud_open(igt_client *client, igt_node **out, igt_error *err) {
  igt_node *node;

  igt__error_clear(err);
  *out = NULL;
  if (!client)
    return igt__fail(err, IGT_E_INVALID, "no client was given");
  if (!(node = igt__calloc(1, sizeof *node)))
    return igt__fail_memory(err);
  node->client = client;
  node->kind = IGT_NODE_CLOUD;
  node->name = node->id = "";
  *out = node;
  return IGT_OK;
}

void igt_cloud_close(igt_node *cloud) {
  if (cloud && cloud->kind == IGT_NODE_CLOUD)
    free_node(cloud);
}

/* ---- collections ---- */

static bool has_kind(igt_node_kind parent, igt_node_kind child) {
  switch (parent) {
  case IGT_NODE_CLOUD:
    return child == IGT_NODE_PROJECT;
  case IGT_NODE_PROJECT:
    return child == IGT_NODE_INSTITUTE || child == IGT_NODE_FILE;
  case IGT_NODE_INSTITUTE:
    return child == IGT_NODE_STUDY || child == IGT_NODE_SERIES;
  case IGT_NODE_STUDY:
    return child >= IGT_NODE_SERIES && child <= IGT_NODE_ANNOTATION;
  case IGT_NODE_NONE:
  case IGT_NODE_SERIES:
  case IGT_NODE_FILE:
  case IGT_NODE_DICOM:
  case IGT_NODE_ANNOTATION:
    break;
  }
  return false;
}

igt_status igt__check_kind(const igt_node *node, igt_node_kind kind, igt_error *err) {
  igt__error_clear(err);
  if (!node || kind <= IGT_NODE_CLOUD || kind >= IGT__NODE_KINDS)
    return igt__fail(err, IGT_E_INVALID, "invalid node or node kind");
  if (!has_kind(node->kind, kind))
    return igt__fail(err, IGT_E_INVALID, "a %s has no %s", kinds[node->kind].name,
                     kinds[kind].plural);
  return IGT_OK;
}

static igt_node *kept(const igt__children *children, const char *id) {
  for (size_t i = 0; *id && i < children->count; i++)
    if (strcmp(children->v[i]->id, id) == 0)
      return children->v[i];
  return NULL;
}

static igt_node *append(igt_node *node, igt_node_kind kind, igt_model *model) {
  igt__children *children = &node->children[kind];
  igt_node *child;

  if (children->count == children->cap) {
    size_t cap = children->cap ? children->cap * 2 : 16;
    igt_node **v = igt__realloc(children->v, cap * sizeof(igt_node *));
    if (!v)
      return NULL;
    children->v = v;
    children->cap = cap;
  }
  child = igt__malloc(sizeof *child);
  if (!child)
    return NULL;
  igt__node_init(child, node, kind, model);
  children->v[children->count++] = child;
  return child;
}

igt_node *igt__child_keep(igt_node *node, igt_node_kind kind, igt_model *model) {
  igt_node *child = kept(&node->children[kind], igt__model_id(kind, model));

  if (!child && (child = append(node, kind, model)) != NULL)
    return child;
  igt_model_free(model);
  return child;
}

igt_status igt__child_renew(igt_node *node, igt_node_kind kind, const char *id, igt_node **out,
                            igt_error *err) {
  igt_model *model = NULL;
  igt_status status = igt__child_by_id(node, kind, id, &model, err);
  igt_node *child = status == IGT_OK ? kept(&node->children[kind], id) : NULL;

  if (status != IGT_OK)
    return status;
  if (child) {
    igt_model_free(child->model);
    child->model = model;
    child->name = igt__model_name(kind, model);
    child->id = igt__model_id(kind, model);
  } else {
    child = igt__child_keep(node, kind, model);
  }
  *out = child;
  return child ? IGT_OK : igt__fail_memory(err);
}

typedef struct loading {
  igt_node *node;
  igt_node_kind kind;
  size_t known; /* nodes that were there before, whose ids may be listed again */
  uint64_t held;
} loading;

static igt_status load_one(void *payload, igt_model *model) {
  loading *l = payload;
  igt_model *copy;

  if (l->known && kept(&l->node->children[l->kind], igt__model_id(l->kind, model)))
    return IGT_OK;
  if (!(copy = igt_model_copy(model)))
    return IGT_E_NO_MEMORY;
  l->held += sizeof(igt_node) + igt__model_memory(copy);
  if (l->held <= IGT__MAX_NODE_MEMORY && append(l->node, l->kind, copy))
    return IGT_OK;
  igt_model_free(copy);
  return IGT_E_NO_MEMORY;
}

/* Discards what a failed listing added, but keeps nodes that a program may have a pointer to. */
static void unload(igt__children *children, size_t known) {
  while (children->count > known)
    free_node(children->v[--children->count]);
}

static igt_status no_space(const loading *l, igt_error *err) {
  if (l->held <= IGT__MAX_NODE_MEMORY)
    return igt__fail_memory(err);
  return igt__fail(err, IGT_E_LIMIT,
                   "the %s '%s' has more %s than fit into memory (%llu GiB): iterate over them "
                   "with igt_node_each()",
                   kinds[l->node->kind].name, l->node->name, kinds[l->kind].plural,
                   IGT__MAX_NODE_MEMORY >> 30);
}

static igt_status load(igt_node *node, igt_node_kind kind, igt_error *err) {
  igt__children *children = &node->children[kind];
  loading l = {node, kind, children->count, 0};
  igt_status status;

  if (children->loaded)
    return IGT_OK;
  status = igt__children_each(node, kind, load_one, &l, err);
  if (status == IGT_E_NO_MEMORY)
    status = no_space(&l, err);
  if (status == IGT_OK)
    children->loaded = true;
  else
    unload(children, l.known);
  return status;
}

igt_status igt_node_count(igt_node *node, igt_node_kind kind, size_t *count, igt_error *err) {
  igt_status status = igt__check_kind(node, kind, err);

  *count = 0;
  if (status == IGT_OK)
    status = load(node, kind, err);
  if (status == IGT_OK)
    *count = node->children[kind].count;
  return status;
}

igt_node *igt_node_at(const igt_node *node, igt_node_kind kind, size_t i) {
  if (!node || kind <= IGT_NODE_NONE || kind >= IGT__NODE_KINDS || i >= node->children[kind].count)
    return NULL;
  return node->children[kind].v[i];
}

void igt_node_forget(igt_node *node, igt_node_kind kind) {
  if (node && kind > IGT_NODE_NONE && kind < IGT__NODE_KINDS)
    empty(&node->children[kind]);
}

typedef struct each_call {
  igt_node *node;
  igt_node_kind kind;
  igt_node_fn fn;
  void *payload;
} each_call;

static igt_status each_one(void *payload, igt_model *model) {
  each_call *e = payload;
  igt_node child;
  igt_status status;

  igt__node_init(&child, e->node, e->kind, model);
  child.borrowed = true;
  status = e->fn(e->payload, &child);
  igt__node_finish(&child);
  return status;
}

igt_status igt_node_each(igt_node *node, igt_node_kind kind, igt_node_fn fn, void *payload,
                         igt_error *err) {
  each_call e = {node, kind, fn, payload};
  igt_status status = igt__check_kind(node, kind, err);

  if (status == IGT_OK && !node->children[kind].loaded)
    return igt__children_each(node, kind, each_one, &e, err);
  for (size_t i = 0; status == IGT_OK && i < node->children[kind].count; i++)
    if ((status = fn(payload, node->children[kind].v[i])) != IGT_OK)
      igt__fail(err, status, "stopped by the callback");
  return status;
}

/* ---- changing the cloud ---- */

igt_status igt_node_add(igt_node *node, igt_node_kind kind, const igt_model *model, igt_node **out,
                        igt_error *err) {
  igt_model *made = NULL;
  igt_node *child;
  igt_status status = igt__check_kind(node, kind, err);

  if (out)
    *out = NULL;
  if (status == IGT_OK && !model)
    status = igt__fail(err, IGT_E_INVALID, "no fields were given for the new %s", kinds[kind].name);
  if (status == IGT_OK)
    status = igt__child_create(node, kind, model, &made, err);
  if (status != IGT_OK)
    return status;
  child = igt__child_keep(node, kind, made);
  if (!child)
    return igt__fail_memory(err);
  if (out)
    *out = child;
  return IGT_OK;
}

igt_status igt_node_remove(igt_node *node, igt_error *err) {
  igt__children *siblings;
  igt_status status;
  size_t i = 0;

  igt__error_clear(err);
  if (!node || !node->parent)
    return igt__fail(err, IGT_E_INVALID, "a cloud cannot be removed");
  status = igt__node_delete(node, err);
  if (status != IGT_OK || node->borrowed)
    return status;
  siblings = &node->parent->children[node->kind];
  while (siblings->v[i] != node)
    i++;
  siblings->count--;
  memmove(siblings->v + i, siblings->v + i + 1, (siblings->count - i) * sizeof(igt_node *));
  free_node(node);
  return IGT_OK;
}
