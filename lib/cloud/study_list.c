/* SPDX-License-Identifier: MIT */
/* Lists the studies of an institute. The REST API has neither pages nor ranges: a list that breaks
 * off is requested again from its start. On a link whose connections do not live long enough to
 * read that far, this would never end. Then only the ids are listed, with a field mask (X-Fields),
 * which is a small fraction of the list, and the remaining studies are requested one by one, each
 * of which is small. Each id counts once (once.c), and a study of another institute is an error.
 * Called by everything that lists studies. */
#include "cloud/study_list.h"

#include <string.h>

#include "api/call.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cloud/find.h"
#include "cloud/once.h"
#include "cloud/study.h"
#include "crypto/crc.h"
#include "model/model.h"

#define MASK "{studyDatabaseId}"

typedef struct listing {
  igt_client *client;
  const char *institute_id;
  igt_root_study_fn fn;
  void *payload;
  igt__once once;
  igt__buf stray; /* describes the first study of another institute */
  /* Of the studies that were handed on, in the order of the list. */
  size_t count;
  uint64_t crc;
  /* What the current request skips: as many were handed on by an earlier one. */
  size_t skip;
  uint64_t skipped_crc;
} listing;

static igt_status add_patient(void *payload, const igt__field_view *field) {
  uint64_t *crc = payload;
  igt__buf value;

  if (strcmp(field->name, "patient") != 0 || field->is != IGT_SET)
    return IGT_OK;
  igt__buf_init(&value, IGT__MAX_LIST_BODY);
  if (igt__field_write(&value, field))
    *crc = igt__crc_update(IGT__CRC64NVME, *crc, value.data, value.len);
  igt__buf_finish(&value);
  return IGT_OK;
}

/* Whose study it is, and where its files are. */
static uint64_t who(const igt_root_study *study) {
  uint64_t crc = igt__once_text(0, igt__text_of(&study->study_id_human_readable));

  (void)igt__model_each_field(&study->model, add_patient, &crc);
  return igt__once_text(crc, igt__text_of(&study->s3_prefix));
}

/* A response of the cloud, or of a cache in between, for another request. */
static bool is_stray(const listing *l, const igt_root_study *study) {
  const char *institute = igt__text_of(&study->institute_id);

  return *institute && !igt__str_eq_nocase(institute, l->institute_id);
}

static igt_status note_stray(listing *l, const igt_root_study *study) {
  if (l->stray.len == 0)
    igt__buf_printf(&l->stray, "'%s' (%s) is of the institute %s",
                    igt__text_of(&study->study_id_human_readable),
                    igt__text_of(&study->study_database_id), igt__text_of(&study->institute_id));
  return l->stray.failed ? IGT_E_NO_MEMORY : IGT_OK;
}

static igt_status hand_on(listing *l, igt_root_study *study) {
  const char *id = igt__text_of(&study->study_database_id);
  uint64_t crc = igt__once_text(l->crc, id); /* fn may change the study */
  bool is_new = false;
  igt_status status =
      is_stray(l, study) ? note_stray(l, study) : igt__once_add(&l->once, id, who(study), &is_new);

  if (status == IGT_OK && is_new)
    status = l->fn(l->payload, study);
  l->count++;
  l->crc = crc;
  return status;
}

static igt_status fail_other_list(igt_error *err) {
  return igt__fail(err, IGT_E_NETWORK,
                   "the list of studies broke off, and a retry returned a different one");
}

/* True: it was handed on before. */
static bool is_skipped(listing *l, const char *id, igt_status *status) {
  if (l->skip == 0)
    return false;
  l->skipped_crc = igt__once_text(l->skipped_crc, id);
  l->skip--;
  *status = l->skip > 0 || l->skipped_crc == l->crc ? IGT_OK : fail_other_list(NULL);
  return true;
}

static void begin_again(listing *l) {
  l->skip = l->count;
  l->skipped_crc = 0;
}

static igt_status each_element(void *payload, const char *list, igt_model *element) {
  listing *l = payload;
  igt_root_study *study = (igt_root_study *)element;
  igt_status status = IGT_OK;

  (void)list;
  return is_skipped(l, igt__text_of(&study->study_database_id), &status) ? status
                                                                         : hand_on(l, study);
}

static igt__call list_call(const igt__arg *institute) {
  return (igt__call){.operation = igt__operation_named("get_studies"), .path = institute};
}

/* ---- the ids alone ---- */

