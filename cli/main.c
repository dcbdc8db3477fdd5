/* SPDX-License-Identifier: MIT */
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
    {"user", 'u', OPTION_TEXT, AT(user), "NAME", NULL, "user name, or id of the service"},
    {"service-file", 's', OPTION_TEXT, AT(service_file), "FILE", NULL,
     "sign in as a service with this private key (PEM)"},
    {"audience", 0, OPTION_TEXT, AT(audience), "URL", NULL,
     "where the service signs in, if that is not part of the cloud's domain"},
    {"password-stdin", 0, OPTION_FLAG, AT(password_stdin), NULL, NULL,
     "read the password from standard input"},
    CA_FILE_OPTION,
    TIMEOUT_OPTION,
    RETRIES_OPTION,
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

const option common_options[] = {
    {"debug", 0, OPTION_FLAG, AT(debug), NULL, NULL, "log what is done, without secrets"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, NULL, "print nothing but errors"},
    {"json", 0, OPTION_FLAG, AT(json), NULL, NULL, "results as JSON lines on standard output"},
    {"log-file", 0, OPTION_TEXT, AT(log_file), "FILE", NULL,
     "append the log to a file; - is standard output"},
    {"no-progress", 0, OPTION_FLAG, AT(no_progress), NULL, NULL, "no progress on the terminal"},
    {"help", 'h', OPTION_FLAG, AT(help), NULL, NULL, "this text"},
    {NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL}};

#define SELECTION                                                                                    \
  {"ext", 0, OPTION_TEXT, AT(ext), ".EXT", NULL, "only files of this extension, such as .txt"},      \
      {"start", 0, OPTION_TEXT, AT(start), "YYYY-MM-DD", NULL, "only studies of this day or later"}, \
      {"end", 0, OPTION_TEXT, AT(end), "YYYY-MM-DD", NULL, "only studies of this day or earlier"},   \
  {                                                                                                  \
    "shard", 0, OPTION_TEXT, AT(shard), "I/N", NULL, "only the I-th of N shares of the studies"      \
  }

