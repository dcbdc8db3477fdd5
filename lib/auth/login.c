/* SPDX-License-Identifier: MIT */
/* The auth service's requests: signing in by password or key, refreshing a token, introspecting one
 * that was handed in, and signing out. A grant is built from a response's cookies and JWT: tokens,
 * claims, and the lifetime by lifetime.c. Meanwhile the difference to the server's clock is
 * learned, which assertions need. Nothing is remembered here: source.c calls these functions and
 * session.c keeps the grant. */
#include "auth/login.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/cookie.h"
#include "auth/jwt.h"
#include "auth/lifetime.h"
#include "auth/response.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"
#include "base/thread.h"

/* A smaller difference is due to latency and imprecise clocks; no token is that short-lived. */
#define SKEW_MIN_S 60
/* Some minutes: it is used immediately, and whoever intercepts one must not have an hour. Clocks
 * may differ by less than what is corrected. */
#define ASSERTION_LIFE_S 300
/* A server whose clock is further ahead would get an assertion that is valid for as long. */
#define ASSERTION_SKEW_MOST_S (24 * 3600)
/* How long a program that is being terminated may still spend on signing out. */
#define LOGOUT_MAX_S 3

void igt__grant_finish(igt__grant *grant) {
  igt__secret_free(grant->jwt);
  igt__secret_free(grant->csrf);
  igt__secret_free(grant->access);
  igt__secret_free(grant->refresh);
  igt__json_free_wipe(grant->claims);
  igt__wipe(grant, sizeof *grant);
}

/* ---- requests ---- */

static igt_status add_tokens(igt__http_request *req, const igt__grant *grant) {
  igt_status status = igt__http_add_header(req, "X-JWT", igt__secret_text(grant->jwt));

  if (status == IGT_OK)
    status = igt__http_add_header(req, "X-CSRF-TOKEN", igt__secret_text(grant->csrf));
  return status;
}

static igt_status set_up(igt__http_request *req, const igt__auth_server *server, const char *path,
                         const igt__grant *grant) {
  char url[512];
  igt_status status;

  snprintf(url, sizeof url, "%s/api/auth/%s", server->origin, path);
  status = igt__http_set_url(req, url);
  if (status == IGT_OK)
    status = igt__http_add_header(req, "Accept", "application/json");
  if (status == IGT_OK)
    status = igt__http_add_header(req, "Content-Type", "application/json");
  if (status == IGT_OK && grant)
    status = add_tokens(req, grant);
  req->cancel = server->cancel;
  req->deadline_us = server->deadline_us;
  req->on_error_response = igt__response_error;
  req->max_body = IGT__MAX_TOKEN * 4;
  return status;
}

static void learn_skew(igt__auth_server *server, const igt__http_request *req) {
  int64_t skew = req->server_date ? req->server_date - igt__wall_seconds() : 0;

  if (!req->server_date)
    return;
  if (skew >= -SKEW_MIN_S && skew <= SKEW_MIN_S)
    skew = 0;
  if (skew && !server->skew)
    IGT__WARN(IGT_LOG_AUTH,
              "this computer's clock differs from the server's by %" PRId64
              " s; the server's is used for tokens",
              -skew);
  server->skew = skew;
}

static bool is_refusal(igt_status status) {
  return status == IGT_E_BAD_REQUEST || status == IGT_E_UNAUTHORIZED || status == IGT_E_FORBIDDEN;
}

/* The page of a proxy or a guest network is not a rejection by the cloud: it is transient. */
static igt_status not_the_clouds(igt_error *err) {
  if (err)
    err->status = IGT_E_PROTOCOL;
  return IGT_E_PROTOCOL;
}

