/* SPDX-License-Identifier: MIT */
/* Opening and closing the client for a command: the domain (from --domain, the environment PROD or
 * TEST, or the running login), credentials, and prompts for the password. Also arguments that
 * several commands share (institute and environment, dates, shards), and confirmation questions.
 * open_client installs the signal handlers (signals.c). All commands that sign in use it. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli.h"

#define PROD_DOMAIN "igt-web.eu1.phsdp.com"
#define TEST_DOMAIN "igt-web-test.eu1.phsdp.com"

static igt_cancel *last_cancel;
static igt_client *last_client;

static bool prompt(void *payload, igt_prompt_kind what, const char *question, char *response,
                   size_t cap) {
  return prompt_user(payload, igt_client_domain(last_client), what, question, response, cap);
}

/* ---- the client ---- */

static const char *const domain_variables[] = {"IGTCLOUD_DOMAIN", "CLOUD_DOMAIN"};

/* Even if empty, which choose_domain reports. */
static bool domain_is_given(const settings *s) {
  return s->domain || getenv(domain_variables[0]) || getenv(domain_variables[1]);
}

/* Elsewhere an empty variable counts as unset, but not here: whoever sets it means a certain cloud,
 * and must not send a password to another one. NULL: reported. */
static const char *choose_domain(const settings *s, const char *environment) {
  const char *variable = getenv("CLOUD_DOMAIN"), *domain = s->domain ? s->domain : variable;

  /* PROD, TEST and CLOUD_DOMAIN were given for this run, and come before the profile. */
  if (is_from_profile(AT(domain)) && (environment || variable))
    domain = environment ? NULL : variable;
  if (domain && *domain)
    return domain;
  for (size_t i = 0; i < 2 && !environment; i++)
    if (getenv(domain_variables[i]) && !*getenv(domain_variables[i])) {
      usage_error("%s is set but empty: set it to a host, unset it, or give --domain HOST, PROD "
                  "or TEST",
                  domain_variables[i]);
      return NULL;
    }
  return environment && strcasecmp(environment, "TEST") == 0 ? TEST_DOMAIN : PROD_DOMAIN;
}

/* A key file names its service identity, too: one that was given on the command line or in a
 * variable comes before the user of a profile. IGTCLOUD_USER may name whose key it is. */
static bool is_named_by_key(const settings *s) {
  return s->service_file && !is_from_profile(AT(service_file));
}

/* NULL: the library takes the key's name, or CLOUD_USERNAME, which comes before the profile, or
 * asks. */
static const char *user_of(const settings *s) {
  bool is_overruled = user_variable() || is_named_by_key(s);

  return is_from_profile(AT(user)) && is_overruled ? NULL : s->user;
}

void session_use(igt_client *client) {
  last_client = client;
}

igt_cancel *session_cancel(void) {
  return last_cancel;
}

/* All but the cancel. */
static bool fill_options(const settings *s, const char *domain, igt_client_options *o,
                         int *exit_status) {
  igt_error err = IGT_ERROR_INIT;
  union {
    const settings *from;
    void *to;
  } payload = {s};

  o->domain = domain;
  o->user = user_of(s);
  o->service_file = file_option(s->service_file);
  o->ca_file = file_option(s->ca_file);
  o->proxy = s->proxy;
  o->proxy_source = proxy_source();
  o->audience = s->audience;
  o->prompt = prompt;
  o->prompt_payload = payload.to;
  o->idle_timeout_ms = (unsigned)(s->timeout * 1000);
  o->retries = (int)s->retries;
  o->max_connections = (unsigned)s->connections;
  o->bandwidth = s->bwlimit;
  if (!s->bwlimit || igt_bandwidth_check(s->bwlimit, &err) == IGT_OK)
    return true;
  *exit_status = usage_error("--bwlimit: %s", err.text);
  return false;
}

bool client_options(const settings *s, const char *environment, igt_client_options *out,
                    int *exit_status) {
  const char *domain = choose_domain(s, environment);

  *exit_status = EXIT_USAGE;
  return domain && fill_options(s, domain, out, exit_status);
}

/* A running login is used before any password, which would go unread in silence. */
static void mention_login(const settings *s, const igt_client_options *o) {
  const char *origin = option_origin(AT(password_stdin));
  igt_token *token = NULL;

  if (!s->password_stdin || s->service_file || s->submit || !origin ||
      strcmp(origin, "the command line") != 0 || igt_token_read(NULL, &token, NULL) != IGT_OK)
    return;
  if (is_login_for(s, o, token))
    message(s, "The login of %s is running, so --password-stdin is not used",
            igt_token_user(token));
  igt_token_free(token);
}

static igt_client *open_at(const settings *s, const char *domain, int *exit_status) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  igt_client *client = NULL;
  igt_error err = IGT_ERROR_INIT;

  if (!fill_options(s, domain, &o, exit_status))
    return NULL;
  mention_login(s, &o);
  o.cancel = last_cancel = igt_cancel_new();
  catch_signals(o.cancel);
  if (igt_client_new(&o, &client, &err) != IGT_OK)
    *exit_status = fail(&err);
  last_client = client;
  /* Never freed before the process ends: a signal may come at any time. The client holds its own
   * reference. */
  return client;
}

igt_client *open_client(const settings *s, const char *environment, int *exit_status) {
  const char *domain = choose_domain(s, environment);

  *exit_status = EXIT_USAGE;
  return domain ? open_at(s, domain, exit_status) : NULL;
}

igt_client *open_here(const settings *s, int *exit_status) {
  char domain[300];
  igt_token *token = NULL;

  if (domain_is_given(s) || igt_token_read(NULL, &token, NULL) != IGT_OK)
    return open_client(s, NULL, exit_status);
  snprintf(domain, sizeof domain, "%s", igt_token_domain(token));
  igt_token_free(token);
  return open_at(s, domain, exit_status);
}

