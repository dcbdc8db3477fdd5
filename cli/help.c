/* SPDX-License-Identifier: MIT */
/* --help for each command, written from its table: usage line, options, paragraphs. Also the tables
 * that belong to no command (exit statuses, environment variables), and all tables as JSON (help
 * --json). main.c and cmd_help.c call it. */
#include <string.h>

#include "cli.h"

const fact exit_statuses[] = {
    {"0", "success"},
    {"1", "failure, such as a local file or folder that cannot be read"},
    {"2", "usage error: a wrong argument or option, or a file of options (--config, --filter-from, "
          "--files-from) that cannot be read"},
    {"3", "some files or studies failed; each is named on standard error"},
    {"4", "not signed in, not allowed, or a --service-file that cannot be read"},
    {"5", "the project, institute, study or file was not found"},
    {"129", "the terminal was closed (SIGHUP)"},
    {"130", "interrupted (SIGINT)"},
    {"141", "the reader of its output has exited (SIGPIPE); no message is printed"},
    {"143", "terminated (SIGTERM)"},
    {NULL, NULL}};

const fact variables[] = {
    {"CLOUD_DOMAIN", "the cloud, unless --domain is given"},
    {"CLOUD_USERNAME", "the user name, unless --user is given"},
    {"CLOUD_JWT_TOKEN, CLOUD_CSRF_TOKEN",
     "the session of another program; it is used, and not signed out"},
    {"CLOUD_TOKEN_MMAP", "the token file (default: igtcloud_auth_mmap in TMPDIR or /tmp)"},
    {"AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL",
     "the S3 endpoint, unless the cloud's credentials name one (default: AWS)"},
    {"AWS_REGION, AWS_DEFAULT_REGION",
     "the initial guess for a bucket's region; the store's response takes precedence"},
    {"REQUESTS_CA_BUNDLE, AWS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR",
     "trusted certificates (PEM file or directory), unless --ca-file is given"},
    {"http_proxy, https_proxy, all_proxy, no_proxy", "proxies; upper or lower case"},
    {"IGTCLOUD_RELEASES",
     "where `igtcloud upgrade` looks for releases: https, or http on loopback"},
    {"NO_COLOR", "if set, no bold table headers"},
    {"IGTCLOUD_FORCE_TTY", "if set, print tables as on a terminal even when piped"},
    {"XDG_CONFIG_HOME", "the directory of igtcloud/config (default: ~/.config)"},
    {"XDG_STATE_HOME", "the directory of igtcloud/journal.db (default: ~/.local/state)"},
    {NULL, NULL}};

/* ---- --help ---- */

#define LEFT 30 /* of options */
#define LEFT_COMMANDS 24

static void print_option(FILE *out, const option *o) {
  unsigned columns = wrap_columns(out);
  char left[80], letter[8] = "    ";

  if (o->letter)
    snprintf(letter, sizeof letter, "-%c, ", o->letter);
  snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
           o->choices ? o->choices
           : o->value ? o->value
                      : "");
  if (strlen(left) > LEFT)
    fprintf(out, "  %s\n  %*s  ", left, LEFT, "");
  else
    fprintf(out, "  %-*s  ", LEFT, left);
  print_wrapped(out, o->help, columns, LEFT + 4, LEFT + 4);
  putc('\n', out);
}

static void print_options(FILE *out, const char *title, const option *options) {
  if (!options->name)
    return;
  fprintf(out, "\n%s:\n", title);
  for (; options->name; options++)
    print_option(out, options);
}

static void print_usage(FILE *out, const command *cmd) {
  char line[512];

  snprintf(line, sizeof line, "Usage: igtcloud %s [options]%s%s", cmd->name,
           *cmd->arguments ? " " : "", cmd->arguments);
  print_wrapped(out, line, wrap_columns(out), 0, 4);
  fputs("\n\n", out);
}

void print_help(FILE *out, const command *cmd) {
  print_usage(out, cmd);
  print_paragraphs(out, cmd->about);
  putc('\n', out);
  print_options(out, "Options", cmd->options);
  if (cmd->signs_in)
    print_options(out, "Sign-in and connection", sign_in_options);
  print_options(out, "General", common_options);
  char page[64], text[512];

  man_name(cmd, page, sizeof page);
  snprintf(
      text, sizeof text,
      "\nEach option can also be set in the environment as IGTCLOUD_NAME, e.g. IGTCLOUD_CA_FILE.\n"
      "Exit status: 0 success, 1 failure, 2 usage error, 3 some files failed, 4 not signed in\n"
      "or not allowed, 5 not found, 130 interrupted. See `man %s` for details.\n",
      page);
  print_paragraphs(out, text);
  (void)output_failed();
}

