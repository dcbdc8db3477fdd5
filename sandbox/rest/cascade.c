/* SPDX-License-Identifier: MIT */
/* Deletes a project, an institute or a study with everything that belongs to it: documents,
 * registered files, objects, service identities. Each runs in one transaction: all of it is
 * deleted, or nothing. projects.c and studies.c call these functions; series.c, storage.c and
 * users.c use the parts for series and objects. */
#include "rest.h"

#include <string.h>

#include "base/str.h"

static bool add_file_key(void *payload, const sbx_file *file) {
  return igt__json_push(payload, igt__json_new_str(file->key));
}

static bool add_object_key(void *payload, const sbx_object *object) {
  return igt__json_push(payload, igt__json_new_str(object->key));
}

static bool add_doc(void *payload, const char *id, const char *doc, size_t n) {
  igt__json *value = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "a document", &value, NULL) == IGT_OK)
    igt__json_push(payload, value);
  return true;
}

static bool add_id(void *payload, const char *id, const char *doc, size_t n) {
  (void)doc;
  (void)n;
  return igt__json_push(payload, igt__json_new_str(id));
}

bool rest_drop_objects(sbx_server *server, const char *prefix) {
  igt__json *keys = igt__json_new_array();

  /* A seed may set any s3Prefix; one that is not a folder does not belong to this entity alone. */
  if (prefix && *prefix && igt__str_ends(prefix, "/"))
    sbx_object_each(server->store, SBX_BUCKET, prefix, "", add_object_key, keys);
  bool ok = keys != NULL;
  for (size_t i = 0; ok && i < igt__json_count(keys); i++)
    ok = sbx_object_delete(server->store, SBX_BUCKET, igt__json_str(igt__json_at(keys, i)));
  igt__json_free(keys);
  return ok;
}

static void drop_files(sbx_server *server, const char *owner) {
  igt__json *keys = igt__json_new_array();

  sbx_file_each(server->store, owner, add_file_key, keys);
  for (size_t i = 0; i < igt__json_count(keys); i++)
    sbx_file_delete(server->store, owner, igt__json_str(igt__json_at(keys, i)));
  igt__json_free(keys);
}

static void drop_docs(sbx_server *server, const char *kind, const char *parent) {
  igt__json *ids = igt__json_new_array();

  sbx_doc_each(server->store, kind, parent, add_id, ids);
  for (size_t i = 0; i < igt__json_count(ids); i++)
    sbx_doc_delete(server->store, kind, igt__json_str(igt__json_at(ids, i)));
  igt__json_free(ids);
}

/* Calls drop for each document of a kind below parent. */
static bool each(sbx_server *server, const char *kind, const char *parent,
                 bool (*drop)(sbx_server *server, const igt__json *doc)) {
  igt__json *docs = igt__json_new_array();
  bool ok = docs && sbx_doc_each(server->store, kind, parent, add_doc, docs);

  for (size_t i = 0; ok && i < igt__json_count(docs); i++)
    ok = drop(server, igt__json_at(docs, i));
  igt__json_free(docs);
  return ok;
}

/* ---- one function per kind ---- */

bool rest_drop_series(sbx_server *server, const igt__json *series) {
  const char *study = igt__json_get_str(series, "studyDatabaseId");
  const char *uid = igt__json_get_str(series, "instanceUid");
  igt__buf key;

  igt__buf_init(&key, 64 * 1024);
  igt__buf_printf(&key, "%s/%s", study ? study : "", uid ? uid : "");
  sbx_kv_delete(server->store, "series-uid", key.data);
  igt__buf_finish(&key);
  return sbx_doc_delete(server->store, "series", igt__json_get_str(series, "seriesDatabaseId"));
}

static bool drop_study(sbx_server *server, const igt__json *study) {
  const char *id = igt__json_get_str(study, "studyDatabaseId");
  bool ok = id && each(server, "series", id, rest_drop_series) &&
            rest_drop_objects(server, igt__json_get_str(study, "s3Prefix"));

  if (!ok)
    return false;
  drop_files(server, id);
  drop_docs(server, "annotation-state", id);
  return sbx_doc_delete(server->store, "study", id);
}

/* Its key is revoked as well. */
static bool drop_service(sbx_server *server, const igt__json *service) {
  const char *id = igt__json_get_str(service, "serviceId");

  sbx_kv_delete(server->store, "service-key", id ? id : "");
  return !id || sbx_doc_delete(server->store, "service", id);
}

static bool drop_institute(sbx_server *server, const igt__json *institute) {
  const char *id = igt__json_get_str(institute, "id");
  bool ok = id && each(server, "study", id, drop_study) &&
            each(server, "service", id, drop_service) &&
            rest_drop_objects(server, igt__json_get_str(institute, "s3Prefix"));

  if (!ok)
    return false;
  drop_docs(server, "users-groups", id);
  return sbx_doc_delete(server->store, "institute", id);
}

static bool drop_project(sbx_server *server, const igt__json *project) {
  const char *id = igt__json_get_str(project, "id");
  bool ok = id && each(server, "institute", id, drop_institute) &&
            each(server, "service", id, drop_service) &&
            rest_drop_objects(server, igt__json_get_str(project, "s3Prefix"));

  if (!ok)
    return false;
  drop_files(server, id);
  drop_docs(server, "users-groups", id);
  drop_docs(server, "project-application", id);
  drop_docs(server, "ai-mapping", id);
  return sbx_doc_delete(server->store, "project", id);
}

/* ---- in one transaction ---- */

static bool whole(sbx_server *server, const igt__json *doc,
                  bool (*drop)(sbx_server *server, const igt__json *doc)) {
  if (!sbx_store_begin(server->store))
    return false;
  if (drop(server, doc))
    return sbx_store_commit(server->store);
  sbx_store_rollback(server->store);
  return false;
}

bool rest_drop_study(sbx_server *server, const igt__json *study) {
  return whole(server, study, drop_study);
}

bool rest_drop_institute(sbx_server *server, const igt__json *institute) {
  return whole(server, institute, drop_institute);
}

bool rest_drop_project(sbx_server *server, const igt__json *project) {
  return whole(server, project, drop_project);
}
