/* SPDX-License-Identifier: MIT */
/* The files of studies and projects: listing, registering, completing and deleting. Registered
 * files are rows (owner: the study or the project); the files in a study's other folders are known
 * from their objects alone. Lists are written as text directly. A file is complete when its upload
 * was reported (studies) or its object exists (projects). routes.c calls
 * each function for its route. */
#include "rest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/scan.h"

const char *const rest_category_names[REST_CATEGORIES] = {"files", "dicom", "annotations",
                                                          "pathis"};
const char *const rest_category_folders[REST_CATEGORIES] = {"files/", "0/", "annotations/",
                                                            "pathis/"};

/* S3's limit in bytes. */
#define MAX_KEY 1024
/* S3's former object limit, for most of its life; clients know of larger ones. */
#define LARGEST_FILE ((int64_t)5 << 40)

/* The study or project that owns files. */
typedef struct file_owner {
  const char *id;
  char *prefix; /* the common prefix of the files' keys */
  bool study;
} file_owner;

static bool owner_find(rest_call *call, bool study, file_owner *out) {
  static const char *const names[] = {"s3Prefix", "instituteId"};
  const char *what = study ? "Study" : "Project";
  char *texts[2];
  igt__buf prefix;

  *out = (file_owner){.id = call->args[study ? 1 : 0], .study = study};
  if (study && !rest_exists(call, "institute", call->args[0], "Institute"))
    return false;
  if (!sbx_doc_texts(call->server->store, study ? "study" : "project", out->id, names, texts, 2)) {
    rest_fail(call, 404, "%s %.100s does not exist", what, out->id);
    return false;
  }
  if (study && !igt__str_eq(texts[1], call->args[0])) {
    rest_fail(call, 404, "Study %.100s does not exist in this institute", out->id);
  } else {
    igt__buf_init(&prefix, 4096);
    igt__buf_printf(&prefix, "%s%s", texts[0] ? texts[0] : "", study ? "files/" : "");
    out->prefix = igt__buf_take(&prefix);
    if (!out->prefix)
      rest_fail(call, 500, "out of memory");
  }
  igt__free(texts[0]);
  igt__free(texts[1]);
  return out->prefix != NULL;
}

/* ---- one file in the API's form ---- */

typedef struct file_view {
  const char *key;
  const char *name; /* the key relative to the category's folder */
  int64_t size;
  bool completed;
  bool is_new;
} file_view;

static void put_text(igt__buf *out, const char *before, const char *text) {
  igt__buf_puts(out, before);
  igt__json_write_string(out, text, strlen(text), IGT__JSON_COMPACT);
}

/* Written as text, not built as a tree: lists have thousands of them. */
static bool file_write(igt__buf *out, const file_view *view) {
  const char *base = strrchr(view->name, '/');
  const char *dot = strrchr(base ? base + 1 : view->name, '.');
  long long size = view->size, progress = view->completed ? view->size : 0;

  put_text(out, "{\"key\":", view->key);
  put_text(out, ",\"fileName\":", view->name);
  igt__buf_printf(out, ",\"fileSize\":%lld,\"isCompleted\":%s,\"isNew\":%s", size,
                  view->completed ? "true" : "false", view->is_new ? "true" : "false");
  put_text(out, ",\"type\":", dot ? dot : "");
  return igt__buf_printf(out,
                         ",\"progressInBytes\":%lld,\"progressPercentage\":%d,\"uploadId\":\"\"}",
                         progress, view->completed ? 100 : 0);
}

static igt__json *file_json(const file_view *view) {
  igt__json *file = NULL;
  igt__buf text;

  igt__buf_init(&text, INT_MAX);
  if (!file_write(&text, view) ||
      igt__json_parse(text.data, text.len, "a file", &file, NULL) != IGT_OK)
    file = NULL;
  igt__buf_finish(&text);
  return file;
}

igt__json *rest_file_json(const char *key, const char *name, int64_t size) {
  return file_json(&(file_view){.key = key, .name = name, .size = size, .completed = true});
}

/* A list as text: a tree of a million files would be too large. */
typedef struct file_list {
  rest_call *call;
  const file_owner *owner;
  const char *folder; /* removed from the keys shown */
  igt__buf text;
  bool any;
  bool completed_only;
  bool has_raw; /* a seed overrides members of some files */
} file_list;

