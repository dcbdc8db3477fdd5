/* SPDX-License-Identifier: MIT */
/* Where user names and passwords come from when the library asks for them (session.c passes
 * prompt_user to it): standard input, the program of --password-command, the desktop's keyring
 * (keyring.c), else the terminal. A password that is typed for `igtcloud login` is kept until
 * that has signed in, so that it can offer to put it into the keyring. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static atomic_bool asking;
static char asked_user[256], typed[1024]; /* typed: of login; wiped by offer_to_keep */
static char read_once[1024];              /* from standard input; wiped by ask_again */
static bool from_keyring, keeps_typed, keeps_read, said_why;

bool is_asking(void) {
  return asking;
}

/* ---- the library's questions ---- */

static const char *known_user(const settings *s) {
  const char *variable = user_variable();

  if (*asked_user)
    return asked_user;
  if (variable && (!s->user || is_from_profile(AT(user))))
    return variable;
  return s->user ? s->user : "";
}

static bool ask_terminal(const char *question, char *out, size_t cap) {
  if (!ask_password(question, out, cap))
    return false;
  if (keeps_typed)
    snprintf(typed, sizeof typed, "%s", out);
  return true;
}

static bool ask_command(const settings *s, char *out, size_t cap) {
  bool done = os_ask_command(s->password_command, out, cap);

  said_why = !done;
  return done;
}

static bool read_line(char *out, size_t cap) {
  if (!read_password(out, cap))
    return false;
  if (keeps_read)
    snprintf(read_once, sizeof read_once, "%s", out);
  return true;
}

/* The library's message is of users and passwords: here only the user is missing. */
static bool find_user(const settings *s, const char *question, char *out, size_t cap) {
  bool done = ask_text(question, out, cap);

  if (!done && s->password_command && !caught_signal()) {
    complain(IGT_E_NO_SESSION,
             "--password-command gives the password only, and the user name is missing: add --user "
             "NAME");
    said_why = true;
  }
  return done;
}

static bool find_password(const settings *s, const char *domain, const char *question, char *out,
                          size_t cap) {
  if (s->password_stdin)
    return read_line(out, cap);
  if (s->password_command)
    return ask_command(s, out, cap);
  from_keyring = !s->no_keyring && *known_user(s) && keyring_read(domain, known_user(s), out, cap);
  return from_keyring || ask_terminal(question, out, cap);
}

bool prompt_user(const settings *s, const char *domain, igt_prompt_kind what, const char *question,
                 char *out, size_t cap) {
  bool done;

  asking = true;
  if (what == IGT_PROMPT_PASSWORD) {
    done = find_password(s, domain, question, out, cap);
  } else {
    done = find_user(s, question, out, cap);
    snprintf(asked_user, sizeof asked_user, "%s", done ? out : "");
  }
  asking = false;
  return done;
}

bool has_said_why(void) {
  return said_why;
}

/* ---- once more, to submit ---- */

void will_ask_again(void) {
  keeps_read = true;
}

bool ask_again(const settings *s, const char *question, char *out, size_t cap) {
  bool done;

  if (s->password_stdin) {
    done = read_password(out, cap) && *out;
    if (!done && *read_once && !caught_signal())
      done = snprintf(out, cap, "%s", read_once) < (int)cap;
  } else if (s->password_command) {
    done = ask_command(s, out, cap);
  } else {
    done = ask_password(question, out, cap);
  }
  explicit_bzero(read_once, sizeof read_once);
  return done;
}

/* ---- the keyring, around a login ---- */

bool is_from_keyring(void) {
  return from_keyring;
}

void keep_typed(void) {
  keeps_typed = true;
}

void offer_to_keep(const settings *s, const igt_identity *who) {
  char response[16] = "";
  const char *why;

  if (*typed && !s->no_keyring && os_is_terminal(STANDARD_INPUT) && keyring_is_available(&why) &&
      ask_text("Keep the password in the keyring? [y/N]", response, sizeof response) &&
      (*response == 'y' || *response == 'Y') && keyring_store(who->domain, who->user, typed))
    message(s, "Saved the password in the keyring; igtcloud logout --forget removes it.");
  explicit_bzero(typed, sizeof typed);
}
