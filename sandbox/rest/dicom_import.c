/* SPDX-License-Identifier: MIT */
/* Sorts uploaded DICOM files into studies. rest_dicom_import collects the objects below a key; for
 * each it reads the identifiers (dicom.c), finds or creates the study and the series, and moves the
 * object to a free name in the study's DICOM folder. Objects that cannot be sorted stay, and
 * rest_dicom_left lists them with the reasons. rest_dicom_index only creates the series of files
 * that are in their study already. action.c and series.c call these; one import runs at a time. */
#include "dicom_import.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "dicom.h"
#include "fields.h"
#include "rest.h"

/* Files are copied in blocks of this size. The wanted fields are expected in the first one: they
 * come before the pixel data. */
#define BLOCK (256u * 1024)
#define MOST_OF_ONE_NAME 10000
#define MOST_LISTED 10000

/* One import at a time: two that find the same new study would create it twice. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* State of one import. */
typedef struct dicom_import {
  sbx_server *server;
  const igt__json *institute;
  const char *user;
  unsigned char *buffer; /* BLOCK bytes */
  igt__map *taken;       /* keys that this import has written */
} dicom_import;

/* ---- the study ---- */

static bool is_date(const char *s) {
  return strlen(s) == 8 && strspn(s, "0123456789") == 8;
}

/* "20200131", "101500" to "2020-01-31T10:15:00+00:00". */
static void set_time(igt__json *object, const char *key, const char *date, const char *time) {
  char out[40];
  bool timed = strlen(time) >= 6 && strspn(time, "0123456789.") == strlen(time);

  if (!is_date(date))
    return;
  snprintf(out, sizeof out, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s+00:00", date, date + 4, date + 6,
           timed ? time : "00", timed ? time + 2 : "00", timed ? time + 4 : "00");
  igt__json_set_str(object, key, out);
}

static igt__json *patient_body(const rest_dicom *d) {
  igt__json *patient = igt__json_new_object();

  igt__json_set_str(patient, "patientId", d->patient_id);
  igt__json_set_str(patient, "patientName", d->patient_name[0] ? d->patient_name : d->patient_id);
  set_time(patient, "dateOfBirth", d->birth_date, "");
  if (d->sex[0])
    igt__json_set_str(patient, "gender", d->sex);
  return patient;
}

static igt__json *study_body(const char *type, const rest_dicom *d) {
  igt__json *body = igt__json_new_object();
  const char *name = d->patient_name[0] ? d->patient_name : d->patient_id;

  igt__json_set_str(body, "studyType", type);
  if (!rest_model_is(type, "BaseStudy")) {
    igt__json_set_str(body, rest_model_is(type, "EpdStudy") ? "name" : "subjectId", name);
    return body;
  }
  igt__json_set_str(body, "studyId", d->study_id[0] ? d->study_id : d->study_uid);
  igt__json_set_str(body, "instanceUid", d->study_uid);
  igt__json_set_str(body, "description", d->description);
  set_time(body, "studyDate", d->study_date, d->study_time);
  igt__json_set_str(body, "accessionNumber", d->accession);
  igt__json_set(body, "patient", patient_body(d));
  return body;
}

/* The id stored for scope/uid in `kind`, or NULL. */
static char *known_id(dicom_import *i, const char *kind, const char *scope, const char *uid) {
  char key[256];

  snprintf(key, sizeof key, "%.120s/%.100s", scope, uid);
  return sbx_kv_get(i->server->store, kind, key);
}

static bool remember_id(dicom_import *i, const char *kind, const char *scope, const char *uid,
                        const char *id) {
  char key[256];

  snprintf(key, sizeof key, "%.120s/%.100s", scope, uid);
  return sbx_kv_put(i->server->store, kind, key, id, 0);
}

/* ---- whose study it is ---- */

/* "ID\nNAME" of the patient whose images are in the study: not every type of study has a patient,
 * nor every patient an id. Neither contains a line end (dicom_text.c). */
static bool remember_patient(dicom_import *i, const char *study_id, const rest_dicom *d) {
  char who[sizeof d->patient_id + sizeof d->patient_name];

  snprintf(who, sizeof who, "%s\n%s", d->patient_id, d->patient_name);
  return remember_id(i, "study-patient", study_id, "", who);
}

static const char *patient_member(const igt__json *study, const char *name) {
  const char *text = igt__json_get_str(igt__json_get(study, "patient"), name);

  return text ? text : "";
}

