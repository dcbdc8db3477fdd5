/* SPDX-License-Identifier: MIT */
/* The igtcloud program. main() prepares the process (secrets, standard streams, memory, limits),
 * and run() finds the command by the first words (commands.c), has options.c fill the settings,
 * calls the command's function, and checks that all output was written before it returns the exit
 * status. */
#include <errno.h>
#include <locale.h>
#include <stddef.h>
#include <string.h>

#include "cli.h"
#include "complete.h"

/* Of the library that is linked in: curl may wipe what it frees, since no other code of this
 * process uses it. No function for host programs, and so in no header. */
void igt__curl_own_process(void);

static bool wants_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Usage errors are found before the options are known. */
static bool wants_json(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--json") == 0)
      return true;
  return false;
}

/* Help that is not of one command: after n leading options, whose last one may be --help. */
static bool print_general_help(char **argv, size_t n, size_t left) {
  if (left == 0 && n > 0 && wants_help(argv[n - 1]))
    print_overview(stdout);
  else if (left > 1 && is_group(argv[n]) && wants_help(argv[n + 1]))
    print_group(stdout, argv[n]);
  else
    return false;
  return true;
}

/* No command follows the options. */
static int no_words(const char *after) {
  if (!after) {
    print_overview(stderr);
    return EXIT_USAGE;
  }
  return usage_error("unknown option '%s' before the command; see `igtcloud --help`", after);
}

/* The command's exit status; EXIT_FAILED when its output could not be written. */
static int finish(int status) {
  int why = output_error();
  bool failed = why != 0;

  if (reader_is_gone())
    end_as_by_pipe();
  if (!failed && igt__os_close(STANDARD_OUTPUT) != 0) { /* NFS, quotas */
    failed = true;
    why = errno;
  }
  if (failed && caught_signal()) /* output was abandoned because of the signal */
    return 128 + caught_signal();
  if (failed)
    complain_io(why, "cannot write to standard output: %s", strerror(why));
  return failed && status == EXIT_DONE ? EXIT_FAILED : status;
}

static int run_command(const command *cmd, settings *s) {
  open_log(s);
  log_origins();
  int status = finish(cmd->run(s));
  return close_log() || status != EXIT_DONE ? status : EXIT_FAILED;
}

static int run(int argc, char **argv) {
  settings s = {.retries = 0};
  static char version[] = "version";
  const command *cmd;
  size_t taken = 0;

  if (argc < 2) {
    print_overview(stderr);
    return EXIT_USAGE;
  }
  if (wants_help(argv[1])) {
    print_overview(stdout);
    return finish(EXIT_DONE);
  }
  if (strcmp(argv[1], "__complete") == 0)
    return finish(complete(argc - 2, argv + 2));
  if (wants_json(argc, argv))
    use_json_errors();
  size_t leading = leading_words(argc - 1, argv + 1), left = (size_t)argc - 1 - leading;
  const char *const *words = (const char *const *)(argv + 1 + leading);
  if (print_general_help(argv + 1, leading, left))
    return finish(EXIT_DONE);
  if (left > 0 && strcmp(words[0], "--version") == 0)
    argv[1 + leading] = version;
  if (left == 0 || words[0][0] == '-')
    return no_words(left ? words[0] : NULL);
  cmd = command_named(words, left, &taken);
  if (!cmd)
    return no_command(words, left);
  move_behind_name(argv + 1, leading, taken);
  if (!parse_options(cmd, argc - 1 - (int)taken, argv + 1 + taken, &s))
    return EXIT_USAGE;
  if (s.help) {
    print_help(stdout, cmd);
    return finish(EXIT_DONE);
  }
  return run_command(cmd, &s);
}

int main(int argc, char **argv) {
  os_start();
  catch_questions();
  igt__curl_own_process();
  (void)setlocale(LC_CTYPE, "");
  return os_run(argc, argv, run);
}
