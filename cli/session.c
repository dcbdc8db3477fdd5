/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define PROD_DOMAIN "igt-web.eu1.phsdp.com"
#define TEST_DOMAIN "igt-web-test.eu1.phsdp.com"

/* ---- asking ---- */

/* False once a signal to end was caught. It may come between a look at that and the wait for input:
 * so it is held back but while ppoll waits. Other threads take none. */
static bool wait_for_input(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  sigset_t ends, old;
  bool go_on;

  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, &old);
  while ((go_on = !caught_signal()) && ppoll(&one, 1, NULL, &old) < 0 && errno == EINTR)
    ;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return go_on;
}

static bool read_line(int fd, char *out, size_t cap) {
  size_t n = 0;

  for (;;) {
    char c;
    ssize_t got = wait_for_input(fd) ? read(fd, &c, 1) : -1;
    if (got < 0 && errno == EINTR && !caught_signal())
      continue;
    if (got < 0 || (got == 0 && n == 0))
      return false;
    if (got == 0 || c == '\n')
      break;
    if (n + 1 >= cap)
      return false;
    out[n++] = c;
  }
  if (n && out[n - 1] == '\r')
    n--;
  out[n] = '\0';
  return true;
}

static bool ask(const char *question, bool hidden, char *out, size_t cap) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  struct termios old, quiet;
  bool restore = false, good;

  if (tty < 0)
    return false;
  if (hidden && tcgetattr(tty, &old) == 0) {
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    restore = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
  }
  dprintf(tty, "%s: ", question);
  good = read_line(tty, out, cap);
  if (restore)
    tcsetattr(tty, TCSAFLUSH, &old);
  if (hidden)
    dprintf(tty, "\n");
  close(tty);
  return good;
}

bool ask_password(const char *question, char *out, size_t cap) {
  return ask(question, true, out, cap);
}

static bool prompt(void *payload, igt_prompt what, const char *question, char *answer, size_t cap) {
  const settings *s = payload;

  if (what == IGT_PROMPT_PASSWORD && s->password_stdin)
    return read_line(STDIN_FILENO, answer, cap);
  return ask(question, what == IGT_PROMPT_PASSWORD, answer, cap);
}

/* ---- the client ---- */

static const char *choose_domain(const settings *s, const char *environment) {
  const char *domain = s->domain ? s->domain : getenv("CLOUD_DOMAIN");

  if (domain && *domain)
    return domain;
  return environment && strcasecmp(environment, "TEST") == 0 ? TEST_DOMAIN : PROD_DOMAIN;
}

static igt_client *open_at(const settings *s, const char *domain, int *exit_status) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  igt_cancel *cancel = igt_cancel_new();
  igt_client *client = NULL;
  igt_error err = IGT_ERROR_INIT;
  union {
    const settings *from;
    void *to;
  } payload = {s};

  o.domain = domain;
  o.user = s->user;
  o.service_file = file_option(s->service_file);
  o.ca_file = file_option(s->ca_file);
  o.audience = s->audience;
  o.prompt = prompt;
  o.prompt_payload = payload.to;
  o.idle_timeout_ms = (unsigned)(s->timeout * 1000);
  o.retries = (int)s->retries;
  o.max_connections = (unsigned)s->connections;
  o.cancel = cancel;
  o.bandwidth = s->bwlimit;
  if (s->bwlimit && igt_bandwidth_check(s->bwlimit, &err) != IGT_OK) {
    *exit_status = usage_error("--bwlimit: %s", err.text);
    igt_cancel_free(cancel);
    return NULL;
  }
  catch_signals(cancel);
  if (igt_client_new(&o, &client, &err) != IGT_OK)
    *exit_status = fail(&err);
  /* Never freed before the end: a signal may come at any time. The client holds its own. */
  return client;
}

igt_client *open_client(const settings *s, const char *environment, int *exit_status) {
  return open_at(s, choose_domain(s, environment), exit_status);
}

igt_client *open_here(const settings *s, int *exit_status) {
  const char *variable = getenv("CLOUD_DOMAIN");
  char domain[300];
  igt_token *token = NULL;

  if (s->domain || (variable && *variable) || igt_token_read(NULL, &token, NULL) != IGT_OK)
    return open_client(s, NULL, exit_status);
  snprintf(domain, sizeof domain, "%s", igt_token_domain(token));
  igt_token_free(token);
  return open_at(s, domain, exit_status);
}

void close_client(igt_client *client) {
  igt_error err = IGT_ERROR_INIT;

  if (igt_client_sign_out(client, &err) != IGT_OK)
    fprintf(stderr, "igtcloud: signing out failed: %s\n", err.text);
  igt_client_free(client);
}

/* ---- questions ---- */

bool ask_again(const settings *s, const char *question, char *out, size_t cap) {
  return s->password_stdin ? read_line(STDIN_FILENO, out, cap) : ask_password(question, out, cap);
}

int confirm(const settings *s, const char *fmt, ...) {
  char question[1024], safe[1200], answer[16] = "";
  va_list args;
  FILE *out;

  if (s->yes)
    return EXIT_DONE;
  va_start(args, fmt);
  vsnprintf(question, sizeof question, fmt, args);
  va_end(args);
  out = fmemopen(safe, sizeof safe, "w"); /* names may hold anything */
  if (!out)
    return EXIT_FAILED;
  print_safe(out, question);
  fputs(" [y/N]", out);
  fclose(out);
  safe[sizeof safe - 1] = '\0';
  if (!ask(safe, false, answer, sizeof answer))
    return usage_error("there is no terminal to ask on: say --yes if it is meant");
  if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
    return EXIT_DONE;
  fprintf(stderr, "igtcloud: nothing was done\n");
  return EXIT_FAILED;
}

/* ---- arguments that several commands have ---- */

static bool is_environment(const char *text) {
  return strcasecmp(text, "PROD") == 0 || strcasecmp(text, "TEST") == 0;
}

bool take_place(const settings *s, const char **institute, const char **environment) {
  *institute = s->argument_count > 2 ? s->arguments[2] : NULL;
  *environment = s->argument_count > 3 ? s->arguments[3] : NULL;
  if (*environment && !is_environment(*environment)) {
    usage_error("the environment is PROD or TEST, not '%s'", *environment);
    return false;
  }
  return true;
}

/* The library checks them, too; here the option can be named, and before anyone signs in. */
static bool is_date(const char *name, const char *text) {
  struct tm tm = {0};
  char again[16];
  const char *end = text ? strptime(text, "%Y-%m-%d", &tm) : NULL;

  if (!text || (end && !*end && timegm(&tm) != -1 &&
                strftime(again, sizeof again, "%F", &tm) == 10 && strcmp(again, text) == 0))
    return true;
  usage_error("--%s '%s' is no date: write it as YYYY-MM-DD", name, text);
  return false;
}

bool check_dates(const settings *s) {
  return is_date("start", s->start) && is_date("end", s->end);
}

bool parse_shard(const settings *s, unsigned *shard, unsigned *shards) {
  unsigned i = 0, n = 0;
  char tail;

  if (!s->shard)
    return true;
  if (sscanf(s->shard, "%u/%u%c", &i, &n, &tail) != 2 || n < 1 || i < 1 || i > n) {
    usage_error("--shard '%s' is no share such as 1/4", s->shard);
    return false;
  }
  *shard = i;
  *shards = n;
  return true;
}