/* before: the first word of name. */
static void print_row(FILE *out, const char *before, const char *name, const char *summary) {
  int left = LEFT_COMMANDS - (int)strlen(before);

  fprintf(out, "  %s%-*s ", before, left, name);
  print_wrapped(out, summary, wrap_columns(out), LEFT_COMMANDS + 3, LEFT_COMMANDS + 3);
  putc('\n', out);
}

void print_overview(FILE *out) {
  print_paragraphs(out, "Usage: igtcloud [options] COMMAND [options] [arguments]\n\nTransfers "
                        "studies between this machine and the IGT Cloud.\n\n");
  for (size_t i = 0; commands[i]; i++)
    print_row(out, "", commands[i]->name, commands[i]->summary);
  print_paragraphs(
      out, "\nThe options that several commands share (sign-in, connection, output) may also\n"
           "stand before the command: igtcloud --profile lab ls.\n\nPages on one subject:\n\n");
  for (const topic *t = topics; t->name; t++)
    print_row(out, "help ", t->name, t->summary);
  print_paragraphs(out, "\nSee `igtcloud COMMAND --help` for a command's options.\n");
}

void print_group(FILE *out, const char *group) {
  char line[160];

  snprintf(line, sizeof line, "Usage: igtcloud %s COMMAND [options] [arguments]\n\n", group);
  print_paragraphs(out, line);
  for (size_t i = 0; commands[i]; i++)
    if (in_group(commands[i], group))
      print_row(out, "", commands[i]->name, commands[i]->summary);
  snprintf(line, sizeof line, "\nSee `igtcloud %s COMMAND --help` for a command's options.\n",
           group);
  print_paragraphs(out, line);
}

/* ---- help --json: for tests, and for programs that wrap this one ---- */

static void print_option_json(void *payload, const command *cmd, const option *o) {
  static const char *const kinds[] = {
      [OPTION_FLAG] = "flag", [OPTION_TEXT] = "text",     [OPTION_FILE] = "text",
      [OPTION_LIST] = "list", [OPTION_NUMBER] = "number", [OPTION_SECONDS] = "seconds"};
  char letter[2] = {o->letter, '\0'}, variable[64];
  bool *first = payload;

  (void)cmd;
  printf("%s\n    {", *first ? "" : ",");
  *first = false;
  json_text(stdout, "name", o->name, true);
  json_text(stdout, "kind", kinds[o->kind], false);
  if (*letter)
    json_text(stdout, "letter", letter, false);
  if (o->value)
    json_text(stdout, "value", o->value, false);
  if (o->choices)
    json_text(stdout, "choices", o->choices, false);
  if (variable_of(o, variable, sizeof variable))
    json_text(stdout, "variable", variable, false);
  json_text(stdout, "help", o->help, false);
  printf("}");
}

static void print_command_json(const command *cmd) {
  bool first = true;

  printf("  {");
  json_text(stdout, "name", cmd->name, true);
  json_text(stdout, "arguments", cmd->arguments, false);
  json_text(stdout, "summary", cmd->summary, false);
  json_text(stdout, "about", cmd->about, false);
  printf(",\"options\":[");
  each_option(cmd, print_option_json, &first);
  printf("]}");
}

static void print_facts_json(const char *key, const fact *facts) {
  printf(",\n\"%s\":[", key);
  for (const fact *f = facts; f->name; f++) {
    printf("%s\n  {", f == facts ? "" : ",");
    json_text(stdout, "name", f->name, true);
    json_text(stdout, "text", f->text, false);
    printf("}");
  }
  printf("]");
}

void print_tables(const command *cmd) {
  printf("{\"commands\":[\n");
  for (size_t i = 0, n = 0; commands[i]; i++) {
    if (cmd && cmd != commands[i])
      continue;
    printf("%s", n++ ? ",\n" : "");
    print_command_json(commands[i]);
  }
  printf("]");
  print_facts_json("exitStatuses", exit_statuses);
  print_facts_json("variables", variables);
  printf("}\n");
}