/* Sends one request; the response stays in req, which the caller finishes. */
static igt_status exchange(igt__auth_server *server, igt__http_request *req, const char *method,
                           const char *operation, const char *path, const igt__buf *body,
                           const igt__grant *grant, igt_error *err) {
  igt_status status = igt__http_request_init(req, err);

  if (status != IGT_OK)
    return status;
  req->method = method;
  req->operation = operation;
  req->body = body ? body->data : NULL;
  req->body_len = body ? body->len : 0;
  /* A login whose response was lost leaves one more session, which ends by itself, and a logout
   * leaves one. After a lost refresh it is not known whether the old token is still valid. */
  req->idempotent = strcmp(operation, "refresh") != 0;
  status = set_up(req, server, path, grant);
  if (status != IGT_OK)
    return igt__fail(err, status, "%s: the request could not be built", operation);
  status = igt__http_perform(server->http, req, err);
  learn_skew(server, req);
  return is_refusal(status) && req->response.len > 0 && !igt__response_is_json(req)
             ? not_the_clouds(err)
             : status;
}

/* ---- responses of login and refresh ---- */

/* RFC 6265: each cookie in its own Set-Cookie header, in any order; or joined by a proxy. */
static bool find_cookie(const igt__http_request *req, const char *name, igt__cookie *out) {
  const char *line;

  for (size_t i = 0; (line = igt__http_response_header(req, "Set-Cookie", i)) != NULL; i++)
    if (igt__cookie_find(line, name, out) && out->value_len > 0)
      return true;
  return false;
}

static igt_status join_jwt(const igt__http_request *req, igt__grant *grant, int64_t *max_age,
                           igt_error *err) {
  igt__cookie head, signature;
  igt_status status = IGT_OK;
  igt__buf jwt;

  if (!find_cookie(req, "jwt_header_payload", &head) ||
      !find_cookie(req, "jwt_signature", &signature))
    return igt__fail(err, IGT_E_PROTOCOL, "%s: the response lacks the session's cookies",
                     req->operation);
  *max_age = head.max_age;
  igt__buf_init(&jwt, IGT__MAX_TOKEN);
  if (igt__buf_append(&jwt, head.value, head.value_len) && igt__buf_putc(&jwt, '.') &&
      igt__buf_append(&jwt, signature.value, signature.value_len)) {
    grant->jwt = igt__secret_new(jwt.data, jwt.len);
    if (!grant->jwt)
      status = igt__fail_memory(err);
  } else if (jwt.too_long) {
    status = igt__fail(err, IGT_E_LIMIT, "%s: the token is larger than %u bytes", req->operation,
                       IGT__MAX_TOKEN);
  } else {
    status = igt__fail_memory(err);
  }
  igt__buf_finish_wipe(&jwt);
  return status;
}

static igt__secret *claim_secret(const igt__json *claims, const char *key) {
  const char *text = igt__json_get_str(claims, key);

  return text ? igt__secret_new(text, strlen(text)) : NULL;
}

/* Registers the tokens inside the JWT as secrets, so that no message shows them. */
static void keep_tokens(igt__grant *grant) {
  grant->access = claim_secret(grant->claims, "access_token");
  grant->refresh = claim_secret(grant->claims, "refresh_token");
  grant->has_refresh = igt__json_get_str(grant->claims, "refresh_token") != NULL;
}

/* The claims, and the lifetime from them and Max-Age (-1: none). */
static igt_status read_claims(const igt__auth_server *server, igt__grant *grant, int64_t max_age,
                              igt_error *err) {
  int64_t now = igt__wall_seconds() + server->skew;
  igt_status status = igt__jwt_claims(igt__secret_text(grant->jwt), &grant->claims, err);

  if (status != IGT_OK)
    return status;
  keep_tokens(grant);
  grant->expires = igt__lifetime_time(igt__json_get(grant->claims, "exp"));
  grant->life = igt__lifetime_left(grant->expires, max_age, now);
  if (grant->life == 0 && !igt__json_has(grant->claims, "exp"))
    return igt__fail(err, IGT_E_PROTOCOL, "the session's token does not say when it ends");
  if (grant->life == 0)
    grant->life = IGT__LIFE_UNKNOWN_S;
  if (grant->expires <= 0 || grant->expires - now > IGT__LIFE_MAX_S)
    grant->expires = now + grant->life;
  return IGT_OK;
}

