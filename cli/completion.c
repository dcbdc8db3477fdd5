/* SPDX-License-Identifier: MIT */
/* Completions for bash, zsh and fish, generated from the command tables: command names, groups,
 * options, and what their values and the arguments are.
 * Each shell has a section with its own syntax; print_completion writes one script, for `igtcloud
 * completion`. */
#include <string.h>
#include <strings.h>

#include "cli.h"

/* ---- kinds of values and arguments ---- */

static bool ends_with(const char *text, size_t n, const char *end) {
  size_t m = strlen(end);

  return n >= m && strncmp(text + n - m, end, m) == 0;
}

static bool is_folder(const char *name, size_t n) {
  return ends_with(name, n, "FOLDER") || ends_with(name, n, "DIR");
}

static bool is_file(const char *name, size_t n) {
  return ends_with(name, n, "FILE");
}

/* One argument of a command: "TARGET_FOLDER", "[PROD|TEST]", "GET|PUT". */
typedef struct argument {
  char name[64]; /* without brackets and ellipsis */
  size_t n;
  bool is_choice, is_command;
} argument;

/* The next argument in *p; false at the end. */
static bool next_argument(const char **p, argument *a) {
  const char *begin = *p + strspn(*p, " ");
  size_t n = strcspn(begin, " ");

  if (!n)
    return false;
  *p = begin + n;
  a->n = 0;
  for (size_t i = 0; i < n && a->n + 1 < sizeof a->name; i++)
    if (!strchr("[].", begin[i]))
      a->name[a->n++] = begin[i];
  a->name[a->n] = '\0';
  a->is_choice = strchr(a->name, '|') != NULL;
  a->is_command = strcmp(a->name, "COMMAND") == 0;
  return true;
}

/* Names in the cloud and keys of the configuration, which the program itself completes
 * (complete.c). */
static bool is_remote(const char *name) {
  return strncmp(name, "PROJECT", strlen("PROJECT")) == 0 || strcmp(name, "INSTITUTE") == 0 ||
         strcmp(name, "KEY") == 0;
}

static bool is_remote_option(const option *o) {
  return strcmp(o->name, "institute") == 0 || (strcmp(o->name, "study") == 0 && o->value);
}

