/* SPDX-License-Identifier: MIT */
/* Matches a folder with a study of an institute, in this order: by the studyDatabaseId in its
 * study.json; by the folder's name; by the fields that the folder's study would be created with. A
 * studyDatabaseId of another study or patient than the folder's name is refused: that is what a
 * copied folder looks like. */
#include "transfer/upload/match.h"

#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/unicode.h"
#include "cloud/suffix.h"
#include "transfer/upload/match_internal.h"

#define CLAIM_MAX (16u * 1024 * 1024) /* a study.json, and more */
#define SHOWN_MATCHES 5

/* ---- the folder and its study.json ---- */

const char *igt__doc_text(const igt__json *doc, const char *name) {
  const char *text = igt__json_get_str(doc, name);

  return text && *text ? text : NULL;
}

static const char *first_text(const igt__json *doc, const char *const *names, size_t n) {
  const char *text = NULL;

  for (size_t i = 0; i < n && !text; i++)
    text = igt__doc_text(doc, names[i]);
  return text;
}

static const char *doc_key(const igt__json *doc) {
  static const char *const names[] = {"name", "clinicalStudy", "subjectId"};
  const char *key = first_text(doc, names, 3);

  return key ? key : igt__doc_text(igt__json_get(doc, "patient"), "patientName");
}

static const char *doc_part(const igt__json *doc) {
  static const char *const names[] = {"studyId", "visitName"};

  return first_text(doc, names, 2);
}

const char *igt__doc_patient_id(const igt__json *doc) {
  const igt__json *patient = igt__json_get(doc, "patient");
  const char *id = igt__doc_text(patient, "patientId");
  const char *name = igt__doc_text(patient, "patientName");

  return id && !(name && igt__nfc_eq(id, name)) ? id : "";
}

bool igt__is_described(const igt__folder *folder) {
  return doc_key(folder->doc) != NULL;
}

bool igt__is_vague(const igt__studies *s, const igt__folder *folder) {
  return folder->patient && !folder->only && !igt__is_described(folder) && !doc_part(folder->doc) &&
         !s->shape.has_study_id;
}

/* The separator of patient and study in a flat folder's name; NULL: none. */
static const char *cut_of(const char *name) {
  const char *cut = strstr(name, "---");

  return cut && cut > name && cut[3] ? cut : NULL;
}

bool igt__names_a_study(const char *name) {
  return cut_of(name) != NULL;
}

/* The folder's name identifies one of the patient's studies. */
static bool names_a_study(const igt__folder *folder) {
  return folder->patient || cut_of(folder->name);
}

char *igt__folder_claim(const igt__folder *folder) {
  igt__buf name;

  igt__buf_init(&name, CLAIM_MAX);
  igt__buf_printf(&name, "%s/%s\n", folder->patient ? folder->patient : "", folder->name);
  if (folder->doc)
    igt__json_write(&name, folder->doc, IGT__JSON_COMPACT);
  return igt__buf_take(&name);
}

/* ---- readings ---- */

/* The type has a key and a distinguishing part. */
static bool has_part(const igt__studies *s, const igt__folder *folder) {
  return s->shape.has_study_id || (!folder->patient && s->shape.has_visit);
}

/* By its name only: patient and study. part NULL: not in the name. */
static bool read_name(const igt__studies *s, const igt__folder *folder, igt__reading *out) {
  const char *cut = folder->patient ? NULL : cut_of(folder->name);
  const char *part = folder->patient ? folder->name : cut ? cut + 3 : NULL;
  const char *first = folder->patient ? folder->patient : folder->name;
  char *key = igt__strndup(first, cut ? (size_t)(cut - first) : strlen(first));

  out->key = key ? igt__studies_nfc(s, key) : NULL;
  out->part = part && has_part(s, folder) ? igt__studies_nfc(s, part) : NULL;
  igt__free(key);
  return out->key && (out->part || !part || !has_part(s, folder));
}

/* Values in study.json take precedence. */
static bool read_described(const igt__studies *s, const igt__folder *folder, igt__reading *out) {
  const char *part = doc_part(folder->doc);

  if (!read_name(s, folder, out))
    return false;
  if (igt__is_described(folder))
    out->key = igt__studies_nfc(s, doc_key(folder->doc));
  else if (!folder->patient && (folder->whole_name || !has_part(s, folder)))
    out->key = igt__studies_nfc(s, folder->name);
  if (!out->part && (names_a_study(folder) || part))
    out->part = "";
  if (part)
    out->part = igt__studies_nfc(s, part);
  return out->key && (out->part || !part);
}

