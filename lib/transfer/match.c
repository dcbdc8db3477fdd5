/* SPDX-License-Identifier: MIT */
#include "transfer/match.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/model.h"
#include "transfer/find.h"
#include "transfer/plan.h"

static const char *const key_fields[] = {"name", "clinicalStudy", "subjectId"};
#define KEY_FIELDS (sizeof key_fields / sizeof *key_fields)
/* What tells the studies of one patient apart, where the type has it. */
static const char *const part_fields[] = {"studyId", "visitName"};
#define PART_FIELDS (sizeof part_fields / sizeof *part_fields)
#define SHOWN_MATCHES 5

/* Studies of one name are a chain, and those of one key. */
typedef struct entry {
  igt__known known;
  const char *part; /* the study's own name among those of its key; "" when it has none */
  struct entry *next_name, *next_key;
} entry;

/* What a folder without a study.json is filled into. */
typedef struct shape {
  const char *key_field; /* the one of key_fields that the type has */
  bool has_patient, has_study_id, has_institute_id;
} shape;

struct igt__studies {
  igt__quota held;
  igt__arena *arena;
  igt__map *by_id, *by_name, *by_key; /* by_name: as a flat folder */
  igt__map *created;                  /* what folders of this run become, as text_of_new() */
  shape shape;                        /* of the institute's study type */
  const igt__folder *only;            /* what is not this is not added; NULL: all is */
  const char *only_name;              /* flat */
  bool failed;
};

/* ---- keys ---- */

typedef struct key_walk {
  const char *found[KEY_FIELDS + 1]; /* the last: patientName */
  const char *part[PART_FIELDS];
} key_walk;

static igt_status look_at_field(void *payload, const igt__field_view *view) {
  key_walk *w = payload;

  if (view->kind == IGT__KIND_STRING) {
    const igt_string_field *text = view->field;
    for (size_t i = 0; i < KEY_FIELDS; i++)
      if (strcmp(view->name, key_fields[i]) == 0 && *igt__text_of(text))
        w->found[i] = text->v;
    for (size_t i = 0; i < PART_FIELDS; i++)
      if (strcmp(view->name, part_fields[i]) == 0 && *igt__text_of(text))
        w->part[i] = text->v;
  } else if (view->kind == IGT__KIND_MODEL && view->type == &igt_patient_type) {
    const igt__model_field *patient = view->field;
    if (patient->is == IGT_SET)
      w->found[KEY_FIELDS] =
          igt__text_of(&((const igt_patient *)(const void *)patient->v)->patient_name);
  }
  return IGT_OK;
}

static const char *key_of(const igt_root_study *study, const char **part) {
  key_walk w = {{NULL}, {NULL}};

  (void)igt__model_each_field(&study->model, look_at_field, &w);
  *part = "";
  for (size_t i = PART_FIELDS; i > 0; i--)
    if (w.part[i - 1])
      *part = w.part[i - 1];
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
  while (*name) {
    size_t n = strcspn(name, "/");
    igt__buf_append(&out, name, n);
    name += n;
    if (*name == '/' && igt__buf_puts(&out, "---"))
      name++;
    else if (*name)
      break; /* it failed */
  }
  copy = out.failed ? NULL : igt__arena_strdup(arena, out.data);
  igt__buf_finish(&out);
  return copy;
}

/* ---- what the study type has ---- */

static const char *type_of(const igt_institute *institute) {
  const char *type = igt__text_of(&institute->study_type);

  return *type ? type : "Study";
}

