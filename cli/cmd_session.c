/* SPDX-License-Identifier: MIT */
/* The commands about sessions: login, logout, whoami and get-token. login signs in and
 * keeps the session, in the foreground or, with --background, as a daemon: a child process signs
 * in, since it may have to ask on the terminal, and becomes a daemon once it has; the parent waits
 * for that, passes signals on, and returns the child's result. logout ends the daemon; the others
 * use its session. main.c calls the commands. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static void format_end(int64_t seconds, char *out, size_t cap) {
  time_t t = (time_t)seconds;
  struct tm tm;

  if (seconds)
    strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
  else
    snprintf(out, cap, "an unknown time");
}

/* ---- login ---- */

typedef struct holding {
  const settings *s;
  int ready; /* pipe to the parent of --background; -1: none */
  bool signed_in;
} holding;

/* Once signed in there are no further prompts. */
static void become_daemon(holding *h) {
  leave_terminal();
  os_detach(h->ready);
  h->ready = -1;
}

static void on_login(void *payload, igt_login_event event, const igt_identity *identity,
                     const igt_error *err) {
  holding *h = payload;
  char end[40];

  format_end(identity->expires, end, sizeof end);
  if (event == IGT_LOGIN_READY) {
    h->signed_in = true;
    offer_to_keep(h->s, identity);
    message(h->s, "Signed in as %s to %s", identity->user, identity->domain);
    if (h->ready >= 0)
      become_daemon(h);
    else
      message(h->s, "Keeping the session alive until interrupted (Ctrl-C).");
  } else if (event == IGT_LOGIN_RENEWED) {
    message(h->s, "Session renewed until %s", end);
  } else if (event == IGT_LOGIN_TROUBLE) {
    message(h->s, "Session renewal failed; retrying: %s", err ? err->text : "");
  } else if (err) {
    message(h->s, "Signing out failed; the session will expire by itself: %s", err->text);
  } else {
    message(h->s, "Signed out");
  }
}

static int hold(const settings *s, int ready) {
  igt_error err = IGT_ERROR_INIT;
  holding h = {s, ready, false};
  int status = EXIT_FAILED;
  igt_client *client = open_client(s, NULL, &status);

  if (!client)
    return status;
  keep_typed();
  status = EXIT_DONE;
  if (igt_login_hold(client, on_login, &h, &err) != IGT_OK && err.status != IGT_E_CANCELLED)
    status = fail(&err);
  else if (!h.signed_in)
    status = exit_status_of(IGT_E_CANCELLED);
  igt_client_free(client);
  return status;
}

/* Scripts call login --background before each of their runs. */
static bool is_signed_in(const settings *s) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  igt_token *token = NULL;
  bool is = false;
  int status;

  if (!client_options(s, NULL, &o, &status) || igt_token_read(NULL, &token, NULL) != IGT_OK)
    return false;
  is = igt_token_holder(token) > 0 && os_is_running(igt_token_holder(token)) &&
       is_login_for(s, &o, token);
  if (is)
    message(s, "Already signed in as %s to %s (process %" PRId64 ")", igt_token_user(token),
            igt_token_domain(token), igt_token_holder(token));
  igt_token_free(token);
  return is;
}

static int cmd_login(settings *s) {
  if (s->background && is_signed_in(s))
    return EXIT_DONE;
  return s->background ? os_hold_in_background(s, hold) : hold(s, -1);
}

static const option login_options[] = {
    {"background", 0, OPTION_FLAG, AT(background), NULL, NULL,
     "run in the background once signed in, until `igtcloud logout`"},
    END_OF_OPTIONS};

const command login_command = {
    "login",
    "",
    0,
    0,
    "sign in and keep the session for other commands",
    "Signs in and keeps the session alive for all other commands, until it is interrupted\n"
    "(Ctrl-C) or `igtcloud logout` is run. Prompts for the user name and password if needed,\n"
    "and offers to keep a password that was typed in the desktop's keyring, if there is one.\n"
    "With --background it detaches from the terminal once signed in; later messages go to\n"
    "--log-file, or to syslog.",
    login_options,
    true,
    cmd_login};

/* ---- the session of a running login ---- */

