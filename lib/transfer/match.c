/* SPDX-License-Identifier: MIT */
#include "transfer/match.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/model.h"
#include "transfer/find.h"

static const char *const key_fields[] = {"name", "clinicalStudy", "subjectId"};
#define KEY_FIELDS (sizeof key_fields / sizeof *key_fields)
#define SHOWN_MATCHES 5

/* Studies of one name are a chain. */
typedef struct entry {
  igt__known known;
  struct entry *next_name, *next_key;
} entry;

struct igt__studies {
  igt__arena *arena;
  igt__map *by_id, *by_name, *by_key; /* by_name: as a flat folder */
  bool failed;
};

/* ---- keys ---- */

typedef struct key_walk {
  const char *found[KEY_FIELDS + 1]; /* the last: patientName */
} key_walk;

static igt_status look_at_field(void *payload, const igt__field_view *view) {
  key_walk *w = payload;

  if (view->kind == IGT__KIND_STRING) {
    const igt_string_field *text = view->field;
    for (size_t i = 0; i < KEY_FIELDS; i++)
      if (strcmp(view->name, key_fields[i]) == 0 && *igt__text_of(text))
        w->found[i] = text->v;
  } else if (view->kind == IGT__KIND_MODEL && view->type == &igt_patient_type) {
    const igt__model_field *patient = view->field;
    if (patient->is == IGT_SET)
      w->found[KEY_FIELDS] =
          igt__text_of(&((const igt_patient *)(const void *)patient->v)->patient_name);
  }
  return IGT_OK;
}

static const char *key_of(const igt_root_study *study) {
  key_walk w = {{NULL}};

  (void)igt__model_each_field(&study->model, look_at_field, &w);
  for (size_t i = 0; i <= KEY_FIELDS; i++)
    if (w.found[i] && *w.found[i])
      return w.found[i];
  return igt__text_of(&study->study_database_id);
}

/* "patient/study" as a flat folder's name; in the arena. */
static char *flat_name(igt__arena *arena, const char *patient, const char *name) {
  igt__buf out;
  char *copy;

  igt__buf_init(&out, 64 * 1024);
  if (patient)
    igt__buf_printf(&out, "%s---", patient);
  for (; *name; name++)
    igt__buf_puts(&out, *name == '/' ? "---" : (char[]){*name, '\0'});
  copy = out.failed ? NULL : igt__arena_strdup(arena, out.data);
  igt__buf_finish(&out);
  return copy;
}

/* ---- what the institute has ---- */

static bool add(igt__studies *s, const igt_root_study *study) {
  entry *e = igt__arena_calloc(s->arena, 1, sizeof *e);
  char *flat;

  if (!e)
    return false;
  e->known.id = igt__arena_strdup(s->arena, igt__text_of(&study->study_database_id));
  e->known.human = igt__arena_strdup(s->arena, igt__text_of(&study->study_id_human_readable));
  e->known.s3_prefix = igt__arena_strdup(s->arena, igt__text_of(&study->s3_prefix));
  e->known.key = igt__arena_strdup(s->arena, key_of(study));
  e->known.dated = igt__study_day(study, &e->known.day);
  if (!e->known.id || !e->known.human || !e->known.s3_prefix || !e->known.key)
    return false;
  flat = flat_name(s->arena, NULL, e->known.human);
  if (!flat)
    return false;
  e->next_name = igt__map_get(s->by_name, flat);
  e->next_key = igt__map_get(s->by_key, e->known.key);
  return igt__map_set(s->by_id, e->known.id, e) && igt__map_set(s->by_name, flat, e) &&
         igt__map_set(s->by_key, e->known.key, e);
}

static igt_status each_study(void *payload, igt_root_study *study) {
  igt__studies *s = payload;

  if (add(s, study))
    return IGT_OK;
  s->failed = true;
  return IGT_E_NO_MEMORY;
}

