/* SPDX-License-Identifier: MIT */
/* A session: who is signed in, and a token that is kept fresh. Signing in, renewing and signing out
 * are "flights": one thread makes the requests without the lock, and all others that need the
 * result wait for it to land. A token is renewed ahead of its end while requests continue to use
 * it, and after a 401; each new one has the next generation, so that threads recognise a token that
 * was replaced meanwhile. source.c knows how to sign in and renew; lib/api authorizes every request
 * here. */
#include "auth/session.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "auth/lifetime.h"
#include "auth/session_internal.h"
#include "auth/source.h"
#include "auth/token_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define US 1000000LL
/* After an early renewal failed, the old token is used: all threads check at every request, and
 * this limits how often the server is called. */
#define TRY_AGAIN_US (10 * US)
#define LOOK_AGAIN_US (2 * US) /* for rereading the token file, which costs nothing */
/* A login that renews its token needs a moment to write it to the file, and the server may have
 * ended the old one by then. */
#define REREAD_TRIES 10
#define REREAD_US (US / 10)
#define JOIN_US (US / 10)
/* Limits how often a new token is requested from a server that rejects what it has just issued. */
#define REFUSED_AGAIN_US US

/* Slow work is done by one thread without the lock; the others wait for it. */
typedef enum flight { NO_FLIGHT, SIGN_IN, RENEW, SIGN_OUT, FLIGHTS } flight;

struct igt__session {
  igt__source source; /* the flying thread's */
  pthread_mutex_t lock;
  pthread_cond_t landed;

  /* Under the lock. Only the flying thread changes the grant, so it reads it without the lock,
   * too. */
  igt__grant grant;
  igt_session_source kind;
  unsigned generation;
  int64_t received_mono; /* microseconds */
  int64_t received_wall;
  int64_t next_try_mono; /* of an early renewal */
  bool after_refusal;    /* the grant was obtained because its predecessor was rejected */
  flight flying;
  unsigned landings;
  int64_t limit_us; /* of the latest flight (igt__mono_us); 0: none */
  igt_error outcome[FLIGHTS];
  igt_error refused; /* why nothing more is tried before an explicit sign-in */
};

igt_status igt__session_new(const igt__session_options *options, igt__session **out,
                            igt_error *err) {
  igt__session *session = igt__calloc(1, sizeof *session);
  igt_status status;

  *out = NULL;
  if (!session)
    return igt__fail_memory(err);
  status = igt__source_init(&session->source, options, err);
  if (status != IGT_OK) {
    igt__source_finish(&session->source);
    igt__free(session);
    return status;
  }
  pthread_mutex_init(&session->lock, NULL);
  igt__cond_init(&session->landed);
  *out = session;
  return IGT_OK;
}

void igt__session_free(igt__session *session) {
  if (!session)
    return;
  igt__grant_finish(&session->grant);
  igt__source_finish(&session->source);
  pthread_cond_destroy(&session->landed);
  pthread_mutex_destroy(&session->lock);
  igt__free(session);
}

/* ---- time ---- */

/* The larger of both clocks: the monotonic one stops while a laptop sleeps, the wall clock may be
 * set. A duration by either does not need the server's clock to agree with ours. */
static int64_t age_us_locked(const igt__session *session) {
  int64_t mono = igt__mono_us() - session->received_mono;
  int64_t wall = igt__wall_us() - session->received_wall;

  return mono > wall ? mono : wall;
}

/* A lifetime of 0 is not known. Lifetimes are bounded: see lifetime.h. */
static bool is_older_locked(const igt__session *session, int64_t seconds) {
  return session->grant.life > 0 && age_us_locked(session) >= seconds * US;
}

static bool is_own(igt_session_source kind) {
  return kind == IGT_SESSION_PASSWORD || kind == IGT_SESSION_SERVICE_KEY;
}

static bool is_due_locked(const igt__session *session) {
  int64_t due = igt__lifetime_due(session->grant.life);

  if (is_own(session->kind) && due > IGT__RENEW_AT_MOST_S)
    due = IGT__RENEW_AT_MOST_S;
  return is_older_locked(session, due);
}

static bool has_ended_locked(const igt__session *session) {
  return is_older_locked(session, session->grant.life);
}

static bool is_usable_locked(const igt__session *session) {
  return session->kind != IGT_SESSION_NONE && !has_ended_locked(session);
}

/* ---- flights ---- */

bool igt__session_is_final(igt_status status) {
  return status == IGT_E_LOGIN || status == IGT_E_EXPIRED || status == IGT_E_KEY;
}

