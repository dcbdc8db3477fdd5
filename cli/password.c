/* SPDX-License-Identifier: MIT */
/* Where user names and passwords come from when the library asks for them (session.c passes
 * prompt_user to it): standard input, the program of --password-command, the desktop's keyring
 * (keyring.c), else the terminal. A password that is typed for `igtcloud login` is kept until
 * that has signed in, so that it can offer to put it into the keyring. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define COMMAND_LIMIT_MS 120000 /* it may ask the user to unlock something */

static atomic_bool asking;
static char asked_user[256], typed[1024]; /* typed: of login; wiped by offer_to_keep */
static bool from_keyring, keeps_typed;

bool is_asking(void) {
  return asking;
}

/* ---- the program of --password-command ---- */

typedef struct child {
  pid_t pid;
  int out;
} child;

/* The user's own command line: a pipe in it is as welcome as a quoted word, so a shell reads it.
 * The password is in neither's arguments. */
static void run_command(const char *text, int out) {
  static char shell[] = "/bin/sh", name[] = "sh", flag[] = "-c";
  union {
    const char *from;
    char *to;
  } line = {text};
  char *const words[] = {name, flag, line.to, NULL};
  int null = open("/dev/null", O_RDONLY);

  if (null >= 0)
    dup2(null, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  signal(SIGPIPE, SIG_DFL);
  execve(shell, words, environ);
  _exit(127);
}

static bool start_command(const char *text, child *c) {
  int ends[2];

  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  c->pid = fork();
  if (c->pid == 0)
    run_command(text, ends[1]);
  close(ends[1]);
  c->out = ends[0];
  if (c->pid < 0)
    close(ends[0]);
  return c->pid > 0;
}

/* All that it writes; only the first line is kept. -1: late, or interrupted. */
static int read_first_line(int fd, char *out, size_t cap) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  bool is_first = true;
  size_t n = 0;
  char data[512];
  ssize_t got;

  for (int waited = 0; waited < COMMAND_LIMIT_MS && !caught_signal();) {
    int ready = poll(&one, 1, 200);
    waited += ready == 0 ? 200 : 0;
    if (ready <= 0)
      continue;
    got = read(fd, data, sizeof data);
    for (ssize_t i = 0; i < got && is_first; i++) {
      is_first = data[i] != '\n' && n + 1 < cap;
      if (is_first)
        out[n++] = data[i];
    }
    explicit_bzero(data, sizeof data);
    if (got <= 0) {
      n -= n > 0 && out[n - 1] == '\r';
      out[n] = '\0';
      return got < 0 ? -1 : (int)n;
    }
  }
  return -1;
}

/* The command line is not repeated: it may contain a secret itself. */
static bool command_failed(int length, int status) {
  if (caught_signal())
    return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    complain("the program of --password-command failed: exit status %d", WEXITSTATUS(status));
  else if (length < 0)
    complain("the program of --password-command did not end within %d s", COMMAND_LIMIT_MS / 1000);
  else if (WIFSIGNALED(status))
    complain("the program of --password-command was ended by signal %d", WTERMSIG(status));
  else
    complain("the program of --password-command printed no password: its first line is empty");
  return false;
}

static bool ask_command(const char *text, char *out, size_t cap) {
  child c;
  int length, status = 0;

  if (!start_command(text, &c)) {
    complain("the program of --password-command cannot be started: %s", strerror(errno));
    return false;
  }
  length = read_first_line(c.out, out, cap);
  if (length < 0)
    (void)kill(c.pid, SIGTERM);
  close(c.out);
  while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (length > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return true;
  explicit_bzero(out, cap);
  return command_failed(length, status);
}

/* ---- the library's questions ---- */

static const char *known_user(const settings *s) {
  const char *variable = getenv("CLOUD_USERNAME");

  if (*asked_user)
    return asked_user;
  if (variable && *variable && (!s->user || is_from_profile(AT(user))))
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

static bool find_password(const settings *s, const char *domain, const char *question, char *out,
                          size_t cap) {
  if (s->password_stdin)
    return read_password(out, cap);
  if (s->password_command)
    return ask_command(s->password_command, out, cap);
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
    done = ask_text(question, out, cap);
    snprintf(asked_user, sizeof asked_user, "%s", done ? out : "");
  }
  asking = false;
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

  if (*typed && !s->no_keyring && isatty(STDIN_FILENO) && keyring_is_available(&why) &&
      ask_text("Keep the password in the keyring? [y/N]", response, sizeof response) &&
      (*response == 'y' || *response == 'Y') && keyring_store(who->domain, who->user, typed))
    message(s, "The password is in the keyring; igtcloud logout --forget removes it.");
  explicit_bzero(typed, sizeof typed);
}
