/* SPDX-License-Identifier: MIT */
/* login --background: the child process signs in, and becomes a daemon; the parent waits for that,
 * passes signals on, and returns the child's result. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* Descriptors that the caller left open, such as the lock of flock(1), must not stay open in the
 * daemon. They are noted before anything else is opened and closed once signed in: the key may come
 * from one of them. */
static struct {
  int fds[256];
  size_t count;
} inherited;

static void note_inherited(int ready) {
  DIR *folder = opendir("/proc/self/fd");

  for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
    int fd = (int)strtol(entry->d_name, NULL, 10);
    if (fd > 2 && fd != ready && fd != dirfd(folder) && fd != log_descriptor() &&
        inherited.count < sizeof inherited.fds / sizeof *inherited.fds)
      inherited.fds[inherited.count++] = fd;
  }
  if (folder)
    closedir(folder);
}

static void close_inherited(void) {
  for (size_t i = 0; i < inherited.count; i++)
    close(inherited.fds[i]);
}

/* Its own session is out of reach of Ctrl-C and of a closing terminal, and keeps no terminal,
 * folder or disk busy. */
void os_detach(int ready) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);

  (void)setsid();
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
  close_inherited();
  (void)!chdir("/");
  (void)!write(ready, "+", 1);
  close(ready);
}

/* The daemon's working directory is "/". */
static const char *absolute(const char *path) {
  char folder[PATH_MAX], *full = NULL;

  if (!path || *path == '/' || strcmp(path, "-") == 0 || !getcwd(folder, sizeof folder) ||
      asprintf(&full, "%s/%s", folder, path) < 0)
    return path;
  return full; /* lives as long as the process */
}

static void make_paths_absolute(settings *s) {
  static const char *const names[] = {
      "CLOUD_TOKEN_MMAP", "TMPDIR",         "HOME",          "XDG_STATE_HOME", "REQUESTS_CA_BUNDLE",
      "AWS_CA_BUNDLE",    "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",   NULL};

  s->ca_file = absolute(s->ca_file);
  s->service_file = absolute(s->service_file);
  for (size_t i = 0; names[i]; i++) {
    const char *value = getenv(names[i]);
    if (value && *value && *value != '/')
      (void)setenv(names[i], absolute(value), 1);
  }
}

/* Signals from the terminal go to both processes; those sent to the parent alone, the process that
 * callers know, are meant for the child. */
static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static pid_t child_of_login;
static volatile sig_atomic_t interrupted, from_terminal;

static void pass_on(int number, siginfo_t *info, void *context) {
  (void)context;
  interrupted = number;
  from_terminal = info->si_code > 0;
  if (!from_terminal)
    kill(child_of_login, number);
}

static void block(sigset_t *before) {
  sigset_t all;

  sigemptyset(&all);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    sigaddset(&all, passed_on[i]);
  pthread_sigmask(SIG_BLOCK, &all, before);
}

static void pass_signals_on(pid_t child) {
  struct sigaction action;

  child_of_login = child;
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
    if (sigaction(passed_on[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
      continue;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO;
    sigaction(passed_on[i], &action, NULL);
  }
}

static void wake_up(int number) {
  (void)number;
}

/* Ctrl-Z reaches both, but the shell must not get the terminal back before the child has restored
 * it: the parent stops when the child has stopped. */
static void follow_stops(sigset_t *mask) {
  const struct sigaction action = {.sa_handler = wake_up};
  sigset_t child;

  signal(SIGTSTP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN); /* it writes nothing, and would leave the child behind */
  sigaction(SIGCHLD, &action, NULL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child, mask);
}

/* A shell sends SIGCONT to all processes of a job, but not at the same moment. */
static bool is_continued(pid_t child) {
  for (int tries = 0; tries < 20; tries++) {
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child, &info, WCONTINUED | WNOHANG) == 0 && info.si_pid == child)
      return true;
    (void)poll(NULL, 0, 10);
  }
  return false;
}

/* SIGTSTP stays ignored: a Ctrl-Z just after we were continued would stop us before the child. A
 * shell continues both of us. The child asks again after each SIGCONT, and forgets what was typed:
 * it gets another one only if it is still stopped. */
static void stop_with(pid_t child) {
  raise(SIGSTOP);
  if (!is_continued(child))
    kill(child, SIGCONT);
}

static int end_of(int status) {
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

/* A signal that came while the child became a daemon ends the login. The child may have left the
 * group to which a terminal sent it. One that comes later no longer concerns us. */
static int finish_login(pid_t child) {
  int status;

  block(NULL);
  if (!interrupted)
    return EXIT_DONE;
  if (from_terminal)
    kill(child, interrupted);
  while (waitpid(child, &status, 0) != child && errno == EINTR)
    ;
  return 128 + interrupted;
}

/* Waits until it is signed in or has ended. */
static int wait_for_login(pid_t child, int ready, const sigset_t *mask) {
  struct pollfd one = {.fd = ready, .events = POLLIN};
  int status = 0;
  char byte = 0;

  for (;;) {
    one.revents = 0;
    if (ppoll(&one, 1, NULL, mask) == 1 && read(ready, &byte, 1) == 1)
      return finish_login(child);
    if (waitpid(child, &status, one.revents ? 0 : WNOHANG | WUNTRACED) != child)
      continue;
    if (!WIFSTOPPED(status))
      return end_of(status);
    stop_with(child);
  }
}

/* The child is forked before any thread exists; the parent exits once the child is signed in. Until
 * then the child belongs to the terminal's session, on which it may have to ask for a password. */
int os_hold_in_background(settings *s, int (*hold)(const settings *s, int ready)) {
  int ends[2], status;
  sigset_t mask, before;
  pid_t child;

  block(&before); /* until they are passed on */
  if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
    complain(IGT_E_IO, "cannot run in the background: %s", strerror(errno));
    return EXIT_FAILED;
  }
  if (child == 0) {
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    note_inherited(ends[1]);
    make_paths_absolute(s);
    signal(SIGTERM, SIG_DFL); /* `igtcloud logout` sends it, even if the caller ignores it */
    return hold(s, ends[1]);
  }
  pass_signals_on(child);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  follow_stops(&mask);
  close(ends[1]);
  status = wait_for_login(child, ends[0], &mask);
  close(ends[0]);
  return status;
}

bool os_end_process(int64_t id) {
  return kill((pid_t)id, SIGTERM) == 0;
}

bool os_is_running(int64_t id) {
  return kill((pid_t)id, 0) == 0 || errno != ESRCH;
}

bool os_knows_ends(void) {
  return false;
}
