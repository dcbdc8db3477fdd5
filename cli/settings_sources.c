/* SPDX-License-Identifier: MIT */
/* The sources of the settings, and which of them each value comes from: the command line
 * (options.c), then each option's variable (IGTCLOUD_NAME), then the profile of the configuration
 * file (config.c); the first that sets an option counts. A variable or key that belongs to no
 * option is a mistake. Called by options.c after the arguments. */
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* ---- where each value comes from: the arguments, else a variable, else the profile ---- */

#define ORIGINS_MAX 128
static struct {
  const option *option;
  const char *value;
  char source[64]; /* "the command line", "IGTCLOUD_USER", "profile 'lab'" */
} origins[ORIGINS_MAX];
static size_t origin_count;

const char *option_origin(size_t offset) {
  for (size_t i = 0; i < origin_count; i++)
    if (origins[i].option->offset == offset)
      return origins[i].source;
  return NULL;
}

/* Options of lists have several values, all from one source. */
static bool is_set_elsewhere(const option *o, const char *source) {
  const char *origin = option_origin(o->offset);

  return origin && strcmp(origin, source) != 0;
}

static void keep_origin(const option *o, const char *value, const char *source) {
  if (origin_count == ORIGINS_MAX)
    return;
  origins[origin_count].option = o;
  origins[origin_count].value = value;
  snprintf(origins[origin_count].source, sizeof origins->source, "%s", source);
  origin_count++;
}

/* Up to the last '@': passwords often contain one that is not encoded. */
const char *shown_value(const char *name, const char *value, char *out, size_t cap) {
  const char *sep = strstr(value, "://"), *host = sep ? sep + 3 : value, *at = strrchr(host, '@');
  const char *dot = strrchr(name, '.');

  if (strcmp(dot ? dot + 1 : name, "password-command") == 0)
    return "(hidden)"; /* it may be `echo` and the password */
  if (strcmp(dot ? dot + 1 : name, "proxy") != 0 || !at)
    return value;
  (void)snprintf(out, cap, "%.*s(hidden)%s", (int)(host - value), value, at);
  return out;
}

static void print_given(FILE *out, const option *o, const char *value) {
  if (o->kind == OPTION_FLAG) {
    fprintf(out, " --%s%s", truth_of(value) ? "" : "no-", o->name);
    return;
  }
  fprintf(out, " --%s '", o->name);
  for (; *value; value++)
    if (*value == '\'')
      fputs("'\\''", out);
    else
      putc(*value, out);
  putc('\'', out);
}

char *given_options(const command *cmd) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);

  if (!out)
    return NULL;
  for (size_t i = 0; i < origin_count; i++)
    for (const option *o = cmd->options; o->name; o++)
      if (o == origins[i].option)
        print_given(out, o, origins[i].value);
  if (fclose(out) != 0) {
    free(text);
    return NULL;
  }
  if (n)
    memmove(text, text + 1, n); /* the first blank */
  return text;
}

const char *user_variable(void) {
  const char *value = getenv("CLOUD_USERNAME");

  return value && *value ? value : NULL;
}

const char *cloud_variable(const char *key) {
  static const char *const of[][3] = {{"domain", "IGTCLOUD_DOMAIN", "CLOUD_DOMAIN"},
                                      {"user", "IGTCLOUD_USER", "CLOUD_USERNAME"}};

  for (size_t i = 0; i < 2; i++) {
    const char *first = getenv(of[i][1]), *value = getenv(of[i][2]);
    if (strcmp(of[i][0], key) == 0 && !(first && *first) && value && *value)
      return of[i][2];
  }
  return NULL;
}

static bool key_is_overruled; /* the profile's: see choose_identity */

bool is_from_profile(size_t offset) {
  const char *origin = option_origin(offset);

  return origin && strncmp(origin, "profile '", strlen("profile '")) == 0;
}

/* A profile may be named for a user, and a bundle of doctor has this. */
const char *proxy_source(void) {
  const char *origin = option_origin(AT(proxy));

  if (!origin || strcmp(origin, "the command line") == 0)
    return "--proxy";
  return is_from_profile(AT(proxy)) ? "the key proxy of the configuration file" : origin;
}

static void log_cloud_variable(const char *key, size_t offset) {
  const char *variable = cloud_variable(key);

  if (variable && (!option_origin(offset) || is_from_profile(offset)))
    debug_message("%s = %s, from %s", key, getenv(variable), variable);
}

/* It does not apply: CLOUD_DOMAIN and CLOUD_USERNAME come before a profile. */
static bool is_overruled(const option *o) {
  return is_from_profile(o->offset) &&
         (cloud_variable(o->name) || (o->offset == AT(service_file) && key_is_overruled));
}