static bool raw_write(file_list *list, const file_view *view) {
  igt__json *raw = sbx_doc_get(list->call->server->store, "file-raw", view->key);
  igt__json *file = file_json(view);
  const char *name;
  igt__json *value;

  for (size_t i = 0; igt__json_member(raw, i, &name, &value); i++)
    igt__json_set(file, name, igt__json_copy(value));
  bool ok = file && igt__json_write(&list->text, file, IGT__JSON_COMPACT);
  igt__json_free(file);
  igt__json_free(raw);
  return ok;
}

static bool list_add(file_list *list, const char *key, int64_t size, bool completed) {
  size_t n = strlen(list->folder);
  file_view view = {.key = key,
                    .name = strncmp(key, list->folder, n) == 0 ? key + n : key,
                    .size = size,
                    .completed = completed};

  if (list->any)
    igt__buf_putc(&list->text, ',');
  list->any = true;
  return list->has_raw ? raw_write(list, &view) : file_write(&list->text, &view);
}

/* The size of the object; -1 if it does not exist. */
static int64_t object_size(sbx_store *store, const char *key) {
  sbx_object object = {0};
  int64_t size = -1;

  if (sbx_object_get(store, SBX_BUCKET, key, &object))
    size = (int64_t)object.size;
  sbx_object_finish(&object);
  return size;
}

static bool add_registered(void *payload, const sbx_file *file) {
  file_list *list = payload;
  bool completed = file->completed;
  int64_t size = file->size;

  /* A project's files have no request that completes them: they are complete once the object
   * exists, whose size then counts. */
  if (!list->owner->study) {
    int64_t stored = object_size(list->call->server->store, file->key);
    completed |= stored >= 0;
    size = stored >= 0 ? stored : size;
  }
  return (!completed && list->completed_only) || list_add(list, file->key, size, completed);
}

static bool add_object(void *payload, const sbx_object *object) {
  return list_add(payload, object->key, (int64_t)object->size, true);
}

static void list_begin(file_list *list, const char *name) {
  igt__buf_printf(&list->text, "%s\"%s\":[", list->text.len > 1 ? "," : "", name);
  list->any = false;
}

static void list_registered(file_list *list) {
  list_begin(list, "files");
  list->folder = list->owner->prefix;
  sbx_file_each(list->call->server->store, list->owner->id, add_registered, list);
  igt__buf_putc(&list->text, ']');
}

static void list_objects(file_list *list, rest_category category) {
  igt__buf folder;
  size_t own = strlen(list->owner->prefix) - strlen(rest_category_folders[REST_FILES]);

  igt__buf_init(&folder, 4096);
  igt__buf_append(&folder, list->owner->prefix, own);
  igt__buf_puts(&folder, rest_category_folders[category]);
  list_begin(list, rest_category_names[category]);
  list->folder = folder.data;
  sbx_object_each(list->call->server->store, SBX_BUCKET, folder.data, "", add_object, list);
  igt__buf_putc(&list->text, ']');
  igt__buf_finish(&folder);
}

static void files_response(rest_call *call, const file_owner *owner, bool auxiliary,
                           bool completed) {
  file_list list = {.call = call, .owner = owner, .completed_only = completed};

  list.has_raw = sbx_doc_count(call->server->store, "file-raw", owner->id) > 0;
  igt__buf_init(&list.text, INT_MAX);
  igt__buf_putc(&list.text, '{');
  list_registered(&list);
  for (rest_category c = REST_DICOM; auxiliary && c < REST_CATEGORIES; c++)
    list_objects(&list, c);
  igt__buf_puts(&list.text, "}\n");
  rest_respond_text(call, 200, &list.text);
}

void rest_study_files_get(rest_call *call) {
  file_owner owner;

  if (owner_find(call, true, &owner))
    files_response(call, &owner, rest_query_bool(call, "auxiliary", false),
                   rest_query_bool(call, "completed", false));
  igt__free(owner.prefix);
}

void rest_project_files_get(rest_call *call) {
  file_owner owner;

  if (owner_find(call, false, &owner))
    files_response(call, &owner, false, false);
  igt__free(owner.prefix);
}

