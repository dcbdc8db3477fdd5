/* SPDX-License-Identifier: MIT */
/* Single files by their path in the cloud: a tree that lives for one call leads to the node, with
 * which single.c and reader.c do the rest. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/path.h"
#include "igtcloud/file.h"

typedef struct place {
  igt_node *cloud;
  igt_node_target target;
} place;

static igt_status place_open(place *p, igt_client *client, const char *path, igt_error *err) {
  igt_status status;

  *p = (place){.target = IGT_NODE_TARGET_INIT};
  igt__error_clear(err);
  if (!client || !path || !*path)
    return igt__fail(err, IGT_E_INVALID, "no client or no path was given");
  status = igt_cloud_open(client, &p->cloud, err);
  return status == IGT_OK ? igt_node_resolve(p->cloud, path, &p->target, err) : status;
}

static void place_close(place *p) {
  igt_cloud_close(p->cloud);
}

static bool is_file(igt_node_kind kind) {
  return kind == IGT_NODE_FILE || kind == IGT_NODE_DICOM || kind == IGT_NODE_ANNOTATION;
}

/* ---- existing files ---- */

static igt_status refuse(const place *p, const char *path, igt_error *err) {
  const igt_node_target *t = &p->target;

  if (t->kind != IGT_NODE_NONE)
    return igt__fail(err, IGT_E_INVALID, "'%s' is a collection and not a file", path);
  return igt__fail(err, IGT_E_INVALID, "'%s' is a %s and not a file", path,
                   igt_node_kind_name(igt_node_kind_of(t->node)));
}

static igt_status find_file(place *p, const char *path, igt_node **out, igt_error *err) {
  const igt_node_target *t = &p->target;

  if (t->kind == IGT_NODE_NONE && is_file(igt_node_kind_of(t->node))) {
    *out = t->node;
    return IGT_OK;
  }
  if (!is_file(t->kind) || !*t->rest || igt_node_kind_of(t->node) == IGT_NODE_INSTITUTE)
    return refuse(p, path, err);
  return igt_node_find(t->node, t->kind, t->rest, out, err);
}

static igt_status open_file(place *p, igt_client *client, const char *path, igt_node **file,
                            igt_error *err) {
  igt_status status = place_open(p, client, path, err);

  return status == IGT_OK ? find_file(p, path, file, err) : status;
}

igt_status igt_file_open_path(igt_client *client, const char *path,
                              const igt_file_open_options *options, igt_file_reader **out,
                              igt_error *err) {
  igt_node *file = NULL;
  place p;
  igt_status status = open_file(&p, client, path, &file, err);

  *out = NULL;
  if (status == IGT_OK)
    status = igt_file_open(file, options, out, err);
  place_close(&p);
  return status;
}

/* folder + the last part of the name; igt__free. */
static char *keep_name(const char *folder, const char *name) {
  return igt__path_join(folder, igt__path_base(name));
}

static bool is_folder(const char *local) {
  return local && *local && local[strlen(local) - 1] == '/';
}

static igt_status download(igt_node *file, const char *local, const igt_file_options *options,
                           const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_status status;
  char *path;

  if (!is_folder(local))
    return igt_file_download(file, local, options, callbacks, err);
  path = keep_name(local, igt_node_name(file));
  status = path ? igt_file_download(file, path, options, callbacks, err) : igt__fail_memory(err);
  igt__free(path);
  return status;
}

igt_status igt_file_download_path(igt_client *client, const char *path, const char *local,
                                  const igt_file_options *options,
                                  const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_node *file = NULL;
  place p;
  igt_status status = open_file(&p, client, path, &file, err);

  if (status == IGT_OK)
    status = download(file, local, options, callbacks, err);
  place_close(&p);
  return status;
}

/* ---- new files ---- */

/* The name below the category; igt__free. NULL: no memory, or there is none (reported). */
static char *new_name(const char *rest, const igt_file_source *source, igt_error *err) {
  char *name;

  if (*rest && !is_folder(rest)) {
    name = igt__strdup(rest);
  } else if (source && source->path) {
    name = *rest ? keep_name(rest, source->path) : igt__strdup(igt__path_base(source->path));
  } else {
    (void)igt__fail(err, IGT_E_INVALID,
                    "the content has no file name: add one to the path in the cloud");
    return NULL;
  }
  if (!name)
    (void)igt__fail_memory(err);
  return name;
}

igt_status igt_file_upload_path(igt_client *client, const char *path, const igt_file_source *source,
                                const igt_file_options *options,
                                const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_error own = IGT_ERROR_INIT;
  igt_status status;
  igt_node_kind kind;
  char *name;
  place p;

  if (!err)
    err = &own;
  status = place_open(&p, client, path, err);
  if (status == IGT_OK) {
    kind = p.target.kind == IGT_NODE_NONE ? IGT_NODE_FILE : p.target.kind;
    name = new_name(p.target.rest, source, err);
    status = name
                 ? igt_file_upload(p.target.node, kind, name, source, options, callbacks, NULL, err)
                 : err->status;
    igt__free(name);
  }
  place_close(&p);
  return status;
}