/* A file here, or an igt: address. */
static bool is_either(const char *name) {
  static const char *const names[] = {"SOURCE", "TARGET", "SOURCE_FILE", "TARGET_FILE"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

static bool has_remote(const command *cmd) {
  return strstr(cmd->arguments, "PROJECT") || strstr(cmd->arguments, "KEY") ||
         strncmp(cmd->arguments, "SOURCE", strlen("SOURCE")) == 0;
}

/* Of the options that may stand before the command. */
static void each_global(option_fn fn) {
  for (const option *o = sign_in_options; o->name; o++)
    fn(NULL, NULL, o);
  for (const option *o = common_options; o->name; o++)
    fn(NULL, NULL, o);
}

static void print_choices(const char *choices) {
  int n;

  for (const char *rest = choices, *c; (c = rest) != NULL;) {
    rest = next_choice(c, &n);
    printf("%.*s%s", n, c, rest ? " " : "");
  }
}

/* The commands of a group are adjacent in the table: the first one represents the group's word. */
static bool begins_word(size_t i) {
  size_t n = strcspn(commands[i]->name, " ");

  return i == 0 || strncmp(commands[i - 1]->name, commands[i]->name, n) != 0 ||
         !strchr(" ", commands[i - 1]->name[n]);
}

/* The group of a command; false: it has none. */
static bool group_of(const command *cmd, char group[32]) {
  snprintf(group, 32, "%.*s", (int)strcspn(cmd->name, " "), cmd->name);
  return strchr(cmd->name, ' ') != NULL;
}

/* Of `station`, a command with a folder, Windows has also `station install`: then a second word
 * that is none of the group's is an argument. */
static bool is_also_command(const char *group) {
  return !is_group(group);
}

/* First words: commands and groups. */
static void print_commands(void) {
  for (size_t i = 0; commands[i]; i++)
    if (begins_word(i))
      printf("%s%.*s", i ? " " : "", (int)strcspn(commands[i]->name, " "), commands[i]->name);
}

/* What `igtcloud help` shows. */
static void print_subjects(void) {
  print_commands();
  for (const topic *t = topics; t->name; t++)
    printf(" %s", t->name);
}

/* Second words of a group, with something between them. */
static void print_members(const char *group, const char *between) {
  const char *before = "";

  for (size_t i = 0; commands[i]; i++)
    if (in_group(commands[i], group)) {
      printf("%s%s", before, commands[i]->name + strlen(group) + 1);
      before = between;
    }
}

/* Quotes a name as a pattern of a shell's case. */
static void print_pattern(const char *name) {
  for (; *name; name++)
    printf(*name == ' ' ? "\\%c" : "%c", *name);
}

/* ---- bash ---- */

static void bash_option(void *payload, const command *cmd, const option *o) {
  (void)payload;
  (void)cmd;
  printf(" --%s", o->name);
  if (o->letter)
    printf(" -%c", o->letter);
}

static void bash_takes(void *payload, const command *cmd, const option *o) {
  (void)payload;
  (void)cmd;
  if (!o->value)
    return;
  printf(" --%s", o->name);
  if (o->letter)
    printf(" -%c", o->letter);
}

/* A case "command:--option" with the completion of its value. */
static void bash_value(void *payload, const command *cmd, const option *o) {
  size_t n = o->value ? strlen(o->value) : 0;

  bool remote = is_remote_option(o);

  (void)payload;
  if (!remote && !o->choices && !is_file(o->value ? o->value : "", n) &&
      !is_folder(o->value ? o->value : "", n))
    return;
  printf("  ");
  print_pattern(cmd->name);
  printf(":--%s", o->name);
  if (o->letter) {
    printf("|");
    print_pattern(cmd->name);
    printf(":-%c", o->letter);
  }
  printf(") ");
  if (o->choices) {
    printf("_igtcloud_words '");
    print_choices(o->choices);
    printf("'");
  } else if (remote) {
    printf("_igtcloud_remote");
  } else {
    printf("compopt -o %s", is_folder(o->value, n) ? "dirnames" : "default");
  }
  printf(" ;;\n");
}

static void bash_arguments(const command *cmd) {
  const char *p = cmd->arguments;
  argument a;

  for (unsigned i = 0; next_argument(&p, &a); i++) {
    if (!a.is_choice && !a.is_command && !is_folder(a.name, a.n) && !is_file(a.name, a.n) &&
        !is_remote(a.name) && !is_either(a.name))
      continue;
    printf("  ");
    print_pattern(cmd->name);
    printf(":%u) ", i);
    if (is_remote(a.name)) {
      printf("_igtcloud_remote");
    } else if (is_either(a.name)) {
      printf("_igtcloud_either");
    } else if (a.is_choice || a.is_command) {
      printf("_igtcloud_words '");
      a.is_choice ? print_choices(a.name) : print_subjects();
      printf("'");
    } else {
      printf("compopt -o %s", is_folder(a.name, a.n) ? "dirnames" : "default");
    }
    printf(" ;;\n");
  }
}

/* Words of the group, and the folders that the command of its name takes. */
static void bash_group_and_command(const char *group) {
  printf("  %s)\n    if ((cword == first)) && [[ $cur != -* ]]; then\n      _igtcloud_words '",
         group);
  print_members(group, " ");
  printf("'; compopt -o plusdirs; return\n    fi\n    case ${words[first]} in ");
  print_members(group, "|");
  printf(") command+=\" ${words[first]}\"; ((++first)) ;; esac ;;\n");
}

static void bash_group(const char *group) {
  printf("  %s)\n    if ((cword == first)); then _igtcloud_words '", group);
  print_members(group, " ");
  printf("'; return; fi\n    command+=\" ${words[first]}\"; ((++first)) ;;\n");
}

static void bash_groups(void) {
  char group[32];

  printf("  case $command in\n");
  for (size_t i = 0; commands[i]; i++) {
    if (!begins_word(i) || !group_of(commands[i], group))
      continue;
    is_also_command(group) ? bash_group_and_command(group) : bash_group(group);
  }
  printf("  esac\n");
}

static void bash_functions(void) {
  printf(
      "# bash completion for igtcloud, generated by: igtcloud completion bash\n"
      "_igtcloud_words() {\n"
      "  COMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
      "}\n\n"
      "_igtcloud_remote() {\n"
      "  local word given=() found=()\n"
      "  for word in \"${words[@]:1:cword-1}\"; do\n"
      "    if [[ $word != = ]]; then _igtcloud_given \"$word\"; fi\n"
      "  done\n"
      "  _igtcloud_given \"$cur\"\n"
      "  # without an expansion: a name may be a pattern\n"
      "  while IFS= read -r word; do found+=(\"$word\"); done \\\n"
      "    < <(\"${words[0]}\" __complete \"${given[@]}\" 2>/dev/null)\n"
      "  if ((${#found[@]} == 0)); then return; fi\n"
      "  compopt -o filenames\n"
      "  if [[ ${found[0]} == */ ]]; then compopt -o nospace; fi\n"
      "  for word in \"${found[@]}\"; do COMPREPLY+=(\"${word#\"$apart\"}\"); done\n"
      "}\n\n"
      "# without quotes and backslashes\n"
      "_igtcloud_given() {\n"
      "  local word=${1//\\\\/}\n"
      "  word=${word#[\\\"\\']}; given+=(\"${word%%[\\\"\\']}\")\n"
      "}\n\n"
      "_igtcloud_either() {\n"
      "  if [[ ${cur#[\\\"\\']} == igt:* ]]; then _igtcloud_remote; else compopt -o default; fi\n"
      "}\n\n");
}

/* The words, put together again, and the one that is completed. */
static void bash_words(void) {
  printf("  local words=() cword cur prev apart='' i word\n"
         "  local command options='' takes='' first=1 place=0\n"
         "  COMPREPLY=()\n"
         "  # bash takes igt:project apart; what is completed is then the part behind the colon\n"
         "  for ((i = 0; i <= COMP_CWORD; i++)); do\n"
         "    word=${COMP_WORDS[i]} apart=''\n"
         "    if ((i > 1)) && [[ $word == : && ${COMP_WORDS[i-1]} == igt ]]; then\n"
         "      apart=igt: words[${#words[@]}-1]=igt:\n"
         "    elif ((i > 2)) && [[ ${COMP_WORDS[i-1]} == : && ${COMP_WORDS[i-2]} == igt ]]; then\n"
         "      apart=igt: words[${#words[@]}-1]=igt:$word\n"
         "    else words+=(\"$word\"); fi\n"
         "  done\n"
         "  cword=$((${#words[@]} - 1)) cur=${words[${#words[@]}-1]}\n"
         "  prev=${words[cword-1]}\n"
         "  # and --name=value\n"
         "  if [[ $cur == = ]]; then cur=''\n"
         "  elif [[ $prev == = ]]; then prev=${words[cword-2]}; fi\n");
}

/* Options before the command. */
static void bash_leading(void) {
  printf("  while ((first < cword)) && [[ ${words[first]} == -* ]]; do\n"
         "    if [[ ' ");
  each_global(bash_takes);
  printf(" ' == *\" ${words[first]} \"* ]]; then\n"
         "      if [[ ${words[first+1]} == = ]]; then ((++first)); fi\n"
         "      ((++first))\n"
         "    fi\n"
         "    ((++first))\n"
         "  done\n"
         "  if ((first > cword)); then command=ls # whose value of it is that of all\n"
         "  elif ((first == cword)) && [[ $cur == -* ]]; then\n    _igtcloud_words '--version");
  each_global(bash_option);
  printf("'\n    return\n"
         "  elif ((first == cword)); then\n    _igtcloud_words '");
  print_commands();
  printf(" --help --version'\n    return\n"
         "  else command=${words[first]}; fi\n"
         "  ((++first))\n");
}

static void print_bash(void) {
  bash_functions();
  printf("_igtcloud() {\n");
  bash_words();
  bash_leading();
  bash_groups();
  printf("  case $command in\n");
  for (size_t i = 0; commands[i]; i++) {
    printf("  ");
    print_pattern(commands[i]->name);
    printf(")\n    options='");
    each_option(commands[i], bash_option, NULL);
    printf("'\n    takes='");
    each_option(commands[i], bash_takes, NULL);
    printf(" ' ;;\n");
  }
  printf("  esac\n  case $command:$prev in\n");
  for (size_t i = 0; commands[i]; i++)
    each_option(commands[i], bash_value, NULL);
  printf("  *)\n"
         "    if [[ $takes == *\" $prev \"* ]]; then return; fi\n"
         "    if [[ $cur == -* ]]; then _igtcloud_words \"$options\"; return; fi\n"
         "    for ((i = first; i < cword; i++)); do\n"
         "      if [[ $takes == *\" ${words[i]} \"* ]]; then\n"
         "        if [[ ${words[i+1]} == = ]]; then ((i++)); fi\n"
         "        ((i++))\n"
         "      elif [[ ${words[i]} != -?* ]]; then ((place++)); fi\n"
         "    done\n"
         "    case $command:$place in\n");
  for (size_t i = 0; commands[i]; i++)
    bash_arguments(commands[i]);
  printf("    esac ;;\n  esac\n}\ncomplete -F _igtcloud igtcloud\n");
}

/* ---- zsh ---- */

/* Escapes text inside '...' and inside [...] of _arguments. */
static void zsh_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'')
      printf("'\\''");
    else if (strchr("[]:\\", *text))
      printf("\\%c", *text);
    else
      putchar(*text);
  }
}