/* Copied and badly de-identified data have one Study Instance UID for several patients: no image is
 * filed under another patient's study. Names decide where an id is missing. */
static bool is_of_other_patient(dicom_import *i, const igt__json *study, const rest_dicom *d) {
  char *known = known_id(i, "study-patient", igt__json_get_str(study, "studyDatabaseId"), "");
  char *end = known ? strchr(known, '\n') : NULL;
  const char *id = patient_member(study, "patientId"), *name = patient_member(study, "patientName");
  bool other;

  if (end) {
    *end = '\0';
    id = *id ? id : known;
    name = *name ? name : end + 1;
  }
  if (*id && d->patient_id[0])
    other = strcmp(id, d->patient_id) != 0;
  else
    other = *name && d->patient_name[0] && strcmp(name, d->patient_name) != 0;
  igt__free(known);
  return other;
}

static igt__json *study_make(dicom_import *i, const rest_dicom *d) {
  const char *institute = igt__json_get_str(i->institute, "id");
  igt__json *body = study_body(igt__json_get_str(i->institute, "studyType"), d);
  igt__json *study = rest_study_new(i->server, i->institute, body, NULL, NULL, i->user);
  const char *id = igt__json_get_str(study, "studyDatabaseId");

  igt__json_free(body);
  if (study && sbx_doc_put(i->server->store, "study", id, institute, study) &&
      remember_patient(i, id, d) && remember_id(i, "study-uid", institute, d->study_uid, id))
    return study;
  igt__json_free(study);
  return NULL;
}

/* NULL: none yet. */
static igt__json *study_of_uid(dicom_import *i, const rest_dicom *d) {
  char *id = known_id(i, "study-uid", igt__json_get_str(i->institute, "id"), d->study_uid);
  igt__json *study = id ? sbx_doc_get(i->server->store, "study", id) : NULL;

  igt__free(id);
  return study;
}

/* ---- the series ---- */

static const char *series_type(const char *study_type) {
  static const char *const pairs[][2] = {
      {"AnnotationStudy", "AnnotationSeries"},
      {"CoreLabsStudy", "CoreLabsSeries"},
      {"EchoNavStudy", "EchoNavSeries"},
      {"MarvelStudy", "MarvelSeries"},
      {"WeTrustStudy", "WeTrustSeries"},
      {"ClinicalImageLibraryStudy", "ClinicalImageLibrarySeries"}};

  for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
    if (igt__str_eq(pairs[k][0], study_type))
      return pairs[k][1];
  }
  return "IgtCloudSeries";
}

static bool series_ensure(dicom_import *i, const igt__json *study, const rest_dicom *d) {
  const char *study_id = igt__json_get_str(study, "studyDatabaseId");
  char uuid[37];
  char *known = known_id(i, "series-uid", study_id, d->series_uid);

  igt__free(known);
  if (known || !d->series_uid[0])
    return true;
  if (!igt__uuid(uuid))
    return false;
  igt__json *series = igt__json_new_object();
  igt__json_set_str(series, "seriesType", series_type(igt__json_get_str(study, "studyType")));
  igt__json_set_str(series, "instanceUid", d->series_uid);
  igt__json_set_str(series, "modality", d->modality);
  rest_series_complete(series, study, uuid, i->user);
  bool ok = sbx_doc_put(i->server->store, "series", uuid, study_id, series) &&
            remember_id(i, "series-uid", study_id, d->series_uid, uuid);
  igt__json_free(series);
  return ok;
}

/* ---- the objects ---- */

static bool copy_bytes(dicom_import *i, int fd, sbx_incoming *in) {
  ssize_t n;
  off_t at = 0;

  while ((n = pread(fd, i->buffer, BLOCK, at)) > 0) {
    if (!sbx_incoming_write(in, i->buffer, (size_t)n))
      return false;
    at += n;
  }
  return n == 0;
}

/* The n-th candidate name of an object: its own name; then with the instance UID; then with a
 * number. */
