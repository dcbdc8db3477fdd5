/* SPDX-License-Identifier: MIT */
/* The list of commands, the options that many of them share, and lookups in both. Each command is a
 * constant at the end of its own file (cmd_*.c, completion.c). main.c finds the command to run
 * here, options.c its options; help.c, man.c and completion.c print the tables. */
#include <ctype.h>
#include <string.h>

#include "cli.h"
#include "os_commands.h"

const option sign_in_options[] = {
    {"domain", 'd', OPTION_TEXT, AT(domain), "HOST", NULL, "the cloud, in place of PROD or TEST"},
    {"user", 'u', OPTION_TEXT, AT(user), "NAME", NULL, "the user name, or the service's id"},
    {"service-file", 's', OPTION_TEXT, AT(service_file), "FILE", NULL,
     "sign in as a service with this private key (PEM)"},
    {"audience", 0, OPTION_TEXT, AT(audience), "URL", NULL,
     "the service's sign-in server, if outside the cloud's domain"},
    {"password-stdin", 0, OPTION_FLAG, AT(password_stdin), NULL, NULL,
     "read the password from standard input"},
    {"password-command", 0, OPTION_TEXT, AT(password_command), "COMMAND-LINE", NULL,
     "run this, and use the first line that it prints as the password"},
    {"no-keyring", 0, OPTION_FLAG, AT(no_keyring), NULL, NULL,
     "do not look for the password in the desktop's keyring"},
    CA_FILE_OPTION,
    PROXY_OPTION,
    TIMEOUT_OPTION,
    RETRIES_OPTION,
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

const option common_options[] = {
    {"profile", 0, OPTION_TEXT, AT(profile), "NAME", NULL,
     "the profile of the configuration file (default: default)"},
    {"config", 0, OPTION_FILE, AT(config), "FILE", NULL,
     "the configuration file (default: ~/.config/igtcloud/config)"},
    {"debug", 0, OPTION_FLAG, AT(debug), NULL, NULL, "log in detail; secrets are never logged"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, NULL, "print errors only"},
    {"json", 0, OPTION_FLAG, AT(json), NULL, NULL,
     "print results as JSON lines on standard output"},
    {"log-file", 0, OPTION_TEXT, AT(log_file), "FILE", NULL,
     "append the log to FILE; - is standard output"},
    {"no-progress", 0, OPTION_FLAG, AT(no_progress), NULL, NULL, "do not show progress"},
    {"stats", 0, OPTION_TEXT, AT(stats), "DURATION", NULL,
     "without a terminal, print progress this often (default 60s; 0: never)"},
    {"help", 'h', OPTION_FLAG, AT(help), NULL, NULL, "show this help"},
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

const option no_options[] = {END_OF_OPTIONS};

const command *const commands[] = {&login_command,
                                   &logout_command,
                                   &whoami_command,
                                   &get_token_command,
                                   &download_command,
                                   &upload_command,
                                   OS_COMMANDS &station_command,
                                   &verify_command,
                                   &csv_command,
                                   &manifest_command,
                                   &sync_command,
                                   &ls_command,
                                   &tree_command,
                                   &du_command,
                                   &find_command,
                                   &show_command,
                                   &cat_command,
                                   &cp_command,
                                   &rm_command,
                                   &study_create_command,
                                   &study_set_command,
                                   &study_label_command,
                                   &study_comment_command,
                                   &study_submit_command,
                                   &service_create_command,
                                   &service_list_command,
                                   &service_rotate_command,
                                   &service_delete_command,
                                   &user_list_command,
                                   &user_create_command,
                                   &user_show_command,
                                   &user_reset_mfa_command,
                                   &user_resend_activation_command,
                                   &api_command,
                                   &report_merge_command,
                                   &uploads_command,
                                   &config_list_command,
                                   &config_get_command,
                                   &config_set_command,
                                   &config_unset_command,
                                   &config_path_command,
                                   &config_check_command,
                                   &doctor_command,
                                   &upgrade_command,
                                   &version_command,
                                   &completion_command,
                                   &help_command,
                                   NULL};

/* ---- lookups ---- */

bool in_group(const command *cmd, const char *group) {
  size_t n = strlen(group);

  return strncmp(cmd->name, group, n) == 0 && cmd->name[n] == ' ';
}

/* Not so where a command of the name has others beside it: `station install`. */
bool is_group(const char *word) {
  bool any = false;

  for (size_t i = 0; commands[i]; i++) {
    if (strcmp(commands[i]->name, word) == 0)
      return false;
    any |= in_group(commands[i], word);
  }
  return any;
}

const command *command_named(const char *const *words, size_t count, size_t *taken) {
  for (size_t i = 0; count && commands[i]; i++) {
    const char *name = commands[i]->name;
    bool grouped = in_group(commands[i], words[0]);
    if (!grouped && strcmp(name, words[0]) != 0)
      continue;
    if (grouped && (count < 2 || strcmp(name + strlen(words[0]) + 1, words[1]) != 0))
      continue;
    *taken = grouped ? 2 : 1;
    return commands[i];
  }
  return NULL;
}

/* The command that was meant, with the words that were typed in its place. */
void each_option(const command *cmd, option_fn fn, void *payload) {
  const option *tables[] = {cmd->options, cmd->signs_in ? sign_in_options : NULL, common_options};

  for (size_t t = 0; t < 3; t++)
    for (const option *o = tables[t]; o && o->name; o++)
      fn(payload, cmd, o);
}

const char *next_choice(const char *choices, int *length) {
  const char *end = choices + strcspn(choices, "|");

  *length = (int)(end - choices);
  return *end ? end + 1 : NULL;
}

bool variable_of(const option *o, char *out, size_t cap) {
  size_t n = (size_t)snprintf(out, cap, "IGTCLOUD_");

  if (strcmp(o->name, "help") == 0)
    return false;
  for (const char *p = o->name; *p && n + 1 < cap; p++)
    out[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
  out[n] = '\0';
  return true;
}

void man_name(const command *cmd, char *out, size_t cap) {
  snprintf(out, cap, "igtcloud-%s", cmd->name);
  if (strchr(out, ' '))
    *strchr(out, ' ') = '-';
}