/* ---- registering ---- */

static bool key_ok(rest_call *call, const file_owner *owner, const igt__json *file) {
  const igt__json *value = igt__json_get(file, "key");
  const char *key = igt__json_str(value);
  size_t n = strlen(owner->prefix), len = strlen(key);

  if (len != igt__json_str_len(value) || len > MAX_KEY)
    rest_fail(call, 400, "A key is longer than %d bytes or contains a NUL", MAX_KEY);
  else if (strncmp(key, owner->prefix, n) != 0 || len == n || key[len - 1] == '/')
    rest_fail(call, 400, "The key %.200s is not that of a file below %.200s", key, owner->prefix);
  else if (igt__json_int(igt__json_get(file, "fileSize")) < 0 ||
           igt__json_int(igt__json_get(file, "fileSize")) > LARGEST_FILE)
    rest_fail(call, 400, "The fileSize of %.200s is impossible for an object", key);
  else
    return true;
  return false;
}

/* A known key keeps its state as long as its size stays the same. */
static bool register_known(sbx_store *store, const char *owner, const char *key, int64_t size,
                           bool *completed) {
  int64_t known_size = -1;

  if (!sbx_file_get(store, owner, key, &known_size, completed))
    return false;
  if (known_size == size)
    return true;
  *completed = false;
  return sbx_file_put(store, owner, key, size, false);
}

static bool register_one(rest_call *call, const file_owner *owner, const igt__json *file,
                         igt__buf *response) {
  sbx_store *store = call->server->store;
  const char *key = igt__json_get_str(file, "key");
  int64_t size = igt__json_int(igt__json_get(file, "fileSize"));
  bool known = false, completed = false;

  if (!sbx_file_add(store, owner->id, key, size, &known) ||
      (known && !register_known(store, owner->id, key, size, &completed)))
    return false;
  file_view view = {.key = key,
                    .name = key + strlen(owner->prefix),
                    .size = size,
                    .completed = completed,
                    .is_new = !known};
  return file_write(response, &view);
}

/* In one transaction: all of them, or none. */
static bool register_all(rest_call *call, const file_owner *owner, igt__buf *response) {
  sbx_store *store = call->server->store;
  bool ok = sbx_store_begin(store);

  if (!ok)
    return false;
  for (size_t i = 0; ok && i < igt__json_count(call->json); i++)
    ok = (i == 0 || igt__buf_putc(response, ',')) &&
         register_one(call, owner, igt__json_at(call->json, i), response);
  if (ok)
    return sbx_store_commit(store);
  sbx_store_rollback(store);
  return false;
}

static void register_files(rest_call *call, bool study) {
  file_owner owner;
  igt__buf response;

  igt__buf_init(&response, INT_MAX);
  bool ok = owner_find(call, study, &owner);
  for (size_t i = 0; ok && i < igt__json_count(call->json); i++)
    ok = key_ok(call, &owner, igt__json_at(call->json, i));
  if (ok && igt__buf_puts(&response, "{\"files\":[") && register_all(call, &owner, &response)) {
    igt__buf_puts(&response, "]}\n");
    rest_respond_text(call, 200, &response);
  } else if (ok) {
    rest_fail(call, 500, "The files could not be registered");
  }
  igt__buf_finish(&response);
  igt__free(owner.prefix);
}

void rest_study_files_post(rest_call *call) {
  register_files(call, true);
}

void rest_project_files_post(rest_call *call) {
  register_files(call, false);
}

/* ---- deleting ---- */

/* Whether the file exists: registered, or an object in another folder of the study, which is all
 * that DICOM and annotations are. */
static bool file_exists(sbx_store *store, const file_owner *owner, bool study, const char *key) {
  sbx_object object;

  if (sbx_file_get(store, owner->id, key, NULL, NULL))
    return true;
  if (!study || strncmp(key, owner->prefix, strlen(owner->prefix) - strlen("files/")) != 0)
    return false;
  if (!sbx_object_get(store, SBX_BUCKET, key, &object))
    return false;
  sbx_object_finish(&object);
  return true;
}

