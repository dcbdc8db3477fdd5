/* SPDX-License-Identifier: MIT */
/* The studies of an institute, in maps by id, by folder name, and by their identifying fields, for
 * match.c. */
#include "transfer/upload/match_internal.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/unicode.h"
#include "cloud/prefix.h"
#include "cloud/study_list.h"
#include "cloud/suffix.h"
#include "model/model.h"
#include "transfer/engine/find.h"
#include "transfer/engine/plan.h"

static const char *const key_fields[] = {"name", "clinicalStudy", "subjectId"};
#define KEY_FIELDS (sizeof key_fields / sizeof *key_fields)
/* The field that distinguishes the studies of one patient, if the type has one. */
static const char *const part_fields[] = {"studyId", "visitName"};
#define PART_FIELDS (sizeof part_fields / sizeof *part_fields)

/* ---- keys ---- */

typedef struct key_walk {
  const char *found[KEY_FIELDS + 1]; /* the last: patientName */
  const char *part[PART_FIELDS];
  const char *uid, *patient_id;
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
    if (strcmp(view->name, "instanceUid") == 0)
      w->uid = igt__text_of(text);
  } else if (view->kind == IGT__KIND_MODEL && view->type == igt_patient_type()) {
    const igt__model_field *patient = view->field;
    if (patient->is == IGT_SET) {
      const igt_patient *is = (const igt_patient *)(const void *)patient->v;
      w->found[KEY_FIELDS] = igt__text_of(&is->patient_name);
      w->patient_id = igt__text_of(&is->patient_id);
    }
  }
  return IGT_OK;
}

/* "" if it has none of the fields. */
static const char *key_in_fields(const igt_root_study *study, const char **part, const char **uid,
                                 const char **patient_id) {
  key_walk w = {.uid = NULL};

  (void)igt__model_each_field(&study->model, look_at_field, &w);
  *part = "";
  *uid = w.uid ? w.uid : "";
  *patient_id = w.patient_id ? w.patient_id : "";
  if (w.found[KEY_FIELDS] && igt__nfc_eq(*patient_id, w.found[KEY_FIELDS]))
    *patient_id = ""; /* filled in from a folder's name */
  for (size_t i = PART_FIELDS; i > 0; i--)
    if (w.part[i - 1])
      *part = w.part[i - 1];
  for (size_t i = 0; i <= KEY_FIELDS; i++)
    if (w.found[i] && *w.found[i])
      return w.found[i];
  return "";
}

static const char *key_of(const igt_root_study *study, const char **part, const char **uid,
                          const char **patient_id) {
  const char *key = key_in_fields(study, part, uid, patient_id);

  return *key ? key : igt__text_of(&study->study_database_id);
}

static bool differ(const char *a, const char *b) {
  return *a && *b && !igt__nfc_eq(a, b);
}

bool igt__study_is_the_wanted(const igt_root_study *wanted, const igt_root_study *made) {
  const char *part, *uid, *patient, *made_part, *made_uid, *made_patient;
  const char *key = key_in_fields(wanted, &part, &uid, &patient);
  const char *made_key = key_in_fields(made, &made_part, &made_uid, &made_patient);

  return !differ(key, made_key) && !differ(part, made_part) && !differ(uid, made_uid) &&
         !differ(patient, made_patient) &&
         !differ(igt__text_of(&wanted->institute_id), igt__text_of(&made->institute_id));
}

const char *igt__studies_nfc(const igt__studies *s, const char *text) {
  igt__arena *arena = s->arena;
  char *nfc, *copy;

  if (!text || igt__nfc_is_plain(text))
    return igt__arena_strdup(arena, text ? text : "");
  nfc = igt__nfc(text);
  copy = nfc ? igt__arena_strdup(arena, nfc) : NULL;
  igt__free(nfc);
  return copy;
}

const char *igt__studies_flat(const igt__studies *s, const char *patient, const char *name) {
  igt__buf out;
  const char *copy;

  igt__buf_init(&out, IGT__MAX_JOINED);
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
  copy = out.failed ? NULL : igt__studies_nfc(s, out.data);
  igt__buf_finish(&out);
  return copy;
}

