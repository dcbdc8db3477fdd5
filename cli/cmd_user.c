/* SPDX-License-Identifier: MIT */
/* The user commands: list, show, create, reset-mfa and resend-activation. Users are named by login
 * id or by their id; find_user looks the name up in the list. The library sends the requests;
 * listing.c prints rows and fields, assign.c makes the body of create. main.c finds the commands
 * through their table. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const option user_options[] = {FIELDS_OPTION, END_OF_OPTIONS};
static const option plain_options[] = {END_OF_OPTIONS};

static const column columns[] = {
    {"ID", "userUUID", false}, {"USER", "loginId", false}, {NULL, NULL, false}};

static igt_client *sign_in(const settings *s, int *status) {
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = open_here(s, status);

  if (!client || igt_client_sign_in(client, &err) == IGT_OK)
    return client;
  *status = fail(&err);
  close_client(client);
  return NULL;
}

/* ---- list ---- */

static igt_status each(void *payload, igt_user *user) {
  return listing_row(payload, &user->model, NULL, NULL);
}

static int cmd_list(settings *s) {
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  igt_client *client = sign_in(s, &status);
  listing *l;

  if (!client)
    return status;
  if ((l = listing_open(s, columns)) != NULL) {
    igt_status result = igt_get_users_each(client, NULL, each, l, &err);
    status = listing_close(l, exit_status_of(result));
    if (result != IGT_OK && result != IGT_E_INVALID)
      status = fail(&err);
  }
  close_client(client);
  return status;
}

/* ---- show ---- */

typedef struct search {
  const char *name;
  char id[256]; /* id of the user with that name */
  unsigned count;
} search;

static igt_status look(void *payload, igt_user *user) {
  search *f = payload;

  if (user->login_id.is != IGT_SET || strcmp(user->login_id.v, f->name) != 0)
    return IGT_OK;
  f->count++;
  if (user->user_uuid.is == IGT_SET)
    snprintf(f->id, sizeof f->id, "%s", user->user_uuid.v);
  return IGT_OK;
}

/* By the login id, as in the list; a name that is not in the list may be an id. */
static igt_status find_user(igt_client *client, const char *name, igt_user **out, igt_error *err) {
  search f = {name, "", 0};
  igt_status status;

  if (strcmp(name, "me") == 0)
    return igt_get_me(client, NULL, out, err);
  status = igt_get_users_each(client, NULL, look, &f, err);
  if (status != IGT_OK)
    return status;
  if (f.count > 1) {
    usage_error("%u users have the login name '%s'; use an id", f.count, name);
    return IGT_E_AMBIGUOUS;
  }
  return igt_get_user(client, f.count ? f.id : name, NULL, out, err);
}

static int cmd_show(settings *s) {
  igt_error err = IGT_ERROR_INIT;
  igt_user *user = NULL;
  int status = EXIT_FAILED;
  igt_client *client = sign_in(s, &status);
  igt_status result;

  if (!client)
    return status;
  result = find_user(client, s->arguments[0], &user, &err);
  if (result == IGT_OK)
    status = show_model(s, &user->model, NULL);
  else
    status = result == IGT_E_AMBIGUOUS ? EXIT_FAILED : fail(&err);
  igt_model_free(user ? &user->model : NULL);
  close_client(client);
  return status;
}

/* ---- create ---- */

static int cmd_create(settings *s) {
  igt_error err = IGT_ERROR_INIT;
  char *json = assignments("UserRequest", s->arguments, s->argument_count, NULL);
  igt_model *body = NULL;
  igt_user *user = NULL;
  int status = EXIT_FAILED;
  igt_client *client;

  if (!json)
    return EXIT_USAGE;
  if (igt_model_parse(igt_user_request_type(), json, strlen(json), &body, &err) != IGT_OK) {
    free(json);
    return fail(&err);
  }
  free(json);
  client = sign_in(s, &status);
  if (client) {
    if (igt_create_user(client, NULL, (const igt_user_request *)body, &user, &err) != IGT_OK)
      status = fail(&err);
    else
      status = show_model(s, &user->model, NULL);
    close_client(client);
  }
  igt_model_free(user ? &user->model : NULL);
  igt_model_free(body);
  return status;
}

/* ---- reset-mfa, resend-activation ---- */

static int cmd_reset_mfa(settings *s) {
  igt_user_activation_request body = {0};
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  igt_client *client = sign_in(s, &status);

  if (!client)
    return status;
  body.login_id = (igt_string_field){IGT_SET, s->arguments[0]};
  if (igt_reset_mfa(client, &body, &err) != IGT_OK) {
    status = fail(&err);
  } else {
    message(s, "Reset the second factor of '%s'", s->arguments[0]);
    status = EXIT_DONE;
  }
  close_client(client);
  return status;
}

static int cmd_resend(settings *s) {
  igt_user_activation_request body = {0};
  igt_hsdp_response *response = NULL;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  igt_client *client = sign_in(s, &status);

  if (!client)
    return status;
  body.login_id = (igt_string_field){IGT_SET, s->arguments[0]};
  if (igt_resend_activation(client, NULL, &body, &response, &err) != IGT_OK) {
    status = fail(&err);
  } else {
    if (s->json)
      status = show_model(s, &response->model, NULL);
    else
      status = EXIT_DONE;
    message(s, "Sent the activation mail to '%s' again", s->arguments[0]);
  }
  igt_model_free(response ? &response->model : NULL);
  close_client(client);
  return status;
}

const command user_list_command = {
    "user list",  "",   0,       0, "list users", "Lists the users that are visible to you.",
    user_options, true, cmd_list};
const command user_create_command = {
    "user create",
    "FIELD=VALUE...",
    1,
    MAX_ARGUMENTS,
    "create a user",
    "Creates a user; the cloud sends an activation mail. loginId, email, givenName and "
    "familyName\n"
    "are required.\n\n"
    "  igtcloud user create loginId=ann@example.com email=ann@example.com givenName=Ann \\\n"
    "      familyName=Bell",
    user_options,
    true,
    cmd_create};
const command user_show_command = {"user show",
                                   "LOGIN",
                                   1,
                                   1,
                                   "show all fields of a user",
                                   "Shows a user by login name or id; `me` is the signed-in user.",
                                   user_options,
                                   true,
                                   cmd_show};
const command user_reset_mfa_command = {"user reset-mfa",
                                        "LOGIN",
                                        1,
                                        1,
                                        "reset a user's second factor",
                                        "The user sets up a new second factor at the next sign-in.",
                                        plain_options,
                                        true,
                                        cmd_reset_mfa};
const command user_resend_activation_command = {
    "user resend-activation",
    "LOGIN",
    1,
    1,
    "send a user's activation mail again",
    "Sends the mail with which a new user sets the first password again.",
    plain_options,
    true,
    cmd_resend};
