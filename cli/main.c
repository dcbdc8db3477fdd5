/* SPDX-License-Identifier: MIT */
/* The igtcloud program: the table of commands with their options and texts, from which help, man
 * pages and completions are generated, and main(). It prepares the process (secrets, standard
 * streams, memory, limits), finds the command by the first words, has options.c fill the settings,
 * calls the command's function, and checks that all output was written before it returns the exit
 * status. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

const option sign_in_options[] = {
    {"domain", 'd', OPTION_TEXT, AT(domain), "HOST", NULL, "the cloud, in place of PROD or TEST"},
    {"user", 'u', OPTION_TEXT, AT(user), "NAME", NULL, "the user name, or the service's id"},
    {"service-file", 's', OPTION_TEXT, AT(service_file), "FILE", NULL,
     "sign in as a service with this private key (PEM)"},
    {"audience", 0, OPTION_TEXT, AT(audience), "URL", NULL,
     "the service's sign-in server, if outside the cloud's domain"},
    {"password-stdin", 0, OPTION_FLAG, AT(password_stdin), NULL, NULL,
     "read the password from standard input"},
    CA_FILE_OPTION,
    TIMEOUT_OPTION,
    RETRIES_OPTION,
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

const option common_options[] = {
    {"profile", 0, OPTION_TEXT, AT(profile), "NAME", NULL,
     "the profile of the configuration file (default: default)"},
    {"config", 0, OPTION_TEXT, AT(config), "FILE", NULL,
     "the configuration file (default: ~/.config/igtcloud/config)"},
    {"debug", 0, OPTION_FLAG, AT(debug), NULL, NULL, "log in detail; secrets are never logged"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, NULL, "print errors only"},
    {"json", 0, OPTION_FLAG, AT(json), NULL, NULL,
     "print results as JSON lines on standard output"},
    {"log-file", 0, OPTION_TEXT, AT(log_file), "FILE", NULL,
     "append the log to FILE; - is standard output"},
    {"no-progress", 0, OPTION_FLAG, AT(no_progress), NULL, NULL, "do not show progress"},
    {"help", 'h', OPTION_FLAG, AT(help), NULL, NULL, "show this help"},
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

#define SELECTION                                                                                   \
  {"ext", 0, OPTION_TEXT, AT(ext), ".EXT", NULL, "only files with this extension, such as .txt"},   \
      {"start",                                                                                     \
       0,                                                                                           \
       OPTION_TEXT,                                                                                 \
       AT(start),                                                                                   \
       "YYYY-MM-DD",                                                                                \
       NULL,                                                                                        \
       "only studies of this date or later"},                                                       \
      {"end", 0, OPTION_TEXT, AT(end), "YYYY-MM-DD", NULL, "only studies of this date or earlier"}, \
  {                                                                                                 \
    "shard", 0, OPTION_TEXT, AT(shard), "I/N", NULL, "only the I-th of N shards of the studies"     \
  }

#define MOVING                                                                                     \
  {"concurrent-studies",                                                                           \
   0,                                                                                              \
   OPTION_NUMBER,                                                                                  \
   AT(concurrent_studies),                                                                         \
   "N",                                                                                            \
   NULL,                                                                                           \
   "concurrent studies (default: enough to keep connections busy)"},                               \
      {"concurrent-files",                                                                         \
       0,                                                                                          \
       OPTION_NUMBER,                                                                              \
       AT(concurrent_files),                                                                       \
       "N",                                                                                        \
       NULL,                                                                                       \
       "concurrent files in a study (default: no limit)"},                                         \
      {"connections",                                                                              \
       0,                                                                                          \
       OPTION_NUMBER,                                                                              \
       AT(connections),                                                                            \
       "N",                                                                                        \
       NULL,                                                                                       \
       "maximum connections to S3 (default 128; opened as needed)"},                               \
      {"folder-structure",                                                                         \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(folder_structure),                                                                       \
       "FORM",                                                                                     \
       "flat|hierarchical",                                                                        \
       "INSTITUTE/patient---study, or INSTITUTE/patient/study"},                                   \
      {"include",                                                                                  \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(include),                                                                                \
       "GLOB",                                                                                     \
       NULL,                                                                                       \
       "only files that match, or that are in a matching folder; repeatable"},                     \
      {"exclude",                                                                                  \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(exclude),                                                                                \
       "GLOB",                                                                                     \
       NULL,                                                                                       \
       "skip files that match, or that are in a matching folder; repeatable"},                     \
      {"checksum",                                                                                 \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(checksum),                                                                               \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "compare existing files by checksum, not by size"},                                         \
      {"overwrite",                                                                                \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(overwrite),                                                                              \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "transfer files even if they already exist"},                                               \
      {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL, "only show what would be transferred"}, \
      {"bwlimit",                                                                                  \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(bwlimit),                                                                                \
       "RATE",                                                                                     \
       NULL,                                                                                       \
       "limit bytes/s: 20M, or by time of day: '08:00-18:00 20M, off'"},                           \
      {"report",                                                                                   \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(report),                                                                                 \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "write a JSON line for each file; - is standard output"},                                   \
      {"journal",                                                                                  \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(journal),                                                                                \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "the file that records unfinished transfers"},                                              \
  {                                                                                                \
    "no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "do not use a journal"               \
  }

#define IGNORE_UNKNOWN                                                                             \
  {                                                                                                \
    "ignore-unknown", 0, OPTION_FLAG, AT(ignore_unknown), NULL, NULL,                              \
        "skip folders that are not institutes of the project"                                      \
  }
#define TRUST_STUDY_JSON                                                                           \
  {                                                                                                \
    "trust-study-json", 0, OPTION_FLAG, AT(trust_study_json), NULL, NULL,                          \
        "trust study.json even if the folder is named for another study"                           \
  }

#define END                                                                                        \
  { NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL }

static const option download_options[] = {
    SELECTION,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to download; repeatable, default files"},
    {"project-files", 0, OPTION_FLAG, AT(project_files), NULL, NULL,
     "only the project's own files, into TARGET_FOLDER/files"},
    {"include-modified-date", 0, OPTION_FLAG, AT(include_modified_date), NULL, NULL,
     "set each file's modification time to the cloud's"},
    {"portable-names", 0, OPTION_FLAG, AT(portable_names), NULL, NULL,
     "also replace characters that Windows does not allow in names"},
    MOVING,
    END};

static const option upload_options[] = {
    {"min-age", 0, OPTION_TEXT, AT(min_age), "DURATION", NULL,
     "skip files changed more recently than 90s, 10m, 2h, 1d"},
    {"submit", 0, OPTION_FLAG, AT(submit), NULL, NULL,
     "submit each complete study; asks for the password"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|annotations|dicom",
     "upload annotations, or DICOM for import (default files)"},
    {"follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow symbolic links"},
    {"include-clutter", 0, OPTION_FLAG, AT(include_clutter), NULL, NULL,
     "include clutter of macOS and Windows: ._*, .DS_Store, Thumbs.db"},
    IGNORE_UNKNOWN,
    TRUST_STUDY_JSON,
    {"flat-names", 0, OPTION_TEXT, AT(flat_names), "FORM", "split|whole",
     "new studies from P1---A: patient P1, study A (default), or patient P1---A"},
    {"shard", 0, OPTION_TEXT, AT(shard), "I/N", NULL, "only the I-th of N shards of the studies"},
    MOVING,
    END};

static const option verify_options[] = {
    SELECTION,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to compare; repeatable, default files"},
    {"project-files", 0, OPTION_FLAG, AT(project_files), NULL, NULL,
     "only the project's own files, in LOCAL_FOLDER/files"},
    {"folder-structure", 0, OPTION_TEXT, AT(folder_structure), "FORM", "flat|hierarchical",
     "INSTITUTE/patient---study, or INSTITUTE/patient/study"},
    {"include", 0, OPTION_LIST, AT(include), "GLOB", NULL,
     "only files that match, or that are in a matching folder; repeatable"},
    {"exclude", 0, OPTION_LIST, AT(exclude), "GLOB", NULL,
     "skip files that match, or that are in a matching folder; repeatable"},
    {"follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow symbolic links"},
    IGNORE_UNKNOWN,
    TRUST_STUDY_JSON,
    {"include-clutter", 0, OPTION_FLAG, AT(include_clutter), NULL, NULL,
     "include clutter of macOS and Windows: ._*, .DS_Store, Thumbs.db"},
    {"concurrent-studies", 0, OPTION_NUMBER, AT(concurrent_studies), "N", NULL,
     "concurrent studies (default: enough to keep connections busy)"},
    {"concurrent-files", 0, OPTION_NUMBER, AT(concurrent_files), "N", NULL,
     "concurrent files in a study (default: no limit)"},
    {"connections", 0, OPTION_NUMBER, AT(connections), "N", NULL,
     "maximum connections to S3 (default 128); reads up to 16 files at once"},
    {"report", 0, OPTION_TEXT, AT(report), "FILE", NULL,
     "write a JSON line for each file; - is standard output"},
    {"journal", 0, OPTION_TEXT, AT(journal), "FILE", NULL,
     "the file in which uploads recorded their digests"},
    {"no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "use the store's digests only"},
    END};

static const option csv_options[] = {
    SELECTION,
    {"files", 0, OPTION_FLAG, AT(files), NULL, NULL, "write a row for each file"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "list files of this category; repeatable, default files"},
    {"append", 0, OPTION_FLAG, AT(append), NULL, NULL, "append to an existing file"},
    END};

static const option login_options[] = {
    {"background", 0, OPTION_FLAG, AT(background), NULL, NULL,
     "run in the background once signed in, until `igtcloud logout`"},
    END};

static const option token_options[] = {{"type", 't', OPTION_TEXT, AT(token_type), "TYPE",
                                        "jwt|access|csrf", "the token to print (default jwt)"},
                                       END};

static const option no_options[] = {END};

#define PLACE "PROJECT [INSTITUTE] [PROD|TEST]"

static const command table[] = {
    {"login", "", 0, 0, "sign in and keep the session for other commands",
     "Signs in and keeps the session alive for all other commands, until it is interrupted\n"
     "(Ctrl-C) or `igtcloud logout` is run. Prompts for the user name and password if needed.\n"
     "With --background it detaches from the terminal once signed in; later messages go to\n"
     "--log-file, or to syslog.",
     login_options, true, cmd_login},
    {"logout", "", 0, 0, "end the running login",
     "Signs out and ends the running `igtcloud login`.", no_options, false, cmd_logout},
    {"whoami", "", 0, 0, "show who is signed in, where, and for how long",
     "Prints the user, the cloud and the expiry of the session that other commands would use.",
     no_options, true, cmd_whoami},
    {"get-token", "", 0, 0, "print a token of the running login",
     "Prints a token and nothing else, for programs that call the API themselves.", token_options,
     false, cmd_get_token},
    {"download", "TARGET_FOLDER " PLACE, 2, 4, "download studies",
     "Downloads all studies of an institute (default: all institutes) into\n"
     "TARGET_FOLDER/INSTITUTE/<patient---study>. A file gets its final name only when it is\n"
     "complete and verified. Existing files are skipped, so running the command again resumes an\n"
     "interrupted download.",
     download_options, true, cmd_download},
    {"upload", "LOCAL_FOLDER " PLACE, 2, 4, "upload studies",
     "Uploads LOCAL_FOLDER/INSTITUTE/<patient---study>/... to the institutes of a project, and\n"
     "LOCAL_FOLDER/files/... to the project itself. Files that the cloud already has are skipped,\n"
     "so running the command again resumes an interrupted upload.",
     upload_options, true, cmd_upload},
    {"verify", "LOCAL_FOLDER " PLACE, 2, 4, "compare a folder with the cloud",
     "Compares each file in LOCAL_FOLDER with the cloud without transferring it, and reports "
     "every\n"
     "file that is not identical: different, missing here, missing there, or unchecked if the\n"
     "store has no digest. Exits with 0 if everything matches, with 3 if not.",
     verify_options, true, cmd_verify},
    {"csv", "TARGET_FOLDER " PLACE, 2, 4, "list studies as CSV",
     "Writes TARGET_FOLDER/cloud_<project>.csv with a row for each study, or writes to standard\n"
     "output if TARGET_FOLDER is -.",
     csv_options, true, cmd_csv},
    {"version", "", 0, 0, "print the version", "Prints the version and nothing else.", no_options,
     false, cmd_version, true},
    {"completion", "bash|zsh|fish", 1, 1, "print shell completions",
     "For example: igtcloud completion bash > /etc/bash_completion.d/igtcloud", no_options, false,
     cmd_completion, true},
    {"help", "[COMMAND]", 0, 3, "show help for a command",
     "Same as igtcloud COMMAND --help. `igtcloud help man COMMAND` prints the man page; --json\n"
     "prints all commands and options for use by programs.",
     no_options, false, cmd_help},
};

const command *const commands[] = {&table[0],
                                   &table[1],
                                   &table[2],
                                   &table[3],
                                   &table[4],
                                   &table[5],
                                   &table[6],
                                   &table[7],
                                   &ls_command,
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
                                   &upgrade_command,
                                   &table[8],
                                   &table[9],
                                   &table[10],
                                   NULL};

bool in_group(const command *cmd, const char *group) {
  size_t n = strlen(group);

  return strncmp(cmd->name, group, n) == 0 && cmd->name[n] == ' ';
}

bool is_group(const char *word) {
  for (size_t i = 0; commands[i]; i++)
    if (in_group(commands[i], word))
      return true;
  return false;
}

const command *find_command(const char *const *words, size_t count, size_t *taken) {
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
static int unknown_command(const char *typed, const char *overview) {
  suggestion best = {.name = NULL};

  for (size_t i = 0; commands[i]; i++)
    suggest(&best, typed, commands[i]->name);
  if (best.name)
    return usage_error("unknown command '%s'; did you mean '%s'?", typed, best.name);
  return usage_error("unknown command '%s'; see `igtcloud%s%s --help`", typed, *overview ? " " : "",
                     overview);
}

int no_command(const char *const *words, size_t count) {
  char typed[256];

  if (!is_group(words[0]))
    return unknown_command(words[0], "");
  if (count > 1) {
    snprintf(typed, sizeof typed, "%s %s", words[0], words[1]);
    return unknown_command(typed, words[0]);
  }
  print_group(stderr, words[0]);
  return EXIT_USAGE;
}

static bool wants_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Folders, partial files and connections are open concurrently; 1,024 is a limit for old programs'
 * sake. */
