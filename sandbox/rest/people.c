/* SPDX-License-Identifier: MIT */
/* Users, service identities, their roles and passwords. The table of roles maps each to its rights;
 * passwords are stored as salted PBKDF2 hashes. rest_user_new and rest_service_new build the
 * documents that seeds, users.c and the service routes store; the rest_services_* functions are
 * routes. A service's private key is only in the response that creates it. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "known.h"

/* Enough to be more than a plain digest, few enough for tests that sign in a hundred times. */
#define PASSWORD_ROUNDS 10000u
#define SALT 16u
#define HASH 32u

/* The names are the cloud's own where known; SERVICE and MONITOR are ours. */
static const struct {
  const char *name;
  unsigned rights;
} roles[] = {
    {"DATA_MANAGER", REST_DOWNLOAD | REST_UPLOAD | REST_MANAGE},
    {"COORDINATOR", REST_DOWNLOAD | REST_UPLOAD},
    {"INVESTIGATOR", REST_DOWNLOAD | REST_UPLOAD},
    {"MONITOR", REST_DOWNLOAD},
    {"SERVICES_MANAGER", REST_SERVICES},
    {"SERVICE", REST_UPLOAD},
};

const char *rest_role_name(size_t i) {
  return i < sizeof roles / sizeof roles[0] ? roles[i].name : NULL;
}

bool rest_role_known(const char *role) {
  for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
    if (igt__str_eq(roles[i].name, role))
      return true;
  }
  return false;
}

unsigned rest_rights_of(const igt__json *list) {
  unsigned rights = 0;

  for (size_t n = 0; n < igt__json_count(list); n++) {
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
      if (igt__str_eq(roles[i].name, igt__json_str(igt__json_at(list, n))))
        rights |= roles[i].rights;
    }
  }
  return rights;
}

unsigned rest_rights_of_user(const igt__json *user) {
  const igt__json *profile = igt__json_get(user, "profile");
  const igt__json *given = igt__json_get(profile, "organizationRoles");
  unsigned rights = rest_rights_of(igt__json_get(profile, "roles"));

  for (size_t i = 0; i < igt__json_count(given); i++)
    rights |= rest_rights_of(igt__json_get(igt__json_at(given, i), "roles"));
  return rights;
}

/* ---- passwords: salt and hash in hexadecimal ---- */

bool rest_password_set(sbx_server *server, const char *login, const char *password) {
  unsigned char bytes[SALT + HASH];
  char text[2 * sizeof bytes + 1];

  if (!igt__random(bytes, SALT))
    return false;
  igt__pbkdf2(password, bytes, SALT, PASSWORD_ROUNDS, bytes + SALT);
  igt__hex(bytes, sizeof bytes, text);
  return sbx_kv_put(server->store, "password", login, text, 0);
}

bool rest_password_matches(sbx_server *server, const char *login, const char *password) {
  unsigned char known[SALT + HASH] = {0}, hash[HASH];
  char *text = sbx_kv_get(server->store, "password", login);
  bool ok = text && strlen(text) == 2 * sizeof known && igt__unhex(text, 2 * sizeof known, known);
  bool cached = ok && rest_known_password(server->sessions, text, password);

  if (!cached) {
    /* Also computed for unknown names, so that the response time does not reveal them. */
    igt__pbkdf2(password, known, SALT, PASSWORD_ROUNDS, hash);
    ok = igt__equal_constant_time(hash, known + SALT, HASH) && ok;
    if (ok)
      rest_known_keep_password(server->sessions, text, password);
  }
  igt__free(text);
  return ok;
}

/* ---- users ---- */

static igt__json *profile_new(const char *login, const igt__json *role_list) {
  igt__json *profile = igt__json_new_object(), *contact = igt__json_new_object();
  char given[64];

  snprintf(given, sizeof given, "%.*s", (int)strcspn(login, "@"), login);
  igt__json_set_str(contact, "emailAddress", login);
  igt__json_set(profile, "addresses", igt__json_new_array());
  igt__json_set(profile, "contact", contact);
  igt__json_set_bool(profile, "disabled", false);
  igt__json_set_str(profile, "familyName", "Sandbox");
  igt__json_set_str(profile, "givenName", given);
  igt__json_set(profile, "organizationRoles", igt__json_new_array());
  igt__json_set_str(profile, "preferredLanguage", "en-US");
  igt__json_set(profile, "roles", role_list ? igt__json_copy(role_list) : igt__json_new_array());
  return profile;
}

igt__json *rest_user_new(const char *login, const igt__json *role_list) {
  char uuid[37];
  igt__json *user = igt__json_new_object();
  igt__json *settings = igt__json_new_object(), *status = igt__json_new_object();

  if (!igt__uuid(uuid)) {
    igt__json_free(user);
    igt__json_free(settings);
    igt__json_free(status);
    return NULL;
  }
  igt__json_set_str(settings, "preferredLanguage", "en-US");
  igt__json_set_str(status, "mfaStatus", "NOTREQUIRED");
  igt__json_set_bool(status, "emailVerified", true);
  igt__json_set_bool(status, "disabled", false);
  igt__json_set_str(user, "loginId", login);
  igt__json_set_str(user, "userUUID", uuid);
  igt__json_set(user, "profile", profile_new(login, role_list));
  igt__json_set(user, "settings", settings);
  igt__json_set(user, "accountStatus", status);
  return user;
}

