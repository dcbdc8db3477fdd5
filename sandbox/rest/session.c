/* SPDX-License-Identifier: MIT */
/* Sessions and tokens. A JWT (RFC 7519) is signed with HS256 by a secret of this store. It names a
 * session ("sid"), a row in the store that is deleted by the logout; a token is valid while its
 * signature, its expiry and its session are. The CSRF token belongs to the session: a refresh
 * issues a new JWT, but the CSRF token that counts stays the same. Service identities prove
 * themselves with an assertion (RFC 7523). rest.c calls rest_session_check for each request;
 * verified tokens are cached in known.c; auth.c starts and refreshes sessions. */
#include "rest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "known.h"

#define SECRET_CHARS 64
#define SESSION_CHARS 32
#define CSRF_CHARS 40
#define ISSUER "igtcloud-sandbox"

static pthread_mutex_t secret_lock = PTHREAD_MUTEX_INITIALIZER;

/* The secret, created on first use. out: SECRET_CHARS + 1. */
static bool secret_get(sbx_server *server, char *out) {
  pthread_mutex_lock(&secret_lock);
  char *known = sbx_kv_get(server->store, "secret", "jwt");
  bool ok = known != NULL;
  if (known)
    snprintf(out, SECRET_CHARS + 1, "%s", known);
  else
    ok = igt__random_token(out, SECRET_CHARS) && sbx_kv_put(server->store, "secret", "jwt", out, 0);
  pthread_mutex_unlock(&secret_lock);
  igt__free(known);
  return ok;
}

/* ---- issuing tokens ---- */

static bool sign(sbx_server *server, const char *text, size_t n, unsigned char mac[32]) {
  char secret[SECRET_CHARS + 1];

  if (!secret_get(server, secret))
    return false;
  igt__hmac_sha256(secret, SECRET_CHARS, text, n, mac);
  igt__wipe(secret, sizeof secret);
  return true;
}

static igt__json *claims_new(sbx_server *server, const char *sub, const char *uid, bool is_service,
                             const char *session) {
  char token[33];
  int64_t now = igt__wall_seconds();
  igt__json *claims = igt__json_new_object();

  igt__json_set_str(claims, "iss", ISSUER);
  igt__json_set_str(claims, "sub", sub);
  igt__json_set_str(claims, "uid", uid);
  igt__json_set_int(claims, "iat", now);
  igt__json_set_int(claims, "exp", now + server->token_lifetime);
  igt__json_set_str(claims, "sid", session);
  /* Random each time, so that no two tokens are equal. A service has no refresh token. */
  if (igt__random_token(token, 32))
    igt__json_set_str(claims, "access_token", token);
  if (!is_service && igt__random_token(token, 32))
    igt__json_set_str(claims, "refresh_token", token);
  return claims;
}

/* Writes "header.payload" to head, the signature to tail. */
static bool token_write(sbx_server *server, const igt__json *claims, igt__buf *head,
                        igt__buf *tail) {
  static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  unsigned char mac[32];
  igt__buf text;

  igt__buf_init(&text, IGT__MAX_TOKEN);
  bool ok = igt__json_write(&text, claims, IGT__JSON_COMPACT) &&
            igt__base64url_encode(head, header, sizeof header - 1) && igt__buf_putc(head, '.') &&
            igt__base64url_encode(head, text.data, text.len) &&
            sign(server, head->data, head->len, mac) &&
            igt__base64url_encode(tail, mac, sizeof mac);
  igt__buf_finish_wipe(&text);
  return ok;
}

/* ---- sessions ---- */

static bool session_put(sbx_server *server, const char *session, const char *sub, bool is_service,
                        const char *csrf, int64_t expires) {
  igt__json *row = igt__json_new_object();
  igt__buf text;

  igt__buf_init(&text, 64 * 1024);
  igt__json_set_str(row, "sub", sub);
  igt__json_set_bool(row, "service", is_service);
  igt__json_set_str(row, "csrf", csrf);
  bool ok = igt__json_write(&text, row, IGT__JSON_COMPACT) &&
            sbx_kv_put(server->store, "session", session, text.data, expires);
  igt__buf_finish_wipe(&text);
  igt__json_free(row);
  return ok;
}

static igt__json *session_get(sbx_server *server, const char *session, int64_t *expires) {
  igt__json *row = NULL;
  char *text = session ? sbx_kv_get_until(server->store, "session", session, expires) : NULL;

  if (text && igt__json_parse(text, strlen(text), "a session", &row, NULL) != IGT_OK)
    row = NULL;
  igt__free(text);
  return row;
}

