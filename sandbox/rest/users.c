/* SPDX-License-Identifier: MIT */
/* Users as managers see them: list, read, create, change, remove, and actions on their accounts.
 * Their documents are stored by login id; the API names users by uuid. people.c builds the
 * documents, mail.c sends activation mails. routes.c calls each function for its route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- finding ---- */

typedef struct user_search {
  const char *uuid;
  igt__json *found;
} user_search;

static bool user_is(void *payload, const char *id, const char *doc, size_t n) {
  user_search *search = payload;
  igt__json *user = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "a user", &user, NULL) != IGT_OK)
    return true;
  if (igt__str_eq(igt__json_get_str(user, "userUUID"), search->uuid)) {
    search->found = user;
    return false;
  }
  igt__json_free(user);
  return true;
}

igt__json *rest_user_by_uuid(sbx_server *server, const char *uuid) {
  user_search search = {uuid, NULL};

  sbx_doc_each(server->store, "user", NULL, user_is, &search);
  return search.found;
}

/* NULL: responded. */
static igt__json *user_of_path(rest_call *call) {
  igt__json *user = rest_user_by_uuid(call->server, call->args[0]);

  if (!user)
    rest_fail(call, 404, "User %.100s does not exist", call->args[0]);
  return user;
}

/* The user that the body's loginId names; NULL: responded. */
static igt__json *user_of_body(rest_call *call) {
  const char *login = igt__json_get_str(call->json, "loginId");

  if (login && *login)
    return rest_find(call, "user", login, "User");
  rest_fail(call, 400, "UserActivationRequest.loginId is required");
  return NULL;
}

static bool user_store(rest_call *call, const igt__json *user) {
  return rest_store(call, "user", igt__json_get_str(user, "loginId"), NULL, user);
}

/* ---- reading ---- */

void rest_users_get(rest_call *call) {
  rest_respond_docs(call, "user", NULL, NULL, NULL, NULL);
}

bool rest_is_user(rest_call *call) {
  if (call->who.is_service)
    rest_fail(call, 400, "%s is a service identity, not a user", call->who.sub);
  return !call->who.is_service;
}

void rest_me_get(rest_call *call) {
  if (rest_is_user(call))
    rest_respond(call, 200, igt__json_copy(rest_account(call)));
}

void rest_user_get(rest_call *call) {
  igt__json *user = user_of_path(call);

  if (user)
    rest_respond(call, 200, user);
}

/* ---- creating and changing ---- */

static void take_over(igt__json *to, const char *to_key, const igt__json *from, const char *key) {
  const igt__json *value = igt__json_get(from, key);

  if (value)
    igt__json_set(to, to_key, igt__json_copy(value));
}

/* The settings contain days, the request contains instants. */
static void take_day(igt__json *settings, const igt__json *body, const char *key) {
  const char *text = igt__json_get_str(body, key);
  char day[16];

  if (!text)
    return;
  snprintf(day, sizeof day, "%.10s", text);
  igt__json_set_str(settings, key, day);
}

static void fill(igt__json *user, const igt__json *body) {
  igt__json *profile = igt__json_get(user, "profile"), *settings = igt__json_get(user, "settings");

  take_over(profile, "givenName", body, "givenName");
  take_over(profile, "familyName", body, "familyName");
  take_over(profile, "preferredLanguage", body, "preferredLanguage");
  take_over(igt__json_get(profile, "contact"), "emailAddress", body, "email");
  take_over(settings, "istLevel", body, "istLevel");
  take_over(settings, "preferredLanguage", body, "preferredLanguage");
  take_day(settings, body, "trainingStartDate");
  take_day(settings, body, "trainingEndDate");
}

/* Required members may still be empty strings. */
static bool request_ok(rest_call *call) {
  static const char *const names[] = {"givenName", "familyName", "email", "loginId"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (!*igt__json_get_str(call->json, names[i])) {
      rest_fail(call, 400, "UserRequest.%s must not be empty", names[i]);
      return false;
    }
  }
  return true;
}