size_t igt__readings(const igt__studies *s, const igt__folder *folder,
                     igt__reading out[IGT__READINGS]) {
  bool two = has_part(s, folder);
  bool cut = !folder->patient && cut_of(folder->name) && !igt__is_described(folder);
  size_t whole = folder->whole_name ? 0 : 1;
  const char *part = doc_part(folder->doc);

  if (!cut || part)
    return read_described(s, folder, &out[0]) ? 1 : 0;
  if (!two)
    whole = 0;
  out[whole].key = igt__studies_nfc(s, folder->name);
  out[whole].part = "";
  if (!out[whole].key || (two && !read_name(s, folder, &out[1 - whole])))
    return 0;
  return two ? 2 : 1;
}

/* ---- candidates ---- */

/* Those of a chain that a test accepts. */
typedef struct candidates {
  const igt__studies *studies;
  igt__entry *first;
  const igt__folder *folder;
  bool by_key;        /* follow next_key, else next_name */
  const char *part;   /* only those of this part; NULL: any */
  const char *called; /* only those of this name; NULL: any */
  const char *plain;  /* only those of which the folder's name, without its suffix, is the name */
  const char *flat;   /* the folder's name */
} candidates;

static igt__entry *next_of(const candidates *c, const igt__entry *e) {
  return c->by_key ? e->next_key : e->next_name;
}

/* Names are not unique: cohorts have many patients called Anonymous. DICOM's UID of a study is, and
 * so is a patient's id where one was given. */
static bool contradicts(const candidates *c, const igt__entry *e) {
  const char *uid = igt__doc_text(c->folder->doc, "instanceUid");
  const char *patient = igt__doc_patient_id(c->folder->doc);

  if (c->folder->trust)
    return false;
  return (uid && *e->uid && strcmp(uid, e->uid) != 0) ||
         (*patient && *e->patient_id && !igt__nfc_eq(patient, e->patient_id));
}

static bool accepts(const candidates *c, const igt__entry *e) {
  return !contradicts(c, e) && (!c->part || strcmp(c->part, e->part) == 0) &&
         (!c->called || strcmp(c->called, e->called) == 0) &&
         (!c->plain || igt__suffix_is(c->flat, c->plain, e->known.id));
}

static igt_status ambiguous(const candidates *c, igt_error *err) {
  unsigned n = 0;
  igt_status status = igt__fail(err, IGT_E_AMBIGUOUS,
                                "several studies of the institute match, so nothing was sent: ");

  for (const igt__entry *e = c->first; e; e = next_of(c, e)) {
    if (accepts(c, e) && n++ < SHOWN_MATCHES)
      igt__error_append(err, "%s%s (%s)", n > 1 ? ", " : "", e->known.human, e->known.id);
  }
  if (n > SHOWN_MATCHES)
    igt__error_append(err, " and %u more", n - SHOWN_MATCHES);
  igt__error_append(err, ". Put the right studyDatabaseId into the folder's study.json");
  return status;
}

/* Distinguishes the intended study from others of its name. */
typedef bool (*test_fn)(const candidates *c, const igt__entry *e, const char *text);

static bool is_spelt_so(const candidates *c, const igt__entry *e, const char *text) {
  const char *human = e->known.human, *patient = c->folder->patient;
  size_t n = patient ? strlen(patient) : 0;

  (void)text;
  if (!patient)
    return igt__is_flat_name(c->folder->name, human);
  return strncmp(human, patient, n) == 0 && human[n] == '/' &&
         strcmp(human + n + 1, c->folder->name) == 0;
}

static bool has_uid(const candidates *c, const igt__entry *e, const char *text) {
  (void)c;
  return *text && strcmp(e->uid, text) == 0;
}

static bool has_id(const candidates *c, const igt__entry *e, const char *text) {
  (void)c;
  return *text && strcmp(e->known.id, text) == 0;
}