static void zsh_action(const char *name, size_t n, const char *choices) {
  if (choices) {
    printf("(");
    print_choices(choices);
    printf(")");
  } else if (is_folder(name, n)) {
    printf("_files -/");
  } else if (is_file(name, n)) {
    printf("_files");
  } else {
    printf(" ");
  }
}

static void zsh_option(void *payload, const command *cmd, const option *o) {
  const char *star = o->kind == OPTION_LIST ? "*" : "";

  (void)payload;
  (void)cmd;
  for (int letter = 0; letter <= (o->letter != 0); letter++) {
    printf(" \\\n      '");
    if (o->letter && !*star)
      printf("(-%c --%s)", o->letter, o->name);
    if (letter)
      printf("%s-%c%s[", star, o->letter, o->value ? "+" : "");
    else
      printf("%s--%s%s[", star, o->name, o->value ? "=" : "");
    zsh_text(o->help);
    printf("]");
    if (o->value) {
      printf(":");
      zsh_text(o->value);
      printf(":");
      if (is_remote_option(o))
        printf("_igtcloud_remote");
      else
        zsh_action(o->value, strlen(o->value), o->choices);
    }
    printf("'");
  }
}

static void zsh_arguments(const command *cmd) {
  const char *p = cmd->arguments;
  argument a;

  for (unsigned i = 1; next_argument(&p, &a); i++) {
    printf(" \\\n      '%u:", i);
    zsh_text(a.name);
    printf(":");
    if (a.is_command) {
      printf("(");
      print_subjects();
      printf(")");
    } else if (is_remote(a.name)) {
      printf("_igtcloud_remote");
    } else if (is_either(a.name)) {
      printf("_igtcloud_either");
    } else {
      zsh_action(a.name, a.n, a.is_choice ? a.name : NULL);
    }
    printf("'");
  }
}