/* As a header's value: a token with a line break in it would add another header. */
static bool is_header_safe(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
      return false;
  return true;
}

static igt_status read_body(const igt__http_request *req, const igt__json *body, const char *user,
                            igt__grant *grant, igt_error *err) {
  const char *csrf = igt__json_get_str(body, "CSRFToken");
  const char *sub = igt__json_get_str(body, "sub");

  if (!csrf || !*csrf || !is_header_safe(csrf))
    return igt__fail(err, IGT_E_PROTOCOL, "%s: the response has no CSRFToken", req->operation);
  grant->csrf = igt__secret_new(csrf, strlen(csrf));
  snprintf(grant->user, sizeof grant->user, "%s", sub && *sub ? sub : user);
  return grant->csrf ? IGT_OK : igt__fail_memory(err);
}

static igt_status read_grant(const igt__auth_server *server, const igt__http_request *req,
                             const char *user, igt__grant *out, igt_error *err) {
  igt__grant grant = {0};
  igt__json *body = NULL;
  int64_t max_age = -1;
  igt_status status = igt__response_parse(req, &body, err);

  if (status == IGT_OK)
    status = read_body(req, body, user, &grant, err);
  if (status == IGT_OK)
    status = join_jwt(req, &grant, &max_age, err);
  if (status == IGT_OK)
    status = read_claims(server, &grant, max_age, err);
  if (status == IGT_OK)
    *out = grant;
  else
    igt__grant_finish(&grant);
  igt__json_free_wipe(body);
  return status;
}

/* ---- ways to sign in ---- */

/* The message for a wrong password or key; other failures keep their status. */
static igt_status as_refusal(igt_status status, igt_status refusal, const char *sentence,
                             igt_error *err) {
  if (!is_refusal(status))
    return status;
  if (err) {
    err->status = refusal;
    err->retryable = false;
  }
  igt__error_prefix(err, "%s", sentence);
  return refusal;
}

static igt_status send_login(igt__auth_server *server, const igt__json *body, const char *user,
                             igt__grant *out, igt_error *err) {
  igt__http_request req = {0};
  igt__buf text;
  igt_status status = IGT_OK;

  igt__buf_init(&text, IGT__MAX_TOKEN * 2);
  if (!igt__json_write(&text, body, IGT__JSON_COMPACT)) {
    igt__buf_finish_wipe(&text);
    return igt__fail_memory(err);
  }
  status = exchange(server, &req, "POST", "login", "login", &text, NULL, err);
  if (status == IGT_OK)
    status = read_grant(server, &req, user, out, err);
  igt__http_request_finish(&req);
  igt__buf_finish_wipe(&text);
  return status;
}

igt_status igt__login_password(igt__auth_server *server, const char *user, const char *password,
                               igt__grant *out, igt_error *err) {
  igt__json *body = igt__json_new_object();
  char sentence[400];
  igt__redacted secret;
  igt_status status;

  igt__redact_remember(&secret, password, strlen(password));
  if (body && igt__json_set_str(body, "grantType", "password") &&
      igt__json_set_str(body, "username", user) && igt__json_set_str(body, "password", password))
    status = send_login(server, body, user, out, err);
  else
    status = igt__fail_memory(err);
  igt__error_hide(err, password);
  igt__redact_forget(&secret);
  igt__json_free_wipe(body);
  snprintf(sentence, sizeof sentence, "the user name %.200s or its password was rejected", user);
  return as_refusal(status, IGT_E_LOGIN, sentence, err);
}

