/* SPDX-License-Identifier: MIT */
/* Fills the settings from the environment and the command line, driven by the command's table of
 * options: parse_options reads the arguments, then each option's variable (IGTCLOUD_NAME), then the
 * profile of the configuration file (config.c); the first that sets an option counts. Values are
 * converted and checked by the option's kind; mistakes are usage errors, also in values that do not
 * count. main.c calls it for the command that it found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

/* ---- values ---- */

/* A choice as written in the table; all options together have fewer choices than there is space
 * for. */
static const char *keep_choice(const char *text, size_t n) {
  static char kept[32][32];
  size_t i = 0;

  while (i < 31 && kept[i][0] && (strncmp(kept[i], text, n) != 0 || kept[i][n]))
    i++;
  snprintf(kept[i], sizeof kept[i], "%.*s", (int)n, text);
  return kept[i];
}

static bool is_choice(const char *choices, const char *value, const char **exact) {
  size_t n = strlen(value);

  for (const char *p = choices; *p;) {
    size_t len = strcspn(p, "|");
    if (len == n && len < 32 && strncasecmp(p, value, n) == 0) {
      *exact = keep_choice(p, len);
      return true;
    }
    p += len + (p[len] == '|');
  }
  return false;
}

#define NUMBER_MOST 100000
#define TEXT_OF(number) #number
#define NUMBER_TO(number) " to " TEXT_OF(number)

static bool zero_counts(const option *o) {
  return strcmp(o->name, "retries") == 0;
}

static const char *range_of(const option *o) {
  if (o->kind == OPTION_SECONDS)
    return "must be a number of seconds, more than 0 and less than 1000000";
  return zero_counts(o) ? "must be a whole number from 0" NUMBER_TO(NUMBER_MOST)
                        : "must be a whole number from 1" NUMBER_TO(NUMBER_MOST);
}

static bool set_number(const option *o, settings *s, const char *value) {
  char *end;

  errno = 0;
  if (o->kind == OPTION_SECONDS) {
    double v = strtod(value, &end);
    if (*end || end == value || errno || !(v > 0 && v < 1e6))
      return false;
    *(double *)(void *)((char *)s + o->offset) = v;
    return true;
  }
  long long v = strtoll(value, &end, 10);
  bool zero_is_fine = zero_counts(o);
  if (*end || end == value || errno || v < (zero_is_fine ? 0 : 1) || v > NUMBER_MOST)
    return false;
  *(long long *)(void *)((char *)s + o->offset) = zero_is_fine && v == 0 ? -1 : v;
  return true;
}

#define NOT_BOOLEAN "is not a boolean; use 1, true, yes or on, or 0, false, no or off"
/* 1: on, 0: off, -1: neither. */
static int truth_of(const char *value) {
  static const char *const words[][5] = {{"0", "false", "no", "off", "n"},
                                         {"1", "true", "yes", "on", "y"}};

  for (int is = 0; is < 2; is++)
    for (size_t i = 0; i < 5; i++)
      if (strcasecmp(value, words[is][i]) == 0)
        return is;
  return -1;
}

/* NULL, or a description of the problem. */
static const char *set_value(const option *o, settings *s, const char *value) {
  void *field = (char *)s + o->offset;

  if (o->choices && !is_choice(o->choices, value, &value))
    return "must be one of";
  switch (o->kind) {
  case OPTION_FLAG: {
    int on = truth_of(value);
    if (on >= 0)
      *(bool *)field = on == 1;
    return on >= 0 ? NULL : NOT_BOOLEAN;
  }
  case OPTION_TEXT:
    *(const char **)field = value;
    return NULL;
  case OPTION_LIST: {
    texts *list = field;
    if (list->count == sizeof list->v / sizeof *list->v)
      return "has too many values";
    list->v[list->count++] = value;
    return NULL;
  }
  default:
    return set_number(o, s, value) ? NULL : range_of(o);
  }
}

/* Of the last parse_options. */
static struct {
  const command *cmd;
  int argc;
  char **argv;
} parsed;

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

static void log_cloud_variable(const char *key, size_t offset) {
  const char *variable = cloud_variable(key);

  if (variable && (!option_origin(offset) || is_from_profile(offset)))
    debug_message("%s = %s, from %s", key, getenv(variable), variable);
}

