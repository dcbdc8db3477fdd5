/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_SESSION_H
#define IGT_AUTH_SESSION_H

/* A session: who is signed in, the tokens, and how to renew them. Thread-safe; a renewal is done
 * once for all threads that need it (single flight). */

#include "http/http.h"
#include "igtcloud/client.h"

typedef struct igt__session igt__session;

typedef struct igt__session_options {
  igt__http *http;    /* borrowed */
  const char *origin; /* "https://host[:port]", from igt__url_origin */
  const char *user;   /* as in igt_client_options, like those that follow */
  const char *service_file, *service_key;
  const char *jwt, *csrf;
  const char *token_file;
  const char *audience;
  bool no_token_file;
  bool no_environment;
  igt_prompt_fn prompt;
  void *prompt_payload;
  igt__cancel *cancel;
} igt__session_options;

igt_status igt__session_new(const igt__session_options *options, igt__session **out,
                            igt_error *err);
void igt__session_free(igt__session *session); /* wipes; does not sign out */

/* Signs in unless signed in. own_only: only with a key or password (igtcloud login). */
igt_status igt__session_sign_in(igt__session *session, bool own_only, igt_error *err);
igt_status igt__session_sign_out(igt__session *session, igt_error *err);
/* Ensures that the token remains valid for a while (renews it when due) and adds X-JWT and
 * X-CSRF-TOKEN. *generation identifies the token that was added. Blocking: may sign in or renew,
 * until req->deadline_us. */
igt_status igt__session_authorize(igt__session *session, igt__http_request *req,
                                  unsigned *generation, igt_error *err);
/* The same for callers that must not block, such as a loop's thread: returns false and adds nothing
 * if the session has to be started or renewed first. */
bool igt__session_authorize_now(igt__session *session, igt__http_request *req);
/* Renews when due, for a caller that is busy elsewhere and will not authorize a request for a
 * while. Blocking. Does nothing without a session; a failure is reported by the next request. */
void igt__session_keep(igt__session *session);
/* After a 401 on `generation`: renews unless another thread has already done so. */
igt_status igt__session_renew(igt__session *session, unsigned generation, igt_error *err);
/* Implements igt_client_token. */
igt_status igt__session_token(igt__session *session, igt_token **out, igt_error *err);
void igt__session_identity(igt__session *session, igt_identity *out);
/* Implements igt_login_hold. */
igt_status igt__session_hold(igt__session *session, igt_login_fn fn, void *payload, igt_error *err);

#endif