igt_status igt__studies_load(igt_client *client, const igt_institute *institute, igt__studies **out,
                             igt_error *err) {
  igt__studies *s = igt__calloc(1, sizeof *s);
  igt_status status = IGT_OK;

  *out = s;
  if (!s)
    return igt__fail_memory(err);
  s->arena = igt__arena_new(0);
  s->by_id = igt__map_new();
  s->by_name = igt__map_new();
  s->by_key = igt__map_new();
  if (!s->arena || !s->by_id || !s->by_name || !s->by_key)
    status = igt__fail_memory(err);
  else
    status = igt_get_studies_each(client, igt__text_of(&institute->id), NULL, each_study, s, err);
  if (s->failed)
    status = igt__fail_memory(err);
  if (status != IGT_OK) {
    igt__studies_free(s);
    *out = NULL;
  }
  return status;
}

void igt__studies_free(igt__studies *s) {
  if (!s)
    return;
  igt__map_free(s->by_id);
  igt__map_free(s->by_name);
  igt__map_free(s->by_key);
  igt__arena_free(s->arena);
  igt__free(s);
}

igt__known *igt__studies_at(igt__studies *s, size_t i) {
  void *e;

  return igt__map_at(s->by_id, i, NULL, &e) ? &((entry *)e)->known : NULL;
}

/* ---- matching ---- */

static igt_status ambiguous(const entry *e, bool by_key, igt_error *err) {
  unsigned n = 0;
  igt_status status = igt__fail(err, IGT_E_AMBIGUOUS,
                                "several studies of the institute match, so nothing was sent: ");

  for (; e; e = by_key ? e->next_key : e->next_name) {
    if (n++ < SHOWN_MATCHES)
      igt__error_append(err, "%s%s (%s)", n > 1 ? ", " : "", e->known.human, e->known.id);
  }
  if (n > SHOWN_MATCHES)
    igt__error_append(err, " and %u more", n - SHOWN_MATCHES);
  igt__error_append(err, ". Put the right studyDatabaseId into the folder's study.json");
  return status;
}

static igt_status one(entry *e, bool by_key, igt__known **out, igt_error *err) {
  *out = NULL;
  if (!e)
    return IGT_OK;
  if (by_key ? e->next_key : e->next_name)
    return ambiguous(e, by_key, err);
  *out = &e->known;
  return IGT_OK;
}

igt_status igt__studies_by_name(igt__studies *s, const char *patient, const char *name,
                                igt__known **out, igt_error *err) {
  char *flat = flat_name(s->arena, patient, name);

  return flat ? one(igt__map_get(s->by_name, flat), false, out, err) : igt__fail_memory(err);
}

static const char *doc_key(const igt__json *doc) {
  const char *key;

  for (size_t i = 0; i < KEY_FIELDS; i++)
    if ((key = igt__json_get_str(doc, key_fields[i])) != NULL && *key)
      return key;
  key = igt__json_get_str(igt__json_get(doc, "patient"), "patientName");
  return key && *key ? key : NULL;
}

/* The key that this folder's study has, or would be created with. */
static const char *folder_key(const igt__folder *folder) {
  const char *key = doc_key(folder->doc);

  if (folder->patient)
    return folder->only ? key ? key : folder->patient : NULL;
  return key ? key : folder->name;
}

static igt_status find(igt__studies *s, const igt__folder *folder, igt__known **out,
                       igt_error *err) {
  const char *id = igt__json_get_str(folder->doc, "studyDatabaseId");
  const char *key = folder_key(folder);
  entry *e = id ? igt__map_get(s->by_id, id) : NULL;
  igt_status status;

  *out = e ? &e->known : NULL;
  if (*out)
    return IGT_OK;
  status = igt__studies_by_name(s, folder->patient, folder->name, out, err);
  if (status != IGT_OK || *out || !key)
    return status;
  /* A name with a study part says which study is meant; only one that was made of the whole name
   * is the same. */
  if ((folder->patient || strstr(folder->name, "---")) && igt__json_has(folder->doc, "studyId"))
    return IGT_OK;
  return one(igt__map_get(s->by_key, key), true, out, err);
}