static void raise_file_limit(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Some 80 threads list and plan, each for a moment, and glibc would give every few of them an arena
 * of their own, each as large as its peak: half of the resident memory when listing large studies.
 * Its mmap threshold would also rise with each large buffer that is freed, and leave the next ones
 * in those arenas. Measured in docs/internals/memory.md. */
static void keep_memory_small(void) {
#if defined(M_ARENA_MAX) && defined(M_MMAP_THRESHOLD)
  (void)mallopt(M_ARENA_MAX, 2);
  (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  (void)mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024); /* otherwise each request returns its pages */
#endif
}

/* If the caller closed a standard descriptor, the next file or connection would get its number, and
 * output would be written there. The descriptors opened here fail when they are used. */
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Usage errors are found before the options are known. */
static bool wants_json(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--json") == 0)
      return true;
  return false;
}

/* The command's exit status; EXIT_FAILED when its output could not be written. */
static int finish(int status) {
  int why;

  errno = 0;
  bool failed = fflush(stdout) != 0 || ferror(stdout);
  why = errno;

  if (reader_is_gone())
    end_as_by_pipe();
  if (!failed && close(STDOUT_FILENO) != 0) { /* NFS, quotas */
    failed = true;
    why = errno;
  }
  if (failed && caught_signal()) /* output was abandoned because of the signal */
    return 128 + caught_signal();
  if (failed)
    complain("cannot write to standard output%s%s", why ? ": " : "", why ? strerror(why) : "");
  return failed && status == EXIT_DONE ? EXIT_FAILED : status;
}

int main(int argc, char **argv) {
  settings s = {.retries = 0};
  static char version[] = "version";
  const command *cmd;
  size_t taken = 0;

  open_standard_streams();
  keep_memory_small();
  keep_secrets();
  raise_file_limit();
  (void)setlocale(LC_CTYPE, "");
  if (argc < 2) {
    print_overview(stderr);
    return EXIT_USAGE;
  }
  if (wants_help(argv[1])) {
    print_overview(stdout);
    return finish(EXIT_DONE);
  }
  if (is_group(argv[1]) && argc > 2 && wants_help(argv[2])) {
    print_group(stdout, argv[1]);
    return finish(EXIT_DONE);
  }
  if (wants_json(argc, argv))
    use_json_errors();
  if (strcmp(argv[1], "--version") == 0)
    argv[1] = version;
  const char *const *words = (const char *const *)(argv + 1);
  cmd = find_command(words, (size_t)argc - 1, &taken);
  if (!cmd)
    return no_command(words, (size_t)argc - 1);
  if (!parse_options(cmd, argc - 1 - (int)taken, argv + 1 + taken, &s))
    return EXIT_USAGE;
  if (s.help) {
    print_help(stdout, cmd);
    return finish(EXIT_DONE);
  }
  open_log(&s);
  log_origins();
  int status = finish(cmd->run(&s));
  if (!close_log() && status == EXIT_DONE)
    status = EXIT_FAILED;
  return status;
}
