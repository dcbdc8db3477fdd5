/* SPDX-License-Identifier: MIT */
/* The program of --password-command. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define COMMAND_LIMIT_MS 120000 /* it may ask the user to unlock something */

typedef struct child {
  pid_t pid;
  int out;
} child;

/* The user's own command line: a pipe in it is as welcome as a quoted word, so a shell reads it.
 * The password is in neither's arguments. */
static void run_command(const char *text, int out) {
  static char shell[] = "/bin/sh", name[] = "sh", flag[] = "-c";
  union {
    const char *from;
    char *to;
  } line = {text};
  char *const words[] = {name, flag, line.to, NULL};
  int null = open("/dev/null", O_RDONLY);

  if (null >= 0)
    dup2(null, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  signal(SIGPIPE, SIG_DFL);
  execve(shell, words, environ);
  _exit(127);
}

static bool start_command(const char *text, child *c) {
  int ends[2];

  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  c->pid = fork();
  if (c->pid == 0)
    run_command(text, ends[1]);
  close(ends[1]);
  c->out = ends[0];
  if (c->pid < 0)
    close(ends[0]);
  return c->pid > 0;
}

/* All that it writes; only the first line is kept. -1: late, or interrupted. */
static int read_first_line(int fd, char *out, size_t cap) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  bool is_first = true;
  size_t n = 0;
  char data[512];
  ssize_t got;

  for (int waited = 0; waited < COMMAND_LIMIT_MS && !caught_signal();) {
    int ready = poll(&one, 1, 200);
    waited += ready == 0 ? 200 : 0;
    if (ready <= 0)
      continue;
    got = read(fd, data, sizeof data);
    for (ssize_t i = 0; i < got && is_first; i++) {
      is_first = data[i] != '\n' && n + 1 < cap;
      if (is_first)
        out[n++] = data[i];
    }
    explicit_bzero(data, sizeof data);
    if (got <= 0) {
      n -= n > 0 && out[n - 1] == '\r';
      out[n] = '\0';
      return got < 0 ? -1 : (int)n;
    }
  }
  return -1;
}

/* The command line is not repeated: it may contain a secret itself. */
static bool command_failed(int length, int status) {
  if (caught_signal())
    return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    complain("the program of --password-command failed: exit status %d", WEXITSTATUS(status));
  else if (length < 0)
    complain("the program of --password-command did not end within %d s", COMMAND_LIMIT_MS / 1000);
  else if (WIFSIGNALED(status))
    complain("the program of --password-command was ended by signal %d", WTERMSIG(status));
  else
    complain("the program of --password-command printed no password: its first line is empty");
  return false;
}

bool os_ask_command(const char *text, char *out, size_t cap) {
  child c;
  int length, status = 0;

  if (!start_command(text, &c)) {
    complain("the program of --password-command cannot be started: %s", strerror(errno));
    return false;
  }
  length = read_first_line(c.out, out, cap);
  if (length < 0)
    (void)kill(c.pid, SIGTERM);
  close(c.out);
  while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (length > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return true;
  explicit_bzero(out, cap);
  return command_failed(length, status);
}