static igt_status fly_out(igt__session *session, igt_error *err) {
  igt_status status = IGT_OK;

  if (is_own(session->kind))
    status = igt__logout(&session->source.server, &session->grant, err);
  if (status == IGT_E_UNAUTHORIZED) /* it has ended already */
    status = IGT_OK;
  if (status == IGT_OK)
    igt__error_clear(err);
  return status;
}

/* Without the lock. */
static igt_status fly(igt__session *session, flight what, bool own_only, igt__grant *grant,
                      igt_session_source *kind, igt_error *err) {
  switch (what) {
  case SIGN_IN:
    return igt__source_begin(&session->source, own_only, grant, kind, err);
  case RENEW:
    return igt__source_renew(&session->source, *kind, &session->grant, grant, err);
  case SIGN_OUT:
    *kind = IGT_SESSION_NONE;
    return fly_out(session, err);
  case NO_FLIGHT:
  case FLIGHTS:
    break;
  }
  return igt__fail(err, IGT_E_INTERNAL, "unknown session operation");
}

static void install_locked(igt__session *session, igt__grant *grant, igt_session_source kind) {
  igt__grant_finish(&session->grant);
  session->grant = *grant;
  session->kind = kind;
  session->generation++;
  session->received_mono = igt__mono_us();
  session->received_wall = igt__wall_us();
  session->next_try_mono = 0;
  session->after_refusal = false;
}

static void note_failure_locked(igt__session *session, flight what, const igt_error *err) {
  bool from_file = session->kind == IGT_SESSION_TOKEN_FILE;

  session->next_try_mono = igt__mono_us() + (from_file ? LOOK_AGAIN_US : TRY_AGAIN_US);
  if (what == RENEW && from_file)
    return; /* the running login may still renew it */
  if (igt__session_is_final(err->status))
    igt__error_keep(&session->refused, err);
  if (what == RENEW && err->status != IGT_E_CANCELLED)
    IGT__INFO(IGT_LOG_AUTH, "the session was not renewed: %s", err->text);
}

static void land_locked(igt__session *session, flight what, igt__grant *grant,
                        igt_session_source kind, const igt_error *err) {
  igt__error_keep(&session->outcome[what], err);
  if (what == SIGN_OUT || err->status == IGT_OK)
    install_locked(session, grant, kind);
  else
    note_failure_locked(session, what, err);
  session->flying = NO_FLIGHT;
  session->landings++;
  pthread_cond_broadcast(&session->landed);
}

static igt_status give_locked(const igt_error *outcome, igt_error *err) {
  if (outcome->status != IGT_OK && err)
    igt__error_copy(err, outcome);
  return outcome->status;
}

/* Waits for the flight in progress. If it was of another kind than requested, its outcome does not
 * matter here: then IGT_OK, and the caller checks again. */
static igt_status join_locked(igt__session *session, flight what, int64_t deadline_us,
                              igt_error *err) {
  flight joined = session->flying;
  unsigned landings = session->landings;
  int64_t limit_us = session->limit_us;

  while (session->landings == landings) {
    int64_t left_us = deadline_us ? deadline_us - igt__mono_us() : 0;

    if (deadline_us && left_us <= 0)
      return igt__fail(err, IGT_E_TIMEOUT, "the session was not ready within the time limit");
    if (deadline_us)
      (void)igt__cond_wait_for(&session->landed, &session->lock,
                               left_us < JOIN_US ? (unsigned)(left_us / 1000 + 1) : JOIN_US / 1000);
    else
      igt__cond_wait_hooked(&session->landed, &session->lock);
  }
  if (joined != what || (session->outcome[what].status == IGT_E_TIMEOUT && limit_us &&
                         (!deadline_us || deadline_us > limit_us)))
    return IGT_OK; /* or it ended with a limit that was not the caller's */
  return give_locked(&session->outcome[what], err);
}

/* Releases the lock meanwhile. */
static igt_status fly_locked(igt__session *session, flight what, bool own_only, int64_t deadline_us,
                             igt_error *err) {
  igt_session_source kind = session->kind;
  igt_error outcome = IGT_ERROR_INIT;
  igt__grant grant = {0};

  if (session->flying != NO_FLIGHT)
    return join_locked(session, what, deadline_us, err);
  if (what != SIGN_OUT && session->refused.status != IGT_OK)
    return give_locked(&session->refused, err);
  session->flying = what;
  session->limit_us = session->source.server.deadline_us = deadline_us;
  pthread_mutex_unlock(&session->lock);
  igt__wait_hook_suspend(); /* a request that it made would wait for this flight */
  outcome.status = fly(session, what, own_only, &grant, &kind, &outcome);
  igt__wait_hook_resume();
  pthread_mutex_lock(&session->lock);
  land_locked(session, what, &grant, kind, &outcome);
  return give_locked(&outcome, err);
}