/* ---- the study type ---- */

const char *igt__studies_type(const igt_institute *institute) {
  const char *type = igt__text_of(&institute->study_type);

  return *type ? type : "Study";
}

static igt_status look_at_type(void *payload, const igt__field_view *view) {
  igt__shape *sh = payload;

  for (size_t i = 0; i < KEY_FIELDS; i++)
    if (!sh->key_field && strcmp(view->name, key_fields[i]) == 0)
      sh->key_field = key_fields[i];
  sh->has_patient |= view->kind == IGT__KIND_MODEL && view->type == igt_patient_type();
  sh->has_study_id |= strcmp(view->name, "studyId") == 0;
  sh->has_visit |= strcmp(view->name, "visitName") == 0;
  sh->has_institute_id |= strcmp(view->name, "instituteId") == 0;
  return IGT_OK;
}

static igt_status shape_of(const char *study_type, igt__shape *out, igt_error *err) {
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
    status =
        igt__model_decode(igt_root_study_type(), text.data, text.len, "the study", &empty, err);
  if (status == IGT_OK)
    status = igt__type_each_field(empty->type, look_at_type, out);
  igt_model_free(empty);
  igt__buf_finish(&text);
  igt__json_free(doc);
  return status;
}

/* ---- the institute's studies ---- */

igt_status igt__studies_no_space(const igt__studies *s, igt_error *err) {
  return igt__list_fail(&s->lists, "studies", "no real institute has that many, so it was skipped",
                        err);
}

static void bound(igt__studies *s) {
  igt__arena_bound(s->arena, UINT64_MAX, &s->lists);
  igt__map_bound(s->by_id, &s->lists);
  igt__map_bound(s->by_name, &s->lists);
  igt__map_bound(s->by_key, &s->lists);
  igt__map_bound(s->created, &s->lists);
}

igt_status igt__studies_new(const igt_institute *institute, igt__studies **out, igt_error *err) {
  igt__studies *s = igt__calloc(1, sizeof *s);
  igt_status status = IGT_OK;

  *out = s;
  if (!s)
    return igt__fail_memory(err);
  atomic_init(&s->refs, 1);
  s->arena = igt__arena_new(0);
  s->by_id = igt__map_new();
  s->prefixes = igt__fingerprints_new(true, &s->lists);
  s->by_name = igt__map_new();
  s->by_key = igt__map_new();
  s->created = igt__map_new();
  s->warned = igt__map_new();
  s->institute_id = igt__text_of(&institute->id);
  igt__quota_init(&s->lists, IGT__MAX_LIST_MEMORY, NULL);
  if (!s->arena || !s->prefixes || !s->by_id || !s->by_name || !s->by_key || !s->created ||
      !s->warned)
    status = igt__fail_memory(err);
  else
    status = shape_of(igt__studies_type(institute), &s->shape, err);
  if (status == IGT_OK)
    bound(s);
  if (status != IGT_OK) {
    igt__studies_free(s);
    *out = NULL;
  }
  return status;
}

void igt__studies_know_institutes(igt__studies *s, const igt_institute_list *institutes) {
  s->institutes = institutes;
}

igt__studies *igt__studies_ref(igt__studies *s) {
  atomic_fetch_add(&s->refs, 1);
  return s;
}

bool igt__studies_have(const igt__studies *s, const char *id) {
  return igt__map_has(s->by_id, id);
}

void igt__studies_free(igt__studies *s) {
  if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
    return;
  igt__map_free(s->by_id);
  igt__fingerprints_free(s->prefixes);
  igt__map_free(s->by_name);
  igt__map_free(s->by_key);
  igt__map_free(s->created);
  igt__map_free(s->by_look);
  igt__map_free(s->warned);
  igt__arena_free(s->arena);
  igt__free(s);
}

void igt__studies_remember(igt__studies *s, igt__journal *journal, const char *origin) {
  s->journal = journal;
  s->origin = origin;
}

igt__known *igt__studies_at(igt__studies *s, size_t i) {
  void *e;

  return igt__map_at(s->by_id, i, NULL, &e) ? &((igt__entry *)e)->known : NULL;
}

/* ---- reading the list ---- */

