/* SPDX-License-Identifier: MIT */
/* The help command, and the error for words that name no command: main.c and help report both with
 * a suggestion (suggest.c). */
#include <string.h>

#include "cli.h"

/* Commands and groups. */
static void suggest_command(suggestion *best, const char *typed) {
  static char closest[32];

  for (size_t i = 0; commands[i]; i++) {
    const char *name = commands[i]->name;
    char group[sizeof closest];
    suggest(best, typed, name);
    if (!strchr(name, ' '))
      continue;
    snprintf(group, sizeof group, "%.*s", (int)strcspn(name, " "), name);
    suggest(best, typed, group);
    if (best->name == group)
      best->name = memcpy(closest, group, sizeof group);
  }
}

static int unknown_command(const char *typed, const char *overview, const suggestion *best) {
  if (best->name)
    return usage_error("unknown command '%s'; did you mean '%s'?", typed, best->name);
  return usage_error("unknown command '%s'; see `igtcloud%s%s --help`", typed, *overview ? " " : "",
                     overview);
}

int no_command(const char *const *words, size_t count) {
  suggestion best = {.name = NULL};
  char typed[256];

  if (!is_group(words[0])) {
    suggest_command(&best, words[0]);
    return unknown_command(words[0], "", &best);
  }
  if (count > 1) {
    snprintf(typed, sizeof typed, "%s %s", words[0], words[1]);
    suggest_command(&best, typed);
    return unknown_command(typed, words[0], &best);
  }
  print_group(stderr, words[0]);
  return EXIT_USAGE;
}

static const topic *topic_named(const char *name) {
  for (const topic *t = topics; t->name; t++)
    if (strcmp(t->name, name) == 0)
      return t;
  return NULL;
}

#define PAGE_COLUMNS 78 /* lines of a page are not longer, wherever it goes */

static int print_topic(const topic *t) {
  unsigned columns = wrap_columns(stdout);

  if (!columns || columns > PAGE_COLUMNS)
    columns = PAGE_COLUMNS;
  for (const char *const *line = t->lines; *line; line++) {
    if (**line == '\t')
      fputs(*line + 1, stdout);
    else
      print_wrapped(stdout, *line, columns, 0, (unsigned)strspn(*line, " "));
    putchar('\n');
  }
  return EXIT_DONE;
}

static int cmd_help(settings *s) {
  bool man = s->argument_count && strcmp(s->arguments[0], "man") == 0;
  const char *const *words = s->arguments + man;
  size_t count = s->argument_count - man, taken = 0;
  const command *cmd = command_named(words, count, &taken);
  bool group = count == 1 && is_group(words[0]);
  const topic *t = count == 1 && !man && !s->json ? topic_named(words[0]) : NULL;

  if (t)
    return print_topic(t);
  if (count && !cmd && !group)
    return no_command(words, count);
  if (taken < count && !group)
    return usage_error("help takes one command: igtcloud help [man] [COMMAND]");
  if (group && (man || s->json))
    return usage_error("'%s' is a group of commands; name one of them", words[0]);
  if (s->json)
    print_tables(cmd);
  else if (man)
    print_man(cmd);
  else if (cmd)
    print_help(stdout, cmd);
  else if (group)
    print_group(stdout, words[0]);
  else
    print_overview(stdout);
  return EXIT_DONE;
}

const command help_command = {
    "help",
    "[COMMAND]",
    0,
    3,
    "show help for a command, or a page on one subject",
    "Same as igtcloud COMMAND --help. `igtcloud help selection` explains how studies are chosen,\n"
    "`igtcloud help filters` how files are, which several commands share. `igtcloud help man\n"
    "COMMAND` prints the man page; --json prints all commands and options for use by programs.",
    no_options,
    false,
    cmd_help};
