/* SPDX-License-Identifier: MIT */
/* Man pages in roff, generated from the command tables: print_man writes the page of a command or
 * of the program itself. cmd_help.c calls it; scripts/make-man combines them with the sections
 * written by hand. */
#include <string.h>

#include "cli.h"
#include "igtcloud/version.h"

/* Escapes text so that nothing in it is a request or an escape sequence. A blank line starts a
 * paragraph; an indented line is kept as it is. */
static void man_text(const char *text) {
  bool at_start = true;

  for (const char *p = text; *p; p++) {
    if (at_start && *p == '\n') {
      printf(".PP\n");
      continue;
    }
    if (at_start && (*p == '.' || *p == '\''))
      printf("\\&");
    else if (at_start && *p == ' ' && p > text)
      printf(".br\n\\&");
    at_start = *p == '\n';
    if (*p == '-')
      printf("\\-");
    else if (*p == '\\')
      printf("\\e");
    else if (*p == '`')
      printf("\\(ga");
    else if (*p == '\'')
      printf("\\(aq");
    else
      putchar(*p);
  }
}

static void man_option(void *payload, const command *cmd, const option *o) {
  (void)payload;
  (void)cmd;
  printf(".TP\n\\fB");
  if (o->letter)
    printf("\\-%c\\fR, \\fB", o->letter);
  printf("\\-\\-");
  man_text(o->name);
  printf("\\fR");
  if (o->value) {
    printf(" \\fI");
    man_text(o->choices ? o->choices : o->value);
    printf("\\fR");
  }
  printf("\n");
  man_text(o->help);
  printf("\n");
}

static void man_facts(const fact *facts) {
  for (; facts->name; facts++) {
    printf(".TP\n.B ");
    man_text(facts->name);
    printf("\n");
    man_text(facts->text);
    printf("\n");
  }
}

static void man_title(const char *name) {
  printf(".TH ");
  for (const char *p = name; *p; p++)
    putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
  printf(" 1 \"\" \"igtcloud %s\" \"IGT Cloud\"\n.SH NAME\n", igt_version());
  man_text(name);
  printf(" \\- ");
}

static void man_end(void) {
  printf(
      ".SH ENVIRONMENT\n"
      "Each option can also be set by a variable: \\fBIGTCLOUD_\\fR and its name in upper case,\n"
      "with _ for \\-. Options on the command line take precedence.\n");
  man_facts(variables);
  printf(".SH EXIT STATUS\n");
  man_facts(exit_statuses);
}

static void man_of_program(void) {
  char name[64];

  man_title("igtcloud");
  printf("transfer studies between this machine and the IGT Cloud\n"
         ".SH SYNOPSIS\n.B igtcloud\n.I COMMAND\n[options] [arguments]\n.SH COMMANDS\n");
  for (size_t i = 0; commands[i]; i++) {
    man_name(commands[i], name, sizeof name);
    printf(".TP\n\\fB");
    man_text(name);
    printf("\\fR(1)\n");
    man_text(commands[i]->summary);
    printf("\n");
  }
  printf(".SH OPTIONS OF EVERY COMMAND\n");
  for (const option *o = common_options; o->name; o++)
    man_option(NULL, NULL, o);
  printf(".SH OPTIONS OF COMMANDS THAT SIGN IN\n");
  for (const option *o = sign_in_options; o->name; o++)
    man_option(NULL, NULL, o);
  man_end();
  printf(".SH SEE ALSO\n.BR igtcloud\\-selection (7),\n.BR igtcloud\\-filters (7),\n"
         ".BR igtcloud\\-sandbox (1)\n");
}

void print_man(const command *cmd) {
  char name[64];

  if (!cmd) {
    man_of_program();
    return;
  }
  man_name(cmd, name, sizeof name);
  man_title(name);
  man_text(cmd->summary);
  printf("\n.SH SYNOPSIS\n.B igtcloud ");
  man_text(cmd->name);
  printf("\n[options] ");
  man_text(cmd->arguments);
  printf("\n.SH DESCRIPTION\n");
  man_text(cmd->about);
  printf("\n.SH OPTIONS\n");
  each_option(cmd, man_option, NULL);
  man_end();
  printf(".SH SEE ALSO\n.BR igtcloud (1)%s%s\n",
         command_option(cmd, "studies-from") ? ",\n.BR igtcloud\\-selection (7)" : "",
         command_option(cmd, "filter-from") ? ",\n.BR igtcloud\\-filters (7)" : "");
}
