/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_NODE_H
#define IGT_CLOUD_NODE_H

/* The tree of nodes: what its files share. */

#include "cloud/find.h"

#define IGT__NODE_KINDS (IGT_NODE_ANNOTATION + 1)

typedef struct igt__children {
  bool loaded; /* all of them are here */
  igt_node **v;
  size_t count, cap;
} igt__children;

struct igt_node {
  igt_client *client;
  igt_node *parent;
  igt_node_kind kind;
  igt_model *model;      /* owned, unless borrowed */
  bool borrowed;         /* of igt_node_each: gone when the call returns */
  const char *name, *id; /* in the model */
  igt__children children[IGT__NODE_KINDS];
};

/* Asks the cloud for the children of a kind, one by one; the models are the callback's during the
 * call. The kind was checked. */
typedef igt_status (*igt__model_fn)(void *payload, igt_model *model);
igt_status igt__children_each(igt_node *node, igt_node_kind kind, igt__model_fn fn, void *payload,
                              igt_error *err);
/* The one child of that id, asked for alone where the API can. */
igt_status igt__child_by_id(igt_node *node, igt_node_kind kind, const char *id, igt_model **out,
                            igt_error *err);
igt_status igt__child_create(igt_node *node, igt_node_kind kind, const igt_model *model,
                             igt_model **out, igt_error *err);
igt_status igt__node_delete(igt_node *node, igt_error *err);

/* Name and id of a model as a node of a kind. */
const char *igt__model_name(igt_node_kind kind, const igt_model *model);
const char *igt__model_id(igt_node_kind kind, const igt_model *model);
/* What credentials for the files of a kind in a node are asked for: its keys begin with it.
 * NULL: no memory. igt__free. */
char *igt__node_prefix(const igt_node *node, igt_node_kind kind);
/* "studies" */
const char *igt__kind_plural(igt_node_kind kind);
/* IGT_E_INVALID when a node has no children of the kind. */
igt_status igt__check_kind(const igt_node *node, igt_node_kind kind, igt_error *err);

/* Keeps a child of this model, which is taken over in any case; one of the same id that is there
 * already stays. NULL: no memory. */
igt_node *igt__child_keep(igt_node *node, igt_node_kind kind, igt_model *model);
/* Asks for the child of this id again: the node that has it gets the new fields, or is made. */
igt_status igt__child_renew(igt_node *node, igt_node_kind kind, const char *id, igt_node **out,
                            igt_error *err);
/* A node that is in no collection. */
void igt__node_init(igt_node *node, igt_node *parent, igt_node_kind kind, igt_model *model);
void igt__node_finish(igt_node *node);

#endif
