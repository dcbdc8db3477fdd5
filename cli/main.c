/* SPDX-License-Identifier: MIT */
/* The igtcloud program. main() prepares the process (secrets, standard streams, memory, limits),
 * finds the command by the first words (commands.c), has options.c fill the settings, calls the
 * command's function, and checks that all output was written before it returns the exit status. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

/* Of the library that is linked in: curl may wipe what it frees, since no other code of this
 * process uses it. No function for host programs, and so in no header. */
void igt__curl_own_process(void);

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
  igt__curl_own_process();
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
  cmd = command_named(words, (size_t)argc - 1, &taken);
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