static igt_status send_assertion(igt__auth_server *server, const igt__buf *assertion,
                                 const char *id, igt__grant *out, igt_error *err) {
  igt__json *body = igt__json_new_object();
  igt__redacted secret;
  igt_status status;

  igt__redact_remember(&secret, assertion->data, assertion->len);
  if (body && igt__json_set_str(body, "grantType", "jwt-key") &&
      igt__json_set_str(body, "assertion", assertion->data) &&
      igt__json_set_str(body, "hospitalOrgId", ""))
    status = send_login(server, body, id, out, err);
  else
    status = igt__fail_memory(err);
  igt__error_redact(err);
  igt__redact_forget(&secret);
  igt__json_free_wipe(body);
  return status;
}

igt_status igt__login_key(igt__auth_server *server, igt__rsa *key, const char *audience,
                          const char *id, igt__grant *out, igt_error *err) {
  int64_t skew = server->skew > ASSERTION_SKEW_MOST_S ? 0 : server->skew;
  int64_t expires = igt__wall_seconds() + skew + ASSERTION_LIFE_S;
  char sentence[400];
  igt__buf assertion;
  igt_status status;

  igt__buf_init(&assertion, IGT__MAX_TOKEN);
  status = igt__jwt_assertion(key, audience, id, expires, &assertion, err);
  if (status == IGT_OK)
    status = send_assertion(server, &assertion, id, out, err);
  if (status == IGT_OK)
    out->is_service = true;
  igt__buf_finish_wipe(&assertion);
  snprintf(sentence, sizeof sentence, "the key of the service %.200s was rejected", id);
  return as_refusal(status, IGT_E_LOGIN, sentence, err);
}

igt_status igt__login_audience(igt__auth_server *server, char **out, igt_error *err) {
  igt__http_request req = {0};
  igt__json *body = NULL;
  igt_status status =
      exchange(server, &req, "GET", "login audience", "login/$aud", NULL, NULL, err);

  if (status == IGT_OK)
    status = igt__response_parse(&req, &body, err);
  if (status == IGT_OK && !igt__json_str(body))
    status = igt__fail(err, IGT_E_PROTOCOL, "login audience: the response is not a string");
  if (status == IGT_OK) {
    *out = igt__strdup(igt__json_str(body));
    if (!*out)
      status = igt__fail_memory(err);
  }
  igt__json_free_wipe(body);
  igt__http_request_finish(&req);
  return status;
}

igt_status igt__login_refresh(igt__auth_server *server, const igt__grant *old, igt__grant *out,
                              igt_error *err) {
  igt__http_request req = {0};
  igt__grant grant = {0};
  igt_status status = exchange(server, &req, "POST", "refresh", "refresh", NULL, old, err);

  if (status == IGT_OK)
    status = read_grant(server, &req, old->user, &grant, err);
  if (status == IGT_OK) {
    igt__secret_free(grant.csrf);
    grant.csrf = igt__secret_new(igt__secret_text(old->csrf), igt__secret_len(old->csrf));
    if (!grant.csrf)
      status = igt__fail_memory(err);
  }
  if (status == IGT_OK) {
    grant.is_service = old->is_service;
    *out = grant;
  } else {
    igt__grant_finish(&grant);
  }
  igt__http_request_finish(&req);
  return as_refusal(status, IGT_E_EXPIRED, "the session could not be renewed", err);
}

/* ---- a session that was handed in ---- */

static igt_status fill_handed_in(const char *jwt, const char *csrf, igt__grant *grant,
                                 igt_error *err) {
  if (!is_header_safe(jwt) || !is_header_safe(csrf))
    return igt__fail(err, IGT_E_LOGIN,
                     "CLOUD_JWT_TOKEN or CLOUD_CSRF_TOKEN contains spaces or line breaks");
  grant->jwt = igt__secret_new(jwt, strlen(jwt));
  grant->csrf = igt__secret_new(csrf, strlen(csrf));
  return grant->jwt && grant->csrf ? IGT_OK : igt__fail_memory(err);
}

/* The server says that the session is active. An end that is in the past, or missing, is not known:
 * then a 401 will show it. */