/* The only accepted one that passes the test (NULL: all pass); NULL: none, or several. */
static igt__entry *only_of(const candidates *c, test_fn test, const char *text, unsigned *count) {
  igt__entry *found = NULL;

  *count = 0;
  for (igt__entry *e = c->first; e; e = next_of(c, e))
    if (accepts(c, e) && (!test || test(c, e, text)) && (*count)++ == 0)
      found = e;
  return *count == 1 ? found : NULL;
}

/* Not one that was created for another folder. */
static bool is_free(const candidates *c, const igt__entry *e, const char *claim) {
  const igt__studies *s = c->studies;

  return !igt__journal_is_of_other(s->journal, s->origin, s->institute_id, claim, e->known.id);
}

/* According to the journal: the one created for the folder, else the only one not created for
 * another folder. *count 0: all were created for others. */
static igt__entry *by_journal(const igt__studies *s, const candidates *c, unsigned *count) {
  char *claim = s->journal ? igt__folder_claim(c->folder) : NULL, made[128];
  igt__entry *e = NULL;

  *count = 2;
  if (claim && igt__journal_find_created(s->journal, s->origin, s->institute_id, claim, made))
    e = only_of(c, has_id, made, count);
  if (claim && !e)
    e = only_of(c, is_free, claim, count);
  igt__free(claim);
  return e;
}

static igt_status the_one(const igt__studies *s, const candidates *c, igt__known **out,
                          igt_error *err) {
  const char *uid = igt__doc_text(c->folder->doc, "instanceUid");
  unsigned all, n;
  igt__entry *e = only_of(c, NULL, NULL, &all);

  *out = NULL;
  if (all == 0)
    return IGT_OK;
  if (!e)
    e = only_of(c, is_spelt_so, NULL, &n);
  if (!e)
    e = only_of(c, has_uid, uid ? uid : "", &n);
  if (!e && (e = by_journal(s, c, &n)) == NULL && n == 0 &&
      igt__doc_text(c->folder->doc, "studyDatabaseId"))
    return IGT_OK; /* the ids of another cloud distinguish it from all of them */
  if (!e)
    return ambiguous(c, err);
  *out = &e->known;
  return IGT_OK;
}

/* ---- by name ---- */

/* A study's name and its suffix: it was downloaded beside another one of its name. */
static igt_status by_suffix(igt__studies *s, candidates *c, igt__known **out, igt_error *err) {
  size_t n = igt__suffix_at(c->flat);
  char *plain = n ? igt__strndup(c->flat, n) : NULL;
  igt_status status = IGT_OK;

  if (n && !plain)
    return igt__fail_memory(err);
  c->called = NULL;
  c->plain = plain;
  c->first = plain ? igt__map_get(s->by_name, plain) : NULL;
  if (c->first)
    status = the_one(s, c, out, err);
  igt__free(plain);
  return status;
}

static igt_status by_name(igt__studies *s, const igt__folder *folder, igt__known **out,
                          igt_error *err) {
  const char *name = folder->name, *patient = folder->patient;
  candidates c = {.studies = s, .folder = folder, .flat = igt__studies_flat(s, patient, name)};
  char *called = patient ? igt__path_join(patient, name) : NULL;
  igt_status status;

  *out = NULL;
  if (!c.flat || (patient && (!called || !(c.called = igt__studies_nfc(s, called))))) {
    igt__free(called);
    return igt__studies_no_space(s, err);
  }
  igt__free(called);
  c.first = igt__map_get(s->by_name, c.flat);
  status = the_one(s, &c, out, err);
  return status != IGT_OK || *out ? status : by_suffix(s, &c, out, err);
}

igt_status igt__studies_by_name(igt__studies *s, const char *patient, const char *name,
                                igt__known **out, igt_error *err) {
  igt__folder folder = {.patient = patient, .name = name};

  return by_name(s, &folder, out, err);
}

/* ---- a name and an id that disagree ---- */

/* Whether the folder has this study's name. */
static bool is_called(const igt__studies *s, const igt__folder *folder, const char *called,
                      const char *id) {
  const char *mine = igt__studies_flat(s, folder->patient, folder->name);
  const char *flat = igt__studies_flat(s, NULL, called);

  return mine && flat && (strcmp(mine, flat) == 0 || igt__suffix_is(mine, flat, id));
}