void log_given(const command *cmd) {
  char shown[512];

  if (cmd->signs_in) {
    log_cloud_variable("domain", AT(domain));
    log_cloud_variable("user", AT(user));
  }
  for (size_t i = 0; i < origin_count; i++) {
    if (is_overruled(origins[i].option))
      continue;
    const char *name = origins[i].option->name;
    debug_message("%s = %s, from %s", name,
                  shown_value(name, origins[i].value, shown, sizeof shown), origins[i].source);
  }
}

const char *check_value(const option *o, const char *value) {
  static settings unused;

  unused = (settings){.retries = 0};
  return set_value(o, &unused, value);
}

const char *offer_value(const option *o, settings *s, const char *value, const char *source) {
  bool is_set = is_set_elsewhere(o, source);
  const char *wrong = is_set ? check_value(o, value) : set_value(o, s, value);

  if (!wrong && !is_set)
    keep_origin(o, value, source);
  return wrong;
}

void forget_origins(void) {
  origin_count = 0;
}

/* ---- the environment: IGTCLOUD_ and the option's name ---- */

typedef struct variable_search {
  const char *name; /* up to its '=' */
  size_t length;
  bool found;
  suggestion best;
} variable_search;

static void compare_variable(variable_search *find, const char *name) {
  find->found =
      find->found || (strlen(name) == find->length && strncmp(name, find->name, find->length) == 0);
}

static void compare_option(void *payload, const command *cmd, const option *o) {
  variable_search *find = payload;
  char name[64];

  (void)cmd;
  if (variable_of(o, name, sizeof name))
    compare_variable(find, name);
}

static void suggest_option(void *payload, const command *cmd, const option *o) {
  variable_search *find = payload;
  char wanted[128], name[64];

  (void)cmd;
  snprintf(wanted, sizeof wanted, "%.*s", (int)find->length, find->name);
  if (variable_of(o, name, sizeof name))
    suggest(&find->best, wanted + strlen("IGTCLOUD_"), o->name);
}

/* Variables that are not options: variables[], and those of the programs and scripts around this
 * one. */
static bool is_other_variable(const variable_search *find) {
  static const char *const prefixes[] = {"IGTCLOUD_TEST_", "IGTCLOUD_SANDBOX_",
                                         "IGTCLOUD_BIN=", "IGTCLOUD_LONG="};
  variable_search other = {.name = find->name, .length = find->length};

  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (strncmp(find->name, prefixes[i], strlen(prefixes[i])) == 0)
      return true;
  for (const fact *f = variables; f->name; f++)
    compare_variable(&other, f->name);
  return other.found;
}

#define PASSWORD_VARIABLE "IGTCLOUD_PASSWORD"

/* A misspelled variable would silently leave its option unset. */
static bool check_variable(const char *variable) {
  variable_search find = {.name = variable, .length = strcspn(variable, "=")};
  char hint[80], name[64];

  for (size_t i = 0; commands[i] && !find.found; i++)
    each_option(commands[i], compare_option, &find);
  if (find.found || is_other_variable(&find))
    return true;
  if (find.length == strlen(PASSWORD_VARIABLE) &&
      strncmp(variable, PASSWORD_VARIABLE, find.length) == 0) {
    usage_error("passwords are not read from " PASSWORD_VARIABLE ", since other programs can see "
                "variables; use --password-command or --password-stdin");
    return false;
  }
  for (size_t i = 0; commands[i]; i++)
    each_option(commands[i], suggest_option, &find);
  if (find.best.name) {
    (void)variable_of(&(option){.name = find.best.name}, name, sizeof name);
    find.best.name = name;
  }
  usage_error("unknown variable %.*s%s", (int)find.length, variable,
              suggestion_text(&find.best, hint, sizeof hint));
  return false;
}

static held_errors mistakes;

const held_errors *setting_mistakes(void) {
  return &mistakes;
}

/* The first mistake ends the program, unless the command reports all of them. */
static bool goes_on(const command *cmd, bool ok) {
  return ok || cmd->reports_mistakes;
}

static bool check_environment(const command *cmd) {
  bool ok = true;

  for (char **v = os_environment(); *v && goes_on(cmd, ok); v++)
    if (strncmp(*v, "IGTCLOUD_", strlen("IGTCLOUD_")) == 0)
      ok = check_variable(*v) && ok;
  return ok;
}

static bool from_environment(const command *cmd, const option *options, settings *s) {
  bool ok = true;

  for (const option *o = options; o->name && goes_on(cmd, ok); o++) {
    char name[64];
    const char *value, *wrong;
    if (!variable_of(o, name, sizeof name))
      continue;
    value = getenv(name);
    if (!value || !*value)
      continue;
    if ((wrong = offer_value(o, s, value, name)) != NULL) {
      usage_error("%s: '%s' %s%s%s", name, value, wrong, o->choices ? ": " : "",
                  o->choices ? o->choices : "");
      ok = false;
    }
  }
  return ok;
}