/* The password of that account; without a running login, every one that this program has kept. */
static int forget_password(const settings *s, const igt_token *token) {
  int removed = token ? keyring_forget(igt_token_domain(token), igt_token_user(token))
                      : keyring_forget(NULL, NULL);

  if (removed >= 0)
    message(s,
            removed ? "The password was removed from the keyring" : "The keyring has no password");
  return removed < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int end_login(settings *s, int64_t holder) {
  igt_token *token = NULL;

  if (holder <= 0 || !os_end_process(holder)) {
    complain(IGT_E_NO_SESSION, "the session's login is not running; it will expire by itself");
    return EXIT_FAILED;
  }
  for (int i = 0; i < 300; i++) { /* signing out takes a request or two */
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    if (!os_is_running(holder) ||
        (!os_knows_ends() && igt_token_read(NULL, &token, NULL) != IGT_OK)) {
      message(s, "Signed out");
      return EXIT_DONE;
    }
    igt_token_free(token);
    token = NULL;
    nanosleep(&pause, NULL);
  }
  complain(IGT_E_TIMEOUT, "the login (process %" PRId64 ") did not exit in time", holder);
  return EXIT_FAILED;
}

static int cmd_logout(settings *s) {
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  int forgot = EXIT_DONE, status;
  int64_t holder;

  if (igt_token_read(NULL, &token, &err) != IGT_OK) {
    if (err.status != IGT_E_NO_SESSION)
      return fail(&err);
    message(s, "Not signed in");
    return s->forget ? forget_password(s, NULL) : EXIT_DONE;
  }
  holder = igt_token_holder(token);
  if (s->forget)
    forgot = forget_password(s, token);
  igt_token_free(token);
  status = end_login(s, holder);
  return status == EXIT_DONE ? forgot : status;
}

static const option logout_options[] = {{"forget", 0, OPTION_FLAG, AT(forget), NULL, NULL,
                                         "also remove the password from the desktop's keyring"},
                                        END_OF_OPTIONS};

const command logout_command = {
    "logout",
    "",
    0,
    0,
    "sign out and end the running login",
    "Signs out and ends the running `igtcloud login`. With --forget, the\n"
    "password that a login has put into the desktop's keyring is removed,\n"
    "too; without a running login, all that igtcloud has put there.",
    logout_options,
    false,
    cmd_logout};

static int cmd_whoami(settings *s) {
  static const char *const sources[] = {"none", "token file", "environment", "password",
                                        "service key"};
  igt_identity identity = IGT_IDENTITY_INIT;
  igt_error err = IGT_ERROR_INIT;
  char end[40];
  int status = EXIT_FAILED;

  igt_client *client = open_here(s, &status);
  if (!client)
    return status;
  if (igt_client_sign_in(client, &err) == IGT_OK &&
      igt_client_identity(client, &identity, &err) == IGT_OK) {
    format_end(identity.expires, end, sizeof end);
    if (s->json) {
      printf("{");
      json_text(stdout, "user", identity.user, true);
      json_text(stdout, "domain", identity.domain, false);
      json_text(stdout, "source", sources[identity.source], false);
      printf(",\"isService\":%s,\"expires\":%" PRId64, identity.is_service ? "true" : "false",
             identity.expires);
      if (identity.expires)
        json_text(stdout, "expiresAt", end, false);
      printf("}\n");
    } else {
      print_safe(stdout, identity.user);
      printf("%s at %s until %s (%s)\n", identity.is_service ? " (a service)" : "", identity.domain,
             end, sources[identity.source]);
    }
    status = EXIT_DONE;
  } else {
    status = fail(&err);
  }
  close_client(client);
  return status;
}

const command whoami_command = {
    "whoami",
    "",
    0,
    0,
    "show who is signed in, where, and for how long",
    "Prints the user, the cloud and the expiry of the session that other commands would use.",
    no_options,
    true,
    cmd_whoami};

static int cmd_get_token(settings *s) {
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  const char *type = s->token_type ? s->token_type : "jwt", *text;

  if (igt_token_read(NULL, &token, &err) != IGT_OK)
    return fail(&err);
  text = strcmp(type, "csrf") == 0     ? igt_token_csrf(token)
         : strcmp(type, "access") == 0 ? igt_token_access(token)
                                       : igt_token_jwt(token);
  if (*text)
    printf("%s\n", text);
  else
    complain(IGT_E_NOT_FOUND, "the session has no %s token", type);
  bool found = *text != '\0';
  igt_token_free(token);
  return found ? EXIT_DONE : EXIT_NOT_ALLOWED;
}

static const option token_options[] = {{"type", 't', OPTION_TEXT, AT(token_type), "TYPE",
                                        "jwt|access|csrf", "the token to print (default jwt)"},
                                       END_OF_OPTIONS};

const command get_token_command = {
    "get-token",
    "",
    0,
    0,
    "print a token of the running login",
    "Prints a token and nothing else, for programs that call the API themselves.",
    token_options,
    false,
    cmd_get_token};
