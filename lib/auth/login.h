/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_LOGIN_H
#define IGT_AUTH_LOGIN_H

/* The requests of the auth service, one function each. Nothing here remembers a session. */

#include "crypto/crypto.h"
#include "http/http.h"
#include "model/json.h"

/* Where to sign in. */
typedef struct igt__auth_server {
  igt__http *http;
  const char *origin;  /* "https://host[:port]" */
  igt__cancel *cancel; /* may be NULL */
  int64_t deadline_us; /* of each request (igt__mono_us); 0: none */
  int64_t skew;        /* seconds by which the server's clock is ahead, if more than 60; learned */
} igt__auth_server;

/* What the server granted. All zeros is an empty one. */
typedef struct igt__grant {
  char user[256];
  igt__secret *jwt;
  igt__secret *csrf;
  igt__secret *access, *refresh; /* from the JWT; NULL: none, or out of memory */
  igt__json *claims;             /* the JWT's payload */
  int64_t expires;               /* seconds since 1970 by the server's clock */
  int64_t life;                  /* seconds from its receipt, see lifetime.h; 0: not known */
  bool has_refresh;              /* the JWT contains a refresh token */
  bool is_service;
} igt__grant;
void igt__grant_finish(igt__grant *grant);

/* The three ways to sign in. A rejection is IGT_E_LOGIN, in introspect IGT_E_EXPIRED. */
igt_status igt__login_password(igt__auth_server *server, const char *user, const char *password,
                               igt__grant *out, igt_error *err);
/* audience: from igt__login_audience. */
igt_status igt__login_key(igt__auth_server *server, igt__rsa *key, const char *audience,
                          const char *id, igt__grant *out, igt_error *err);
/* what: the session in question, for the message. */
igt_status igt__login_introspect(igt__auth_server *server, const char *what, const char *jwt,
                                 const char *csrf, igt__grant *out, igt_error *err);

/* The audience that assertions must name. *out: igt__free. */
igt_status igt__login_audience(igt__auth_server *server, char **out, igt_error *err);
/* A new JWT for an old one; the CSRF token of the login stays valid. */
igt_status igt__login_refresh(igt__auth_server *server, const igt__grant *old, igt__grant *out,
                              igt_error *err);
/* Ends a session. Ignores cancel, since it is the last thing that a cancelled program does, but
 * takes no more than a few seconds. */
igt_status igt__logout(igt__auth_server *server, const igt__grant *grant, igt_error *err);

#endif
