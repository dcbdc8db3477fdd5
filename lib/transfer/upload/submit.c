/* SPDX-License-Identifier: MIT */
/* What follows when all files of a study are finished: --submit asks the cloud to submit the study,
 * unless a file failed, and the study's slot is free for the next one. Groups of upload_study.c,
 * new_study.c and upload_annotations.c call these as their on_settled. */
#include <string.h>

#include "base/mem.h"
#include "cloud/study.h"
#include "model/model.h"
#include "transfer/upload/upload_internal.h"

/* The response describes the study after the request, as far as the cloud fills it in. */
static igt_status check_submitted(const igt__group *group, const igt_root_study *study,
                                  igt_error *err) {
  const char *id = igt__text_of(&study->study_database_id);
  const char *state = igt__text_of(&study->electronic_record_state);

  if (*id && igt__study_check(study, group->study_id, err) != IGT_OK)
    return IGT_E_PROTOCOL;
  if (*state && !igt__str_eq_nocase(state, "submitted"))
    return igt__fail(err, IGT_E_PROTOCOL, "the cloud responded that its state is '%s'", state);
  return IGT_OK;
}

static igt_status submit(const igt__upload *u, igt__group *group, igt_error *err) {
  igt_electronic_record_state body = {0};
  igt_root_study *study = NULL;
  igt_status status;

  body.username.is = body.password.is = body.electronic_record_state.is = IGT_SET;
  body.username.v = u->identity.user;
  body.password.v = u->options->submit_password;
  body.electronic_record_state.v = "submitted";
  status = igt_set_study_electronic_record_state(u->run.client, group->institute_id,
                                                 group->study_id, &body, &study, err);
  if (status == IGT_OK && study)
    status = check_submitted(group, study, err);
  igt_model_free(study ? &study->model : NULL);
  return status;
}

static void submit_settled(igt__upload *u, igt__group *group) {
  igt_error err = IGT_ERROR_INIT;

  if (group->failed) {
    igt__run_message(&u->run, IGT_E_SOME_FAILED, "%s was not submitted: not all files are uploaded",
                     group->label);
  } else if (group->recent_files) {
    (void)igt__fail(&err, IGT_E_CHANGED,
                    "the study was not submitted: '%s' was changed a short time ago, and may still "
                    "be written; run the same command again later, or with --min-age 0",
                    group->recent);
    igt__group_failed(group, &err);
  } else if (submit(u, group, &err) != IGT_OK) {
    igt__error_prefix(&err, "all files are uploaded, but the study was not submitted");
    igt__group_failed(group, &err);
  }
}

void igt__upload_study_settled(igt__group *group) {
  igt__upload *u = group->owner;

  if (u->options->submit_password && !group->dropped && !u->run.options.dry_run)
    submit_settled(u, group);
  igt__semaphore_release(&u->studies);
}

void igt__upload_only_settled(igt__group *group) {
  igt__semaphore_release(&((igt__upload *)group->owner)->studies);
}