/* 201 for a new user, who gets a mail; 200 for an existing one, whose data is updated. */
void rest_users_post(rest_call *call) {
  const char *login = igt__json_get_str(call->json, "loginId");
  igt__json *user;
  bool known;

  if (!request_ok(call))
    return;
  user = sbx_doc_get(call->server->store, "user", login);
  known = user != NULL;
  if (!known) {
    igt__json *roles = igt__json_new_array();
    user = rest_user_new(login, roles);
    igt__json_set_bool(igt__json_get(user, "accountStatus"), "emailVerified", false);
    igt__json_free(roles);
  }
  if (user)
    fill(user, call->json);
  if (!user_store(call, user)) {
    igt__json_free(user);
  } else if (!known && !rest_activation_send(call->server, login)) {
    rest_fail(call, 500, "The mail could not be stored");
    igt__json_free(user);
  } else {
    rest_respond(call, known ? 200 : 201, user);
  }
}

void rest_user_put(rest_call *call) {
  igt__json *user = user_of_path(call);
  const char *login = igt__json_get_str(call->json, "loginId");

  if (!user)
    return;
  if (!igt__str_eq(login, igt__json_get_str(user, "loginId"))) {
    rest_fail(call, 400, "UserRequest.loginId cannot be changed");
  } else if (request_ok(call)) {
    fill(user, call->json);
    if (user_store(call, user))
      rest_respond_empty(call, 204);
  }
  igt__json_free(user);
}

/* ---- removing ---- */

static bool in_group_of(void *payload, const char *id, const char *doc, size_t n) {
  igt__json *ids = payload;

  (void)doc;
  (void)n;
  return igt__json_push(ids, igt__json_new_str(id));
}

static void drop_memberships(sbx_server *server, const char *uuid) {
  igt__json *ids = igt__json_new_array();

  sbx_doc_each(server->store, "users-groups", NULL, in_group_of, ids);
  for (size_t i = 0; i < igt__json_count(ids); i++) {
    const char *id = igt__json_str(igt__json_at(ids, i));
    if (igt__str_ends(id, uuid))
      sbx_doc_delete(server->store, "users-groups", id);
  }
  igt__json_free(ids);
}

void rest_user_delete(rest_call *call) {
  igt__json *user = user_of_path(call);
  const char *login = igt__json_get_str(user, "loginId");
  char prefix[64];

  if (!user)
    return;
  if (igt__str_eq(login, call->who.sub)) {
    rest_fail(call, 400, "You cannot delete your own user");
  } else {
    snprintf(prefix, sizeof prefix, "users/%.40s/", call->args[0]);
    rest_drop_objects(call->server, prefix);
    drop_memberships(call->server, call->args[0]);
    sbx_kv_delete(call->server->store, "password", login);
    sbx_doc_delete(call->server->store, "user", login);
    rest_respond_empty(call, 204);
  }
  igt__json_free(user);
}

/* ---- actions on accounts ---- */

void rest_user_mfa_reset(rest_call *call) {
  igt__json *user = user_of_body(call);

  if (!user)
    return;
  igt__json_set_str(igt__json_get(user, "accountStatus"), "mfaStatus", "RESET");
  if (user_store(call, user))
    rest_respond_empty(call, 204);
  igt__json_free(user);
}

/* The profile would be read again from the identity service, which the sandbox includes: the only
 * visible effect is the time of that. */
void rest_user_profile(rest_call *call) {
  igt__json *user;
  char now[40];

  if (!rest_is_user(call))
    return;
  user = igt__json_copy(rest_account(call));
  rest_now(now);
  igt__json_set_str(igt__json_get(user, "accountStatus"), "lastLoginTime", now);
  if (user_store(call, user))
    rest_respond_empty(call, 204);
  igt__json_free(user);
}

static igt__json *outcome(const char *text) {
  igt__json *response = igt__json_new_object(), *issues = igt__json_new_array();
  igt__json *issue = igt__json_new_object(), *details = igt__json_new_object();

  igt__json_set(details, "coding", igt__json_new_object());
  igt__json_set_str(details, "text", text);
  igt__json_set_str(issue, "severity", "information");
  igt__json_set_str(issue, "code", "informational");
  igt__json_set(issue, "details", details);
  igt__json_push(issues, issue);
  igt__json_set_str(response, "resourceType", "OperationOutcome");
  igt__json_set(response, "issue", issues);
  return response;
}

void rest_user_resend_activation(rest_call *call) {
  igt__json *user = user_of_body(call);

  if (!user)
    return;
  if (rest_activation_send(call->server, igt__json_get_str(user, "loginId")))
    rest_respond(call, 200, outcome("The mail was sent"));
  else
    rest_fail(call, 500, "The mail could not be stored");
  igt__json_free(user);
}