/* ---- signing in and out ---- */

igt_status igt__session_sign_in(igt__session *session, bool own_only, igt_error *err) {
  igt_status status = IGT_OK;

  pthread_mutex_lock(&session->lock);
  if (session->flying == NO_FLIGHT && session->refused.status != IGT_OK) {
    igt__error_clear(&session->refused);
    session->kind = IGT_SESSION_NONE; /* a session that could not be renewed is not worth keeping */
  }
  while (status == IGT_OK && (!is_usable_locked(session) || (own_only && !is_own(session->kind))))
    status = fly_locked(session, SIGN_IN, own_only, 0, err);
  pthread_mutex_unlock(&session->lock);
  return status;
}

igt_status igt__session_sign_out(igt__session *session, igt_error *err) {
  igt_status status = IGT_OK;

  pthread_mutex_lock(&session->lock);
  igt__error_clear(&session->refused);
  while (status == IGT_OK && session->kind != IGT_SESSION_NONE)
    status = fly_locked(session, SIGN_OUT, false, 0, err);
  pthread_mutex_unlock(&session->lock);
  return status;
}

/* ---- using and renewing ---- */

/* A thread is renewing a token that can be used meanwhile, or a renewal failed and is retried
 * later. */
static bool may_wait_locked(const igt__session *session) {
  return !has_ended_locked(session) &&
         (session->flying == RENEW || igt__mono_us() < session->next_try_mono);
}

/* While the token is valid, nobody waits for its successor, and a failed renewal does not fail the
 * request. */
static igt_status freshen_locked(igt__session *session, int64_t deadline_us, igt_error *err) {
  igt_status status;

  if (may_wait_locked(session))
    return IGT_OK;
  status = fly_locked(session, RENEW, false, deadline_us, err);
  if (status != IGT_OK && status != IGT_E_CANCELLED && is_usable_locked(session)) {
    igt__error_clear(err);
    return IGT_OK;
  }
  return status;
}

static igt_status make_usable_locked(igt__session *session, int64_t deadline_us, igt_error *err) {
  for (;;) {
    igt_status status = IGT_OK;

    if (session->kind == IGT_SESSION_NONE)
      status = fly_locked(session, SIGN_IN, false, deadline_us, err);
    else if (is_due_locked(session))
      status = freshen_locked(session, deadline_us, err);
    if (status != IGT_OK || is_usable_locked(session))
      return status;
  }
}

static igt_status add_tokens_locked(const igt__session *session, igt__http_request *req) {
  igt_status status = igt__http_add_header(req, "X-JWT", igt__secret_text(session->grant.jwt));

  if (status == IGT_OK)
    status = igt__http_add_header(req, "X-CSRF-TOKEN", igt__secret_text(session->grant.csrf));
  return status;
}

igt_status igt__session_authorize(igt__session *session, igt__http_request *req,
                                  unsigned *generation, igt_error *err) {
  igt_status status;

  pthread_mutex_lock(&session->lock);
  status = make_usable_locked(session, req->deadline_us, err);
  if (status == IGT_OK) {
    *generation = session->generation;
    status = add_tokens_locked(session, req);
    if (status != IGT_OK)
      igt__fail(err, status, "the session's token cannot be sent");
  }
  pthread_mutex_unlock(&session->lock);
  return status;
}

bool igt__session_authorize_now(igt__session *session, igt__http_request *req) {
  bool added;

  pthread_mutex_lock(&session->lock);
  added = is_usable_locked(session) && (!is_due_locked(session) || may_wait_locked(session)) &&
          add_tokens_locked(session, req) == IGT_OK;
  pthread_mutex_unlock(&session->lock);
  return added;
}

void igt__session_keep(igt__session *session) {
  pthread_mutex_lock(&session->lock);
  if (is_usable_locked(session) && is_due_locked(session))
    (void)freshen_locked(session, 0, NULL);
  pthread_mutex_unlock(&session->lock);
}

/* The first rejection may have a reason on the server's side and is followed by an immediate
 * renewal; a rejection of the new token is not. Releases the lock meanwhile. */
