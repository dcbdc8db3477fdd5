/* SPDX-License-Identifier: MIT */
/* The loop of `igtcloud login`: signs in, publishes the session in the token file, renews it when
 * due, and writes each new token to the file until the program is cancelled or the session is lost.
 * A failed renewal is retried with increasing delays while the old token is valid. Events (ready,
 * renewed, trouble) are reported to the caller's function. Called by igt_login_hold. */
#include "auth/session.h"
#include "auth/session_internal.h"
#include "auth/token_file.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define US 1000000LL
/* How long a failing renewal is retried if only the refresh token can renew; at least as long as
 * the old token is valid. With a password or a key it goes on until the network is back. */
#define PATIENCE_US (180 * US)
#define FIRST_WAIT_US (1 * US)
#define LONGEST_WAIT_US (10 * US)
/* Cancellation is a flag that is polled: this bounds the delay. */
#define TICK_US (US / 4)

typedef struct hold {
  igt__session *session;
  igt__token_holder *holder;
  igt_login_fn fn;
  void *payload;
  unsigned published; /* the generation that is in the file */

  /* Since a renewal failed. */
  bool in_trouble;
  bool is_final; /* retrying would not help */
  int64_t give_up;
  int64_t next_try;
  int64_t wait;
  igt_error why;
} hold;

static void notify(const hold *h, igt_login_event event, const igt_error *err) {
  igt_identity identity;

  igt__session_identity(h->session, &identity);
  if (h->fn)
    h->fn(h->payload, event, &identity, err);
}

static igt_status publish(hold *h, igt_error *err) {
  char *page = igt__malloc(IGT__TOKEN_FILE_SIZE);
  igt_status status;

  if (!page)
    return igt__fail_memory(err);
  status = igt__session_encode(h->session, page, &h->published, err);
  if (status == IGT_OK)
    status = igt__token_holder_write(h->holder, page, err);
  igt__wipe(page, IGT__TOKEN_FILE_SIZE);
  igt__free(page);
  return status;
}

static void note_trouble(hold *h) {
  int64_t now = igt__mono_us();

  if (!h->in_trouble) {
    h->give_up = now + PATIENCE_US;
    h->wait = FIRST_WAIT_US;
  }
  h->in_trouble = true;
  h->is_final = igt__session_is_final(h->why.status);
  h->next_try = now + h->wait;
  h->wait = h->wait * 2 < LONGEST_WAIT_US ? h->wait * 2 : LONGEST_WAIT_US;
  notify(h, IGT_LOGIN_TROUBLE, &h->why);
}

static void try_renew(hold *h) {
  igt_error err = IGT_ERROR_INIT;

  if (h->in_trouble && (h->is_final || igt__mono_us() < h->next_try))
    return;
  if (igt__session_renew(h->session, h->published, &err) == IGT_OK)
    return;
  if (igt__session_is_cancelled(h->session))
    return;
  h->why = err;
  note_trouble(h);
}

/* The old token is used until it really ends. */
static bool is_lost(const hold *h, const igt__session_times *times) {
  if (!h->in_trouble)
    return false;
  if (h->is_final)
    return times->ended;
  return !igt__session_can_start_over(h->session) && igt__mono_us() >= h->give_up;
}

static igt_status keep_fresh(hold *h, igt_error *err) {
  igt__session_times times;
  igt_status status;

  while (!igt__session_is_cancelled(h->session)) {
    igt__session_times_get(h->session, &times);
    if (times.generation != h->published) { /* by us, or by a call of another thread */
      status = publish(h, err);
      if (status != IGT_OK)
        return status;
      h->in_trouble = false;
      notify(h, IGT_LOGIN_RENEWED, NULL);
      continue;
    }
    if (is_lost(h, &times))
      return igt__fail(err, IGT_E_EXPIRED, "the session has ended and could not be renewed: %s",
                       h->why.text);
    if (times.due)
      try_renew(h);
    igt__session_times_get(h->session, &times);
    if (times.generation == h->published)
      igt__sleep_us(TICK_US);
  }
  return IGT_OK;
}

/* The file first: its readers must not continue with a token that is about to end. */
static void end(hold *h, bool was_ready) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  igt__token_holder_close(h->holder);
  h->holder = NULL;
  status = igt__session_sign_out(h->session, &err);
  if (was_ready)
    notify(h, IGT_LOGIN_ENDED, status == IGT_OK ? NULL : &err);
  else if (status != IGT_OK)
    IGT__WARN(IGT_LOG_AUTH, "the session was not signed out: %s", err.text);
}

/* The file is locked before the user is asked for a password, so that a second login fails
 * immediately and without side effects. */
igt_status igt__session_hold(igt__session *session, igt_login_fn fn, void *payload,
                             igt_error *err) {
  hold h = {.session = session, .fn = fn, .payload = payload};
  bool ready;
  igt_status status = igt__token_holder_open(igt__session_token_file(session), &h.holder, err);

  if (status != IGT_OK)
    return status;
  status = igt__session_sign_in(session, true, err);
  if (status == IGT_OK)
    status = publish(&h, err);
  ready = status == IGT_OK;
  if (ready) {
    notify(&h, IGT_LOGIN_READY, NULL);
    status = keep_fresh(&h, err);
  }
  end(&h, ready);
  return status;
}
