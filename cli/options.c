/* SPDX-License-Identifier: MIT */
/* Fills the settings from the environment and the command line, driven by the command's table of
 * options: parse_options first reads each option's variable (IGTCLOUD_NAME), then the arguments,
 * which override it. Values are converted and checked by the option's kind; mistakes are usage
 * errors. main.c calls it for the command that it found. */
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
  bool zero_is_fine = strcmp(o->name, "retries") == 0;
  if (*end || end == value || errno || v < (zero_is_fine ? 0 : 1) || v > 100000)
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
    return set_number(o, s, value) ? NULL : "must be a whole number in range";
  }
}

/* ---- the environment: IGTCLOUD_ and the option's name ---- */

static bool from_environment(const option *options, settings *s) {
  for (const option *o = options; o->name; o++) {
    char name[64];
    const char *value, *wrong;
    if (!variable_of(o, name, sizeof name))
      continue;
    value = getenv(name);
    if (!value || !*value)
      continue;
    if ((wrong = set_value(o, s, value)) != NULL) {
      usage_error("%s: '%s' %s%s%s", name, value, wrong, o->choices ? ": " : "",
                  o->choices ? o->choices : "");
      return false;
    }
  }
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

static bool set_option(const option *o, settings *s, const char *value) {
  const char *wrong = *value ? set_value(o, s, value) : "";

  if (wrong && !*value)
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

static bool unknown_option(const command *cmd, const char *arg) {
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

bool parse_options(const command *cmd, int argc, char **argv, settings *s) {
  bool only_arguments = false;

  if (!from_environment(cmd->options, s) || !from_environment(common_options, s) ||
      (cmd->signs_in && !from_environment(sign_in_options, s)))
    return false;
  for (int i = 0; i < argc; i++) {
    if (!only_arguments && strcmp(argv[i], "--") == 0) {
      only_arguments = true;
    } else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
      if (!take_option(cmd, argv, argc, &i, s))
        return false;
    } else if (s->argument_count == cmd->most) {
      usage_error("%s: unexpected argument '%s'; usage: igtcloud %s %s", cmd->name, argv[i],
                  cmd->name, cmd->arguments);
      return false;
    } else if (!argv[i][0]) {
      usage_error("argument %zu is empty; usage: igtcloud %s %s", s->argument_count + 1, cmd->name,
                  cmd->arguments);
      return false;
    } else {
      s->arguments[s->argument_count++] = argv[i];
    }
  }
  if (!s->help && s->argument_count < cmd->least) {
    usage_error("%s: missing argument; usage: igtcloud %s %s", cmd->name, cmd->name,
                cmd->arguments);
    return false;
  }
  return true;
}
