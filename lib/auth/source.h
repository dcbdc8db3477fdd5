/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_SOURCE_H
#define IGT_AUTH_SOURCE_H

/* Where a session comes from and how it is renewed: a service's key, the token file of a running
 * `igtcloud login`, the environment, a user's password. One thread at a time. */

#include "auth/login.h"
#include "auth/session.h"

typedef struct igt__source {
  igt__auth_server server;
  char *user; /* NULL and false as in igt__session_options */
  char *service_file;
  igt__secret *service_key; /* its text, until it is read */
  igt__secret *jwt, *csrf;  /* handed in by the program */
  char *audience;           /* of assertions, as configured; NULL: it must belong to the cloud */
  char *token_file;
  bool no_token_file;
  bool no_environment;
  igt_prompt_fn prompt;
  void *prompt_payload;
  igt__rsa *key; /* read at the first sign-in; the file may be removed afterwards */
  char service_id[256];
  igt__secret *password; /* the accepted one, for when the refresh token has ended, too */
} igt__source;

igt_status igt__source_init(igt__source *source, const igt__session_options *options,
                            igt_error *err);
void igt__source_finish(igt__source *source); /* also after a failed _init */

/* Signs in, in the order of igt_client_sign_in; own_only: only with a key or password. */
igt_status igt__source_begin(igt__source *source, bool own_only, igt__grant *out,
                             igt_session_source *kind, igt_error *err);

/* A newer grant for an old one. IGT_E_EXPIRED if there is none: for a token file that may last only
 * some seconds. */
igt_status igt__source_renew(igt__source *source, igt_session_source kind, const igt__grant *old,
                             igt__grant *out, igt_error *err);

#endif