/* A line of _describe's list; a group is described by its first word. */
static void zsh_command(const command *cmd, bool as_group, const char *below) {
  printf("      '%.*s:", as_group ? (int)strcspn(cmd->name, " ") : 64, cmd->name + strlen(below));
  if (as_group)
    printf("commands of %.*s", (int)strcspn(cmd->name, " "), cmd->name);
  else
    zsh_text(cmd->summary);
  printf("'\n");
}

/* The two words of a group's command become one, so that _arguments counts from after them. Where
 * the group is also a command, that one's options and folders are added to its words. */
static void zsh_group(const char *group) {
  bool both = is_also_command(group);
  char below[40];

  printf("  %s)\n    if ((CURRENT == 2)); then\n      igtcloud_commands=(\n", group);
  snprintf(below, sizeof below, "%s ", group);
  for (size_t k = 0; commands[k]; k++)
    if (in_group(commands[k], group))
      zsh_command(commands[k], false, below);
  printf("      )\n      _describe -t commands 'igtcloud %s command' igtcloud_commands\n%s", group,
         both ? "    elif [[ $words[2] == (" : "      return\n    fi\n");
  if (both) {
    print_members(group, "|");
    printf(") ]]; then\n  ");
  }
  printf("    words=(\"$words[1] $words[2]\" \"${(@)words[3,-1]}\")\n%s    ((CURRENT--))%s ;;\n",
         both ? "  " : "", both ? "\n    fi" : "");
}

