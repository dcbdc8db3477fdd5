/* SPDX-License-Identifier: MIT */
/* The commands about sessions: login, logout, whoami and get-token. login signs in and
 * keeps the session, in the foreground or, with --background, as a daemon: a child process signs
 * in, since it may have to ask on the terminal, and becomes a daemon once it has; the parent waits
 * for that, passes signals on, and returns the child's result. logout ends the daemon; the others
 * use its session. main.c calls the commands. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* Descriptors that the caller left open, such as the lock of flock(1), must not stay open in the
 * daemon. They are noted before anything else is opened and closed once signed in: the key may come
 * from one of them. */
static struct {
  int fds[256];
  size_t count;
} inherited;

static void note_inherited(int ready) {
  DIR *folder = opendir("/proc/self/fd");

  for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
    int fd = (int)strtol(entry->d_name, NULL, 10);
    if (fd > 2 && fd != ready && fd != dirfd(folder) && fd != log_descriptor() &&
        inherited.count < sizeof inherited.fds / sizeof *inherited.fds)
      inherited.fds[inherited.count++] = fd;
  }
  if (folder)
    closedir(folder);
}

static void close_inherited(void) {
  for (size_t i = 0; i < inherited.count; i++)
    close(inherited.fds[i]);
}

/* Once signed in nothing is asked any more: the daemon gets its own session, out of reach of Ctrl-C
 * and of a closing terminal, and keeps no terminal, folder or disk busy. */
static void become_daemon(holding *h) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);

  (void)setsid();
  leave_terminal();
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
  close_inherited();
  (void)!chdir("/");
  (void)!write(h->ready, "+", 1);
  close(h->ready);
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

/* ---- login --background ---- */

/* The daemon's working directory is "/". */
static const char *absolute(const char *path) {
  char folder[PATH_MAX], *full = NULL;

  if (!path || *path == '/' || strcmp(path, "-") == 0 || !getcwd(folder, sizeof folder) ||
      asprintf(&full, "%s/%s", folder, path) < 0)
    return path;
  return full; /* lives as long as the process */
}

static void make_paths_absolute(settings *s) {
  static const char *const names[] = {
      "CLOUD_TOKEN_MMAP", "TMPDIR",         "HOME",          "XDG_STATE_HOME", "REQUESTS_CA_BUNDLE",
      "AWS_CA_BUNDLE",    "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",   NULL};

  s->ca_file = absolute(s->ca_file);
  s->service_file = absolute(s->service_file);
  for (size_t i = 0; names[i]; i++) {
    const char *value = getenv(names[i]);
    if (value && *value && *value != '/')
      (void)setenv(names[i], absolute(value), 1);
  }
}

/* Signals from the terminal go to both processes; those sent to the parent alone, the process that
 * callers know, are meant for the child. */
static pid_t child_of_login;

static void pass_on(int number, siginfo_t *info, void *context) {
  (void)context;
  if (info->si_code <= 0)
    kill(child_of_login, number);
}

static void pass_signals_on(pid_t child) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  struct sigaction action;

  child_of_login = child;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
      continue;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO;
    sigaction(numbers[i], &action, NULL);
  }
}

static void wake_up(int number) {
  (void)number;
}

/* Ctrl-Z reaches both, but the shell must not get the terminal back before the child has restored
 * it: the parent stops when the child has stopped. */
static void follow_stops(sigset_t *mask) {
  const struct sigaction action = {.sa_handler = wake_up};
  sigset_t child;

  signal(SIGTSTP, SIG_IGN);
  sigaction(SIGCHLD, &action, NULL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child, mask);
}

static void stop_with(pid_t child) {
  signal(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  signal(SIGTSTP, SIG_IGN);
  kill(child, SIGCONT);
}

static int end_of(int status) {
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

/* Waits until it is signed in or has ended. */
static int wait_for_login(pid_t child, int ready, const sigset_t *mask) {
  struct pollfd one = {.fd = ready, .events = POLLIN};
  int status = 0;
  char byte = 0;

  for (;;) {
    one.revents = 0;
    if (ppoll(&one, 1, NULL, mask) == 1 && read(ready, &byte, 1) == 1)
      return EXIT_DONE;
    if (waitpid(child, &status, one.revents ? 0 : WNOHANG | WUNTRACED) != child)
      continue;
    if (!WIFSTOPPED(status))
      return end_of(status);
    stop_with(child);
  }
}

/* The child is forked before any thread exists; the parent exits once the child is signed in. Until
 * then the child belongs to the terminal's session, on which it may have to ask for a password. */
static int hold_in_background(settings *s) {
  int ends[2], status;
  sigset_t mask;
  pid_t child;

  if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
    complain("cannot run in the background: %s", strerror(errno));
    return EXIT_FAILED;
  }
  if (child == 0) {
    note_inherited(ends[1]);
    make_paths_absolute(s);
    signal(SIGTERM, SIG_DFL); /* `igtcloud logout` sends it, even if the caller ignores it */
    return hold(s, ends[1]);
  }
  pass_signals_on(child);
  follow_stops(&mask);
  close(ends[1]);
  status = wait_for_login(child, ends[0], &mask);
  close(ends[0]);
  return status;
}

static int cmd_login(settings *s) {
  return s->background ? hold_in_background(s) : hold(s, -1);
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
    message(s, removed ? "The password was removed from the keyring"
                       : "There is no password in the keyring");
  return removed < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int end_login(settings *s, pid_t holder) {
  igt_token *token = NULL;

  if (holder <= 0 || kill(holder, SIGTERM) != 0) {
    complain("the session's login is not running; it will expire by itself");
    return EXIT_FAILED;
  }
  for (int i = 0; i < 300; i++) { /* signing out takes a request or two */
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    if (kill(holder, 0) != 0 && errno == ESRCH) {
      message(s, "Signed out");
      return EXIT_DONE;
    }
    if (igt_token_read(NULL, &token, NULL) != IGT_OK) {
      message(s, "Signed out");
      return EXIT_DONE;
    }
    igt_token_free(token);
    nanosleep(&pause, NULL);
  }
  complain("the login (process %d) did not exit in time", (int)holder);
  return EXIT_FAILED;
}

static int cmd_logout(settings *s) {
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  int forgot = EXIT_DONE, status;
  pid_t holder;

  if (igt_token_read(NULL, &token, &err) != IGT_OK) {
    if (err.status != IGT_E_NO_SESSION)
      return fail(&err);
    message(s, "Not signed in");
    return s->forget ? forget_password(s, NULL) : EXIT_DONE;
  }
  holder = (pid_t)igt_token_holder(token);
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
    "end the running login",
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
      printf(",\"isService\":%s,\"expires\":%" PRId64 "}\n", identity.is_service ? "true" : "false",
             identity.expires);
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
    complain("the session has no %s token", type);
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
