/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_NODE_H
#define IGT_CLOUD_NODE_H

/* The tree of nodes: declarations shared by its files. */

#include "cloud/find.h"

#define IGT__NODE_KINDS (IGT_NODE_ANNOTATION + 1)

typedef struct igt__children {
  bool loaded; /* the collection is complete */
  igt_node **v;
  size_t count, cap;
} igt__children;

struct igt_node {
  igt_client *client;
  igt_node *parent;
  igt_node_kind kind;
  igt_model *model;      /* owned, unless borrowed */
  bool borrowed;         /* of igt_node_each: invalid when the call returns */
  const char *name, *id; /* in the model */
  igt__children children[IGT__NODE_KINDS];
};

/* Requests the children of a kind from the cloud, one by one; the callback may use a model only
 * during the call. The kind has been checked. */
typedef igt_status (*igt__model_fn)(void *payload, igt_model *model);
igt_status igt__children_each(igt_node *node, igt_node_kind kind, igt__model_fn fn, void *payload,
                              igt_error *err);
/* The child with that id, requested individually if the API supports it. */
igt_status igt__child_by_id(igt_node *node, igt_node_kind kind, const char *id, igt_model **out,
                            igt_error *err);
igt_status igt__child_create(igt_node *node, igt_node_kind kind, const igt_model *model,
                             igt_model **out, igt_error *err);
igt_status igt__node_delete(igt_node *node, igt_error *err);

/* Name and id of a model as a node of a kind. */
const char *igt__model_name(igt_node_kind kind, const igt_model *model);
const char *igt__model_id(igt_node_kind kind, const igt_model *model);
/* The prefix for which credentials for a node's files of a kind are requested; their keys start
 * with it. IGT_E_PROTOCOL: the study's own is none that could be asked for (cloud/prefix.h).
 * igt__free. */
igt_status igt__node_prefix(const igt_node *node, igt_node_kind kind, char **out, igt_error *err);
/* "studies" */
const char *igt__kind_plural(igt_node_kind kind);
/* IGT_E_INVALID if the node has no children of the kind. */
igt_status igt__check_kind(const igt_node *node, igt_node_kind kind, igt_error *err);

/* Adds a child with this model, of which it takes ownership in any case; an existing child with the
 * same id stays. NULL: out of memory. */
igt_node *igt__child_keep(igt_node *node, igt_node_kind kind, igt_model *model);
/* Requests the child with this id again: the existing node gets the new fields, or one is
 * created. */
igt_status igt__child_renew(igt_node *node, igt_node_kind kind, const char *id, igt_node **out,
                            igt_error *err);
/* A node that is in no collection. */
void igt__node_init(igt_node *node, igt_node *parent, igt_node_kind kind, igt_model *model);
void igt__node_finish(igt_node *node);

#endif
