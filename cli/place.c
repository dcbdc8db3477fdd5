/* SPDX-License-Identifier: MIT */
/* Places in the cloud, as the command line names them. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

bool is_file_kind(igt_node_kind kind) {
  return kind == IGT_NODE_FILE || kind == IGT_NODE_DICOM || kind == IGT_NODE_ANNOTATION;
}

const char *remote_path(const char *text) {
  return strncmp(text, REMOTE, strlen(REMOTE)) == 0 ? text + strlen(REMOTE) : text;
}

bool place_open(place *p, const settings *s, const char *path, int *exit_status) {
  igt_error err = IGT_ERROR_INIT;

  *p = (place){.target = IGT_NODE_TARGET_INIT};
  p->path = remote_path(path);
  p->client = open_here(s, exit_status);
  if (!p->client)
    return false;
  if (igt_client_sign_in(p->client, &err) == IGT_OK &&
      igt_cloud_open(p->client, &p->cloud, &err) == IGT_OK &&
      igt_node_resolve(p->cloud, p->path, &p->target, &err) == IGT_OK)
    return true;
  *exit_status = fail(&err);
  place_close(p);
  return false;
}

void place_close(place *p) {
  igt_cloud_close(p->cloud);
  close_client(p->client);
}

igt_node *place_node(place *p, int *exit_status) {
  const igt_node_target *t = &p->target;
  igt_error err = IGT_ERROR_INIT;
  igt_node *node = NULL;

  if (t->kind == IGT_NODE_NONE)
    return t->node;
  if (t->kind == IGT_NODE_STUDY && *t->rest) {
    *exit_status = usage_error("'%s' is a patient, and this command takes only a study, "
                               "PATIENT/STUDY; `igtcloud ls '%s'` lists them",
                               p->path, p->path);
    return NULL;
  }
  if (t->kind == IGT_NODE_STUDY || !*t->rest || igt_node_kind_of(t->node) == IGT_NODE_INSTITUTE) {
    *exit_status = usage_error("'%s' is a collection; `igtcloud ls` lists it", p->path);
    return NULL;
  }
  if (igt_node_find(t->node, t->kind, t->rest, &node, &err) == IGT_OK)
    return node;
  *exit_status = fail(&err);
  return NULL;
}

igt_node *place_node_of(place *p, igt_node_kind kind, igt_node_kind other, int *exit_status) {
  igt_node *node = place_node(p, exit_status);
  igt_node_kind is = igt_node_kind_of(node);

  if (!node || is == kind || is == other)
    return node;
  *exit_status =
      usage_error("'%s' is a %s; this command requires a %s%s%s", p->path, igt_node_kind_name(is),
                  igt_node_kind_name(kind), other != kind ? " or a " : "",
                  other != kind ? igt_node_kind_name(other) : "");
  return NULL;
}

/* The path component between an entity and its file. */
static const char *category_word(const igt_node *node) {
  switch (igt_node_kind_of(node)) {
  case IGT_NODE_FILE:
    return "files/";
  case IGT_NODE_DICOM:
    return "dicom/";
  case IGT_NODE_ANNOTATION:
    return "annotations/";
  case IGT_NODE_SERIES:
    return "series/";
  default:
    return "";
  }
}

char *path_of(const igt_node *node) {
  const igt_node *parent = igt_node_parent(node);
  const char *word = category_word(node), *name = igt_node_name(node);
  char *above, *path;
  size_t cap;

  if (!parent)
    return strdup("");
  if (!(above = path_of(parent)))
    return NULL;
  cap = strlen(above) + strlen(word) + strlen(name) + 2;
  path = malloc(cap);
  if (path)
    snprintf(path, cap, "%s%s%s%s", above, *above ? "/" : "", word, name);
  free(above);
  return path;
}
