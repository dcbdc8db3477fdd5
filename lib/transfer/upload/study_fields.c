/* SPDX-License-Identifier: MIT */
/* The study to create for a folder that matches none: the fields of its study.json, completed from
 * the folder's name. */
#include "transfer/upload/match_internal.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "model/model.h"
#include "transfer/engine/find.h"

/* ---- a study.json that asks for a study ---- */

static bool is_filled(const igt__json *v) {
  const char *key;
  igt__json *value;

  switch (igt__json_typeof(v)) {
  case IGT__JSON_NULL:
    return false;
  case IGT__JSON_STRING:
    return !igt__str_eq(igt__json_str(v), "");
  case IGT__JSON_ARRAY:
    return igt__json_count(v) > 0;
  case IGT__JSON_OBJECT:
    for (size_t i = 0; igt__json_member(v, i, &key, &value); i++)
      if (is_filled(value))
        return true;
    return false;
  case IGT__JSON_BOOL:
  case IGT__JSON_INT:
  case IGT__JSON_DOUBLE:
    break;
  }
  return true;
}

bool igt__asks_for_study(const igt__folder *folder) {
  static const char *const given[] = {"studyDatabaseId", "studyIdHumanReadable", "s3Prefix",
                                      "studyType", "instituteId"};
  const char *key;
  igt__json *value;

  for (size_t i = 0; igt__json_member(folder->doc, i, &key, &value); i++) {
    bool is_given = false;
    for (size_t k = 0; k < sizeof given / sizeof *given; k++)
      is_given |= strcmp(key, given[k]) == 0;
    if (!is_given && is_filled(value))
      return true;
  }
  return false;
}

/* ---- names that say too little, or something else ---- */

/* Whether flat names of new studies are PATIENT---STUDY; other types take the whole name. */
static bool splits_names(const igt__studies *s, const igt__folder *folder) {
  return !folder->whole_name && (s->shape.has_study_id || s->shape.has_visit);
}

bool igt__may_be_patient(const igt__studies *s, const igt__folder *folder) {
  return !folder->patient && !folder->doc && splits_names(s, folder) &&
         !igt__names_a_study(folder->name);
}

char *igt__name_of_split(const igt__studies *s, const igt__folder *folder) {
  const char *cut = strstr(folder->name, "---");
  igt__buf name;

  if (folder->patient || igt__is_described(folder) || !splits_names(s, folder) ||
      !igt__names_a_study(folder->name))
    return NULL;
  igt__buf_init(&name, IGT__MAX_JOINED);
  igt__buf_append(&name, folder->name, (size_t)(cut - folder->name));
  igt__buf_join(&name, "/", cut + 3, NULL);
  return igt__buf_take(&name);
}

static bool is_blank(const char *text, size_t n) {
  return strspn(text, " ") >= n;
}

/* "P12---" and "---CT": the patient or the study is missing. */
static igt_status check_parts(const igt__folder *folder, igt_error *err) {
  const char *name = folder->name, *cut = strstr(name, "---");
  const char *missing = !cut                                   ? NULL
                        : is_blank(name, (size_t)(cut - name)) ? "patient before"
                        : is_blank(cut + 3, strlen(cut + 3))   ? "study after"
                                                               : NULL;

  if (!missing)
    return IGT_OK;
  return igt__fail(
      err, IGT_E_COLLISION,
      "its name has no %s the '---': rename it to PATIENT---STUDY, or use --flat-names "
      "whole if all of it is the patient's name",
      missing);
}

/* A folder of a flat tree, which would become a patient, and its folders studies. */
static igt_status check_patient(const igt__studies *s, const igt__folder *folder, igt_error *err) {
  const char *key;

  if (!igt__names_a_study(folder->patient))
    return IGT_OK;
  if (!(key = igt__studies_nfc(s, folder->patient)))
    return igt__studies_no_space(s, err);
  if (igt__map_has(s->by_key, key))
    return IGT_OK;
  return igt__fail(err, IGT_E_COLLISION,
                   "'%s' is the name of a study in a flat folder structure (PATIENT---STUDY), and "
                   "the institute has no patient of that name: use --folder-structure flat, or "
                   "--flat-names whole if it is the patient's name",
                   folder->patient);
}

static igt_status check_names(const igt__studies *s, const igt__folder *folder, igt_error *err) {
  if (igt__is_described(folder) || !splits_names(s, folder))
    return IGT_OK;
  return folder->patient ? check_patient(s, folder, err) : check_parts(folder, err);
}

/* ---- what identifies a new study ---- */

/* What a later run would identify the study by. Folders with ids of another cloud are different
 * studies, too. */