bool igt__is_flat_name(const char *flat, const char *called) {
  for (; *called; called++) {
    size_t n = *called == '/' ? 3 : 1;
    if (strncmp(flat, *called == '/' ? "---" : called, n) != 0)
      return false;
    flat += n;
  }
  return !*flat;
}

static const char *called_of(const igt_root_study *study) {
  const char *human = igt__text_of(&study->study_id_human_readable);

  return *human ? human : igt__text_of(&study->study_database_id);
}

static bool has_the_name(const igt__studies *s, const igt_root_study *study) {
  const char *called = called_of(study), *flat;

  if (igt__nfc_is_plain(called) && !igt__suffix_at(s->only_name))
    return igt__is_flat_name(s->only_name, called);
  flat = igt__studies_flat(s, NULL, called);
  return !flat || strcmp(flat, s->only_name) == 0 ||
         igt__suffix_is(s->only_name, flat, igt__text_of(&study->study_database_id));
}

/* Whether igt__studies_match() would consider it. */
static bool may_be_it(const igt__studies *s, const igt_root_study *study) {
  const char *id = igt__doc_text(s->only->doc, "studyDatabaseId"), *part, *uid, *patient_id;
  const char *key = key_of(study, &part, &uid, &patient_id);

  if (id && strcmp(id, igt__text_of(&study->study_database_id)) == 0)
    return true;
  for (size_t i = 0; i < s->only_count; i++)
    if (igt__nfc_eq(key, s->only_readings[i].key))
      return true;
  return has_the_name(s, study);
}

bool igt__studies_only(igt__studies *s, const igt__folder *folder) {
  s->only = folder;
  s->only_name = igt__studies_flat(s, folder->patient, folder->name);
  s->only_count = igt__readings(s, folder, s->only_readings);
  return s->only_name != NULL && s->only_count > 0;
}

/* Text that is in NFC already is returned as it is. */
static const char *nfc_or(const igt__studies *s, const char *text) {
  return igt__nfc_is_plain(text) ? text : igt__studies_nfc(s, text);
}

static bool fill_entry(const igt__studies *s, igt__entry *e, const igt_root_study *study) {
  const char *part, *uid, *patient_id, *key = key_of(study, &part, &uid, &patient_id);

  e->known.id = igt__arena_strdup(s->arena, igt__text_of(&study->study_database_id));
  e->known.human = igt__arena_strdup(s->arena, igt__text_of(&study->study_id_human_readable));
  e->known.s3_prefix = igt__arena_strdup(s->arena, igt__text_of(&study->s3_prefix));
  e->known.key = igt__studies_nfc(s, key);
  e->part = igt__studies_nfc(s, part);
  e->uid = *uid ? igt__arena_strdup(s->arena, uid) : "";
  e->patient_id = *patient_id ? igt__arena_strdup(s->arena, patient_id) : "";
  e->known.selected = !s->found || igt__found_takes(s->found, study, &e->known.undated);
  if (s->found && s->found->selection->no_memory)
    return false;
  if (s->found && e->known.selected)
    s->found->selection->taken++;
  if (!e->known.id || !e->known.human || !e->known.s3_prefix || !e->known.key || !e->part ||
      !e->uid || !e->patient_id)
    return false;
  e->called = nfc_or(s, *e->known.human ? e->known.human : e->known.id);
  e->patient = !e->called ? NULL
               : strchr(e->called, '/')
                   ? igt__arena_strndup(s->arena, e->called, strcspn(e->called, "/"))
                   : e->called;
  return e->patient != NULL;
}

static bool add(igt__studies *s, const igt_root_study *study) {
  igt__entry *e = igt__arena_calloc(s->arena, 1, sizeof *e);
  const char *flat;

  if (!e || !fill_entry(s, e, study))
    return false;
  flat = igt__studies_flat(s, NULL, e->called);
  if (!flat)
    return false;
  e->next_name = igt__map_get(s->by_name, flat);
  e->next_key = igt__map_get(s->by_key, e->known.key);
  return igt__map_set(s->by_id, e->known.id, e) && igt__map_set(s->by_name, flat, e) &&
         igt__map_set(s->by_key, e->known.key, e);
}

