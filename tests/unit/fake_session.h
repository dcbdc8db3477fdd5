/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAKE_SESSION_H
#define TEST_FAKE_SESSION_H

/* A session that replaces lib/auth's, for tests of the layers above it. The replacement happens
 * when a program is linked, so one file of a program includes this. */

#include <stdatomic.h>
#include <stdio.h>

#include "api/client.h"

struct igt__session {
  atomic_uint generation; /* atomic: some tests call from many threads */
  atomic_uint renewals;
  atomic_bool signed_in;
  atomic_bool cannot_renew;
};

static struct igt__session the_session;

igt_status igt__session_new(const igt__session_options *options, igt__session **out,
                            igt_error *err) {
  (void)err;
  assert_non_null(options->http);
  assert_non_null(options->origin);
  the_session.generation = 1;
  the_session.renewals = 0;
  the_session.signed_in = the_session.cannot_renew = false;
  *out = &the_session;
  return IGT_OK;
}

void igt__session_free(igt__session *session) {
  (void)session;
}

igt_status igt__session_sign_in(igt__session *session, bool own_only, igt_error *err) {
  (void)err;
  assert_false(own_only);
  session->signed_in = true;
  return IGT_OK;
}

igt_status igt__session_sign_out(igt__session *session, igt_error *err) {
  (void)err;
  session->signed_in = false;
  return IGT_OK;
}

igt_status igt__session_authorize(igt__session *session, igt__http_request *req,
                                  unsigned *generation, igt_error *err) {
  char token[32];

  (void)err;
  *generation = session->generation;
  snprintf(token, sizeof token, "token-%u", session->generation);
  assert_int_equal(igt__http_add_header(req, "X-JWT", token), IGT_OK);
  return igt__http_add_header(req, "X-CSRF-TOKEN", "csrf");
}

bool igt__session_authorize_now(igt__session *session, igt__http_request *req) {
  unsigned generation;

  return session->signed_in && igt__session_authorize(session, req, &generation, NULL) == IGT_OK;
}

igt_status igt__session_renew(igt__session *session, unsigned generation, igt_error *err) {
  session->renewals++;
  if (session->cannot_renew)
    return igt__fail(err, IGT_E_EXPIRED, "the session has ended");
  if (session->generation == generation)
    session->generation++;
  return IGT_OK;
}

void igt__session_identity(igt__session *session, igt_identity *out) {
  if (session->signed_in) {
    snprintf(out->user, sizeof out->user, "ann");
    out->source = IGT_SESSION_PASSWORD;
  }
}

void igt__session_keep(igt__session *session) {
  (void)session;
}

igt_status igt__session_token(igt__session *session, igt_token **out, igt_error *err) {
  (void)session;
  (void)out;
  return igt__fail(err, IGT_E_NO_SESSION, "it is no session");
}

igt_status igt__session_hold(igt__session *session, igt_login_fn fn, void *payload,
                             igt_error *err) {
  (void)session;
  (void)fn;
  (void)payload;
  return igt__fail(err, IGT_E_LOCKED, "another login holds it");
}

#endif