static igt_status look_at_type(void *payload, const igt__field_view *view) {
  shape *sh = payload;

  for (size_t i = 0; i < KEY_FIELDS; i++)
    if (!sh->key_field && strcmp(view->name, key_fields[i]) == 0)
      sh->key_field = key_fields[i];
  sh->has_patient |= view->kind == IGT__KIND_MODEL && view->type == &igt_patient_type;
  sh->has_study_id |= strcmp(view->name, "studyId") == 0;
  sh->has_institute_id |= strcmp(view->name, "instituteId") == 0;
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

/* ---- what the institute has ---- */

static igt_status no_room(const igt__studies *s, igt_error *err) {
  return igt__held_fail(&s->held, "studies",
                        "no real institute has so many, so nothing of it was looked at", err);
}

static void bound(igt__studies *s) {
  igt__arena_bound(s->arena, UINT64_MAX, &s->held);
  igt__map_bound(s->by_id, &s->held);
  igt__map_bound(s->by_name, &s->held);
  igt__map_bound(s->by_key, &s->held);
  igt__map_bound(s->created, &s->held);
}

igt_status igt__studies_new(const igt_institute *institute, igt__studies **out, igt_error *err) {
  igt__studies *s = igt__calloc(1, sizeof *s);
  igt_status status = IGT_OK;

  *out = s;
  if (!s)
    return igt__fail_memory(err);
  s->arena = igt__arena_new(0);
  s->by_id = igt__map_new();
  s->by_name = igt__map_new();
  s->by_key = igt__map_new();
  s->created = igt__map_new();
  igt__quota_init(&s->held, IGT__MAX_LIST_MEMORY, NULL);
  if (!s->arena || !s->by_id || !s->by_name || !s->by_key || !s->created)
    status = igt__fail_memory(err);
  else
    status = shape_of(type_of(institute), &s->shape, err);
  if (status == IGT_OK)
    bound(s);
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
  igt__map_free(s->created);
  igt__arena_free(s->arena);
  igt__free(s);
}

igt__known *igt__studies_at(igt__studies *s, size_t i) {
  void *e;

  return igt__map_at(s->by_id, i, NULL, &e) ? &((entry *)e)->known : NULL;
}

/* ---- matching ---- */

/* Candidates are those of a chain that a test accepts. */
typedef struct candidates {
  entry *first;
  bool by_key;       /* the chain is next_key, else next_name */
  const char *part;  /* only those of this part; NULL: any */
  const char *human; /* only those that are called so; NULL: any */
} candidates;

static entry *next_of(const candidates *c, const entry *e) {
  return c->by_key ? e->next_key : e->next_name;
}

static bool accepts(const candidates *c, const entry *e) {
  return (!c->part || strcmp(c->part, e->part) == 0) &&
         (!c->human || strcmp(c->human, e->known.human) == 0);
}

static igt_status ambiguous(const candidates *c, igt_error *err) {
  unsigned n = 0;
  igt_status status = igt__fail(err, IGT_E_AMBIGUOUS,
                                "several studies of the institute match, so nothing was sent: ");

  for (const entry *e = c->first; e; e = next_of(c, e)) {
    if (accepts(c, e) && n++ < SHOWN_MATCHES)
      igt__error_append(err, "%s%s (%s)", n > 1 ? ", " : "", e->known.human, e->known.id);
  }
  if (n > SHOWN_MATCHES)
    igt__error_append(err, " and %u more", n - SHOWN_MATCHES);
  igt__error_append(err, ". Put the right studyDatabaseId into the folder's study.json");
  return status;
}

static igt_status the_one(const candidates *c, igt__known **out, igt_error *err) {
  *out = NULL;
  for (entry *e = c->first; e; e = next_of(c, e)) {
    if (!accepts(c, e))
      continue;
    if (*out) {
      *out = NULL;
      return ambiguous(c, err);
    }
    *out = &e->known;
  }
  return IGT_OK;
}

igt_status igt__studies_by_name(igt__studies *s, const char *patient, const char *name,
                                igt__known **out, igt_error *err) {
  char *flat = flat_name(s->arena, patient, name);
  char *human = patient ? igt__arena_printf(s->arena, "%s/%s", patient, name) : NULL;
  candidates c = {.human = human};

  *out = NULL;
  if (!flat || (patient && !human))
    return no_room(s, err);
  c.first = igt__map_get(s->by_name, flat);
  return the_one(&c, out, err);
}

static const char *text_in(const igt__json *doc, const char *name) {
  const char *text = igt__json_get_str(doc, name);

  return text && *text ? text : NULL;
}

static const char *doc_key(const igt__json *doc) {
  const char *key;

  for (size_t i = 0; i < KEY_FIELDS; i++)
    if ((key = text_in(doc, key_fields[i])) != NULL)
      return key;
  return text_in(igt__json_get(doc, "patient"), "patientName");
}

static const char *doc_part(const igt__json *doc) {
  const char *part;

  for (size_t i = 0; i < PART_FIELDS; i++)
    if ((part = text_in(doc, part_fields[i])) != NULL)
      return part;
  return NULL;
}

/* A study.json without any of the key's fields leaves them to the folder's name. */
static bool is_described(const igt__folder *folder) {
  return doc_key(folder->doc) != NULL;
}

static const char *folder_key(const igt__folder *folder) {
  if (is_described(folder))
    return doc_key(folder->doc);
  return folder->patient ? folder->patient : folder->name;
}

/* Of the study that the folder is, or becomes; "" when nothing tells it. */
static const char *folder_part(const igt__studies *s, const igt__folder *folder) {
  if (doc_part(folder->doc))
    return doc_part(folder->doc);
  return folder->patient && !is_described(folder) && s->shape.has_study_id ? folder->name : "";
}

/* Nothing would tell it from the patient's other studies. */
static bool is_vague(const igt__studies *s, const igt__folder *folder) {
  return folder->patient && !folder->only && !is_described(folder) && !doc_part(folder->doc) &&
         !s->shape.has_study_id;
}

/* Whether the folder's name alone says which of a patient's studies is meant. */
static bool names_a_study(const igt__folder *folder) {
  return folder->patient || strstr(folder->name, "---");
}

/* By the fields that the study would be created with, so that a second run finds what the first
 * one made. Where neither the folder's name nor its study.json tells the studies of a patient
 * apart, the only one of the key is meant; else another study of the same patient never is. */
static igt_status by_fields(igt__studies *s, const igt__folder *folder, igt__known **out,
                            igt_error *err) {
  candidates c = {.first = igt__map_get(s->by_key, folder_key(folder)), .by_key = true};

  *out = NULL;
  if (is_vague(s, folder))
    return IGT_OK; /* igt__study_from_folder refuses it */
  if (names_a_study(folder) || doc_part(folder->doc))
    c.part = folder_part(s, folder);
  return the_one(&c, out, err);
}

static igt_status find(igt__studies *s, const igt__folder *folder, igt__known **out,
                       igt_error *err) {
  const char *id = text_in(folder->doc, "studyDatabaseId");
  entry *e = id ? igt__map_get(s->by_id, id) : NULL;
  igt_status status;

  *out = e ? &e->known : NULL;
  if (*out)
    return IGT_OK;
  status = igt__studies_by_name(s, folder->patient, folder->name, out, err);
  return status != IGT_OK || *out ? status : by_fields(s, folder, out, err);
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

/* What a later run would tell the study by. */
static char *text_of_new(igt__studies *s, const igt__folder *folder) {
  static const char *const own[] = {"studyIdHumanReadable", "instanceUid"};
  const char *texts[2];

  for (size_t i = 0; i < 2; i++)
    texts[i] = text_in(folder->doc, own[i]) ? text_in(folder->doc, own[i]) : "";
  return igt__arena_printf(s->arena, "%s\n%s\n%s\n%s", folder_key(folder), folder_part(s, folder),
                           texts[0], texts[1]);
}

static igt_status note_new(igt__studies *s, const igt__folder *folder, igt_error *err) {
  char *text = text_of_new(s, folder);

  if (text && igt__map_has(s->created, text))
    return igt__fail(err, IGT_E_COLLISION,
                     "another folder becomes the same study ('%s'): give each a studyId of its own "
                     "in its study.json, or join the folders",
                     folder_key(folder));
  return text && igt__map_set(s->created, text, s) ? IGT_OK : no_room(s, err);
}

/* ---- reading what the institute has ---- */

/* Whether flat_name() of name is this. */
static bool is_flat_name(const char *flat, const char *name) {
  for (; *name; name++) {
    size_t n = *name == '/' ? 3 : 1;
    if (strncmp(flat, *name == '/' ? "---" : name, n) != 0)
      return false;
    flat += n;
  }
  return !*flat;
}

/* Whether igt__studies_match() would look at it. */
static bool may_be_it(const igt__studies *s, const igt_root_study *study) {
  const char *id = text_in(s->only->doc, "studyDatabaseId"), *part;

  return (id && strcmp(id, igt__text_of(&study->study_database_id)) == 0) ||
         strcmp(key_of(study, &part), folder_key(s->only)) == 0 ||
         is_flat_name(s->only_name, igt__text_of(&study->study_id_human_readable));
}

bool igt__studies_only(igt__studies *s, const igt__folder *folder) {
  s->only = folder;
  s->only_name = flat_name(s->arena, folder->patient, folder->name);
  return s->only_name != NULL;
}

static bool add(igt__studies *s, const igt_root_study *study) {
  entry *e = igt__arena_calloc(s->arena, 1, sizeof *e);
  const char *part;
  char *flat;

  if (!e)
    return false;
  e->known.id = igt__arena_strdup(s->arena, igt__text_of(&study->study_database_id));
  e->known.human = igt__arena_strdup(s->arena, igt__text_of(&study->study_id_human_readable));
  e->known.s3_prefix = igt__arena_strdup(s->arena, igt__text_of(&study->s3_prefix));
  e->known.key = igt__arena_strdup(s->arena, key_of(study, &part));
  e->part = igt__arena_strdup(s->arena, part);
  e->known.dated = igt__study_day(study, &e->known.day);
  if (!e->known.id || !e->known.human || !e->known.s3_prefix || !e->known.key || !e->part)
    return false;
  flat = flat_name(s->arena, NULL, e->known.human);
  if (!flat)
    return false;
  e->next_name = igt__map_get(s->by_name, flat);
  e->next_key = igt__map_get(s->by_key, e->known.key);
  return igt__map_set(s->by_id, e->known.id, e) && igt__map_set(s->by_name, flat, e) &&
         igt__map_set(s->by_key, e->known.key, e);
}

bool igt__studies_add(igt__studies *s, const igt_root_study *study) {
  return (s->only && !may_be_it(s, study)) || add(s, study);
}

static igt_status each_study(void *payload, igt_root_study *study) {
  igt__studies *s = payload;

  s->failed = !igt__studies_add(s, study);
  return s->failed ? IGT_E_NO_MEMORY : IGT_OK;
}

igt_status igt__studies_load(igt_client *client, const igt_institute *institute,
                             const igt__folder *only, igt__quota *held, igt__studies **out,
                             igt_error *err) {
  igt_status status = igt__studies_new(institute, out, err);

  if (status != IGT_OK)
    return status;
  igt__quota_init_part(&(*out)->held, held);
  if (only && !igt__studies_only(*out, only))
    (*out)->failed = true;
  else
    status =
        igt_get_studies_each(client, igt__text_of(&institute->id), NULL, each_study, *out, err);
  if ((*out)->failed)
    status = no_room(*out, err);
  if (status != IGT_OK) {
    igt__studies_free(*out);
    *out = NULL;
  }
  return status;
}

/* ---- what a folder becomes ---- */

/* What is there and no text is left, for the decoder to refuse. */
static bool set_missing(igt__json *doc, const char *name, const char *text) {
  const igt__json *there = igt__json_get(doc, name);

  return (igt__json_typeof(there) != IGT__JSON_NULL && !igt__str_eq(igt__json_str(there), "")) ||
         igt__json_set_str(doc, name, text);
}

static bool fill(igt__json *doc, const shape *sh, const char *name, const char *study_id) {
  if (sh->key_field && !set_missing(doc, sh->key_field, name))
    return false;
  if (sh->has_study_id && study_id && !set_missing(doc, "studyId", study_id))
    return false;
  if (!sh->has_patient)
    return true;
  if (igt__json_typeof(igt__json_get(doc, "patient")) == IGT__JSON_NULL &&
      !igt__json_set(doc, "patient", igt__json_new_object()))
    return false;
  if (igt__json_typeof(igt__json_get(doc, "patient")) != IGT__JSON_OBJECT)
    return true; /* the decoder refuses it */
  return set_missing(igt__json_get(doc, "patient"), "patientId", name) &&
         set_missing(igt__json_get(doc, "patient"), "patientName", name);
}

static igt_status describe(const igt__studies *s, const igt__folder *folder, const char *type,
                           igt__json *doc, igt_error *err) {
  if (is_described(folder))
    return IGT_OK;
  if (is_vague(s, folder))
    return igt__fail(err, IGT_E_AMBIGUOUS,
                     "a %s has no field that tells the studies of one patient apart: give each "
                     "study folder of '%s' a study.json",
                     type, folder->patient);
  return fill(doc, &s->shape, folder_key(folder), folder->patient ? folder->name : NULL)
             ? IGT_OK
             : igt__fail_memory(err);
}

/* What holds for any study of the institute, whatever the study.json says: it may be another's. */
static bool settle(const igt__studies *s, const igt_institute *institute, const char *type,
                   igt__json *doc) {
  const char *id = igt__text_of(&institute->id);
  const char *state = text_in(doc, "electronicRecordState");

  igt__json_remove(doc, "studyDatabaseId");
  if (state && strcmp(state, "submitted") == 0) /* before its first file is there */
    igt__json_remove(doc, "electronicRecordState");
  return igt__json_set_str(doc, "studyType", type) &&
         (!s->shape.has_institute_id || !*id || igt__json_set_str(doc, "instituteId", id));
}

igt_status igt__study_from_folder(igt__studies *s, const igt_institute *institute,
                                  const igt__folder *folder, igt_root_study **out, igt_error *err) {
  const char *type = type_of(institute);
  igt__json *doc = folder->doc ? igt__json_copy(folder->doc) : igt__json_new_object();
  igt__buf text;
  igt_model *study = NULL;
  igt_status status = IGT_OK;

  *out = NULL;
  igt__buf_init(&text, SIZE_MAX);
  if (!doc)
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = describe(s, folder, type, doc, err);
  if (status == IGT_OK &&
      (!settle(s, institute, type, doc) || !igt__json_write(&text, doc, IGT__JSON_COMPACT)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status =
        igt__model_decode(&igt_root_study_type, text.data, text.len, "study.json", &study, err);
  if (status == IGT_OK)
    status = note_new(s, folder, err);
  if (status != IGT_OK) {
    igt_model_free(study);
    study = NULL;
  }
  *out = (igt_root_study *)study;
  igt__buf_finish(&text);
  igt__json_free(doc);
  return status;
}
