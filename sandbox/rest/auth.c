/* SPDX-License-Identifier: MIT */
/* Signing in and what a session can request: login with a password or a service's assertion,
 * refresh, logout, introspection and permissions, the audit trail, and S3 credentials for a key
 * prefix. The tokens themselves are made and checked in session.c; S3 credentials are issued by
 * s3/credentials.c, or by the S3 backend's STS with --s3-endpoint. routes.c calls each function for
 * its route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"

/* ---- login ---- */

static void login_password(rest_call *call) {
  const char *user = igt__json_get_str(call->json, "username");
  const char *password = igt__json_get_str(call->json, "password");

  if (!user || !password || !*user || !*password) {
    rest_fail(call, 400, "username and password are required");
    return;
  }
  if (rest_password_matches(call->server, user, password))
    rest_session_response(call, user, false, NULL);
  else
    rest_fail(call, 401, "The user name or the password is wrong");
}

static void login_key(rest_call *call) {
  const char *assertion = igt__json_get_str(call->json, "assertion");

  if (!assertion || !*assertion) {
    rest_fail(call, 400, "assertion is required");
    return;
  }
  igt__json *service = rest_assertion_check(call, assertion);
  if (service)
    rest_session_response(call, igt__json_get_str(service, "serviceId"), true, NULL);
  igt__json_free(service);
}

void rest_login(rest_call *call) {
  const char *grant = igt__json_get_str(call->json, "grantType");

  if (igt__str_eq(grant, "password"))
    login_password(call);
  else if (igt__str_eq(grant, "jwt-key"))
    login_key(call);
  else
    rest_fail(call, 400, "grantType must be password or jwt-key");
}

void rest_login_audience(rest_call *call) {
  char audience[600];

  snprintf(audience, sizeof audience, "%s" REST_AUDIENCE, call->server->base_url);
  rest_respond(call, 200, igt__json_new_str(audience));
}

void rest_refresh(rest_call *call) {
  if (call->who.is_service)
    rest_fail(call, 400, "A service identity has no refresh token: sign in again with its key");
  else
    rest_session_response(call, call->who.sub, false, call->who.session);
}

void rest_logout(rest_call *call) {
  igt__json *response = igt__json_new_object();

  rest_session_end(call->server, call->who.session);
  igt__json_set_bool(response, "success", true);
  rest_respond(call, 200, response);
}

/* ---- introspection ---- */

static const struct {
  unsigned right;
  const char *name;
} permissions[] = {{REST_DOWNLOAD, "DOWNLOAD"},
                   {REST_UPLOAD, "UPLOAD"},
                   {REST_MANAGE, "MANAGE"},
                   {REST_SERVICES, "MANAGE_SERVICES"}};

static igt__json *permission_list(unsigned rights) {
  igt__json *list = igt__json_new_array();

  for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
    if (rights & permissions[i].right)
      igt__json_push(list, igt__json_new_str(permissions[i].name));
  }
  return list;
}

static igt__json *roles_of(rest_call *call) {
  igt__json *list;

  if (!call->who.is_service)
    return igt__json_copy(igt__json_get(igt__json_get(rest_account(call), "profile"), "roles"));
  list = igt__json_new_array();
  igt__json_push(list, igt__json_new_str("SERVICE"));
  return list;
}

/* The organizations whose groups the user is in. */
static igt__json *organizations_of(rest_call *call) {
  const igt__json *given =
      igt__json_get(igt__json_get(rest_account(call), "profile"), "organizationRoles");
  igt__json *out = igt__json_new_object();

  igt__json_set_str(out, "managingOrganization", REST_ORGANIZATION);
  igt__json_set(out, "organizationList", given ? igt__json_copy(given) : igt__json_new_array());
  return out;
}

void rest_introspect(rest_call *call) {
  igt__json *response = igt__json_new_object();

  igt__json_set_bool(response, "active", true);
  igt__json_set_str(response, "scope", call->who.is_service ? "upload" : "upload download");
  if (!call->who.is_service)
    igt__json_set_str(response, "user", call->who.sub);
  igt__json_set_int(response, "exp", call->who.expires);
  igt__json_set_str(response, "sub", call->who.sub);
  igt__json_set_str(response, "iss", "igtcloud-sandbox");
  igt__json_set_str(response, "client_id", "igtcloud-sandbox");
  igt__json_set_str(response, "token_type", "Bearer");
  igt__json_set_str(response, "identity_type", call->who.is_service ? "Service" : "User");
  igt__json_set(response, "roles", roles_of(call));
  igt__json_set(response, "organizations", organizations_of(call));
  rest_respond(call, 200, response);
}

void rest_permissions(rest_call *call) {
  igt__json *response = igt__json_new_object();

  igt__json_set(response, "permissions", permission_list(call->who.rights));
  rest_respond(call, 200, response);
}