static void delete_files(rest_call *call, bool study) {
  file_owner owner;
  sbx_store *store = call->server->store;
  const char *key;
  bool ok = owner_find(call, study, &owner);

  if (ok && !sbx_query_has(call->req, "keys")) {
    rest_fail(call, 400, "keys is required");
    ok = false;
  }
  for (size_t i = 0; ok && (key = sbx_query(call->req, "keys", i)); i++) {
    if (!file_exists(store, &owner, study, key)) {
      rest_fail(call, 404, "File %.200s does not exist", key);
      ok = false;
    }
  }
  for (size_t i = 0; ok && (key = sbx_query(call->req, "keys", i)); i++) {
    sbx_file_delete(store, owner.id, key);
    sbx_object_delete(store, SBX_BUCKET, key);
  }
  if (ok)
    rest_respond_empty(call, 204);
  igt__free(owner.prefix);
}

void rest_study_files_delete(rest_call *call) {
  delete_files(call, true);
}

void rest_project_files_delete(rest_call *call) {
  delete_files(call, false);
}

static bool add_key(void *payload, const sbx_object *object) {
  return igt__json_push(payload, igt__json_new_str(object->key));
}

void rest_study_annotations_delete(rest_call *call) {
  file_owner owner;
  igt__json *keys = igt__json_new_array();
  igt__buf folder;

  igt__buf_init(&folder, 4096);
  if (!owner_find(call, true, &owner))
    goto out;
  if (!sbx_query_has(call->req, "patientId")) {
    rest_fail(call, 400, "patientId is required");
    goto out;
  }
  igt__buf_append(&folder, owner.prefix, strlen(owner.prefix) - strlen("files/"));
  igt__buf_puts(&folder, rest_category_folders[REST_ANNOTATIONS]);
  sbx_object_each(call->server->store, SBX_BUCKET, folder.data, "", add_key, keys);
  for (size_t i = 0; i < igt__json_count(keys); i++)
    sbx_object_delete(call->server->store, SBX_BUCKET, igt__json_str(igt__json_at(keys, i)));
  rest_respond_empty(call, 204);
out:
  igt__buf_finish(&folder);
  igt__json_free(keys);
  igt__free(owner.prefix);
}

/* ---- completing ---- */

/* A key is registered once, but its file may be uploaded again with another size, also before it
 * was complete: the object's size counts. False: responded. */
static bool complete(rest_call *call, const char *prefix, const char *path) {
  sbx_store *store = call->server->store;
  const char *owner = call->args[1];
  igt__buf key;
  bool ok = true, known = false;

  igt__buf_init(&key, 16 * 1024);
  igt__buf_printf(&key, "%s%s", prefix, path);
  int64_t size = object_size(store, key.data);
  if (size < 0)
    known = sbx_file_get(store, owner, key.data, NULL, NULL);
  else
    ok = sbx_file_complete(store, owner, key.data, size, &known);
  if (!ok)
    rest_fail(call, 500, "The file could not be stored");
  else if (!known)
    rest_fail(call, 404, "File %.200s is not registered", key.data);
  else if (size < 0)
    rest_fail(call, 400, "There is no object at %.200s", key.data);
  igt__buf_finish(&key);
  return ok && known && size >= 0;
}

void rest_study_file_completed(rest_call *call) {
  file_owner owner;

  if (owner_find(call, true, &owner) &&
      complete(call, owner.prefix, igt__json_get_str(call->json, "uploadedPath")))
    rest_respond_empty(call, 204);
  igt__free(owner.prefix);
}

void rest_project_file_content(rest_call *call) {
  file_owner owner;
  igt__buf key;
  sbx_object object = {0};
  int fd = -1;

  igt__buf_init(&key, 16 * 1024);
  if (owner_find(call, false, &owner)) {
    igt__buf_printf(&key, "%s%s", owner.prefix, call->args[1]);
    fd = sbx_object_open(call->server->store, SBX_BUCKET, key.data, &object);
    if (fd >= 0)
      sbx_respond_fd(call->req, 200, "application/octet-stream", fd, 0, object.size);
    else
      rest_fail(call, 404, "File %.200s does not exist", call->args[1]);
  }
  sbx_object_finish(&object);
  igt__buf_finish(&key);
  igt__free(owner.prefix);
}
