/* SPDX-License-Identifier: MIT */
/* Completes a study that a client sent: rest_study_new combines the body's fields with those that
 * the server sets (ids, times, users, prefix, the human readable id and the patient's id) in the
 * order of the model. studies.c, dicom_import.c and seed.c call it. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"

typedef struct builder {
  igt__json *out;
  const igt__json *body;
  const igt__json *set; /* values of the read-only fields; patient: the whole object */
} builder;

/* ---- the human readable id ---- */

static const char *text_of(const igt__json *object, const char *key) {
  const char *s = igt__json_get_str(object, key);

  return s && *s ? s : NULL;
}

/* "patient/study": the first name that the type has, followed by the study's own. */
static void human_readable(const igt__json *body, const char *id, igt__buf *out) {
  static const char *const own[] = {"name", "subjectId", "clinicalStudy"};
  const igt__json *patient = igt__json_get(body, "patient");
  const char *first = text_of(patient, "patientName");
  const char *second = text_of(body, "studyId");

  if (!first)
    first = text_of(patient, "patientId");
  for (size_t i = 0; !first && i < sizeof own / sizeof own[0]; i++)
    first = text_of(body, own[i]);
  if (!second)
    second = text_of(body, "visitName");
  igt__buf_puts(out, first ? first : id);
  if (second)
    igt__buf_printf(out, "/%s", second);
}

/* ---- the patient ---- */

/* One id per patient of an institute, found again by patientId or name. */
static bool patient_id(sbx_server *server, const char *institute, const igt__json *patient,
                       char out[37]) {
  const char *name = text_of(patient, "patientId");
  char *known = NULL;
  igt__buf key;
  bool ok = false;

  if (!name)
    name = text_of(patient, "patientName");
  igt__buf_init(&key, 64 * 1024);
  igt__buf_printf(&key, "%s/%s", institute, name ? name : "");
  if (name && (known = sbx_kv_get(server->store, "patient", key.data))) {
    snprintf(out, 37, "%s", known);
    ok = true;
  } else {
    ok = igt__uuid(out) && (!name || sbx_kv_put(server->store, "patient", key.data, out, 0));
  }
  igt__free(known);
  igt__buf_finish(&key);
  return ok;
}

static igt__json *patient_new(const igt__json *body, const char *id, const char *institute_prefix) {
  char prefix[256];
  igt__json *patient = igt__json_copy(body);

  snprintf(prefix, sizeof prefix, "%.180s%s/", institute_prefix ? institute_prefix : "", id);
  igt__json_set_str(patient, "patientDatabaseId", id);
  igt__json_set_str(patient, "s3Prefix", prefix);
  return patient;
}

/* ---- combining ---- */

static bool add_field(void *payload, const rest_field *field) {
  builder *b = payload;
  const igt__json *server_says = igt__json_get(b->set, field->name);

  if (igt__json_has(b->set, field->name))
    igt__json_set(b->out, field->name, igt__json_copy(server_says));
  else if (!field->read_only && igt__json_has(b->body, field->name))
    igt__json_set(b->out, field->name, igt__json_copy(igt__json_get(b->body, field->name)));
  return true;
}

typedef struct name_search {
  const char *name;
  bool found;
} name_search;

static bool field_is(void *payload, const rest_field *field) {
  name_search *s = payload;

  s->found = strcmp(field->name, s->name) == 0;
  return !s->found;
}

/* Members that are not in the description are kept, after those that are. */
static void add_unknown(builder *b, const char *type) {
  const char *key;
  igt__json *value;

  for (size_t i = 0; igt__json_member(b->body, i, &key, &value); i++) {
    name_search search = {key, false};
    rest_model_fields(type, field_is, &search);
    if (!search.found)
      igt__json_set(b->out, key, igt__json_copy(value));
  }
}

static void set_created(igt__json *set, const igt__json *old, const char *user) {
  char now[40];
  const char *on = igt__json_get_str(old, "createdOn"), *by = igt__json_get_str(old, "createdBy");

  rest_now(now);
  igt__json_set_str(set, "createdOn", on ? on : now);
  igt__json_set_str(set, "createdBy", by ? by : user);
  igt__json_set_str(set, "lastUpdatedOn", now);
  igt__json_set_str(set, "lastUpdatedBy", user);
}

static bool set_patient(sbx_server *server, igt__json *set, const igt__json *institute,
                        const igt__json *body) {
  char id[37];
  const igt__json *patient = igt__json_get(body, "patient");

  if (igt__json_typeof(patient) != IGT__JSON_OBJECT)
    return true;
  if (!patient_id(server, igt__json_get_str(institute, "id"), patient, id))
    return false;
  igt__json_set_str(set, "patientDatabaseId", id);
  igt__json_set(set, "patient", patient_new(patient, id, igt__json_get_str(institute, "s3Prefix")));
  return true;
}

/* The fields that only the server sets. */
static igt__json *server_fields(sbx_server *server, const igt__json *institute,
                                const igt__json *body, const char *id, const igt__json *old,
                                const char *user) {
  const char *institute_id = igt__json_get_str(institute, "id");
  const char *prefix = igt__json_get_str(institute, "s3Prefix");
  igt__json *set = igt__json_new_object();
  igt__buf text;

  igt__buf_init(&text, 64 * 1024);
  human_readable(body, id, &text);
  igt__json_set_str(set, "studyDatabaseId", id);
  igt__json_set_str(set, "instituteId", institute_id);
  igt__json_set_str(set, "projectId", igt__json_get_str(institute, "parentId"));
  igt__json_set_str(set, "studyIdHumanReadable", text.data);
  set_created(set, old, user);
  if (!text_of(body, "electronicRecordState"))
    igt__json_set_str(set, "electronicRecordState", "draft");
  igt__buf_clear(&text);
  igt__buf_printf(&text, "%sstudies/%s/", prefix ? prefix : "", id);
  igt__json_set_str(set, "s3Prefix", text.data);
  igt__json_set_str(set, "hospitalId", institute_id);
  igt__buf_finish(&text);
  if (set_patient(server, set, institute, body))
    return set;
  igt__json_free(set);
  return NULL;
}

igt__json *rest_study_new(sbx_server *server, const igt__json *institute, const igt__json *body,
                          const char *id, const igt__json *old, const char *user) {
  char uuid[37];
  const char *type = igt__json_get_str(body, "studyType");

  if (!id && igt__uuid(uuid))
    id = uuid;
  igt__json *set = id ? server_fields(server, institute, body, id, old, user) : NULL;
  builder b = {set ? igt__json_new_object() : NULL, body, set};
  if (b.out) {
    rest_model_fields(type, add_field, &b);
    add_unknown(&b, type);
  }
  igt__json_free(set);
  return b.out;
}