static igt_status wait_turn_locked(igt__session *session, unsigned generation, igt_error *err) {
  while (session->after_refusal && session->generation == generation && is_own(session->kind) &&
         age_us_locked(session) < REFUSED_AGAIN_US) {
    if (igt__session_is_cancelled(session))
      return igt__fail(err, IGT_E_CANCELLED, "cancelled while the session was renewed");
    pthread_mutex_unlock(&session->lock);
    igt__sleep_us(REREAD_US);
    pthread_mutex_lock(&session->lock);
  }
  return IGT_OK;
}

static igt_status renew_once(igt__session *session, unsigned generation, igt_error *err) {
  igt_status status;

  pthread_mutex_lock(&session->lock);
  status = wait_turn_locked(session, generation, err);
  while (status == IGT_OK && session->kind != IGT_SESSION_NONE &&
         session->generation == generation) {
    status = fly_locked(session, RENEW, false, 0, err);
    session->after_refusal = true;
  }
  if (status == IGT_OK && session->kind == IGT_SESSION_NONE)
    status = make_usable_locked(session, 0, err);
  pthread_mutex_unlock(&session->lock);
  return status;
}

static bool is_from_file(igt__session *session) {
  bool from_file;

  pthread_mutex_lock(&session->lock);
  from_file = session->kind == IGT_SESSION_TOKEN_FILE;
  pthread_mutex_unlock(&session->lock);
  return from_file;
}

igt_status igt__session_renew(igt__session *session, unsigned generation, igt_error *err) {
  igt_status status = renew_once(session, generation, err);

  for (int try = 0; try < REREAD_TRIES && status == IGT_E_EXPIRED && is_from_file(session); try++) {
    if (igt__session_is_cancelled(session))
      return igt__fail(err, IGT_E_CANCELLED, "cancelled while the session was renewed");
    igt__sleep_us(REREAD_US);
    status = renew_once(session, generation, err);
  }
  return status;
}

/* ---- what other files see ---- */

static igt_token *copy_tokens_locked(const igt__session *session) {
  const igt__grant *grant = &session->grant;

  return igt__token_new(grant->user, session->source.server.origin, igt__secret_text(grant->jwt),
                        igt__secret_text(grant->csrf),
                        grant->access ? igt__secret_text(grant->access) : NULL, grant->expires);
}

igt_status igt__session_token(igt__session *session, igt_token **out, igt_error *err) {
  igt_status status;

  pthread_mutex_lock(&session->lock);
  status = make_usable_locked(session, 0, err);
  *out = status == IGT_OK ? copy_tokens_locked(session) : NULL;
  pthread_mutex_unlock(&session->lock);
  return status == IGT_OK && !*out ? igt__fail_memory(err) : status;
}

void igt__session_identity(igt__session *session, igt_identity *out) {
  *out = (igt_identity)IGT_IDENTITY_INIT;
  snprintf(out->domain, sizeof out->domain, "%s", session->source.server.origin);
  pthread_mutex_lock(&session->lock);
  out->source = session->kind;
  if (session->kind != IGT_SESSION_NONE) {
    snprintf(out->user, sizeof out->user, "%s", session->grant.user);
    out->expires = session->grant.expires;
    out->is_service = session->grant.is_service;
  }
  pthread_mutex_unlock(&session->lock);
}

void igt__session_times_get(igt__session *session, igt__session_times *out) {
  pthread_mutex_lock(&session->lock);
  out->generation = session->generation;
  out->due = is_due_locked(session);
  out->ended = !is_usable_locked(session);
  pthread_mutex_unlock(&session->lock);
}

igt_status igt__session_encode(igt__session *session, char *page, unsigned *generation,
                               igt_error *err) {
  const igt__grant *grant = &session->grant;
  igt_status status;

  pthread_mutex_lock(&session->lock);
  *generation = session->generation;
  status =
      igt__token_encode(grant->user, igt__secret_text(grant->jwt), grant->claims,
                        igt__secret_text(grant->csrf), session->source.server.origin, page, err);
  pthread_mutex_unlock(&session->lock);
  return status;
}

const char *igt__session_token_file(const igt__session *session) {
  return session->source.token_file;
}

bool igt__session_is_cancelled(const igt__session *session) {
  return igt__cancel_is_set(session->source.server.cancel);
}

bool igt__session_can_start_over(const igt__session *session) {
  return session->source.key || session->source.service_key || session->source.password;
}
