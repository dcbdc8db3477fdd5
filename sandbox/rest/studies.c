/* SPDX-License-Identifier: MIT */
/* Studies: list, create, read, replace, merge, delete, and the requests that set a single member.
 * Bodies have been checked by rest.c; study_document.c adds what the server sets; changes of the
 * annotation state are recorded for the report (tasks.c). routes.c calls each function for its
 * route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"

igt__json *rest_study_of_path(rest_call *call) {
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

void rest_studies_get(rest_call *call) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute");
  const char *type = rest_keep(call, igt__json_get_str(institute, "studyType"));

  igt__json_free(institute);
  if (institute)
    rest_respond_filtered(call, "study", call->args[0], type ? type : "");
}

/* ---- creating and replacing ---- */

static bool type_fits(rest_call *call, const igt__json *institute) {
  const char *type = igt__json_get_str(call->json, "studyType");
  const char *wanted = igt__json_get_str(institute, "studyType");
  const char *claimed = igt__json_get_str(call->json, "instituteId");

  if (!igt__str_eq(type, wanted)) {
    rest_fail(call, 400, "studyType is %.60s, but the studies of this institute are %.60s", type,
              wanted);
    return false;
  }
  if (claimed && strcmp(claimed, call->args[0]) != 0) {
    rest_fail(call, 400, "instituteId %.100s is not the institute in the path", claimed);
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
    rest_respond(call, 201, study);
    study = NULL;
  }
out:
  igt__json_free(study);
  igt__json_free(institute);
}

void rest_study_get(rest_call *call) {
  igt__json *study = rest_study_of_path(call);

  if (study)
    rest_respond(call, 200, study);
}

/* Replaces the study by a new one made from body, and responds with it. */
static void replace(rest_call *call, const igt__json *old, const igt__json *body) {
  igt__json *institute = rest_find(call, "institute", call->args[0], "Institute"), *study = NULL;

  if (!institute || !type_fits(call, institute))
    goto out;
  study = rest_study_new(call->server, institute, body, call->args[1], old, call->who.sub);
  /* The prefix of its objects stays the same, whoever chose it. */
  if (study)
    igt__json_set_str(study, "s3Prefix", igt__json_get_str(old, "s3Prefix"));
  if (rest_store(call, "study", call->args[1], call->args[0], study)) {
    rest_respond(call, 200, study);
    study = NULL;
  }
out:
  igt__json_free(study);
  igt__json_free(institute);
}

void rest_study_put(rest_call *call) {
  igt__json *old = rest_study_of_path(call);

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
  igt__json *old = rest_study_of_path(call), *body;

  if (!old)
    return;
  body = igt__json_copy(old);
  merge(body, call->json);
  replace(call, old, body);
  igt__json_free(body);
  igt__json_free(old);
}

void rest_study_delete(rest_call *call) {
  igt__json *study = rest_study_of_path(call);

  if (!study)
    return;
  if (rest_drop_study(call->server, study))
    rest_respond_empty(call, 204);
  else
    rest_fail(call, 500, "The study could not be deleted");
  igt__json_free(study);
}

/* ---- setting single members ---- */

/* Stores the changed study and responds with it; takes ownership of it. */
static void save(rest_call *call, igt__json *study) {
  char now[40];

  rest_now(now);
  igt__json_set_str(study, "lastUpdatedOn", now);
  igt__json_set_str(study, "lastUpdatedBy", call->who.sub);
  if (rest_store(call, "study", call->args[1], call->args[0], study))
    rest_respond(call, 200, study);
  else
    igt__json_free(study);
}

/* Records a change of the annotation state for the report (tasks.c). */
static void remember_state(rest_call *call) {
  const char *state = igt__json_get_str(call->json, "annotationState");
  char id[37], now[40];

  if (!state || !igt__uuid(id))
    return;
  igt__json *entry = igt__json_new_object();
  rest_now(now);
  igt__json_set_str(entry, "annotationState", state);
  igt__json_set_str(entry, "on", now);
  igt__json_set_str(entry, "by", call->who.sub);
  sbx_doc_put(call->server->store, "annotation-state", id, call->args[1], entry);
  igt__json_free(entry);
}

/* annotation-state, annotations_updated, case-labels, sticky-note, study_comments: each sets the
 * single member of its body, on studies whose type has it. */
void rest_study_member_post(rest_call *call) {
  igt__json *study = rest_study_of_path(call), *value;
  const char *key;

  if (!study)
    return;
  if (!igt__json_member(call->json, 0, &key, &value)) {
    rest_fail(call, 400, "The body has no member");
    igt__json_free(study);
    return;
  }
  merge(study, call->json);
  remember_state(call);
  save(call, study);
}

void rest_study_record_state(rest_call *call) {
  const char *user = igt__json_get_str(call->json, "username");
  const char *password = igt__json_get_str(call->json, "password");
  const char *state = igt__json_get_str(call->json, "electronicRecordState");
  igt__json *study = rest_study_of_path(call);

  if (!study)
    return;
  if (!user || !password || !state || !*state) {
    rest_fail(call, 400, "username, password and electronicRecordState are required");
  } else if (strcmp(user, call->who.sub) != 0 ||
             !rest_password_matches(call->server, user, password)) {
    rest_fail(call, 403, "The user name or the password is not that of this session");
  } else {
    igt__json_set_str(study, "electronicRecordState", state);
    save(call, study);
    return;
  }
  igt__json_free(study);
}
