/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "fields.h"
#include "filter.h"

/* The study of the path, when it is the institute's; NULL: answered. */
static igt__json *study_of_path(rest_call *call) {
  if (!rest_exists(call, "institute", call->args[0], "Institute"))
    return NULL;
  igt__json *study = rest_find(call, "study", call->args[1], "Study");
  if (study && !igt__str_eq(igt__json_get_str(study, "instituteId"), call->args[0])) {
    rest_fail(call, 404, "Study %.100s does not exist in this institute", call->args[1]);
    igt__json_free(study);
    return NULL;
  }
  return study;
}

/* ---- lists ---- */

static bool filter_keep(void *payload, const igt__json *doc) {
  return rest_filter_matches(payload, doc);
}

static void filter_release(void *payload) {
  rest_filter_free(payload);
}

static void list(rest_call *call, const char *kind, const char *parent) {
  const char *text = sbx_query(call->req, "$filter", 0);
  char why[128];
  if (!text || !*text) {
    rest_answer_docs(call, kind, parent, NULL, NULL, NULL);
    return;
  }
  rest_filter *filter = rest_filter_parse(text, why, sizeof why);
  if (filter)
    rest_answer_docs(call, kind, parent, filter_keep, filter_release, filter);
  else
    rest_fail(call, 400, "%s", why);
}

void rest_studies_get(rest_call *call) {
  if (rest_exists(call, "institute", call->args[0], "Institute"))
    list(call, "study", call->args[0]);
}

/* ---- creating and changing ---- */

static bool type_fits(rest_call *call, const igt__json *institute) {
  const char *type = igt__json_get_str(call->json, "studyType");
  const char *wanted = igt__json_get_str(institute, "studyType");
  const char *claimed = igt__json_get_str(call->json, "instituteId");
  if (!igt__str_eq(type, wanted)) {
    rest_fail(call, 400, "studyType is %.60s, but this institute has studies of %.60s", type,
              wanted);
    return false;
  }
  if (claimed && strcmp(claimed, call->args[0]) != 0) {
    rest_fail(call, 400, "instituteId %.100s is not the institute of the path", claimed);
    return false;
  }
  return true;
}

void rest_studies_post(rest_call *call) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute"), *study = NULL;
  if (!institute || !type_fits(call, institute))
    goto out;
  study = rest_study_new(call->server, institute, call->json, NULL, NULL, call->who.sub);
  if (rest_store(call, "study", igt__json_get_str(study, "studyDatabaseId"), call->args[0],
                 study)) {
    rest_answer(call, 201, study);
    study = NULL;
  }
out:
  igt__json_free(study);
  igt__json_free(institute);
}

void rest_study_get(rest_call *call) {
  igt__json *study = study_of_path(call);
  if (study)
    rest_answer(call, 200, study);
}

/* Makes the study anew out of body and answers it. */
static void replace(rest_call *call, const igt__json *old, const igt__json *body) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute"), *study = NULL;
  if (!institute || !type_fits(call, institute))
    goto out;
  study = rest_study_new(call->server, institute, body, call->args[1], old, call->who.sub);
  /* The place of its objects does not change, whoever chose it. */
  if (study)
    igt__json_set_str(study, "s3Prefix", igt__json_get_str(old, "s3Prefix"));
  if (rest_store(call, "study", call->args[1], call->args[0], study)) {
    rest_answer(call, 200, study);
    study = NULL;
  }
out:
  igt__json_free(study);
  igt__json_free(institute);
}

void rest_study_put(rest_call *call) {
  igt__json *old = study_of_path(call);
  if (old)
    replace(call, old, call->json);
  igt__json_free(old);
}

static void merge(igt__json *into, const igt__json *from) {
  const char *key;
  igt__json *value;
  for (size_t i = 0; igt__json_member(from, i, &key, &value); i++) {
    igt__json *there = igt__json_get(into, key);
    if (igt__json_typeof(value) == IGT__JSON_OBJECT && igt__json_typeof(there) == IGT__JSON_OBJECT)
      merge(there, value);
    else
      igt__json_set(into, key, igt__json_copy(value));
  }
}

void rest_study_patch(rest_call *call) {
  igt__json *old = study_of_path(call), *body;
  if (!old)
    return;
  body = igt__json_copy(old);
  merge(body, call->json);
  replace(call, old, body);
  igt__json_free(body);
  igt__json_free(old);
}

static bool add_file_key(void *payload, const sbx_file *file) {
  return igt__json_push(payload, igt__json_new_str(file->key));
}

static bool add_object_key(void *payload, const sbx_object *object) {
  return igt__json_push(payload, igt__json_new_str(object->key));
}

