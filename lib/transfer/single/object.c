/* SPDX-License-Identifier: MIT */
/* Single objects: where a file's node, a new file in a node, or a program's igt_object is in the
 * store, and the calls of igtcloud/object.h. single.c moves the bytes, reader.c reads them. */
#include "transfer/single/object.h"

#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sized.h"
#include "base/str.h"
#include "cloud/prefix.h"
#include "crypto/crypto.h"
#include "transfer/engine/plan.h"

void igt__object_finish(igt__object *object) {
  igt__free(object->prefix);
  igt__free(object->key);
  memset(object, 0, sizeof *object);
}

/* ---- of nodes ---- */

static void take_place(const igt_node *in, igt__object *out) {
  const igt_node *institute = in->kind == IGT_NODE_STUDY       ? in->parent
                              : in->kind == IGT_NODE_INSTITUTE ? in
                                                               : NULL;
  const igt_node *project = in;
  bool study = in->kind == IGT_NODE_STUDY;

  while (project->kind != IGT_NODE_PROJECT && project->parent)
    project = project->parent;
  out->client = in->client;
  out->project = project->kind == IGT_NODE_PROJECT ? project->name : NULL;
  out->institute = institute ? institute->name : "";
  out->institute_id = institute ? institute->id : "";
  out->study = study ? in->name : institute ? "DICOM import" : "";
  out->study_id = study ? in->id : "";
}

igt_status igt__object_of_node(const igt_node *file, igt__object *out, igt_error *err) {
  const igt_file *model;
  igt_status status;

  memset(out, 0, sizeof *out);
  if (!file || !file->parent || file->kind < IGT_NODE_FILE)
    return igt__fail(err, IGT_E_INVALID, "only a file has content");
  model = (const igt_file *)file->model;
  if (igt__is_folder_key(model))
    return igt__fail(err, IGT_E_NO_FILE, "'%s' represents a folder and has no content", file->name);
  if (!*file->id)
    return igt__fail(err, IGT_E_REQUIRED, "'%s': the cloud lists it without a key", file->name);
  take_place(file->parent, out);
  status = igt__node_prefix(file->parent, file->kind, &out->prefix, err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "'%s'", file->name);
    return status;
  }
  out->key = igt__strdup(file->id);
  out->name = file->name;
  if (model->file_size.is == IGT_SET && model->file_size.v > 0)
    out->size = (uint64_t)model->file_size.v;
  return out->key ? IGT_OK : igt__fail_memory(err);
}

/* Every import has a folder of its own. */
static igt_status new_prefix(const igt_node *in, igt_node_kind kind, char **out, igt_error *err) {
  const char *own;
  char uuid[37];
  size_t n;
  igt_status status;

  if (in->kind != IGT_NODE_INSTITUTE)
    return igt__node_prefix(in, kind, out, err);
  own = igt__text_of(&((const igt_institute *)in->model)->s3_prefix);
  if ((status = igt__prefix_check_shape(own, "institute", err)) != IGT_OK)
    return status;
  n = strlen(own) + sizeof uuid + 16;
  if (!igt__uuid(uuid) || !(*out = igt__malloc(n)))
    return igt__fail_memory(err);
  (void)snprintf(*out, n, "%sImport/%s/", own, uuid);
  return IGT_OK;
}

igt_status igt__object_in_node(const igt_node *in, igt_node_kind kind, const char *name,
                               igt__object *out, igt_error *err) {
  igt_status status;
  size_t n;

  memset(out, 0, sizeof *out);
  take_place(in, out);
  status = new_prefix(in, kind, &out->prefix, err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "'%s'", in->name);
    return status;
  }
  n = strlen(out->prefix) + strlen(name) + 1;
  out->key = igt__malloc(n);
  if (!out->key)
    return igt__fail_memory(err);
  (void)snprintf(out->key, n, "%s%s", out->prefix, name);
  out->name = out->key + strlen(out->prefix);
  return IGT_OK;
}

/* ---- of the program ---- */

static igt_status check_key(const igt_object *from, igt_error *err) {
  if (!from->prefix || !from->key)
    return igt__fail(err, IGT_E_INVALID, "an object needs a client, a prefix and a key");
  if (!*from->prefix || !igt__str_starts(from->key, from->prefix) ||
      !from->key[strlen(from->prefix)])
    return igt__fail(err, IGT_E_INVALID, "the key '%s' is not below the prefix '%s'", from->key,
                     from->prefix);
  return IGT_OK;
}

igt_status igt__object_of(igt_client *client, const igt_object *from, igt__object *out,
                          igt_error *err) {
  igt_object own;
  igt_status status = igt__options_read(&own, sizeof own, from, "igt_object", err);

  memset(out, 0, sizeof *out);
  if (status == IGT_OK && !client)
    status = igt__fail(err, IGT_E_INVALID, "an object needs a client, a prefix and a key");
  if (status == IGT_OK)
    status = check_key(&own, err);
  if (status != IGT_OK)
    return status;
  out->client = client;
  out->prefix = igt__strdup(own.prefix);
  out->key = igt__strdup(own.key);
  if (!out->prefix || !out->key)
    return igt__fail_memory(err);
  out->name = own.name && *own.name ? own.name : out->key + strlen(out->prefix);
  out->size = own.bytes;
  out->institute = out->study = "";
  out->institute_id = own.institute_id ? own.institute_id : "";
  out->study_id = own.study_id ? own.study_id : "";
  return IGT_OK;
}