/* Whether the folder has this patient's name, alone or followed by a study. */
static bool is_of_patient(const igt__studies *s, const igt__folder *folder, const char *patient) {
  const char *mine = igt__studies_nfc(s, folder->patient ? folder->patient : folder->name);
  const char *flat = patient ? igt__studies_flat(s, NULL, patient) : NULL;
  size_t n = flat ? strlen(flat) : 0;

  if (!mine || n == 0)
    return false;
  if (folder->patient)
    return strcmp(igt__studies_flat(s, NULL, mine), flat) == 0;
  return strncmp(mine, flat, n) == 0 && (!mine[n] || strncmp(mine + n, "---", 3) == 0);
}

static bool doc_is_of_patient(const igt__studies *s, const igt__folder *folder) {
  const char *human = igt__doc_text(folder->doc, "studyIdHumanReadable");
  char *patient = human ? igt__strndup(human, strcspn(human, "/")) : NULL;
  bool is =
      is_of_patient(s, folder, patient) ||
      is_of_patient(s, folder, igt__doc_text(igt__json_get(folder->doc, "patient"), "patientId"));

  igt__free(patient);
  return is;
}

static igt_status refuse(const igt__folder *folder, const igt__known *named,
                         const igt__known *described, igt_error *err) {
  const char *patient = folder->patient;
  igt_status status =
      igt__fail(err, IGT_E_COLLISION, "the folder's name and its study.json disagree: ");

  if (named)
    igt__error_append(err, "the name is that of the study '%s' (%s)", named->human, named->id);
  else
    igt__error_append(err, "the name is '%s%s%s'", patient ? patient : "", patient ? "/" : "",
                      folder->name);
  if (described)
    igt__error_append(err, ", the studyDatabaseId that of '%s' (%s)", described->human,
                      described->id);
  else
    igt__error_append(err, ", the patient in study.json is '%s'", doc_key(folder->doc));
  igt__error_append(err, ". Correct study.json or rename the folder; --trust-study-json goes by "
                         "study.json alone");
  return status;
}

/* The study named by the folder, if it is a different one; without an error, since several may have
 * that name. */
static igt__known *named_otherwise(igt__studies *s, const igt__folder *folder,
                                   const igt__entry *e) {
  igt__known *named = NULL;
  igt_error several = IGT_ERROR_INIT;

  if (by_name(s, folder, &named, &several) == IGT_E_AMBIGUOUS) {
    const char *flat = igt__studies_flat(s, folder->patient, folder->name);
    igt__entry *any = flat ? igt__map_get(s->by_name, flat) : NULL;
    named = any ? &any->known : NULL;
  }
  return named == &e->known ? NULL : named;
}

/* Another patient of the institute has the folder's name. */
static bool names_other_patient(const igt__studies *s, const igt__folder *folder) {
  igt__reading named;

  return read_name(s, folder, &named) && igt__map_has(s->by_key, named.key);
}

/* The study e has the studyDatabaseId of the folder's study.json. */
static igt_status check_id(igt__studies *s, const igt__folder *folder, igt__entry *e,
                           igt_error *err) {
  const char *human = igt__doc_text(folder->doc, "studyIdHumanReadable");
  igt__known *other;

  e->known.renamed = false;
  if (is_called(s, folder, e->called, e->known.id))
    return IGT_OK;
  e->known.renamed = true;
  if (folder->trust)
    return IGT_OK;
  if ((other = named_otherwise(s, folder, e)) != NULL)
    return refuse(folder, other, &e->known, err);
  if (human && is_called(s, folder, human, e->known.id)) /* it was renamed in the cloud since */
    return IGT_OK;
  if (is_of_patient(s, folder, e->patient) || is_of_patient(s, folder, e->known.key) ||
      doc_is_of_patient(s, folder))
    return IGT_OK;
  if (names_a_study(folder) || names_other_patient(s, folder))
    return refuse(folder, NULL, &e->known, err);
  return IGT_OK; /* a name of the user's own, such as "for-ann" */
}

/* The study.json has no id that the institute knows: another patient's name is not overruled. */
static igt_status check_key(const igt__studies *s, const igt__folder *folder, igt_error *err) {
  if (folder->trust || !igt__is_described(folder) || !names_a_study(folder) ||
      is_of_patient(s, folder, doc_key(folder->doc)) || doc_is_of_patient(s, folder) ||
      !names_other_patient(s, folder))
    return IGT_OK;
  return refuse(folder, NULL, NULL, err);
}