/* Stores the audit message; users with the right to manage users can read it: GET /__audit. */
void rest_audit(rest_call *call) {
  igt__json *entry = igt__json_copy(call->json);
  char id[37], now[40];

  rest_now(now);
  igt__json_set_str(entry, "user", call->who.sub);
  igt__json_set_str(entry, "on", now);
  if (rest_store(call, "audit", igt__uuid(id) ? id : NULL, NULL, entry))
    rest_respond(call, 200, igt__json_new_object());
  igt__json_free(entry);
}

/* ---- S3 credentials ---- */

static igt__json *action_list(const char *action) {
  static const char *const get[] = {"GetObject", "HeadObject", "ListBucket"};
  static const char *const put[] = {"PutObject", "AbortMultipartUpload", "ListParts"};
  const char *const *names = strcmp(action, "GET") == 0 ? get : put;
  igt__json *list = igt__json_new_array();

  for (size_t i = 0; i < 3; i++)
    igt__json_push(list, igt__json_new_str(names[i]));
  return list;
}

/* Without an offset, in UTC, as observed with the cloud (docs/sandbox.md). */
static void expires_write(int64_t seconds, char *out, size_t cap) {
  igt_time t = {.seconds = seconds};

  igt__time_format(&t, 'T', out, cap);
}

static igt__json *credentials_json(const sbx_server *server, const sbx_credentials *c) {
  char expires[40];
  igt__json *out = igt__json_new_object();

  expires_write(c->expires, expires, sizeof expires);
  igt__json_set_str(out, "accessKey", c->access_key);
  igt__json_set_str(out, "secretKey", c->secret_key);
  igt__json_set_str(out, "sessionToken", c->session_token);
  igt__json_set_str(out, "bucket", c->bucket);
  igt__json_set_str(out, "expires", expires);
  igt__json_set_str(out, "endpoint", server->base_url);
  igt__json_set_str(out, "region", SBX_REGION);
  return out;
}

/* Takes ownership of credentials. */
static igt__json *policy_json(const sbx_credentials *c, igt__json *credentials) {
  igt__json *policy = igt__json_new_object(), *allowed = igt__json_new_object();
  igt__json *resources = igt__json_new_array();
  char resource[sizeof c->prefix + 2];

  snprintf(resource, sizeof resource, "%s*", c->prefix);
  igt__json_push(resources, igt__json_new_str(resource));
  igt__json_set(allowed, "resources", resources);
  igt__json_set(allowed, "actions", action_list(c->action));
  igt__json_set(policy, "allowed", allowed);
  igt__json_set(policy, "credentials", credentials);
  igt__json_set_str(policy, "resourceType", "S3");
  return policy;
}

static bool credentials_allowed(rest_call *call, const char *action, const char *prefix) {
  bool get = igt__str_eq(action, "GET"), put = igt__str_eq(action, "PUT");

  if (!get && !put) {
    rest_fail(call, 400, "action is required: GET or PUT");
  } else if (!prefix || !*prefix || strlen(prefix) >= sizeof((sbx_credentials *)0)->prefix) {
    rest_fail(call, 400, "prefix is required, and shorter than 1,024 bytes");
  } else if (get && !(call->who.rights & REST_DOWNLOAD)) {
    rest_fail(call, 403, "%s is not allowed to download%s", call->who.sub,
              call->who.is_service ? ": a service identity can upload only" : "");
  } else if (put && !(call->who.rights & REST_UPLOAD)) {
    rest_fail(call, 403, "%s is not allowed to upload", call->who.sub);
  } else if (!rest_prefix_known(call->server, prefix)) {
    rest_fail(call, 400, "The prefix %.200s belongs to no project, institute or study", prefix);
  } else {
    return true;
  }
  return false;
}

/* For the sandbox's own S3, or for the S3 backend. NULL: responded. */
static igt__json *credentials_make(rest_call *call, const char *action, const char *prefix,
                                   sbx_credentials *c) {
  sbx_server *server = call->server;
  char why[400];
  igt__json *out = NULL;

  if (!server->backend) {
    if (sbx_credentials_issue(server, action, prefix, c))
      return credentials_json(server, c);
    rest_fail(call, 500, "The credentials could not be stored");
    return NULL;
  }
  snprintf(c->action, sizeof c->action, "%s", action);
  snprintf(c->prefix, sizeof c->prefix, "%s", prefix);
  out = sbx_s3_backend_credentials(server->backend, action, prefix, server->s3_lifetime, why,
                                   sizeof why);
  if (!out)
    rest_fail(call, 500, "The S3 backend returned no credentials: %s", why);
  return out;
}

void rest_s3_credentials(rest_call *call) {
  const char *action = sbx_query(call->req, "action", 0);
  const char *prefix = sbx_query(call->req, "prefix", 0);
  sbx_credentials c = {0};

  if (!credentials_allowed(call, action, prefix))
    return;
  igt__json *credentials = credentials_make(call, action, prefix, &c);
  if (!credentials)
    return;
  igt__json *response = igt__json_new_object(), *list = igt__json_new_array();
  igt__json_push(list, policy_json(&c, credentials));
  igt__json_set(response, "policyCredentials", list);
  sbx_add_header(call->req, "Cache-Control", "no-store");
  rest_respond(call, 200, response);
}