static void zsh_groups(void) {
  char group[32];

  printf("  case $words[1] in\n");
  for (size_t i = 0; commands[i]; i++)
    if (begins_word(i) && group_of(commands[i], group))
      zsh_group(group);
  printf("  esac\n");
}

/* What completes names in the cloud. */
static void zsh_names(void) {
  printf("#compdef igtcloud\n# generated by: igtcloud completion zsh\n"
         "_igtcloud_remote() {\n"
         "  local -a found further\n"
         "  found=(\"${(@f)$($igtcloud_given[1] __complete \"${(@Q)igtcloud_given[2,-1]}\" "
         "\"${(Q)PREFIX}\" 2>/dev/null)}\")\n"
         "  further=(${(M)found:#*/})\n"
         "  found=(${found:#*/}); found=(${found:#})\n"
         "  (( $#further )) && compadd -S '' -a further\n"
         "  (( $#found )) && compadd -a found\n"
         "}\n"
         "_igtcloud_either() {\n"
         "  if [[ $PREFIX == igt:* ]]; then _igtcloud_remote; else _files; fi\n"
         "}\n");
}

static void zsh_command_options(void) {
  printf("  case $words[1] in\n");
  for (size_t i = 0; commands[i]; i++) {
    printf("  ");
    print_pattern(commands[i]->name);
    printf(")\n    _arguments -s -S :");
    each_option(commands[i], zsh_option, NULL);
    zsh_arguments(commands[i]);
    printf(" ;;\n");
  }
  printf("  esac\n");
}

static void print_zsh(void) {
  char group[32];

  zsh_names();
  printf("_igtcloud() {\n"
         "  local -a igtcloud_commands igtcloud_given\n"
         "  local -i at=2\n"
         "  igtcloud_given=(\"${(@)words[1,CURRENT-1]}\")\n"
         "  while ((at < CURRENT)) && [[ $words[at] == -* ]]; do\n"
         "    [[ ' ");
  each_global(bash_takes);
  printf(" ' == *\" $words[at] \"* ]] && ((++at))\n"
         "    ((++at))\n"
         "  done\n"
         "  if ((at > CURRENT)) || { ((at == CURRENT)) && [[ $words[at] == -* ]] }; then\n"
         "    _arguments -s -S :");
  each_global(zsh_option);
  printf("\n    return\n  fi\n"
         "  words=(\"$words[1]\" \"${(@)words[at,-1]}\")\n"
         "  ((CURRENT -= at - 2))\n"
         "  if ((CURRENT == 2)); then\n"
         "    igtcloud_commands=(\n");
  for (size_t i = 0; commands[i]; i++)
    if (begins_word(i))
      zsh_command(commands[i], group_of(commands[i], group), "");
  printf("    )\n    _describe -t commands 'igtcloud command' igtcloud_commands\n    return\n  fi\n"
         "  shift words\n  ((CURRENT--))\n");
  zsh_groups();
  zsh_command_options();
  printf("}\n"
         "if [ \"$funcstack[1]\" = _igtcloud ]; then _igtcloud \"$@\"; else compdef _igtcloud "
         "igtcloud; fi\n");
}

/* ---- fish ---- */

