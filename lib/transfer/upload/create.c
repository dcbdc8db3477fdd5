/* SPDX-License-Identifier: MIT */
/* Creates a missing study exactly once. The journal's claim keeps concurrent programs apart, and
 * the studies that they created are looked up before another one is; after a request of unknown
 * outcome the cloud's list shows whether it succeeded before it is retried. Called by
 * upload_study.c when the folder's plan is opened. */
#include "transfer/upload/create.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/model.h"
#include "transfer/engine/find.h"

#define CLAIM_POLL_US 50000

bool igt__is_unclear(igt_status status) {
  return status == IGT_E_NETWORK || status == IGT_E_TIMEOUT || status == IGT_E_SERVER;
}

bool igt__wait_to_look(const igt__run *run, unsigned n, const igt_error *err) {
  return igt__retry_wait(run->http, n, err->retry_after, run->cancel);
}

static igt_status refuse(igt_root_study **out, const char *what, igt_error *err) {
  (void)igt__fail(err, IGT_E_PROTOCOL,
                  "the cloud responded with %s, '%s' (%s), so nothing was sent to it", what,
                  igt__text_of(&(*out)->study_id_human_readable),
                  igt__text_of(&(*out)->study_database_id));
  igt_model_free(&(*out)->model);
  *out = NULL;
  return IGT_E_PROTOCOL;
}

/* The study that a POST of unknown outcome has created, if any. */
static igt_status find_created(igt__run *run, const igt_institute *institute,
                               const igt__folder *folder, igt_root_study **out, igt_error *err) {
  igt__studies *now = NULL;
  igt__known *known = NULL;
  igt_status status =
      igt__studies_load(run->client, institute, folder, NULL, &run->lists, &now, err);

  if (now)
    igt__studies_remember(now, run->journal, run->origin);
  if (status == IGT_OK)
    status = igt__studies_match(now, folder, &known, err);
  if (status == IGT_OK && known)
    status = igt_get_study(run->client, igt__text_of(&institute->id), known->id, out, err);
  if (status == IGT_OK && *out && strcmp(igt__text_of(&(*out)->study_database_id), known->id) != 0)
    status = refuse(out, "another study", err);
  igt__studies_free(now);
  return status;
}

static igt_status create(igt__run *run, const igt_institute *institute, const igt__folder *folder,
                         const igt_root_study *wanted, igt_root_study **out, igt__created *made,
                         igt_error *err) {
  int64_t began = igt__mono_us();

  for (unsigned n = 1;; n++) {
    igt_error looked = IGT_ERROR_INIT;
    igt_status status =
        igt_create_study(run->client, igt__text_of(&institute->id), wanted, out, err);
    *made = status == IGT_OK ? IGT__CREATED_NOW : IGT__CREATED_SEEN;
    if (!igt__is_unclear(status))
      return status;
    if (!igt__wait_to_look(run, n, err)) {
      igt__retry_gave_up(err, n, began);
      return status;
    }
    if (find_created(run, institute, folder, out, &looked) != IGT_OK) {
      igt__error_append(err, "; whether it was created could not be determined: %s", looked.text);
      return status;
    }
    if (*out)
      return IGT_OK;
  }
}

/* ---- concurrent programs ---- */

/* *waited: another program was creating this study. False: cancelled. */
static bool claim(igt__run *run, const char *institute, const char *name, bool *waited) {
  *waited = false;
  while (!igt__journal_claim(run->journal, run->origin, institute, name)) {
    if (igt__run_stopping(run))
      return false;
    *waited = true;
    igt__sleep_us(CLAIM_POLL_US);
  }
  return true;
}

/* A study created by another program since this one listed the studies. After a wait the list is
 * read again: the other program may have been killed before it could record the study. */
static igt_status find_theirs(igt__run *run, const igt_institute *institute,
                              const igt__folder *folder, const char *name, bool waited,
                              igt_root_study **out, igt_error *err) {
  char id[128];

  if (!waited &&
      !igt__journal_find_created(run->journal, run->origin, igt__text_of(&institute->id), name, id))
    return IGT_OK;
  return find_created(run, institute, folder, out, err);
}

/* The response to its creation. A study that existed before is not this folder's: it would have
 * matched. */
static igt_status see_that_it_is_the_new_one(const igt__studies *before,
                                             const igt_root_study *wanted, igt_root_study **out,
                                             igt_error *err) {
  const char *id = igt__text_of(&(*out)->study_database_id);
  const char *what = igt__studies_have(before, id)             ? "a study that existed before"
                     : !igt__study_is_the_wanted(wanted, *out) ? "another study"
                                                               : NULL;

  return what ? refuse(out, what, err) : IGT_OK;
}

igt_status igt__create_study(igt__run *run, const igt_institute *institute,
                             const igt__folder *folder, const igt_root_study *wanted,
                             const igt__studies *before, igt_root_study **out, igt__created *made,
                             igt_error *err) {
  const char *where = igt__text_of(&institute->id);
  char *name = igt__folder_claim(folder);
  igt_status status;
  bool waited;

  *made = IGT__CREATED_BEFORE;
  *out = NULL;
  if (!name)
    return igt__fail_memory(err);
  if (!claim(run, where, name, &waited)) {
    igt__free(name);
    return igt__fail(err, IGT_E_CANCELLED, "interrupted");
  }
  status = find_theirs(run, institute, folder, name, waited, out, err);
  if (status == IGT_OK && !*out)
    status = create(run, institute, folder, wanted, out, made, err);
  if (status == IGT_OK && *made == IGT__CREATED_NOW)
    status = see_that_it_is_the_new_one(before, wanted, out, err);
  if (status == IGT_OK && *made != IGT__CREATED_BEFORE && *out)
    igt__journal_put_created(run->journal, run->origin, where, name,
                             igt__text_of(&(*out)->study_database_id));
  igt__journal_unclaim(run->journal, run->origin, where, name);
  igt__free(name);
  return status;
}