/* The institute of the project that the study.json names, if it is another one; NULL: none. An id
 * of another project or cloud says nothing: trees are moved between them. */
static const igt_institute *other_institute(const igt__studies *s, const igt__folder *folder) {
  const char *id = igt__doc_text(folder->doc, "instituteId");

  if (!id || !s->institutes || strcmp(id, s->institute_id) == 0)
    return NULL;
  for (size_t i = 0; i < s->institutes->count; i++)
    if (s->institutes->v[i] && strcmp(id, igt__text_of(&s->institutes->v[i]->id)) == 0)
      return s->institutes->v[i];
  return NULL;
}

/* Institutes may have patients and studies of the same names: the folder was probably copied. */
static igt_status check_institute(const igt__studies *s, const igt__folder *folder,
                                  igt_error *err) {
  const igt_institute *other = folder->trust ? NULL : other_institute(s, folder);

  if (!other)
    return IGT_OK;
  return igt__fail(
      err, IGT_E_COLLISION,
      "its study.json belongs to institute '%s' (instituteId %s), so nothing was sent. "
      "Move the folder into that institute's folder, or use --trust-study-json to "
      "upload it as a study of this institute",
      igt__text_of(&other->name), igt__text_of(&other->id));
}

/* ---- matching ---- */

/* By the fields that the study would be created with, so that a second run finds what the first one
 * created. If neither the folder's name nor its study.json distinguishes a patient's studies, the
 * only one with the key matches; else another study of the same patient never does. */
static igt_status by_fields(igt__studies *s, const igt__folder *folder, igt__known **out,
                            igt_error *err) {
  igt__reading readings[IGT__READINGS];
  size_t n;
  igt_status status = IGT_OK;

  *out = NULL;
  if (igt__is_vague(s, folder))
    return IGT_OK; /* igt__study_from_folder refuses it */
  n = igt__readings(s, folder, readings);
  if (n == 0)
    return igt__studies_no_space(s, err);
  for (size_t i = 0; i < n && status == IGT_OK && !*out; i++) {
    candidates c = {.studies = s,
                    .first = igt__map_get(s->by_key, readings[i].key),
                    .folder = folder,
                    .by_key = true,
                    .part = readings[i].part};
    status = the_one(s, &c, out, err);
  }
  return status;
}

igt_status igt__studies_existing(igt__studies *s, const igt__folder *folder, igt__known **out,
                                 igt_error *err) {
  const char *id = igt__doc_text(folder->doc, "studyDatabaseId");
  igt__entry *e = id ? igt__map_get(s->by_id, id) : NULL;
  igt_status status;

  *out = NULL;
  if (!e) {
    status = check_institute(s, folder, err);
    return status == IGT_OK ? by_name(s, folder, out, err) : status;
  }
  status = check_id(s, folder, e, err);
  *out = status == IGT_OK ? &e->known : NULL;
  return status;
}

static igt_status find(igt__studies *s, const igt__folder *folder, igt__known **out,
                       igt_error *err) {
  igt_status status = igt__studies_existing(s, folder, out, err);

  if (status != IGT_OK || *out)
    return status;
  status = check_key(s, folder, err);
  return status == IGT_OK ? by_fields(s, folder, out, err) : status;
}

/* Two folders whose study.json files have different ids, of another cloud, are two studies. */
static bool is_a_twin(const igt__known *known, const char *id) {
  return id && known->used_id && strcmp(id, known->used_id) != 0 && strcmp(id, known->id) != 0;
}

igt_status igt__studies_match(igt__studies *s, const igt__folder *folder, igt__known **out,
                              igt_error *err) {
  const char *id = igt__doc_text(folder->doc, "studyDatabaseId");
  igt_status status = find(s, folder, out, err);

  if (status != IGT_OK || !*out)
    return status;
  if ((*out)->used && is_a_twin(*out, id)) {
    *out = NULL;
    return IGT_OK;
  }
  if ((*out)->used)
    return igt__fail(err, IGT_E_COLLISION,
                     "another folder is the same study (%s): put different studyDatabaseIds into "
                     "their study.json files, or merge the folders",
                     (*out)->id);
  (*out)->used = true;
  (*out)->used_id = id ? igt__arena_strdup(s->arena, id) : NULL;
  return IGT_OK;
}