static void fish_text(const char *text) {
  for (; *text; text++)
    printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void fish_begin(const command *cmd) {
  char group[32];
  bool grouped = group_of(cmd, group);

  printf("complete -c igtcloud -n '__fish_seen_subcommand_from %s", group);
  if (grouped)
    printf("; and __fish_seen_subcommand_from %s", cmd->name + strlen(group) + 1);
  printf("'");
}

/* The command's name, offered where it can occur. */
static void fish_name(const command *cmd, bool begins) {
  char group[32];
  bool grouped = group_of(cmd, group);

  if (grouped && begins)
    printf("complete -c igtcloud -n __igtcloud_needs_command -a %s -d 'commands of %s'\n", group,
           group);
  if (grouped) {
    printf("complete -c igtcloud -n '__fish_seen_subcommand_from %s; and not "
           "__fish_seen_subcommand_from ",
           group);
    print_members(group, " ");
    printf("' -a %s -d '", cmd->name + strlen(group) + 1);
  } else {
    printf("complete -c igtcloud -n __igtcloud_needs_command -a %s -d '", cmd->name);
  }
  fish_text(cmd->summary);
  printf("'\n");
}

static void fish_option(void *payload, const command *cmd, const option *o) {
  size_t n = o->value ? strlen(o->value) : 0;

  (void)payload;
  if (cmd)
    fish_begin(cmd);
  else
    printf("complete -c igtcloud -n __igtcloud_needs_command");
  printf(" -l %s", o->name);
  if (o->letter)
    printf(" -s %c", o->letter);
  if (is_remote_option(o)) {
    printf(" -x -a '(__igtcloud_remote)'");
  } else if (o->choices) {
    printf(" -x -a '");
    print_choices(o->choices);
    printf("'");
  } else if (o->value) {
    printf(is_file(o->value, n) || is_folder(o->value, n) ? " -r -F" : " -x");
  }
  printf(" -d '");
  fish_text(o->help);
  printf("'\n");
}

static void fish_arguments(const command *cmd) {
  const char *p = cmd->arguments;
  argument a;

  while (next_argument(&p, &a)) {
    if (is_remote(a.name) ||
        (!a.is_choice && !a.is_command && !is_folder(a.name, a.n) && !is_file(a.name, a.n)))
      continue;
    fish_begin(cmd);
    if (a.is_choice || a.is_command) {
      printf(" -a '");
      a.is_choice ? print_choices(a.name) : print_subjects();
      printf("'\n");
    } else {
      printf(" -F\n");
    }
  }
  if (has_remote(cmd)) {
    fish_begin(cmd);
    printf(" -a '(__igtcloud_remote)'\n");
  }
}

static void print_fish(void) {
  printf("# fish completion for igtcloud, generated by: igtcloud completion fish\n"
         "function __igtcloud_remote\n"
         "  set -l words (commandline -opc)\n"
         "  type -q $words[1]; or return\n"
         "  $words[1] __complete $words[2..-1] (commandline -ct | string unescape) 2>/dev/null\n"
         "end\n"
         "function __igtcloud_needs_command\n"
         "  set -l words (commandline -opc)\n"
         "  set -l at 2\n"
         "  while test $at -le (count $words); and string match -q -- '-*' $words[$at]\n"
         "    contains -- $words[$at]");
  each_global(bash_takes);
  printf("; and set at (math $at + 1)\n"
         "    set at (math $at + 1)\n"
         "  end\n"
         "  test $at -gt (count $words)\n"
         "end\n"
         "complete -c igtcloud -f\n");
  each_global(fish_option);
  for (size_t i = 0; commands[i]; i++) {
    fish_name(commands[i], begins_word(i));
    each_option(commands[i], fish_option, NULL);
    fish_arguments(commands[i]);
  }
}

int print_completion(const char *shell) {
  if (strcasecmp(shell, "bash") == 0)
    print_bash();
  else if (strcasecmp(shell, "zsh") == 0)
    print_zsh();
  else if (strcasecmp(shell, "fish") == 0)
    print_fish();
  else
    return usage_error("unknown shell '%s': must be bash, zsh or fish", shell);
  return EXIT_DONE;
}

static int cmd_completion(settings *s) {
  return print_completion(s->arguments[0]);
}

const command completion_command = {
    "completion",
    "bash|zsh|fish",
    1,
    1,
    "print shell completions",
    "For example: igtcloud completion bash > /etc/bash_completion.d/igtcloud",
    no_options,
    false,
    cmd_completion,
    true};