bool rest_session_end(sbx_server *server, const char *session) {
  return sbx_kv_delete(server->store, "session", session);
}

/* ---- the response to login and refresh ---- */

/* The attributes' order is readable even by clients that split joined Set-Cookie headers wrongly:
 * neither Max-Age nor Secure is the last one. */
static void cookies_add(rest_call *call, const igt__buf *head, const igt__buf *tail) {
  igt__buf line;

  igt__buf_init(&line, 2 * IGT__MAX_TOKEN);
  igt__buf_printf(&line, "jwt_header_payload=%s; Max-Age=%d; Secure; Path=/", head->data,
                  call->server->token_lifetime);
  sbx_add_header(call->req, "Set-Cookie", line.data);
  igt__buf_clear(&line);
  igt__buf_printf(&line, "jwt_signature=%s; Secure; HttpOnly; Path=/", tail->data);
  sbx_add_header(call->req, "Set-Cookie", line.data);
  igt__buf_finish_wipe(&line);
}

static const char *account_uid(const igt__json *account, bool is_service) {
  const char *uid = igt__json_get_str(account, is_service ? "id" : "userUUID");

  return uid ? uid : "";
}

static void session_reply(rest_call *call, const char *sub, const char *csrf) {
  igt__json *response = igt__json_new_object();

  igt__json_set_str(response, "CSRFToken", csrf);
  igt__json_set_str(response, "sub", sub);
  igt__json_set(response, "S3Credentials", igt__json_new_array());
  sbx_add_header(call->req, "Cache-Control", "no-store");
  rest_respond(call, 200, response);
}

void rest_session_response(rest_call *call, const char *sub, bool is_service, const char *session) {
  char id[SESSION_CHARS + 1], fresh[CSRF_CHARS + 1];
  int64_t ignored;
  igt__json *old = session_get(call->server, session, &ignored), *claims = NULL;
  igt__json *account = sbx_doc_get(call->server->store, is_service ? "service" : "user", sub);
  const char *csrf = old ? igt__json_get_str(old, "csrf") : fresh;
  igt__buf head, tail;

  igt__buf_init(&head, IGT__MAX_TOKEN);
  igt__buf_init(&tail, IGT__MAX_TOKEN);
  bool ok = account && igt__random_token(id, SESSION_CHARS) && igt__random_token(fresh, CSRF_CHARS);
  if (ok && old)
    snprintf(id, sizeof id, "%s", session);
  if (ok) {
    claims = claims_new(call->server, sub, account_uid(account, is_service), is_service, id);
    ok = token_write(call->server, claims, &head, &tail) &&
         session_put(call->server, id, sub, is_service, csrf,
                     igt__json_int(igt__json_get(claims, "exp")));
  }
  if (ok) {
    cookies_add(call, &head, &tail);
    /* A refresh returns a CSRF token that is not the session's: clients must keep the first. */
    session_reply(call, sub, fresh);
  } else {
    rest_fail(call, 500, "The session could not be stored");
  }
  igt__buf_finish_wipe(&head);
  igt__buf_finish_wipe(&tail);
  igt__json_free(claims);
  igt__json_free(account);
  igt__json_free(old);
}

/* ---- checking tokens ---- */

/* Splits a compact JWS into its three parts: positions of the dots. */
static bool jws_split(const char *token, const char **dot1, const char **dot2) {
  *dot1 = strchr(token, '.');
  *dot2 = *dot1 ? strchr(*dot1 + 1, '.') : NULL;
  return *dot2 && !strchr(*dot2 + 1, '.') && strlen(token) <= IGT__MAX_TOKEN;
}

static igt__json *json_part(const char *s, size_t n) {
  igt__json *value = NULL;
  igt__buf text;

  igt__buf_init(&text, IGT__MAX_TOKEN);
  if (!igt__base64url_decode(&text, s, n) ||
      igt__json_parse(text.data, text.len, "the token", &value, NULL) != IGT_OK)
    value = NULL;
  igt__buf_finish_wipe(&text);
  return value;
}

/* The claims of a token that this store signed; NULL for any other. */
static igt__json *token_claims(sbx_server *server, const char *token) {
  const char *dot1, *dot2;
  unsigned char mac[32];
  igt__buf sig;

  if (!jws_split(token, &dot1, &dot2) || !sign(server, token, (size_t)(dot2 - token), mac))
    return NULL;
  igt__buf_init(&sig, 1024);
  bool ok = igt__base64url_decode(&sig, dot2 + 1, strlen(dot2 + 1)) && sig.len == sizeof mac &&
            igt__equal_constant_time(sig.data, mac, sizeof mac);
  igt__buf_finish(&sig);
  return ok ? json_part(dot1 + 1, (size_t)(dot2 - dot1 - 1)) : NULL;
}

