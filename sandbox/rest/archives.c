/* SPDX-License-Identifier: MIT */
/* Downloads of several files as one ZIP archive, which zip.c creates while it is sent. The
 * functions here select the files and name the members; routes.c calls them for their routes. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "zip.h"

typedef struct collection {
  rest_zip *zip;
  sbx_server *server;
  const char *prefix; /* removed from the members' names */
  bool ok;
} collection;

static bool add(collection *c, const char *key) {
  const char *name = igt__str_starts(key, c->prefix) ? key + strlen(c->prefix) : key;

  c->ok = *name == '\0' || rest_zip_add(c->zip, key, name);
  return c->ok;
}

/* Adds files that have an object: a file that is only registered has no bytes. */
static bool add_file(void *payload, const sbx_file *file) {
  collection *c = payload;
  sbx_object object = {0};
  bool there = sbx_object_get(c->server->store, SBX_BUCKET, file->key, &object);

  sbx_object_finish(&object);
  return !there || add(c, file->key);
}

static bool add_object(void *payload, const sbx_object *object) {
  return add(payload, object->key);
}

/* Quotes and anything other than plain characters would end the header's value. */
static void attachment(rest_call *call, const char *name) {
  char header[160];
  int n = snprintf(header, sizeof header, "attachment; filename=\"%.100s", name);

  for (int i = (int)strlen("attachment; filename=\""); i < n; i++) {
    if (header[i] < ' ' || header[i] > '~' || strchr("\"\\/", header[i]))
      header[i] = '_';
  }
  snprintf(header + n, sizeof header - (size_t)n, ".zip\"");
  sbx_add_header(call->req, "Content-Disposition", header);
}

static void send(rest_call *call, collection *c, const char *name) {
  if (!c->ok) {
    rest_zip_free(c->zip);
    rest_fail(call, 500, "The archive could not be created");
    return;
  }
  attachment(call, name);
  sbx_respond_stream(call->req, 200, "application/zip", rest_zip_next, rest_zip_free, c->zip);
}

static collection begin(rest_call *call, const char *prefix) {
  rest_zip *zip = rest_zip_new(call->server->store, SBX_BUCKET);

  return (collection){zip, call->server, prefix, zip != NULL};
}

void rest_study_download(rest_call *call) {
  igt__json *study = rest_study_of_path(call);
  const char *own = igt__json_get_str(study, "s3Prefix");
  const char *name = igt__json_get_str(study, "studyIdHumanReadable");
  igt__buf prefix;

  if (!study)
    return;
  igt__buf_init(&prefix, 4096);
  igt__buf_printf(&prefix, "%s%s", own ? own : "", rest_category_folders[REST_FILES]);
  collection c = begin(call, prefix.data);
  if (c.ok)
    sbx_file_each(call->server->store, call->args[1], add_file, &c);
  send(call, &c, name ? name : "study");
  igt__buf_finish(&prefix);
  igt__json_free(study);
}

void rest_project_download(rest_call *call) {
  igt__json *project = rest_find(call, "project", call->args[0], "Project");
  const char *prefix = igt__json_get_str(project, "s3Prefix");
  const char *name = igt__json_get_str(project, "name");

  if (!project)
    return;
  collection c = begin(call, prefix ? prefix : "");
  if (c.ok)
    sbx_file_each(call->server->store, call->args[0], add_file, &c);
  send(call, &c, name ? name : "project");
  igt__json_free(project);
}

void rest_user_files_download(rest_call *call) {
  char prefix[64];

  if (!rest_user_prefix(call, prefix, sizeof prefix))
    return;
  collection c = begin(call, prefix);
  if (c.ok)
    sbx_object_each(call->server->store, SBX_BUCKET, prefix, "", add_object, &c);
  send(call, &c, "files");
}