static char *text_of_new(igt__studies *s, const igt__folder *folder, const igt__reading *is) {
  static const char *const own[] = {"studyIdHumanReadable", "instanceUid", "studyDatabaseId"};
  const char *texts[3], *patient = igt__doc_patient_id(folder->doc);

  for (size_t i = 0; i < 3; i++)
    texts[i] = igt__doc_text(folder->doc, own[i]) ? igt__doc_text(folder->doc, own[i]) : "";
  return igt__arena_printf(s->arena, "%s\n%s\n%s\n%s\n%s\n%s", is->key, is->part ? is->part : "",
                           texts[0], texts[1], texts[2], patient);
}

static igt_status note_new(igt__studies *s, const igt__folder *folder, const igt__reading *is,
                           igt_error *err) {
  char *text = text_of_new(s, folder, is);

  if (text && igt__map_has(s->created, text))
    return igt__fail(err, IGT_E_COLLISION,
                     "another folder becomes the same study ('%s'): give each a studyId of its own "
                     "in its study.json, or merge the folders",
                     is->key);
  return text && igt__map_set(s->created, text, s) ? IGT_OK : igt__studies_no_space(s, err);
}

/* A value that is not text is left for the decoder to reject. */
static bool set_missing(igt__json *doc, const char *name, const char *text) {
  const igt__json *there = igt__json_get(doc, name);

  return (igt__json_typeof(there) != IGT__JSON_NULL && !igt__str_eq(igt__json_str(there), "")) ||
         igt__json_set_str(doc, name, text);
}

/* The study's own part of the name. */
static bool fill_part(igt__json *doc, const igt__shape *sh, const char *part) {
  if (!part || !*part || (!sh->has_study_id && !sh->has_visit))
    return true;
  return set_missing(doc, sh->has_study_id ? "studyId" : "visitName", part);
}

static bool fill_patient(igt__json *doc, const igt__shape *sh, const char *name) {
  if (sh->key_field && !set_missing(doc, sh->key_field, name))
    return false;
  if (!sh->has_patient)
    return true;
  if (igt__json_typeof(igt__json_get(doc, "patient")) == IGT__JSON_NULL &&
      !igt__json_set(doc, "patient", igt__json_new_object()))
    return false;
  if (igt__json_typeof(igt__json_get(doc, "patient")) != IGT__JSON_OBJECT)
    return true; /* the decoder rejects it */
  return set_missing(igt__json_get(doc, "patient"), "patientId", name) &&
         set_missing(igt__json_get(doc, "patient"), "patientName", name);
}

static igt_status describe(const igt__studies *s, const igt__folder *folder, const igt__reading *is,
                           const char *type, igt__json *doc, igt_error *err) {
  if (igt__is_vague(s, folder))
    return igt__fail(
        err, IGT_E_AMBIGUOUS,
        "studies of type %s have no field that tells those of one patient apart: give each "
        "study folder of '%s' a study.json",
        type, folder->patient);
  return fill_part(doc, &s->shape, is->part) &&
                 (igt__is_described(folder) || fill_patient(doc, &s->shape, is->key))
             ? IGT_OK
             : igt__fail_memory(err);
}

/* What is the same for all studies of the institute, whatever study.json says: that may come from
 * another institute. */
static bool settle(const igt__studies *s, const igt_institute *institute, const char *type,
                   igt__json *doc) {
  const char *id = igt__text_of(&institute->id);
  const char *state = igt__doc_text(doc, "electronicRecordState");

  igt__json_remove(doc, "studyDatabaseId");
  if (state && strcmp(state, "submitted") == 0) /* before its first file is uploaded */
    igt__json_remove(doc, "electronicRecordState");
  return igt__json_set_str(doc, "studyType", type) &&
         (!s->shape.has_institute_id || !*id || igt__json_set_str(doc, "instituteId", id));
}

igt_status igt__study_from_folder(igt__studies *s, const igt_institute *institute,
                                  const igt__folder *folder, igt_root_study **out, igt_error *err) {
  const char *type = igt__studies_type(institute);
  igt__reading is[IGT__READINGS];
  igt__json *doc = folder->doc ? igt__json_copy(folder->doc) : igt__json_new_object();
  igt__buf text;
  igt_model *study = NULL;
  igt_status status = IGT_OK;

  *out = NULL;
  igt__buf_init(&text, SIZE_MAX);
  if (!doc)
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = check_names(s, folder, err);
  if (status == IGT_OK && igt__readings(s, folder, is) == 0)
    status = igt__studies_no_space(s, err);
  if (status == IGT_OK)
    status = describe(s, folder, &is[0], type, doc, err);
  if (status == IGT_OK &&
      (!settle(s, institute, type, doc) || !igt__json_write(&text, doc, IGT__JSON_COMPACT)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status =
        igt__model_decode(igt_root_study_type(), text.data, text.len, "study.json", &study, err);
  if (status == IGT_OK)
    status = note_new(s, folder, &is[0], err);
  if (status != IGT_OK) {
    igt_model_free(study);
    study = NULL;
  }
  *out = (igt_root_study *)study;
  igt__buf_finish(&text);
  igt__json_free(doc);
  return status;
}
