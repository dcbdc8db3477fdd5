/* SPDX-License-Identifier: MIT */
/* The program of --password-command. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define COMMAND_LIMIT_MS 120000 /* it may ask the user to unlock something */
#define PATIENCE_MS 1000        /* between SIGTERM and SIGKILL */

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

static int64_t now_ms(void) {
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* All that it writes, for as long as it may take; only the first line is kept. -1: late, or
 * interrupted. */
static int read_first_line(int fd, int64_t deadline, char *out, size_t cap) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  bool is_first = true;
  size_t n = 0;
  char data[512];
  ssize_t got;

  while (now_ms() < deadline && !caught_signal()) {
    if (poll(&one, 1, 200) <= 0)
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
    complain(IGT_E_NO_SESSION, "the program of --password-command failed: exit status %d",
             WEXITSTATUS(status));
  else if (length < 0)
    complain(IGT_E_NO_SESSION, "the program of --password-command did not end within %d s",
             COMMAND_LIMIT_MS / 1000);
  else if (WIFSIGNALED(status))
    complain(IGT_E_NO_SESSION, "the program of --password-command was killed by signal %d",
             WTERMSIG(status));
  else
    complain(IGT_E_NO_SESSION,
             "the program of --password-command printed no password: its first line is empty");
  return false;
}

/* False: it had to be ended. It may have closed its output and go on, or not obey. */
static bool wait_for_end(pid_t pid, int64_t deadline, int *status) {
  static const int signals[] = {SIGTERM, SIGKILL};
  bool alone = deadline > 0;

  for (size_t sent = 0; waitpid(pid, status, WNOHANG) == 0;) {
    if ((now_ms() >= deadline || (caught_signal() && sent == 0)) && sent < 2) {
      (void)kill(pid, signals[sent++]);
      deadline = now_ms() + PATIENCE_MS;
      alone = false;
    }
    (void)poll(NULL, 0, 10);
  }
  return alone;
}

bool os_ask_command(const char *text, char *out, size_t cap) {
  int64_t deadline;
  child c;
  int length, status = 0;

  if (!start_command(text, &c)) {
    complain(IGT_E_NO_SESSION, "the program of --password-command cannot be started: %s",
             strerror(errno));
    return false;
  }
  deadline = now_ms() + COMMAND_LIMIT_MS;
  length = read_first_line(c.out, deadline, out, cap);
  close(c.out);
  if (!wait_for_end(c.pid, length < 0 ? 0 : deadline, &status))
    length = -1;
  if (length > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return true;
  explicit_bzero(out, cap);
  return command_failed(length, status);
}