static igt_status each_id(void *payload, const char *list, igt_model *element) {
  const igt_root_study *study = (const igt_root_study *)element;
  const char *id = igt__text_of(&study->study_database_id);

  (void)list;
  if (!*id)
    return IGT_E_PROTOCOL;
  return igt__buf_append(payload, id, strlen(id) + 1) ? IGT_OK : IGT_E_NO_MEMORY;
}

/* Each followed by a NUL. */
static igt_status list_ids(const listing *l, igt__buf *ids, igt_error *err) {
  igt_name_value mask = {"X-Fields", MASK};
  igt__arg institute = {.text = l->institute_id};
  igt__call call = list_call(&institute);

  call.headers = &mask;
  call.header_count = 1;
  return igt__call_each(l->client, &call, each_id, ids, err);
}

static igt_status fetch_study(listing *l, const char *id, igt_error *err) {
  igt_root_study *study = NULL;
  igt_status status = igt_get_study(l->client, l->institute_id, id, &study, err);

  if (status == IGT_OK && (status = igt__study_check(study, id, err)) != IGT_OK) {
    igt_model_free(&study->model);
    return status;
  }
  if (status == IGT_E_NOT_FOUND) { /* deleted since it was listed */
    igt__error_clear(err);
    return IGT_OK;
  }
  if (status == IGT_OK && (status = hand_on(l, study)) != IGT_OK)
    (void)igt__fail(err, status, "get_studies: stopped by the callback");
  igt_model_free(study ? &study->model : NULL);
  return status;
}

static igt_status fetch_rest(listing *l, const igt__buf *ids, igt_error *err) {
  igt_status status = IGT_OK;

  for (const char *id = ids->data; id < ids->data + ids->len && status == IGT_OK;
       id += strlen(id) + 1)
    if (!is_skipped(l, id, &status))
      status = fetch_study(l, id, err);
    else if (status != IGT_OK)
      (void)fail_other_list(err);
  return status == IGT_OK && l->skip > 0 ? fail_other_list(err) : status;
}

/* ---- the list ---- */

static igt_status list_in_pieces(listing *l, igt_error *err) {
  igt_error mine = IGT_ERROR_INIT;
  igt__arg institute = {.text = l->institute_id};
  igt__call call = list_call(&institute);
  igt_status status;
  igt__buf ids;

  IGT__DEBUG(
      IGT_LOG_API,
      "the list of studies is too long for this connection: requesting the studies one by one");
  igt__buf_init(&ids, IGT__MAX_LIST_BODY);
  status = list_ids(l, &ids, &mine);
  begin_again(l);
  if (status == IGT_OK)
    status = fetch_rest(l, &ids, err);
  else if (status == IGT_E_CANCELLED)
    igt__error_copy(err, &mine);
  else
    status = igt__call_each(l->client, &call, each_element, l, err); /* in the usual way, then */
  igt__buf_finish(&ids);
  return status;
}

static igt_status list(listing *l, igt_error *err) {
  igt__arg institute = {.text = l->institute_id};
  igt__call call = list_call(&institute);
  bool too_slow = false;
  igt_status status;

  call.too_slow = &too_slow;
  status = igt__call_each(l->client, &call, each_element, l, err);
  if (status == IGT_OK || !too_slow)
    return status;
  igt__error_clear(err);
  return list_in_pieces(l, err);
}

igt_status igt__each_study(igt_client *client, const char *institute_id, igt_root_study_fn fn,
                           void *payload, igt_error *err) {
  listing l = {.client = client, .institute_id = institute_id, .fn = fn, .payload = payload};
  igt_error mine = IGT_ERROR_INIT;
  igt_status status;

  l.once = (igt__once){.what = "study", .whats = "studies"};
  igt__buf_init(&l.stray, IGT__MAX_LIST_BODY);
  status = igt__once_init(&l.once, err);
  if (status == IGT_OK)
    status = list(&l, err ? err : &mine);
  if (status == IGT_OK)
    status = igt__once_end(&l.once, "its files are of", err);
  if (status == IGT_OK && l.stray.len > 0)
    status =
        igt__fail(err, IGT_E_PROTOCOL,
                  "the cloud lists a study of another institute: %s; it was left out, and others "
                  "may be missing: try again, and report it to the cloud's support",
                  l.stray.data);
  igt__once_finish(&l.once);
  igt__buf_finish(&l.stray);
  return status;
}