bool igt__studies_add(igt__studies *s, const igt_root_study *study) {
  return igt__prefix_claim(s->prefixes, igt__text_of(&study->s3_prefix),
                           igt__text_of(&study->study_database_id)) &&
         ((s->only && !may_be_it(s, study)) || add(s, study));
}

igt_status igt__studies_check_prefix(const igt__studies *s, const char *id, const char *s3_prefix,
                                     igt_error *err) {
  return igt__prefix_check(s->prefixes, s3_prefix, id, err);
}

static igt_status each_study(void *payload, igt_root_study *study) {
  igt__studies *s = payload;

  s->failed = !igt__studies_add(s, study);
  return s->failed ? IGT_E_NO_MEMORY : IGT_OK;
}

igt_status igt__studies_load(igt_client *client, const igt_institute *institute,
                             const igt__folder *only, const igt__found *found, igt__quota *lists,
                             igt__studies **out, igt_error *err) {
  igt_status status = igt__studies_new(institute, out, err);

  if (status != IGT_OK)
    return status;
  (*out)->found = found;
  igt__quota_init_part(&(*out)->lists, lists);
  if (only && !igt__studies_only(*out, only))
    (*out)->failed = true;
  else
    status = igt__each_study(client, igt__text_of(&institute->id), each_study, *out, err);
  if ((*out)->failed)
    status = igt__studies_no_space(*out, err);
  if (status != IGT_OK) {
    igt__studies_free(*out);
    *out = NULL;
  }
  return status;
}

/* ---- names that look like another one's ---- */

static void append_folded(igt__buf *out, const char *text) {
  char *folded = igt__nfc_fold(text);

  for (const char *c = folded ? folded : text; *c; c++) {
    if ((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] == 0xa0)
      c++; /* a no-break space */
    else if (*c != ' ' && *c != '\t')
      igt__buf_append(out, c, 1);
  }
  igt__free(folded);
}

/* The first entry whose names differ from these in nothing but case and blanks; it is e if there
 * was none. part NULL: of any study. */
static const igt__entry *first_like(igt__studies *s, igt__entry *e, const char *part) {
  const igt__entry *first = e;
  igt__buf text;

  igt__buf_init(&text, IGT__MAX_JOINED);
  append_folded(&text, e->known.key);
  if (part) {
    igt__buf_puts(&text, "\n");
    append_folded(&text, part);
  }
  if (!text.failed && text.data) {
    first = igt__map_get(s->by_look, text.data);
    if (!first && igt__map_set(s->by_look, text.data, e))
      first = e;
  }
  igt__buf_finish(&text);
  return first ? first : e;
}

/* Only runs that create studies need it. */
static bool know_looks(igt__studies *s) {
  void *e;

  if (s->by_look)
    return true;
  if (!(s->by_look = igt__map_new()))
    return false;
  for (size_t i = 0; igt__map_at(s->by_id, i, NULL, &e); i++) {
    igt__entry *known = e;
    (void)first_like(s, known, NULL);
    (void)first_like(s, known, known->part);
  }
  return true;
}

igt__like igt__studies_like(igt__studies *s, const igt_root_study *study) {
  const char *part, *uid, *patient_id, *key = key_of(study, &part, &uid, &patient_id);
  igt__entry *e = igt__arena_calloc(s->arena, 1, sizeof *e);
  const igt__entry *patient, *own;
  igt__like none = {0};

  if (!e || !(e->known.key = igt__studies_nfc(s, key)) || !(e->part = igt__studies_nfc(s, part)) ||
      !know_looks(s))
    return none;
  patient = first_like(s, e, NULL);
  own = first_like(s, e, e->part);
  if (!igt__map_has(s->by_key, e->known.key)) {
    if (strcmp(patient->known.key, e->known.key) == 0 || igt__map_has(s->warned, e->known.key))
      return none;
    (void)igt__map_set(s->warned, e->known.key, e);
    return (igt__like){"patient", e->known.key, patient->known.key};
  }
  if (!*e->part || strcmp(own->part, e->part) == 0)
    return none;
  return (igt__like){"study", e->part, own->part};
}