/* It does not apply: CLOUD_DOMAIN and CLOUD_USERNAME come before a profile. */
static bool is_overruled(const option *o) {
  return is_from_profile(o->offset) && cloud_variable(o->name);
}

void log_origins(void) {
  char shown[512];

  if (parsed.cmd->signs_in) {
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

bool is_from_profile(size_t offset) {
  const char *origin = option_origin(offset);

  return origin && strncmp(origin, "profile '", strlen("profile '")) == 0;
}

const char *check_value(const option *o, const char *value) {
  static settings unused;

  unused = (settings){.retries = 0};
  return set_value(o, &unused, value);
}

/* Checks the value, and uses it unless another source, which comes first, has set the option. NULL,
 * or a description of the problem. */
static const char *offer_value(const option *o, settings *s, const char *value,
                               const char *source) {
  bool is_set = is_set_elsewhere(o, source);
  const char *wrong = is_set ? check_value(o, value) : set_value(o, s, value);

  if (!wrong && !is_set)
    keep_origin(o, value, source);
  return wrong;
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

/* A variable with a slip in its name would leave its option unset without a word. */
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
  usage_error("the variable %.*s belongs to no option%s", (int)find.length, variable,
              suggestion_text(&find.best, hint, sizeof hint));
  return false;
}

static held_errors mistakes;

const held_errors *setting_mistakes(void) {
  return &mistakes;
}

/* The first mistake ends the program, unless the command reports all of them. */
static bool goes_on(bool ok) {
  return ok || parsed.cmd->reports_mistakes;
}

static bool check_environment(void) {
  bool ok = true;

  for (char **v = os_environment(); *v && goes_on(ok); v++)
    if (strncmp(*v, "IGTCLOUD_", strlen("IGTCLOUD_")) == 0)
      ok = check_variable(*v) && ok;
  return ok;
}

static bool from_environment(const option *options, settings *s) {
  bool ok = true;

  for (const option *o = options; o->name && goes_on(ok); o++) {
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

/* One entry of the profile; keys of other commands' options are left alone. */
static bool from_entry(const command *cmd, const config *c, const config_entry *e, settings *s) {
  const option *o = config_option(cmd, e->key);
  char source[64];
  const char *wrong;

  if (!o)
    return config_key_exists(e->key) || unknown_key(c, e);
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
  if (!config_read(s, &r->c))
    return false;
  if (s->profile && !config_has_profile(&r->c, profile))
    return unknown_profile(&r->c, profile);
  bool ok = true;
  for (size_t i = 0; i < r->c.count && goes_on(ok); i++)
    if (strcmp(r->c.v[i].profile, profile) == 0)
      ok = from_entry(cmd, &r->c, &r->c.v[i], s) && ok;
  return ok;
}

static bool from_surroundings(const command *cmd, settings *s) {
  const option *tables[] = {cmd->options, common_options,
                            cmd->signs_in ? sign_in_options : no_options};
  bool ok = check_environment();

  for (size_t i = 0; i < 3 && goes_on(ok); i++)
    ok = from_environment(tables[i], s) && ok;
  if (goes_on(ok) && !cmd->ignores_profile)
    ok = from_profile(cmd, s) && ok;
  return ok;
}

static bool take_surroundings(const command *cmd, settings *s) {
  if (!cmd->reports_mistakes)
    return from_surroundings(cmd, s);
  mistakes.count = 0;
  hold_errors(&mistakes);
  (void)from_surroundings(cmd, s);
  hold_errors(NULL);
  return true;
}

/* ---- the arguments ---- */

static const option *in_table(const option *table, const char *name, size_t n, char letter) {
  for (const option *o = table; o->name; o++)
    if (letter ? o->letter == letter : strlen(o->name) == n && strncmp(o->name, name, n) == 0)
      return o;
  return NULL;
}

static const option *find_option(const command *cmd, const char *name, size_t n, char letter) {
  const option *o = in_table(cmd->options, name, n, letter);

  if (!o && cmd->signs_in)
    o = in_table(sign_in_options, name, n, letter);
  return o ? o : in_table(common_options, name, n, letter);
}

/* Of all commands that have it, as the table's rows are alike: NULL: none takes it before its
 * name. */
static const option *find_global(const char *name, size_t n, char letter) {
  const option *o = in_table(common_options, name, n, letter);

  return o ? o : in_table(sign_in_options, name, n, letter);
}

static bool is_negated_global(const char *name, size_t n) {
  const option *o = n > 3 && strncmp(name, "no-", 3) == 0 ? find_global(name + 3, n - 3, 0) : NULL;

  return o && o->kind == OPTION_FLAG;
}

size_t global_option_words(const char *arg) {
  const char *name = arg + 2;
  size_t n;
  const option *o;

  if (arg[0] != '-' || !arg[1])
    return 0;
  if (arg[1] != '-') {
    o = find_global(NULL, 0, arg[1]);
    return !o ? 0 : o->kind != OPTION_FLAG && !arg[2] ? 2 : 1;
  }
  n = strcspn(name, "=");
  o = n > 0 ? find_global(name, n, 0) : NULL;
  if (!o)
    return n > 0 && is_negated_global(name, n) ? 1 : 0;
  return o->kind != OPTION_FLAG && !name[n] ? 2 : 1;
}

size_t leading_words(int argc, char **argv) {
  size_t n = 0, words;

  while (n < (size_t)argc && (words = global_option_words(argv[n])) > 0)
    n += words;
  return n < (size_t)argc ? n : (size_t)argc;
}

void move_behind_name(char **argv, size_t n, size_t taken) {
  char *name[2] = {argv[n], taken > 1 ? argv[n + 1] : NULL};

  memmove(argv + taken, argv, n * sizeof *argv);
  memcpy(argv, name, taken * sizeof *argv);
}

const option *command_option(const command *cmd, const char *name) {
  return find_option(cmd, name, strlen(name), 0);
}

/* Other users see arguments in lists of processes: a proxy's password leaves them, as curl's does.
 * value is one of argv, which may be written. */
static const char *take_out_of_sight(const option *o, const char *value) {
  const char *at = strrchr(value, '@');
  char *copy = at && o->offset == AT(proxy) ? strdup(value) : NULL; /* until the process ends */
  union {
    const char *from;
    char *to;
  } seen = {value};

  if (!copy)
    return value;
  memset(seen.to, '*', (size_t)(at - value));
  return copy;
}

static bool set_option(const option *o, settings *s, const char *value) {
  bool may_be_empty = o->offset == AT(proxy); /* none */
  bool is_good = *value || may_be_empty;
  const char *wrong;

  value = take_out_of_sight(o, value);
  wrong = is_good ? offer_value(o, s, value, "the command line") : "";
  if (!is_good)
    usage_error("--%s: the value is empty", o->name);
  else if (wrong)
    usage_error("--%s '%s' %s%s%s", o->name, value, wrong, o->choices ? ": " : "",
                o->choices ? o->choices : "");
  return !wrong;
}

static const char *next_value(const option *o, char **argv, int argc, int *i) {
  if (*i + 1 < argc)
    return argv[++*i];
  usage_error("--%s requires a value", o->name);
  return NULL;
}

static void suggest_long(void *payload, const command *cmd, const option *o) {
  variable_search *find = payload;
  char wanted[64];

  (void)cmd;
  snprintf(wanted, sizeof wanted, "%.*s", (int)find->length, find->name);
  suggest(&find->best, wanted, o->name);
}

static bool unknown_option(const command *cmd, const char *arg) {
  variable_search find = {.name = arg + 2, .length = strcspn(arg, "=")};

  if (arg[1] == '-') {
    find.length -= 2;
    each_option(cmd, suggest_long, &find);
  }
  if (find.best.name)
    usage_error("%s: unknown option '%s'; did you mean '--%s'?", cmd->name, arg, find.best.name);
  else
    usage_error("%s: unknown option '%s'; see `igtcloud %s --help`", cmd->name, arg, cmd->name);
  return false;
}

/* The flag that a name negates: "no-quiet" is quiet, and "progress" is no-progress. */
static const option *find_negated(const command *cmd, const char *name, size_t n) {
  char other[64];
  const option *o =
      n > 3 && memcmp(name, "no-", 3) == 0 ? find_option(cmd, name + 3, n - 3, 0) : NULL;

  if (!o && n < sizeof other - 3) {
    (void)snprintf(other, sizeof other, "no-%.*s", (int)n, name);
    o = find_option(cmd, other, n + 3, 0);
  }
  return o && o->kind == OPTION_FLAG ? o : NULL;
}

/* --NAME, --NAME VALUE, --NAME=VALUE; for a flag also --no-NAME. */
static bool take_long(const command *cmd, char **argv, int argc, int *i, settings *s) {
  const char *name = argv[*i] + 2, *value;
  size_t n = strcspn(name, "=");
  const option *o = find_option(cmd, name, n, 0);

  if (!o && !name[n] && (o = find_negated(cmd, name, n)) != NULL)
    return set_option(o, s, "false");
  if (!o)
    return unknown_option(cmd, argv[*i]);
  if (name[n] == '=')
    value = name + n + 1;
  else
    value = o->kind == OPTION_FLAG ? "true" : next_value(o, argv, argc, i);
  return value && set_option(o, s, value);
}

/* -q, -qy, -u NAME, -uNAME: flags combine, the last letter may take a value. */
static bool take_short(const command *cmd, char **argv, int argc, int *i, settings *s) {
  const char *arg = argv[*i], *value;

  for (const char *letter = arg + 1; *letter; letter++) {
    const option *o = find_option(cmd, NULL, 0, *letter);
    if (!o)
      return unknown_option(cmd, arg);
    if (o->kind != OPTION_FLAG) {
      value = letter[1] ? letter + 1 : next_value(o, argv, argc, i);
      return value && set_option(o, s, value);
    }
    if (!set_option(o, s, "true"))
      return false;
  }
  return true;
}

/* One option at argv[*i]; it overrides the environment. */
static bool take_option(const command *cmd, char **argv, int argc, int *i, settings *s) {
  return argv[*i][1] == '-' ? take_long(cmd, argv, argc, i, s) : take_short(cmd, argv, argc, i, s);
}

static bool take_argument(const command *cmd, const char *text, settings *s) {
  bool fits = s->argument_count < cmd->most && *text;

  if (fits)
    s->arguments[s->argument_count++] = text;
  else if (s->argument_count == cmd->most)
    usage_error("%s: unexpected argument '%s'; usage: igtcloud %s %s", cmd->name, text, cmd->name,
                cmd->arguments);
  else
    usage_error("argument %zu is empty; usage: igtcloud %s %s", s->argument_count + 1, cmd->name,
                cmd->arguments);
  return fits;
}

static bool from_arguments(const command *cmd, int argc, char **argv, settings *s) {
  bool only_arguments = false;

  for (int i = 0; i < argc; i++) {
    bool is_option = !only_arguments && argv[i][0] == '-' && argv[i][1];
    if (is_option && strcmp(argv[i], "--") == 0)
      only_arguments = true;
    else if (is_option ? !take_option(cmd, argv, argc, &i, s) : !take_argument(cmd, argv[i], s))
      return false;
  }
  return true;
}

static bool is_typed(size_t offset) {
  const char *origin = option_origin(offset);

  return origin && strcmp(origin, "the command line") == 0;
}

/* A variable or a profile gives way to the command line. */
static bool check_passwords(const settings *s) {
  if (!s->password_stdin || !s->password_command || !is_typed(AT(password_stdin)) ||
      !is_typed(AT(password_command)))
    return true;
  usage_error("--password-stdin and --password-command are mutually exclusive");
  return false;
}

const char *const *typed_words(size_t *count) {
  *count = (size_t)parsed.argc;
  return (const char *const *)parsed.argv;
}

bool parse_again(settings *s) {
  *s = (settings){.retries = 0};
  origin_count = 0;
  return parse_options(parsed.cmd, parsed.argc, parsed.argv, s);
}

bool parse_options(const command *cmd, int argc, char **argv, settings *s) {
  parsed.cmd = cmd;
  parsed.argc = argc;
  parsed.argv = argv;
  if (!from_arguments(cmd, argc, argv, s))
    return false;
  if (s->help)
    return true;
  if (!take_surroundings(cmd, s))
    return false;
  if (s->argument_count < cmd->least) {
    usage_error("%s: missing argument; usage: igtcloud %s %s", cmd->name, cmd->name,
                cmd->arguments);
    return false;
  }
  return check_passwords(s);
}