static bool nth_name(const igt__json *study, const rest_dicom *d, const char *from, unsigned n,
                     igt__buf *out) {
  const char *base = strrchr(from, '/');

  igt__buf_clear(out);
  igt__buf_printf(out, "%s%s", igt__json_get_str(study, "s3Prefix"),
                  rest_category_folders[REST_DICOM]);
  if (d->series_uid[0])
    igt__buf_printf(out, "%s/", d->series_uid);
  if (n > 0 && d->instance_uid[0])
    igt__buf_printf(out, "%s-", d->instance_uid);
  if (n > 1 || (n == 1 && !d->instance_uid[0]))
    igt__buf_printf(out, "%u-", n);
  return igt__buf_puts(out, base ? base + 1 : from);
}

/* Whether the object may get this key: it is unused, or an earlier import stored the same object
 * there. */
static bool is_free(dicom_import *i, const sbx_object *object, const char *key) {
  sbx_object there = {0};
  bool yes = true;

  if (igt__map_has(i->taken, key))
    return false;
  if (sbx_object_get(i->server->store, SBX_BUCKET, key, &there))
    yes = there.size == object->size && strcmp(there.etag, object->etag) == 0;
  sbx_object_finish(&there);
  return yes;
}

/* One series may be spread over many folders with the same file names in each: none overwrites
 * another. */
static bool target_key(dicom_import *i, const igt__json *study, const rest_dicom *d,
                       const sbx_object *object, igt__buf *out) {
  for (unsigned n = 0; n < MOST_OF_ONE_NAME; n++) {
    if (!nth_name(study, d, object->key, n, out))
      return false;
    if (is_free(i, object, out->data))
      return igt__map_set(i->taken, out->data, out);
  }
  return false;
}

static bool move_object(dicom_import *i, int fd, sbx_object *object, const char *key) {
  char *from = object->key;
  sbx_incoming *in = sbx_incoming_new(i->server->store);
  bool ok = in && copy_bytes(i, fd, in);

  if (!ok) {
    sbx_incoming_discard(in);
    return false;
  }
  object->key = (char *)(uintptr_t)key;
  ok = sbx_object_commit(i->server->store, SBX_BUCKET, in, object);
  object->key = from;
  return ok && sbx_object_delete(i->server->store, SBX_BUCKET, from);
}

static bool import_one(dicom_import *i, const char *key) {
  rest_dicom d;
  sbx_object object = {0};
  igt__json *study = NULL;
  igt__buf to;
  bool ok = true;
  int fd = sbx_object_open(i->server->store, SBX_BUCKET, key, &object);

  if (fd < 0)
    return true; /* deleted meanwhile */
  igt__buf_init(&to, 64 * 1024);
  ssize_t n = pread(fd, i->buffer, BLOCK, 0);
  if (n > 0 && !rest_dicom_read(i->buffer, (size_t)n, &d)) {
    study = study_of_uid(i, &d);
    bool stays = study && is_of_other_patient(i, study, &d);
    if (!study)
      study = study_make(i, &d);
    ok = stays || (study && series_ensure(i, study, &d) && target_key(i, study, &d, &object, &to) &&
                   move_object(i, fd, &object, to.data));
  }
  close(fd);
  igt__buf_finish(&to);
  igt__json_free(study);
  sbx_object_finish(&object);
  return ok;
}

typedef struct key_search {
  igt__json *keys;
  const char *key;
  bool is_prefix;
} key_search;

static bool collect(void *payload, const sbx_object *object) {
  key_search *s = payload;
  size_t n = strlen(s->key);
  const char *rest = object->key + n;
  bool below = n > 0 && (s->key[n - 1] == '/' || *rest == '/');

  if (*rest == '\0' || (s->is_prefix && below))
    igt__json_push(s->keys, igt__json_new_str(object->key));
  return true;
}

rest_import rest_dicom_import(sbx_server *server, const igt__json *institute, const char *key,
                              bool is_prefix, const char *user) {
  dicom_import i = {server, institute, user, igt__malloc(BLOCK), igt__map_new()};
  key_search search = {igt__json_new_array(), key, is_prefix};
  rest_import result = REST_IMPORT_DONE;

  pthread_mutex_lock(&lock);
  if (i.buffer && i.taken && search.keys)
    sbx_object_each(server->store, SBX_BUCKET, key, "", collect, &search);
  else
    result = REST_IMPORT_FAILED;
  size_t count = igt__json_count(search.keys);
  if (result == REST_IMPORT_DONE && count == 0)
    result = REST_IMPORT_NOTHING;
  for (size_t k = 0; result == REST_IMPORT_DONE && k < count; k++) {
    if (!import_one(&i, igt__json_str(igt__json_at(search.keys, k))))
      result = REST_IMPORT_FAILED;
  }
  pthread_mutex_unlock(&lock);
  igt__json_free(search.keys);
  igt__map_free(i.taken);
  igt__free(i.buffer);
  return result;
}