/* "https://host" and "host" are the same. */
static bool is_domain(const char *cloud, const char *domain) {
  const char *host = strncmp(cloud, "https://", 8) == 0 ? cloud + 8 : cloud;

  return domain && (strcasecmp(cloud, domain) == 0 || strcasecmp(host, domain) == 0);
}

bool is_login_for(const settings *s, const igt_client_options *o, const igt_token *token) {
  const char *user = o->user ? o->user : user_variable();

  if (!is_domain(igt_token_domain(token), o->domain))
    return false;
  if (s->service_file && !o->user)
    return is_user_of_key(s->service_file, igt_token_user(token));
  return !user || strcmp(user, igt_token_user(token)) == 0;
}

/* A running login is to a cloud that the user has chosen. */
static bool is_signed_in_at(const char *cloud) {
  igt_token *token = NULL;
  bool is =
      igt_token_read(NULL, &token, NULL) == IGT_OK && is_domain(cloud, igt_token_domain(token));

  igt_token_free(token);
  return is;
}

/* Whoever wrote the file must not choose where the user's password and tokens are sent. */
igt_client *open_client_of(const settings *s, const char *cloud, int *exit_status) {
  const char *host = strstr(cloud, "://");

  if (domain_is_given(s))
    return open_client(s, NULL, exit_status);
  if (is_domain(cloud, PROD_DOMAIN) || is_domain(cloud, TEST_DOMAIN) || is_signed_in_at(cloud))
    return open_at(s, cloud, exit_status);
  *exit_status = usage_error("the manifest is of %s, which is not a known cloud: if you trust it, "
                             "give --domain %s",
                             cloud, host && strncmp(cloud, "https", 5) == 0 ? host + 3 : cloud);
  return NULL;
}

void close_client(igt_client *client) {
  igt_error err = IGT_ERROR_INIT;

  if (igt_client_sign_out(client, &err) != IGT_OK)
    complain(err.status, "sign-out failed: %s", err.text);
  igt_client_free(client);
}

/* ---- questions ---- */

int no_answer(const char *without_terminal) {
  if (!caught_signal() && !can_ask())
    return usage_error("%s", without_terminal);
  complain(IGT_E_CANCELLED, "cancelled; nothing was changed");
  return caught_signal() ? exit_status_of(IGT_E_CANCELLED) : EXIT_FAILED;
}

int no_password(const settings *s, const char *what) {
  char without_one[256];

  if (has_said_why()) /* the program that was to print it has failed */
    return EXIT_FAILED;
  if (s->password_stdin && !caught_signal())
    return usage_error("%s requires the password, and standard input has none", what);
  snprintf(without_one, sizeof without_one,
           "%s requires the password again: use a terminal, --password-stdin or --password-command",
           what);
  return no_answer(without_one);
}

int confirm(const settings *s, const char *fmt, ...) {
  char question[1024], response[16] = "";
  va_list args;

  if (s->yes)
    return EXIT_DONE;
  va_start(args, fmt);
  vsnprintf(question, sizeof question - sizeof " [y/N]", fmt, args);
  va_end(args);
  memcpy(question + strlen(question), " [y/N]", sizeof " [y/N]");
  if (!ask_text(question, response, sizeof response))
    return no_answer("cannot ask for confirmation without a terminal; use --yes");
  if (strcasecmp(response, "y") == 0 || strcasecmp(response, "yes") == 0)
    return EXIT_DONE;
  complain(IGT_E_CANCELLED, "cancelled; nothing was changed");
  return EXIT_FAILED;
}

/* ---- arguments shared by several commands ---- */

bool is_environment(const char *text) {
  return strcasecmp(text, "PROD") == 0 || strcasecmp(text, "TEST") == 0;
}

bool take_place(const settings *s, const char **institute, const char **environment) {
  *institute = s->argument_count > 2 ? s->arguments[2] : NULL;
  *environment = s->argument_count > 3 ? s->arguments[3] : NULL;
  if (*environment && !is_environment(*environment)) {
    usage_error("the environment must be PROD or TEST, not '%s'", *environment);
    return false;
  }
  return true;
}

/* The library checks them, too; here the message can name the option, and comes before signing
 * in. */
static bool is_date(const char *name, const char *text) {
  struct tm tm = {0};
  char again[16];
  const char *end = text ? strptime(text, "%Y-%m-%d", &tm) : NULL;

  if (!text || (end && !*end && timegm(&tm) != -1 &&
                strftime(again, sizeof again, "%Y-%m-%d", &tm) == 10 && strcmp(again, text) == 0))
    return true;
  usage_error("--%s '%s' is not a valid date (YYYY-MM-DD)", name, text);
  return false;
}

bool check_dates(const settings *s) {
  return is_date("start", s->start) && is_date("end", s->end);
}

/* A number from 1 on, of at most nine digits; returns what follows it, NULL: it is not one. */
static const char *read_count(const char *text, unsigned *out) {
  size_t n = strspn(text, "0123456789");

  *out = n > 0 && n < 10 ? (unsigned)strtoul(text, NULL, 10) : 0;
  return *out > 0 ? text + n : NULL;
}

bool parse_shard(const settings *s, unsigned *shard, unsigned *shards) {
  const char *text = s->shard;
  unsigned i, n;

  if (!text)
    return true;
  if (!(text = read_count(text, &i)) || *text != '/' || !(text = read_count(text + 1, &n)) ||
      *text || i > n) {
    usage_error("--shard '%s' must be I/N, such as 1/4", s->shard);
    return false;
  }
  *shard = i;
  *shards = n;
  return true;
}