#define MOVING                                                                                       \
  {"concurrent-studies",                                                                             \
   0,                                                                                                \
   OPTION_NUMBER,                                                                                    \
   AT(concurrent_studies),                                                                           \
   "N",                                                                                              \
   NULL,                                                                                             \
   "studies at once (default: what keeps the connections busy)"},                                    \
      {"concurrent-files",                                                                           \
       0,                                                                                            \
       OPTION_NUMBER,                                                                                \
       AT(concurrent_files),                                                                         \
       "N",                                                                                          \
       NULL,                                                                                         \
       "files at once in one study (default: no cap)"},                                              \
      {"connections",                                                                                \
       0,                                                                                            \
       OPTION_NUMBER,                                                                                \
       AT(connections),                                                                              \
       "N",                                                                                          \
       NULL,                                                                                         \
       "connections to S3 at most (default 128, as many as help)"},                                  \
      {"folder-structure",                                                                           \
       0,                                                                                            \
       OPTION_TEXT,                                                                                  \
       AT(folder_structure),                                                                         \
       "FORM",                                                                                       \
       "flat|hierarchical",                                                                          \
       "INSTITUTE/patient---study, or INSTITUTE/patient/study"},                                     \
      {"include",                                                                                    \
       0,                                                                                            \
       OPTION_LIST,                                                                                  \
       AT(include),                                                                                  \
       "GLOB",                                                                                       \
       NULL,                                                                                         \
       "only files that match, or lie in a folder that does; repeatable"},                           \
      {"exclude",                                                                                    \
       0,                                                                                            \
       OPTION_LIST,                                                                                  \
       AT(exclude),                                                                                  \
       "GLOB",                                                                                       \
       NULL,                                                                                         \
       "no files that match, or lie in a folder that does; repeatable"},                             \
      {"checksum",                                                                                   \
       0,                                                                                            \
       OPTION_FLAG,                                                                                  \
       AT(checksum),                                                                                 \
       NULL,                                                                                         \
       NULL,                                                                                         \
       "what is there counts only if its content is the same"},                                      \
      {"overwrite", 0, OPTION_FLAG, AT(overwrite), NULL, NULL, "nothing counts as there already"},   \
      {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL, "only list what would be moved"},         \
      {"bwlimit",                                                                                    \
       0,                                                                                            \
       OPTION_TEXT,                                                                                  \
       AT(bwlimit),                                                                                  \
       "RATE",                                                                                       \
       NULL,                                                                                         \
       "bytes a second in all: 20M, or hours: '08:00-18:00 20M, off'"},                              \
      {"report",                                                                                     \
       0,                                                                                            \
       OPTION_TEXT,                                                                                  \
       AT(report),                                                                                   \
       "FILE",                                                                                       \
       NULL,                                                                                         \
       "a JSON line for each file; - is standard output"},                                           \
      {"journal", 0, OPTION_TEXT, AT(journal), "FILE", NULL, "where unfinished work is remembered"}, \
  {                                                                                                  \
    "no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "remember nothing"                     \
  }

#define IGNORE_UNKNOWN                                                                             \
  {                                                                                                \
    "ignore-unknown", 0, OPTION_FLAG, AT(ignore_unknown), NULL, NULL,                              \
        "pass over folders that are no institute of the project"                                   \
  }
#define TRUST_STUDY_JSON                                                                           \
  {                                                                                                \
    "trust-study-json", 0, OPTION_FLAG, AT(trust_study_json), NULL, NULL,                          \
        "go by study.json also where the folder's name says another study or patient"              \
  }

#define END                                                                                        \
  { NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL }

static const option download_options[] = {
    SELECTION,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to download; repeatable, default files"},
    {"project-files", 0, OPTION_FLAG, AT(project_files), NULL, NULL,
     "only the project's own files, to TARGET_FOLDER/files"},
    {"include-modified-date", 0, OPTION_FLAG, AT(include_modified_date), NULL, NULL,
     "local files get the modification date of the cloud's"},
    {"portable-names", 0, OPTION_FLAG, AT(portable_names), NULL, NULL,
     "map names that Windows cannot hold, here too"},
    MOVING,
    END};

static const option upload_options[] = {
    {"min-age", 0, OPTION_TEXT, AT(min_age), "DURATION", NULL,
     "leave out files changed less long ago: 90s, 10m, 2h, 1d"},
    {"submit", 0, OPTION_FLAG, AT(submit), NULL, NULL,
     "submit each study whose files are all there; asks for the password"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|annotations|dicom",
     "upload annotations, or DICOM to an institute's import"},
    {"follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow links in the folder"},
    {"include-clutter", 0, OPTION_FLAG, AT(include_clutter), NULL, NULL,
     "also what macOS and Windows leave in folders: ._*, .DS_Store, Thumbs.db"},
    IGNORE_UNKNOWN,
    TRUST_STUDY_JSON,
    {"flat-names", 0, OPTION_TEXT, AT(flat_names), "FORM", "split|whole",
     "a new study of the folder P1---A: patient P1 and study A (default), or patient P1---A"},
    {"shard", 0, OPTION_TEXT, AT(shard), "I/N", NULL, "only the I-th of N shares of the studies"},
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
     "only files that match, or lie in a folder that does; repeatable"},
    {"exclude", 0, OPTION_LIST, AT(exclude), "GLOB", NULL,
     "no files that match, or lie in a folder that does; repeatable"},
    {"follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow links in the folder"},
    IGNORE_UNKNOWN,
    TRUST_STUDY_JSON,
    {"include-clutter", 0, OPTION_FLAG, AT(include_clutter), NULL, NULL,
     "also what macOS and Windows leave in folders: ._*, .DS_Store, Thumbs.db"},
    {"concurrent-studies", 0, OPTION_NUMBER, AT(concurrent_studies), "N", NULL,
     "studies at once (default: what keeps the connections busy)"},
    {"concurrent-files", 0, OPTION_NUMBER, AT(concurrent_files), "N", NULL,
     "files at once in one study (default: no cap)"},
    {"connections", 0, OPTION_NUMBER, AT(connections), "N", NULL,
     "connections to S3 at most (default 128); up to 16 files are read at once"},
    {"report", 0, OPTION_TEXT, AT(report), "FILE", NULL,
     "a JSON line for each file; - is standard output"},
    {"journal", 0, OPTION_TEXT, AT(journal), "FILE", NULL,
     "where uploads remembered the digests of their files"},
    {"no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "ask the store alone"},
    END};

static const option csv_options[] = {
    SELECTION,
    {"files", 0, OPTION_FLAG, AT(files), NULL, NULL, "a row for each file"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "whose files, with a row for each; repeatable, default files"},
    {"append", 0, OPTION_FLAG, AT(append), NULL, NULL, "add to the file that is there"},
    END};

static const option login_options[] = {
    {"background", 0, OPTION_FLAG, AT(background), NULL, NULL,
     "go to the background once signed in; `igtcloud logout` ends it"},
    END};

static const option token_options[] = {{"type", 't', OPTION_TEXT, AT(token_type), "TYPE",
                                        "jwt|access|csrf", "which one (default jwt)"},
                                       END};

static const option no_options[] = {END};

#define PLACE "PROJECT [INSTITUTE] [PROD|TEST]"

static const command table[] = {
    {"login", "", 0, 0, "sign in and keep the session for other commands",
     "Signs in, keeps the session fresh and lets every other command use it, until it is\n"
     "interrupted (Ctrl-C) or `igtcloud logout` is called. Asks for what is missing.\n"
     "With --background it then leaves its terminal and folder, and its messages go to "
     "--log-file,\n"
     "or to the system's log.",
     login_options, true, cmd_login},
    {"logout", "", 0, 0, "end a login that runs",
     "Ends the `igtcloud login` that holds the token file.", no_options, false, cmd_logout},
    {"whoami", "", 0, 0, "who is signed in, where, and for how long",
     "Prints the user, the cloud and the end of the session that other commands would use.",
     no_options, true, cmd_whoami},
    {"get-token", "", 0, 0, "print a token of the running login",
     "Prints one token and nothing else, for programs that speak to the cloud by themselves.",
     token_options, false, cmd_get_token},
    {"download", "TARGET_FOLDER " PLACE, 2, 4, "download studies",
     "Downloads all studies of an institute (all institutes: *) into\n"
     "TARGET_FOLDER/INSTITUTE/<patient---study>. A file appears under its name only when it is\n"
     "whole and checked. Files that are there already are skipped, so the same command again\n"
     "goes on where it was.",
     download_options, true, cmd_download},
    {"upload", "LOCAL_FOLDER " PLACE, 2, 4, "upload studies",
     "Uploads LOCAL_FOLDER/INSTITUTE/<patient---study>/... to the institutes of a project, and\n"
     "LOCAL_FOLDER/files/... to the project itself. Files that are there already are skipped.",
     upload_options, true, cmd_upload},
    {"verify", "LOCAL_FOLDER " PLACE, 2, 4, "compare a folder with the cloud",
     "Reads LOCAL_FOLDER, as it was downloaded or uploaded, and holds each file against what the\n"
     "cloud has, without moving it. Each file that is not the same is told: different, missing\n"
     "here, missing there, or unchecked where the store holds no digest. Exit status 0 when all\n"
     "is the same, 3 when not.",
     verify_options, true, cmd_verify},
    {"csv", "TARGET_FOLDER " PLACE, 2, 4, "list studies as CSV",
     "Writes TARGET_FOLDER/cloud_<project>.csv, a row for each study; with - as TARGET_FOLDER\n"
     "to standard output.",
     csv_options, true, cmd_csv},
    {"version", "", 0, 0, "print the version", "Prints the version and nothing else.", no_options,
     false, cmd_version},
    {"completion", "bash|zsh|fish", 1, 1, "print completions for a shell",
     "For example: igtcloud completion bash > /etc/bash_completion.d/igtcloud", no_options, false,
     cmd_completion},
    {"help", "[COMMAND]", 0, 3, "help on a command",
     "As igtcloud COMMAND --help. `igtcloud help man COMMAND` prints the man page, and --json the\n"
     "tables of commands and options for programs.",
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

int no_command(const char *const *words, size_t count) {
  if (!is_group(words[0]))
    return usage_error("there is no command '%s'; `igtcloud --help` lists them", words[0]);
  if (count > 1)
    return usage_error("there is no command '%s %s'; `igtcloud %s --help` lists them", words[0],
                       words[1], words[0]);
  print_group(stderr, words[0]);
  return EXIT_USAGE;
}

static bool wants_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Folders, partial files and connections are open at once; 1,024 is what old programs can bear. */
static void raise_file_limit(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Some 80 threads list and plan, each for a moment, and glibc would give every few of them a heap
 * of their own, each as large as its busiest moment was: half of the resident memory of a listing
 * of large studies. Its threshold for pages of their own would also rise with each large buffer
 * that is freed, and leave the next ones in those heaps. Measured in docs/internals/memory.md. */
static void keep_memory_small(void) {
#if defined(M_ARENA_MAX) && defined(M_MMAP_THRESHOLD)
  (void)mallopt(M_ARENA_MAX, 2);
  (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  (void)mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024); /* or each request gives its pages back */
#endif
}

/* Descriptors that the caller closed would become those of the next files and connections, and
 * what is printed would go there. What is opened here fails when it is used. */
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Of the command; EXIT_FAILED when its output did not arrive. */
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
  if (failed && caught_signal()) /* it was given up for the signal's sake */
    return 128 + caught_signal();
  if (failed)
    complain("the output could not be written%s%s", why ? ": " : "", why ? strerror(why) : "");
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
  int status = finish(cmd->run(&s));
  if (!close_log() && status == EXIT_DONE)
    status = EXIT_FAILED;
  return status;
}
