/* SPDX-License-Identifier: MIT */
/* The study commands: create, set, label, comment and submit. The fields come as FIELD=VALUE
 * (assign.c). Each command signs in, resolves the study's or institute's place, changes it through
 * the library and prints the study as the cloud returns it. main.c finds the commands through their
 * table. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

static const option study_options[] = {FIELDS_OPTION, END_OF_OPTIONS};
static const option label_options[] = {
    {"clear", 0, OPTION_FLAG, AT(clear), NULL, NULL, "remove all labels"},
    FIELDS_OPTION,
    END_OF_OPTIONS};

/* ---- shared by the commands ---- */

/* Prints the study in the cloud's response, after the change. */
static int report_study(const settings *s, const igt_node *institute, igt_root_study *study) {
  char *above = path_of(institute), *path = NULL;
  const char *name = study->study_id_human_readable.is == IGT_SET ? study->study_id_human_readable.v
                                                                  : study->study_database_id.v;
  size_t cap = (above ? strlen(above) : 0) + (name ? strlen(name) : 0) + 2;
  int status = EXIT_FAILED;

  if (above && (path = malloc(cap)) != NULL) {
    snprintf(path, cap, "%s/%s", above, name ? name : "");
    if (s->json || s->fields) {
      status = show_model(s, &study->model, path);
    } else {
      print_safe(stdout, path);
      putchar('\n');
      status = EXIT_DONE;
    }
  }
  free(path);
  free(above);
  return status;
}

typedef struct change {
  place p;
  igt_node *study, *institute;
  const char *institute_id, *study_id;
} change;

static bool change_open(change *c, const settings *s, int *status) {
  if (!place_open(&c->p, s, s->arguments[0], status))
    return false;
  c->study = place_node_of(&c->p, IGT_NODE_STUDY, IGT_NODE_STUDY, status);
  if (!c->study) {
    place_close(&c->p);
    return false;
  }
  c->institute = igt_node_parent(c->study);
  c->institute_id = igt_node_id(c->institute);
  c->study_id = igt_node_id(c->study);
  return true;
}

/* Whether the response is about the study that was to be changed; says so if not. */
static bool is_about(const igt_root_study *study, const char *id) {
  const igt_string_field *there = &study->study_database_id;

  if (there->is != IGT_SET || !*there->v || strcmp(there->v, id) == 0)
    return true;
  complain(
      IGT_E_CONFLICT,
      "the cloud responded with another study (%s) instead of the one to change (%s): check both",
      there->v, id);
  return false;
}

/* Reads the study again if the response does not have what was sent. */
static int check_change(const change *c, const igt_model *sent, igt_root_study **study) {
  igt_root_study *again = NULL;
  igt_error err = IGT_ERROR_INIT;

  if (*study && is_kept(sent, &(*study)->model, true))
    return EXIT_DONE;
  if (igt_get_study(c->p.client, c->institute_id, c->study_id, &again, &err) != IGT_OK)
    return fail(&err);
  igt_model_free(*study ? &(*study)->model : NULL);
  *study = again;
  return is_kept(sent, &again->model, false) ? EXIT_DONE : EXIT_FAILED;
}

/* sent: the fields that the study is to have; NULL: not to be checked. */
static int change_close(change *c, const settings *s, const igt_model *sent, igt_root_study *study,
                        igt_status status, const igt_error *err) {
  int result = EXIT_DONE;

  if (status != IGT_OK)
    result = fail(err);
  else if (study && !is_about(study, c->study_id))
    result = EXIT_FAILED;
  else if (sent)
    result = check_change(c, sent, &study);
  if (study && result == EXIT_DONE)
    result = report_study(s, c->institute, study);
  igt_model_free(study ? &study->model : NULL);
  place_close(&c->p);
  return result;
}

static igt_model *read_study(const char *type, const settings *s) {
  igt_model *model = NULL;
  igt_error err = IGT_ERROR_INIT;
  char *json = assignments(type, s->arguments + 1, s->argument_count - 1, "studyType");

  if (json && igt_model_parse(igt_root_study_type(), json, strlen(json), &model, &err) != IGT_OK)
    (void)fail(&err);
  free(json);
  return model;
}

/* ---- create ---- */

static int create(const settings *s, igt_node *node) {
  const igt_institute *institute = (const igt_institute *)igt_node_model(node);
  const char *type = institute->study_type.is == IGT_SET ? institute->study_type.v : "Study";
  igt_model *model = read_study(type, s);
  igt_error err = IGT_ERROR_INIT;
  igt_node *made = NULL;
  igt_status status;
  int result;

  if (!model)
    return EXIT_USAGE;
  status = igt_node_add(node, IGT_NODE_STUDY, model, &made, &err);
  igt_model_free(model);
  if (status != IGT_OK)
    return fail(&err);
  igt_model *copy = igt_model_copy(igt_node_model(made));
  result = copy ? report_study(s, node, (igt_root_study *)copy) : EXIT_FAILED;
  igt_model_free(copy);
  return result;
}

static int cmd_create(settings *s) {
  int status = EXIT_FAILED;
  igt_node *node;
  place p;

  if (!place_open(&p, s, s->arguments[0], &status))
    return status;
  node = place_node_of(&p, IGT_NODE_INSTITUTE, IGT_NODE_INSTITUTE, &status);
  if (node)
    status = create(s, node);
  place_close(&p);
  return status;
}

/* ---- set, label, comment, submit ---- */