/* csrf: the session's. */
static bool csrf_check(rest_call *call, const char *csrf) {
  const char *said = sbx_header(call->req, "X-CSRF-TOKEN");

  if (!said && call->route->flags & REST_NO_CSRF)
    return true;
  if (!said) {
    rest_fail(call, 401, "The header X-CSRF-TOKEN is missing");
    return false;
  }
  if (csrf && strlen(said) == strlen(csrf) && igt__equal_constant_time(said, csrf, strlen(csrf)))
    return true;
  rest_fail(call, 403, "The CSRF token does not belong to this session");
  return false;
}

static bool who_fill(rest_call *call, const igt__json *claims, const igt__json *session) {
  rest_identity *who = &call->who;

  who->is_service = igt__json_bool(igt__json_get(session, "service"));
  who->sub = rest_keep(call, igt__json_get_str(session, "sub"));
  who->session = rest_keep(call, igt__json_get_str(claims, "sid"));
  who->expires = igt__json_int(igt__json_get(claims, "exp"));
  who->account =
      who->sub ? sbx_doc_get(call->server->store, who->is_service ? "service" : "user", who->sub)
               : NULL;
  if (!who->account) {
    rest_fail(call, 401, "The account of this session no longer exists");
    return false;
  }
  who->uid = account_uid(who->account, who->is_service);
  if (!igt__str_eq(igt__json_get_str(claims, "uid"), who->uid)) {
    /* Deleted, and created again under the same name. */
    rest_fail(call, 401, "The account of this session no longer exists");
    return false;
  }
  who->rights = who->is_service ? REST_UPLOAD : rest_rights_of_user(who->account);
  return true;
}

igt__json *rest_account(rest_call *call) {
  rest_identity *who = &call->who;

  if (!who->account && who->sub)
    who->account = sbx_doc_get(call->server->store, who->is_service ? "service" : "user", who->sub);
  return who->account;
}

/* ---- cached tokens ---- */

static bool copy(char *out, size_t cap, const char *text) {
  return text && snprintf(out, cap, "%s", text) < (int)cap;
}

/* Caches the verified token; those that are too long are verified each time. */
static void remember(rest_call *call, const char *token, const char *csrf, int64_t session_expires,
                     uint64_t people) {
  const rest_identity *who = &call->who;
  rest_known known = {.people = people,
                      .expires = who->expires,
                      .until = session_expires && session_expires < who->expires ? session_expires
                                                                                 : who->expires,
                      .is_service = who->is_service,
                      .rights = who->rights};

  if (copy(known.token, sizeof known.token, token) && copy(known.sub, sizeof known.sub, who->sub) &&
      copy(known.uid, sizeof known.uid, who->uid) && copy(known.csrf, sizeof known.csrf, csrf) &&
      copy(known.session, sizeof known.session, who->session))
    rest_known_keep(call->server->sessions, &known);
  igt__wipe(&known, sizeof known);
}

/* False: not cached, or responded. */
static bool recall(rest_call *call, const char *token, uint64_t people) {
  rest_known known;

  if (!rest_known_find(call->server->sessions, token, people, igt__wall_seconds(), &known))
    return false;
  if (csrf_check(call, known.csrf))
    call->who = (rest_identity){.sub = rest_keep(call, known.sub),
                                .uid = rest_keep(call, known.uid),
                                .session = rest_keep(call, known.session),
                                .is_service = known.is_service,
                                .rights = known.rights,
                                .expires = known.expires};
  igt__wipe(&known, sizeof known);
  if (!call->req->responded && !(call->who.sub && call->who.uid && call->who.session))
    rest_fail(call, 500, "out of memory");
  return !call->req->responded;
}

static bool verify(rest_call *call, const char *token, uint64_t people) {
  igt__json *claims = token_claims(call->server, token), *session = NULL;
  int64_t session_expires = 0;
  bool ok = false;

  if (!claims) {
    rest_fail(call, 401, "The token was not issued by this server");
  } else if (igt__json_int(igt__json_get(claims, "exp")) <= igt__wall_seconds()) {
    rest_fail(call, 401, "The token has expired");
  } else if (!(session =
                   session_get(call->server, igt__json_get_str(claims, "sid"), &session_expires))) {
    rest_fail(call, 401, "The session has ended");
  } else {
    const char *csrf = igt__json_get_str(session, "csrf");
    ok = csrf_check(call, csrf) && who_fill(call, claims, session);
    if (ok)
      remember(call, token, csrf, session_expires, people);
  }
  igt__json_free(session);
  igt__json_free(claims);
  return ok;
}

