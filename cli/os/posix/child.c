/* SPDX-License-Identifier: MIT */
/* Programs that a station starts: each in a process group of its own, so that it ends with its
 * children. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

struct os_child {
  pid_t pid;
};

/* It needs to find programs and its home, and gets nothing else. */
static char **clean_environment(void) {
  static const char *const names[] = {"PATH", "HOME",  "USER",   "LOGNAME", "LANG",
                                      "TZ",   "SHELL", "TMPDIR", "LC_ALL",  "LC_CTYPE"};
  static char *env[sizeof names / sizeof *names + 1];
  size_t n = 0;

  for (size_t i = 0; env[i]; i++)
    free(env[i]);
  memset(env, 0, sizeof env);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (value && asprintf(&env[n], "%s=%s", names[i], value) > 0)
      n++;
    else
      env[n] = NULL;
  }
  return env;
}

static int spawn(pid_t *pid, const char *program, int input) {
  char *const argv[] = {(char *)(uintptr_t)program, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, standard;
  int error;

  sigemptyset(&none);
  sigfillset(&standard);
  sigdelset(&standard, SIGKILL);
  sigdelset(&standard, SIGSTOP);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &standard);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  error = posix_spawn(pid, program, &actions, &attributes, argv, clean_environment());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

os_child *os_child_start(const char *program, int input) {
  os_child *child = calloc(1, sizeof *child);
  int error = child ? spawn(&child->pid, program, input) : ENOMEM;

  if (!error)
    return child;
  free(child);
  errno = error;
  return NULL;
}

bool os_child_has_ended(os_child *child, char *how, size_t cap) {
  int status;

  if (waitpid(child->pid, &status, WNOHANG) != child->pid)
    return false;
  *how = '\0';
  if (!WIFEXITED(status))
    (void)snprintf(how, cap, "signal %d", WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0)
    (void)snprintf(how, cap, "exit status %d", WEXITSTATUS(status));
  return true;
}

void os_child_end(os_child *child, bool at_once) {
  (void)kill(-child->pid, at_once ? SIGKILL : SIGTERM);
}

void os_child_free(os_child *child) {
  free(child);
}

const char *os_cannot_run(const char *program) {
  static char why[128];

  if (access(program, X_OK) == 0)
    return NULL;
  (void)snprintf(why, sizeof why, "%s%s", strerror(errno),
                 errno == EACCES ? "; is it executable (chmod +x)?" : "");
  return why;
}