/* ---- the profile ---- */

/* Lists the profiles for a name that is none of them. */
static bool unknown_profile(const config *c, const char *profile) {
  suggestion best = {.name = NULL};
  char hint[80];

  for (size_t i = 0; i < c->count; i++)
    suggest(&best, profile, c->v[i].profile);
  if (c->exists)
    usage_error("the configuration file '%s' has no profile '%s'%s", c->path, profile,
                suggestion_text(&best, hint, sizeof hint));
  else
    usage_error("there is no profile '%s': the configuration file '%s' does not exist", profile,
                c->path ? c->path : "");
  return false;
}

static bool unknown_key(const config *c, const config_entry *e) {
  const char *like = config_key_like(e->key);

  usage_error("%s, line %u: unknown key '%s'%s%s%s", c->path, e->line, e->key,
              like ? "; did you mean '" : "", like ? like : "", like ? "'?" : "");
  return false;
}

static const char *profile_user;

/* One entry of the profile; keys of other commands' options are left alone. */
static bool from_entry(const command *cmd, const config *c, const config_entry *e, settings *s) {
  const option *o = config_option(cmd, e->key);
  char source[64];
  const char *wrong;

  if (!o)
    return config_key_exists(e->key) || unknown_key(c, e);
  if (o->offset == AT(user))
    profile_user = e->value;
  snprintf(source, sizeof source, "profile '%s'", e->profile);
  wrong = offer_value(o, s, e->value, source);
  if (!wrong)
    return true;
  usage_error("%s, line %u: %s = '%s' %s%s%s", c->path, e->line, e->key, e->value, wrong,
              o->choices ? ": " : "", o->choices ? o->choices : "");
  return false;
}

/* The values are used until the process ends, also after parse_again: each reading is kept. */
typedef struct reading {
  config c;
  struct reading *earlier;
} reading;

static bool from_profile(const command *cmd, settings *s) {
  static reading first, *last;
  const char *profile = s->profile ? s->profile : "default";
  reading *r = last ? calloc(1, sizeof *r) : &first;

  if (!r)
    return usage_error("out of memory"), false;
  r->earlier = last;
  last = r;
  profile_user = NULL;
  if (!config_read(s, &r->c))
    return false;
  if (s->profile && !config_has_profile(&r->c, profile))
    return unknown_profile(&r->c, profile);
  bool ok = true;
  for (size_t i = 0; i < r->c.count && goes_on(cmd, ok); i++)
    if (strcmp(r->c.v[i].profile, profile) == 0)
      ok = from_entry(cmd, &r->c, &r->c.v[i], s) && ok;
  return ok;
}

bool is_user_of_key(const char *key_file, const char *user) {
  igt_key_info info = IGT_KEY_INFO_INIT;
  const char *slash = strrchr(key_file, '/'), *name = slash ? slash + 1 : key_file;
  size_t n = strlen(user);

  return (strncmp(name, user, n) == 0 && (!name[n] || strcmp(name + n, ".pem") == 0)) ||
         (igt_key_info_read(key_file, &info, NULL) == IGT_OK && strcmp(info.service, user) == 0);
}

/* A user that was given on the command line or in a variable comes before the key of a profile, as
 * a key that was given comes before the profile's user (session.c). */
static void choose_identity(settings *s) {
  const char *user = !s->user || is_from_profile(AT(user)) ? user_variable() : s->user;

  key_is_overruled = user && s->service_file && is_from_profile(AT(service_file)) &&
                     !(profile_user && strcmp(user, profile_user) == 0) &&
                     !is_user_of_key(s->service_file, user);
  if (key_is_overruled)
    s->service_file = NULL;
}

static bool from_surroundings(const command *cmd, settings *s) {
  const option *tables[] = {cmd->options, common_options,
                            cmd->signs_in ? sign_in_options : no_options};
  bool ok = check_environment(cmd);

  for (size_t i = 0; i < 3 && goes_on(cmd, ok); i++)
    ok = from_environment(cmd, tables[i], s) && ok;
  if (goes_on(cmd, ok) && !cmd->ignores_profile)
    ok = from_profile(cmd, s) && ok;
  choose_identity(s);
  return ok;
}

bool take_surroundings(const command *cmd, settings *s) {
  if (!cmd->reports_mistakes)
    return from_surroundings(cmd, s);
  mistakes.count = 0;
  hold_errors(&mistakes);
  (void)from_surroundings(cmd, s);
  hold_errors(NULL);
  return true;
}