/* ---- service identities ---- */

static void one_year_ahead(char *out, size_t cap) {
  igt_time t = {.seconds = igt__wall_seconds() + 365 * 86400, .has_offset = true};

  igt__time_format(&t, 'T', out, cap);
}

static igt__json *list_of_one(const char *text) {
  igt__json *list = igt__json_new_array();

  igt__json_push(list, igt__json_new_str(text));
  return list;
}

static igt__json *service_document(const char *organization, const char *name,
                                   const char *service_id) {
  char uuid[37], expires[40];
  igt__json *service = igt__uuid(uuid) ? igt__json_new_object() : NULL;

  if (!service)
    return NULL;
  one_year_ahead(expires, sizeof expires);
  igt__json_set_str(service, "applicationId", "igtcloud-sandbox");
  igt__json_set(service, "defaultScopes", list_of_one("upload"));
  igt__json_set_str(service, "expiresOn", expires);
  igt__json_set_str(service, "id", uuid);
  igt__json_set_str(service, "name", name);
  igt__json_set_str(service, "organizationId", organization);
  igt__json_set(service, "scopes", list_of_one("upload"));
  igt__json_set_str(service, "serviceId", service_id);
  return service;
}

igt__json *rest_service_new(sbx_server *server, const char *organization, const char *name,
                            const char *service_id, const char *public_pem, igt__buf *private_pem,
                            igt_error *err) {
  igt__buf made;
  igt__json *service = NULL;

  igt__buf_init(&made, 16 * 1024);
  if (!public_pem) {
    if (igt__rsa_generate(private_pem, &made, err) != IGT_OK)
      goto out;
    public_pem = made.data;
  }
  service = service_document(organization, name, service_id);
  if (!service || !sbx_kv_put(server->store, "service-key", service_id, public_pem, 0) ||
      !sbx_doc_put(server->store, "service", service_id, organization, service)) {
    igt__fail(err, IGT_E_IO, "the service identity %s could not be saved", service_id);
    igt__json_free(service);
    service = NULL;
  }
out:
  igt__buf_finish(&made);
  return service;
}

void rest_services_get(rest_call *call) {
  if (rest_organization(call, NULL))
    rest_respond_filtered(call, "service", call->args[0], "Service");
}

static bool service_name_ok(const char *name) {
  size_t n = name ? strlen(name) : 0;

  return n > 0 && n <= 60 &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

/* As the cloud returns a key: header, base64 and footer on one line. */
static bool put_private_key(igt__json *service, const igt__buf *pem) {
  const char *label = NULL;
  igt__buf body, line;
  bool ok;

  igt__buf_init(&body, 16 * 1024);
  igt__buf_init(&line, 16 * 1024);
  ok = igt__pem_body(pem->data, pem->len, &label, &body) &&
       igt__buf_printf(&line, "-----BEGIN RSA PRIVATE KEY-----%s-----END RSA PRIVATE KEY-----",
                       body.data) &&
       igt__json_set_str(service, "privateKey", line.data);
  igt__buf_finish_wipe(&body);
  igt__buf_finish_wipe(&line);
  return ok;
}

void rest_services_post(rest_call *call) {
  const char *name = igt__json_get_str(call->json, "name");
  char id[160], salt[9];
  igt_error err = IGT_ERROR_INIT;

  if (!rest_organization(call, NULL))
    return;
  if (!service_name_ok(name)) {
    rest_fail(call, 400, "name is required: letters, digits, '.', '-' and '_', at most 60");
    return;
  }
  igt__buf pem;
  igt__buf_init(&pem, 16 * 1024);
  igt__json *service = NULL;
  if (igt__random_token(salt, 8)) {
    snprintf(id, sizeof id, "%s-%s@igtcloud-sandbox", name, salt);
    service = rest_service_new(call->server, call->args[0], name, id, NULL, &pem, &err);
  }
  if (service && put_private_key(service, &pem)) { /* returned once, never stored */
    rest_respond(call, 201, service);
  } else {
    igt__json_free(service);
    rest_fail(call, 500, "%s", err.text);
  }
  igt__buf_finish_wipe(&pem);
}

/* By serviceId, or by id as in the API's list. */
void rest_service_delete(rest_call *call) {
  igt__json *service = rest_find(call, "service", call->args[1], "Service");

  if (!service)
    return;
  if (!igt__str_eq(igt__json_get_str(service, "organizationId"), call->args[0])) {
    rest_fail(call, 404, "Service %.100s does not exist", call->args[1]);
  } else {
    sbx_kv_delete(call->server->store, "service-key", call->args[1]);
    sbx_doc_delete(call->server->store, "service", call->args[1]);
    rest_respond_empty(call, 204);
  }
  igt__json_free(service);
}