igt_status igt__studies_match(igt__studies *s, const igt__folder *folder, igt__known **out,
                              igt_error *err) {
  igt_status status = find(s, folder, out, err);

  if (status != IGT_OK || !*out)
    return status;
  if ((*out)->used)
    return igt__fail(err, IGT_E_COLLISION,
                     "another folder is the same study (%s): put different studyDatabaseIds into "
                     "their study.json files, or join the folders",
                     (*out)->id);
  (*out)->used = true;
  return IGT_OK;
}

/* ---- what a folder becomes ---- */

typedef struct shape {
  const char *key_field; /* the one of key_fields that the type has */
  bool has_patient, has_study_id;
} shape;

static igt_status look_at_type(void *payload, const igt__field_view *view) {
  shape *sh = payload;

  for (size_t i = 0; i < KEY_FIELDS; i++)
    if (!sh->key_field && strcmp(view->name, key_fields[i]) == 0)
      sh->key_field = key_fields[i];
  sh->has_patient |= view->kind == IGT__KIND_MODEL && view->type == &igt_patient_type;
  sh->has_study_id |= strcmp(view->name, "studyId") == 0;
  return IGT_OK;
}

static igt_status shape_of(const char *study_type, shape *out, igt_error *err) {
  igt__json *doc = igt__json_new_object();
  igt__buf text;
  igt_model *empty = NULL;
  igt_status status = IGT_OK;

  memset(out, 0, sizeof *out);
  igt__buf_init(&text, 4096);
  if (!igt__json_set_str(doc, "studyType", study_type) ||
      !igt__json_write(&text, doc, IGT__JSON_COMPACT))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt__model_decode(&igt_root_study_type, text.data, text.len, "the study", &empty, err);
  if (status == IGT_OK)
    status = igt__type_each_field(empty->type, look_at_type, out);
  igt_model_free(empty);
  igt__buf_finish(&text);
  igt__json_free(doc);
  return status;
}

static bool fill(igt__json *doc, const shape *sh, const char *name, const char *study_id) {
  igt__json *patient;

  if (sh->key_field && !igt__json_set_str(doc, sh->key_field, name))
    return false;
  if (sh->has_study_id && study_id && !igt__json_set_str(doc, "studyId", study_id))
    return false;
  if (!sh->has_patient)
    return true;
  patient = igt__json_new_object();
  return igt__json_set_str(patient, "patientId", name) &&
         igt__json_set_str(patient, "patientName", name) && igt__json_set(doc, "patient", patient);
}

static igt_status describe(const igt__folder *folder, const char *study_type, igt__json *doc,
                           igt_error *err) {
  shape sh;
  igt_status status = shape_of(study_type, &sh, err);

  if (status != IGT_OK || folder->doc)
    return status;
  if (folder->patient && !sh.has_study_id && !folder->only)
    return igt__fail(err, IGT_E_AMBIGUOUS,
                     "a %s has no field that tells the studies of one patient apart: give each "
                     "study folder of '%s' a study.json",
                     study_type, folder->patient);
  return fill(doc, &sh, folder->patient ? folder->patient : folder->name,
              folder->patient ? folder->name : NULL)
             ? IGT_OK
             : igt__fail_memory(err);
}

igt_status igt__study_from_folder(const igt_institute *institute, const igt__folder *folder,
                                  igt_root_study **out, igt_error *err) {
  const char *type = igt__text_of(&institute->study_type);
  igt__json *doc = folder->doc ? igt__json_copy(folder->doc) : igt__json_new_object();
  igt__buf text;
  igt_model *study = NULL;
  igt_status status = IGT_OK;

  *out = NULL;
  igt__buf_init(&text, SIZE_MAX);
  if (!*type)
    type = "Study";
  if (!doc)
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = describe(folder, type, doc, err);
  if (status == IGT_OK && (!igt__json_set_str(doc, "studyType", type) ||
                           !igt__json_write(&text, doc, IGT__JSON_COMPACT)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status =
        igt__model_decode(&igt_root_study_type, text.data, text.len, "study.json", &study, err);
  *out = (igt_root_study *)study;
  igt__buf_finish(&text);
  igt__json_free(doc);
  return status;
}