static int cmd_set(settings *s) {
  igt_root_study *response = NULL;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  igt_model *model;
  change c;

  if (!change_open(&c, s, &status))
    return status;
  model = read_study(igt_type_name(igt_node_model(c.study)->type), s);
  if (!model) {
    place_close(&c.p);
    return EXIT_USAGE;
  }
  igt_status result = igt_update_study(c.p.client, c.institute_id, c.study_id,
                                       (const igt_root_study *)model, &response, &err);
  status = change_close(&c, s, model, response, result, &err);
  igt_model_free(model);
  return status;
}

static int cmd_label(settings *s) {
  igt_case_label body = {.model.type = igt_case_label_type()};
  igt_root_study *response = NULL;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  change c;

  if (s->clear == (s->argument_count > 1))
    return usage_error("give at least one label, or --clear to remove all");
  if (!change_open(&c, s, &status))
    return status;
  body.case_labels.is = IGT_SET;
  body.case_labels.count = s->argument_count - 1;
  body.case_labels.v = s->arguments + 1;
  igt_status result =
      igt_set_study_case_labels(c.p.client, c.institute_id, c.study_id, &body, &response, &err);
  return change_close(&c, s, &body.model, response, result, &err);
}

static int cmd_comment(settings *s) {
  igt_study_comments body = {.model.type = igt_study_comments_type()};
  igt_root_study *response = NULL;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  change c;

  if (!change_open(&c, s, &status))
    return status;
  body.study_comments.is = IGT_SET;
  body.study_comments.v = s->arguments[1];
  igt_status result =
      igt_set_study_comments(c.p.client, c.institute_id, c.study_id, &body, &response, &err);
  return change_close(&c, s, &body.model, response, result, &err);
}

static igt_status submit(change *c, const char *password, igt_root_study **response,
                         igt_error *err) {
  igt_electronic_record_state body = {0};
  igt_identity who = IGT_IDENTITY_INIT;
  igt_status status = igt_client_identity(c->p.client, &who, err);

  if (status != IGT_OK)
    return status;
  body.username = (igt_string_field){IGT_SET, who.user};
  body.password = (igt_string_field){IGT_SET, password};
  body.electronic_record_state = (igt_string_field){IGT_SET, "submitted"};
  return igt_set_study_electronic_record_state(c->p.client, c->institute_id, c->study_id, &body,
                                               response, err);
}

static bool is_submitted(const igt_root_study *study) {
  const igt_string_field *state = &study->electronic_record_state;

  if (state->is != IGT_SET || !*state->v || strcasecmp(state->v, "submitted") == 0)
    return true;
  complain(IGT_E_CONFLICT,
           "the study was not submitted: the cloud responded that its state is '%s'", state->v);
  return false;
}

static int cmd_submit(settings *s) {
  igt_root_study *response = NULL;
  igt_error err = IGT_ERROR_INIT;
  char password[1024];
  int status = EXIT_FAILED;
  change c;

  will_ask_again();
  if (!change_open(&c, s, &status))
    return status;
  if (!ask_again(s, "Password (again, to submit the study)", password, sizeof password)) {
    place_close(&c.p);
    return no_password(s, "submitting");
  }
  igt_status result = submit(&c, password, &response, &err);
  explicit_bzero(password, sizeof password);
  bool good = result != IGT_OK || !response || is_submitted(response);
  status = change_close(&c, s, NULL, response, result, &err);
  return good ? status : EXIT_FAILED;
}

/* ---- the table ---- */

#define STUDY "PROJECT/INSTITUTE/PATIENT/STUDY"
#define ASSIGNED                                                                                   \
  "The fields are those of the institute's study type (`igtcloud api --describe` lists "           \
  "them).\n"                                                                                       \
  "Separate list elements by commas; patient.NAME=... sets a field of the patient; FIELD:=JSON\n"  \
  "takes any value, such as null."

const command study_create_command = {
    "study create",
    "PROJECT/INSTITUTE [FIELD=VALUE...]",
    1,
    MAX_ARGUMENTS,
    "create a study",
    "Creates a study in an institute and prints its path.\n\n" ASSIGNED
    "\n\n  igtcloud study create demo/north studyId=CT patient.patientId=P1 patient.patientName=P1",
    study_options,
    true,
    cmd_create};
const command study_set_command = {"study set",
                                   STUDY " FIELD=VALUE...",
                                   2,
                                   MAX_ARGUMENTS,
                                   "set fields of a study",
                                   "Sets the given fields and leaves the others unchanged. If the "
                                   "cloud accepts the change\n"
                                   "but does not make it, that is an error.\n\n" ASSIGNED,
                                   study_options,
                                   true,
                                   cmd_set};
const command study_label_command = {"study label",
                                     STUDY " [LABEL...]",
                                     1,
                                     MAX_ARGUMENTS,
                                     "set the case labels of a study",
                                     "Replaces the case labels of a study.",
                                     label_options,
                                     true,
                                     cmd_label};
const command study_comment_command = {"study comment",
                                       STUDY " TEXT",
                                       2,
                                       2,
                                       "set the comments on a study",
                                       "Replaces the comments on a study.",
                                       study_options,
                                       true,
                                       cmd_comment};
const command study_submit_command = {
    "study submit",
    STUDY,
    1,
    1,
    "submit a study",
    "Sets the electronic record state of a study to submitted. Asks for the password again; with\n"
    "--password-stdin it is the next line of standard input, or the same if there is none.",
    study_options,
    true,
    cmd_submit};