static void read_introspected(const igt__auth_server *server, const igt__json *exp,
                              igt__grant *grant) {
  int64_t now = igt__wall_seconds() + server->skew;

  grant->expires = igt__lifetime_time(exp);
  if (grant->expires <= now)
    grant->expires = 0;
  grant->life = igt__lifetime_left(grant->expires, -1, now);
}

static igt_status ask_introspect(igt__auth_server *server, igt__grant *grant, igt_error *err) {
  igt__http_request req = {0};
  igt__json *body = NULL;
  const char *who;
  igt_status status = exchange(server, &req, "GET", "introspect", "introspect", NULL, grant, err);

  if (status == IGT_OK)
    status = igt__response_parse(&req, &body, err);
  if (status == IGT_OK && igt__json_typeof(igt__json_get(body, "active")) == IGT__JSON_BOOL &&
      !igt__json_bool(igt__json_get(body, "active")))
    status = igt__fail(err, IGT_E_UNAUTHORIZED, "introspect: the session is no longer active");
  if (status == IGT_OK) {
    who = igt__json_get_str(body, "sub");
    snprintf(grant->user, sizeof grant->user, "%s", who ? who : "");
    who = igt__json_get_str(body, "identity_type");
    grant->is_service = igt__str_eq_nocase(who, "Service");
    read_introspected(server, igt__json_get(body, "exp"), grant);
  }
  igt__json_free_wipe(body);
  igt__http_request_finish(&req);
  return status;
}

igt_status igt__login_introspect(igt__auth_server *server, const char *what, const char *jwt,
                                 const char *csrf, igt__grant *out, igt_error *err) {
  char refusal[128];
  igt__grant grant = {0};
  igt_status status = fill_handed_in(jwt, csrf, &grant, err);

  if (status == IGT_OK)
    status = ask_introspect(server, &grant, err);
  /* Only to see whether it can be refreshed: what the server accepts need not be a JWT of ours. */
  if (status == IGT_OK && igt__jwt_claims(jwt, &grant.claims, NULL) == IGT_OK)
    keep_tokens(&grant);
  if (status == IGT_OK)
    *out = grant;
  else
    igt__grant_finish(&grant);
  (void)snprintf(refusal, sizeof refusal, "%s is not accepted", what);
  return as_refusal(status, IGT_E_EXPIRED, refusal, err);
}

/* ---- signing out ---- */

static void on_timed_done(igt__http_request *req, igt_status status, const igt_error *err) {
  igt__completion_set(req->payload, status, err);
}

/* A request with a deadline; lib/http only has a timeout for silence. */
static igt_status perform_timed(igt__http *http, igt__http_request *req, igt_error *err) {
  igt__completion completion;
  igt_status status;
  bool in_time;

  req->cancel = igt__cancel_new();
  if (!req->cancel)
    return igt__fail_memory(err);
  igt__completion_init(&completion);
  req->payload = &completion;
  req->on_done = on_timed_done;
  igt__http_submit(http, 0, req);
  in_time = igt__completion_wait_for(&completion, LOGOUT_MAX_S * 1000);
  if (!in_time)
    igt__cancel_set(req->cancel);
  status = igt__completion_finish(&completion, err); /* a cancelled request ends soon */
  igt__cancel_unref(req->cancel);
  req->cancel = NULL;
  if (status == IGT_E_CANCELLED && !in_time)
    return igt__fail(err, IGT_E_TIMEOUT, "%s: no response within %d seconds", req->operation,
                     LOGOUT_MAX_S);
  return status;
}

igt_status igt__logout(igt__auth_server *server, const igt__grant *grant, igt_error *err) {
  igt__http_request req = {0};
  igt_status status = igt__http_request_init(&req, err);

  if (status != IGT_OK)
    return status;
  req.method = "POST";
  req.operation = "logout";
  status = set_up(&req, server, "logout", grant);
  if (status == IGT_OK)
    status = perform_timed(server->http, &req, err);
  else
    igt__fail(err, status, "logout: the request could not be built");
  igt__http_request_finish(&req);
  return status;
}