void rest_study_delete(rest_call *call) {
  igt__json *study = study_of_path(call);
  if (!study)
    return;
  sbx_store *store = call->server->store;
  igt__json *files = igt__json_new_array(), *objects = igt__json_new_array();
  sbx_file_each(store, call->args[1], add_file_key, files);
  sbx_object_each(store, SBX_BUCKET, igt__json_get_str(study, "s3Prefix"), "", add_object_key,
                  objects);
  bool ok = sbx_store_begin(store);
  for (size_t i = 0; ok && i < igt__json_count(files); i++)
    sbx_file_delete(store, call->args[1], igt__json_str(igt__json_at(files, i)));
  for (size_t i = 0; ok && i < igt__json_count(objects); i++)
    sbx_object_delete(store, SBX_BUCKET, igt__json_str(igt__json_at(objects, i)));
  if (ok)
    sbx_doc_delete(store, "study", call->args[1]);
  if (ok && sbx_store_commit(store))
    rest_answer_empty(call, 204);
  else
    rest_fail(call, 500, "The study could not be deleted");
  igt__json_free(files);
  igt__json_free(objects);
  igt__json_free(study);
}

/* ---- single members ---- */

/* Stores the changed study and answers it; takes it over. */
static void save(rest_call *call, igt__json *study) {
  char now[40];
  rest_now(now);
  igt__json_set_str(study, "lastUpdatedOn", now);
  igt__json_set_str(study, "lastUpdatedBy", call->who.sub);
  if (rest_store(call, "study", call->args[1], call->args[0], study))
    rest_answer(call, 200, study);
  else
    igt__json_free(study);
}

/* annotation-state, annotations_updated, case-labels, sticky-note, study_comments: each sets the
 * one member that its body has, on studies whose type knows it. */
void rest_study_member_post(rest_call *call) {
  igt__json *study = study_of_path(call), *value;
  const char *key;
  if (!study)
    return;
  if (!igt__json_member(call->json, 0, &key, &value)) {
    rest_fail(call, 400, "The body has no member");
    igt__json_free(study);
    return;
  }
  merge(study, call->json);
  save(call, study);
}

void rest_study_record_state(rest_call *call) {
  const char *user = igt__json_get_str(call->json, "username");
  const char *password = igt__json_get_str(call->json, "password");
  const char *state = igt__json_get_str(call->json, "electronicRecordState");
  igt__json *study = study_of_path(call);
  if (!study)
    return;
  if (!user || !password || !state || !*state) {
    rest_fail(call, 400, "username, password and electronicRecordState are required");
  } else if (strcmp(user, call->who.sub) != 0 ||
             !rest_password_matches(call->server, user, password)) {
    rest_fail(call, 403, "The user name or the password is not the one of this session");
  } else {
    igt__json_set_str(study, "electronicRecordState", state);
    save(call, study);
    return;
  }
  igt__json_free(study);
}

/* ---- series ---- */

static bool in_institute(void *payload, const igt__json *doc) {
  return igt__str_eq(igt__json_get_str(doc, "hospitalId"), payload);
}

static void text_release(void *payload) {
  igt__free(payload);
}

void rest_series_all(rest_call *call) {
  if (!rest_exists(call, "institute", call->args[0], "Institute"))
    return;
  char *id = igt__strdup(call->args[0]);
  rest_answer_docs(call, "series", NULL, in_institute, text_release, id);
}

void rest_series_get(rest_call *call) {
  igt__json *series = rest_find(call, "series", call->args[1], "Series");
  if (!series)
    return;
  if (in_institute((void *)(uintptr_t)call->args[0], series)) {
    rest_answer(call, 200, series);
    return;
  }
  rest_fail(call, 404, "Series %.100s does not exist in this institute", call->args[1]);
  igt__json_free(series);
}

void rest_study_series_get(rest_call *call) {
  igt__json *study = study_of_path(call);
  if (study)
    list(call, "series", call->args[1]);
  igt__json_free(study);
}

void rest_study_series_put(rest_call *call) {
  igt__json *study = study_of_path(call), *series;
  char now[40];
  if (!study)
    return;
  rest_now(now);
  series = igt__json_copy(call->json);
  igt__json_set_str(series, "seriesDatabaseId", call->args[2]);
  igt__json_set_str(series, "studyDatabaseId", call->args[1]);
  igt__json_set_str(series, "hospitalId", call->args[0]);
  igt__json_set_str(series, "lastUpdatedOn", now);
  igt__json_set_str(series, "lastUpdatedBy", call->who.sub);
  if (rest_store(call, "series", call->args[2], call->args[1], series)) {
    rest_answer(call, 200, series);
    series = NULL;
  }
  igt__json_free(series);
  igt__json_free(study);
}

void rest_study_series_delete(rest_call *call) {
  igt__json *study = study_of_path(call);
  igt__json *series = study ? rest_find(call, "series", call->args[2], "Series") : NULL;
  if (series && !igt__str_eq(igt__json_get_str(series, "studyDatabaseId"), call->args[1])) {
    rest_fail(call, 404, "Series %.100s does not exist in this study", call->args[2]);
  } else if (series) {
    sbx_doc_delete(call->server->store, "series", call->args[2]);
    rest_answer_empty(call, 204);
  }
  igt__json_free(series);
  igt__json_free(study);
}