igt_status igt_object_prepare(igt_client *client, const char *prefix, igt_error *err) {
  igt__s3_provider *provider;

  igt__error_clear(err);
  if (!client || !prefix || !*prefix)
    return igt__fail(err, IGT_E_INVALID, "credentials need a client and a prefix");
  provider = igt__object_provider(client, "GET", prefix);
  if (!provider)
    return igt__fail_memory(err);
  igt__s3_provider_warm(provider);
  igt__s3_provider_unref(provider);
  return IGT_OK;
}

igt_status igt_object_open(igt_client *client, const igt_object *object,
                           const igt_file_open_options *options, igt_file_reader **out,
                           igt_error *err) {
  igt__object o;
  igt_status status;

  igt__error_clear(err);
  *out = NULL;
  status = igt__object_of(client, object, &o, err);
  if (status == IGT_OK)
    status = igt__object_open(&o, options, out, err);
  igt__object_finish(&o);
  return status;
}

igt_status igt_object_download(igt_client *client, const igt_object *object, const char *path,
                               const igt_file_options *options,
                               const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt__object o;
  igt_status status;

  igt__error_clear(err);
  status = igt__object_of(client, object, &o, err);
  if (status == IGT_OK)
    status = igt__object_download(&o, path, options, callbacks, err);
  igt__object_finish(&o);
  return status;
}

static igt_status check_name(const char *prefix, const char *key, igt_error *err) {
  const char *name = key + strlen(prefix);

  return igt__path_check(name, strlen(name), "the file's name", err);
}

igt_status igt_object_check(const igt_object *object, igt_error *err) {
  igt_object own;
  igt_status status;

  igt__error_clear(err);
  status = igt__options_read(&own, sizeof own, object, "igt_object", err);
  if (status == IGT_OK)
    status = check_key(&own, err);
  return status == IGT_OK ? check_name(own.prefix, own.key, err) : status;
}

igt_status igt_object_upload(igt_client *client, const igt_object *object,
                             const igt_file_source *source, const igt_file_options *options,
                             const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt__object o;
  igt_status status;

  igt__error_clear(err);
  status = igt__object_of(client, object, &o, err);
  if (status == IGT_OK)
    status = check_name(o.prefix, o.key, err);
  if (status == IGT_OK)
    status = igt__object_upload(&o, NULL, *o.institute_id && *o.study_id, source, options,
                                callbacks, err);
  igt__object_finish(&o);
  return status;
}

/* ---- querying ---- */

static void take_info(const igt__s3_request *req, igt_object_info *out) {
  out->bytes = req->object_size;
  out->bytes_known = req->size_known;
  out->modified = req->last_modified;
  igt__str_copy(out->etag, sizeof out->etag, req->etag);
  igt__str_copy(out->checksum_kind, sizeof out->checksum_kind, req->checksum_alg);
  igt__str_copy(out->checksum, sizeof out->checksum, req->checksum);
}

static igt_status head(const igt__object *object, igt__s3_provider *provider, igt__cancel *cancel,
                       igt_object_info *out, igt_error *err) {
  igt__s3 *s3 = igt__object_store(object->client);
  igt__s3_request req;
  igt_status status = igt__s3_provider_wait(provider, cancel, err);

  if (status == IGT_OK)
    status = s3 ? igt__s3_request_init(&req, IGT__S3_HEAD, err) : igt__fail_memory(err);
  if (status != IGT_OK)
    return status;
  req.provider = provider;
  req.key = object->key;
  req.cancel = cancel;
  status = igt__s3_perform(s3, &req, err);
  if (status == IGT_OK)
    take_info(&req, out);
  igt__s3_request_finish(&req);
  return status;
}

static igt_status stat_object(const igt__object *object, igt_cancel *cancel, igt_object_info *out,
                              igt_error *err) {
  igt__cancel *both = igt__cancel_below(cancel, igt__client_cancel(object->client));
  igt__s3_provider *provider = igt__object_provider(object->client, "GET", object->prefix);
  igt_status status =
      both && provider ? head(object, provider, both, out, err) : igt__fail_memory(err);

  igt__s3_provider_unref(provider);
  igt__cancel_unref(both);
  if (status != IGT_OK)
    igt__error_prefix(err, "'%s'", object->name);
  return status;
}

igt_status igt_object_stat(igt_client *client, const igt_object *object, igt_cancel *cancel,
                           igt_object_info *out, igt_error *err) {
  igt_object_info own = IGT_OBJECT_INFO_INIT;
  igt__object o;
  igt_status status;

  igt__error_clear(err);
  if (!out)
    return igt__fail(err, IGT_E_INVALID, "no memory for the result was given");
  status = igt__result_check(out, "igt_object_info", err);
  if (status != IGT_OK)
    return status;
  status = igt__object_of(client, object, &o, err);
  if (status == IGT_OK)
    status = stat_object(&o, cancel, &own, err);
  if (status == IGT_OK)
    igt__result_write(out, &own, sizeof own);
  igt__object_finish(&o);
  return status;
}

IGT__DEFINE_INIT(igt_object)
IGT__DEFINE_INIT(igt_object_info)
