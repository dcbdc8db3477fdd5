/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dicom_import.h"

/* ---- update-database: DICOM files below Import/ become studies ---- */

static bool path_said(rest_call *call, const char **path) {
  *path = igt__json_get_str(call->json, "uploadedPath");
  if (*path && **path && **path != '/' && !strstr(*path, ".."))
    return true;
  rest_fail(call, 400, "uploadedPath is required and must be below the institute's Import/");
  return false;
}

/* The key that a path means: clients send the full key, or the part below Import/. */
static void key_of(const igt__json *institute, const char *path, igt__buf *key) {
  igt__buf_printf(key, "%sImport/", igt__json_get_str(institute, "s3Prefix"));
  if (igt__str_starts(path, key->data))
    igt__buf_clear(key);
  igt__buf_puts(key, path);
}

/* Imports the objects at the body's path or below it. */
static void import(rest_call *call, bool is_prefix) {
  const char *id = igt__json_get_str(call->json, "hospitalId"), *path;
  igt__json *institute;
  igt__buf key;

  if (!path_said(call, &path))
    return;
  if (!id) {
    rest_fail(call, 400, "hospitalId is required");
    return;
  }
  institute = rest_find(call, "institute", id, "Institute");
  if (!institute)
    return;
  igt__buf_init(&key, 16 * 1024);
  key_of(institute, path, &key);
  rest_import result =
      rest_dicom_import(call->server, institute, key.data, is_prefix, call->who.sub);
  if (result == REST_IMPORT_NOTHING)
    rest_fail(call, 400, "There is no object at %.200s", key.data);
  else if (result == REST_IMPORT_FAILED)
    rest_fail(call, 500, "The import could not be stored");
  else
    rest_respond(call, 200, igt__json_new_object());
  igt__buf_finish(&key);
  igt__json_free(institute);
}

void rest_update_database(rest_call *call) {
  import(call, igt__json_bool(igt__json_get(call->json, "isPrefix")));
}

/* Imports one file as soon as it was uploaded. */
void rest_preprocess_file(rest_call *call) {
  import(call, false);
}

/* A sandbox extension: the files that could not be imported, and why. */
void rest_imports_get(rest_call *call) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute");
  igt__json *list = institute ? rest_dicom_left(call->server, institute) : NULL;

  if (list)
    rest_respond(call, 200, list);
  else if (institute)
    rest_fail(call, 500, "out of memory");
  igt__json_free(institute);
}