bool rest_session_check(rest_call *call) {
  const char *token = sbx_header(call->req, "X-JWT");
  uint64_t people = sbx_store_people(call->server->store);

  if (!token) {
    rest_fail(call, 401, "The header X-JWT is missing: sign in first");
    return false;
  }
  return recall(call, token, people) || (!call->req->responded && verify(call, token, people));
}

/* ---- assertions of services: RFC 7523, RS256 ---- */

/* Allowed difference between the clocks of two machines, in seconds. */
#define SKEW 60
/* The longest lifetime that an assertion may claim; the client claims one hour. */
#define MAX_ASSERTION_LIFE (2 * 3600)

static bool is_own_audience(const sbx_server *server, const char *aud) {
  size_t n = strlen(server->base_url);

  return aud && strncmp(aud, server->base_url, n) == 0 && strcmp(aud + n, REST_AUDIENCE) == 0;
}

static bool audience_ok(const sbx_server *server, const igt__json *aud) {
  if (igt__json_typeof(aud) == IGT__JSON_STRING)
    return is_own_audience(server, igt__json_str(aud));
  for (size_t i = 0; i < igt__json_count(aud); i++) {
    if (is_own_audience(server, igt__json_str(igt__json_at(aud, i))))
      return true;
  }
  return false;
}

/* What is wrong with the claims, or NULL. */
static const char *claims_fault(const sbx_server *server, const igt__json *claims) {
  const char *iss = igt__json_get_str(claims, "iss"), *sub = igt__json_get_str(claims, "sub");
  const igt__json *exp = igt__json_get(claims, "exp"), *nbf = igt__json_get(claims, "nbf");
  int64_t now = igt__wall_seconds();

  if (!iss || !sub || strcmp(iss, sub) != 0)
    return "iss and sub must both be the service id";
  if (!audience_ok(server, igt__json_get(claims, "aud")))
    return "aud is not this server";
  if (igt__json_typeof(exp) != IGT__JSON_INT)
    return "exp must be a number of seconds";
  if (igt__json_int(exp) <= now - SKEW) /* not + SKEW, which may overflow */
    return "it has expired";
  if (igt__json_int(exp) > now + MAX_ASSERTION_LIFE)
    return "exp is too far in the future";
  if (igt__json_int(nbf) > now + SKEW)
    return "it is not valid yet";
  return NULL;
}

static bool assertion_signed(sbx_server *server, const char *assertion, const char *service_id) {
  const char *dot1, *dot2;
  igt__rsa *key = NULL;
  igt__buf sig;
  bool ok = false;
  char *pem = sbx_kv_get(server->store, "service-key", service_id);

  igt__buf_init(&sig, 4096);
  if (pem && jws_split(assertion, &dot1, &dot2) &&
      igt__rsa_public(pem, strlen(pem), "the service's key", &key, NULL) == IGT_OK)
    ok = igt__base64url_decode(&sig, dot2 + 1, strlen(dot2 + 1)) &&
         igt__rs256_verify(key, assertion, (size_t)(dot2 - assertion), sig.data, sig.len);
  igt__buf_finish(&sig);
  igt__rsa_free(key);
  igt__free(pem);
  return ok;
}

igt__json *rest_assertion_check(rest_call *call, const char *assertion) {
  const char *dot1 = NULL, *dot2 = NULL, *fault = "it is not a JWT";
  igt__json *header = NULL, *claims = NULL, *service = NULL;

  if (jws_split(assertion, &dot1, &dot2)) {
    header = json_part(assertion, (size_t)(dot1 - assertion));
    claims = json_part(dot1 + 1, (size_t)(dot2 - dot1 - 1));
  }
  if (header && claims)
    fault = igt__str_eq(igt__json_get_str(header, "alg"), "RS256")
                ? claims_fault(call->server, claims)
                : "alg must be RS256";
  if (!fault) {
    const char *id = igt__json_get_str(claims, "sub");
    service = sbx_doc_get(call->server->store, "service", id);
    if (!service || !assertion_signed(call->server, assertion, id)) {
      igt__json_free(service);
      service = NULL;
      fault = "the service is unknown, or it was signed with another key";
    }
  }
  if (fault)
    rest_fail(call, 401, "The assertion is not accepted: %s", fault);
  igt__json_free(header);
  igt__json_free(claims);
  return service;
}
