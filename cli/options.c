/* SPDX-License-Identifier: MIT */
/* Reads the command line into the settings, driven by the command's table of options. parse_options
 * reads the arguments, then lets settings_sources.c fill what they leave open from the environment
 * and the profile. Values are converted and checked by the option's kind; mistakes are usage
 * errors, also in values that do not count. main.c calls it for the command that it found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"

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

/* 0 is a value of its own, stored as -1: in the settings, 0 is "not given". */
static bool zero_counts(const option *o) {
  return strcmp(o->name, "retries") == 0 || strcmp(o->name, "max-delete") == 0;
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
int truth_of(const char *value) {
  static const char *const words[][5] = {{"0", "false", "no", "off", "n"},
                                         {"1", "true", "yes", "on", "y"}};

  for (int is = 0; is < 2; is++)
    for (size_t i = 0; i < 5; i++)
      if (strcasecmp(value, words[is][i]) == 0)
        return is;
  return -1;
}

const char *set_value(const option *o, settings *s, const char *value) {
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
  case OPTION_FILE: /* a database, or what is read or replaced again while the program runs */
    if (strcmp(value, "-") == 0)
      return "is standard input or output: this must be a file";
    *(const char **)field = value;
    return NULL;
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

typedef struct long_search {
  char wanted[64];
  suggestion best;
} long_search;

static void suggest_long(void *payload, const command *cmd, const option *o) {
  long_search *find = payload;

  (void)cmd;
  suggest(&find->best, find->wanted, o->name);
}

static bool unknown_option(const command *cmd, const char *arg) {
  long_search find = {.best = {.name = NULL}};

  if (arg[1] == '-') {
    snprintf(find.wanted, sizeof find.wanted, "%.*s", (int)strcspn(arg, "=") - 2, arg + 2);
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

void log_origins(void) {
  log_given(parsed.cmd);
}

bool parse_again(settings *s) {
  *s = (settings){.retries = 0};
  forget_origins();
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