/* ---- files that could not be sorted ---- */

typedef struct left_search {
  sbx_server *server;
  const igt__json *institute;
  igt__json *list;
  unsigned char *buffer;
} left_search;

static const char *why_not_sorted(left_search *s, const rest_dicom *d) {
  dicom_import i = {s->server, s->institute};
  igt__json *study = study_of_uid(&i, d);
  bool other = study && is_of_other_patient(&i, study, d);

  igt__json_free(study);
  return other ? "its Study Instance UID is that of another patient's study" : NULL;
}

static const char *why_left(left_search *s, const char *key) {
  sbx_object object = {0};
  rest_dicom d;
  const char *why = "it no longer exists";
  int fd = sbx_object_open(s->server->store, SBX_BUCKET, key, &object);

  if (fd >= 0) {
    ssize_t n = pread(fd, s->buffer, BLOCK, 0);
    why = n == 0  ? "it is empty"
          : n < 0 ? "it cannot be read"
                  : rest_dicom_read(s->buffer, (size_t)n, &d);
    if (n > 0 && !why)
      why = why_not_sorted(s, &d);
    close(fd);
  }
  sbx_object_finish(&object);
  return why ? why : "its import was not announced yet";
}

static bool add_left(void *payload, const sbx_object *object) {
  left_search *s = payload;
  igt__json *one;

  if (igt__json_count(s->list) >= MOST_LISTED)
    return false;
  one = igt__json_new_object();
  igt__json_set_str(one, "key", object->key);
  igt__json_set_int(one, "size", (int64_t)object->size);
  igt__json_set_str(one, "reason", why_left(s, object->key));
  return igt__json_push(s->list, one);
}

igt__json *rest_dicom_left(sbx_server *server, const igt__json *institute) {
  left_search s = {server, institute, igt__json_new_array(), igt__malloc(BLOCK)};
  const char *prefix = igt__json_get_str(institute, "s3Prefix");
  igt__buf folder;

  igt__buf_init(&folder, 64 * 1024);
  igt__buf_printf(&folder, "%sImport/", prefix ? prefix : "");
  if (s.list && s.buffer && prefix && *prefix && !folder.failed)
    sbx_object_each(server->store, SBX_BUCKET, folder.data, "", add_left, &s);
  igt__buf_finish(&folder);
  igt__free(s.buffer);
  return s.list;
}

/* ---- DICOM files that are in their study already ---- */

static bool index_one(dicom_import *i, const igt__json *study, const char *key) {
  rest_dicom d;
  sbx_object object = {0};
  bool ok = true;
  int fd = sbx_object_open(i->server->store, SBX_BUCKET, key, &object);

  if (fd < 0)
    return true; /* deleted meanwhile */
  ssize_t n = pread(fd, i->buffer, BLOCK, 0);
  if (n > 0 && !rest_dicom_read(i->buffer, (size_t)n, &d))
    ok = series_ensure(i, study, &d);
  close(fd);
  sbx_object_finish(&object);
  return ok;
}

bool rest_dicom_index(sbx_server *server, const igt__json *institute, const igt__json *study,
                      const char *user) {
  dicom_import i = {server, institute, user, igt__malloc(BLOCK)};
  const char *prefix = igt__json_get_str(study, "s3Prefix");
  igt__buf folder;

  igt__buf_init(&folder, 64 * 1024);
  igt__buf_printf(&folder, "%s%s", prefix ? prefix : "", rest_category_folders[REST_DICOM]);
  key_search search = {igt__json_new_array(), folder.data, true};
  bool ok = i.buffer && prefix && !folder.failed;
  pthread_mutex_lock(&lock);
  if (ok)
    sbx_object_each(server->store, SBX_BUCKET, folder.data, "", collect, &search);
  for (size_t k = 0; ok && k < igt__json_count(search.keys); k++)
    ok = index_one(&i, study, igt__json_str(igt__json_at(search.keys, k)));
  pthread_mutex_unlock(&lock);
  igt__json_free(search.keys);
  igt__buf_finish(&folder);
  igt__free(i.buffer);
  return ok;
}
