/* SPDX-License-Identifier: MIT */
/* The cache of completions: one file, since the next TAB is for the same list or for a longer path.
 * It may hold names of patients, so only its user can read it, and it is gone after ten seconds: a
 * child process that waits for that removes it, and if the machine is switched off before, the next
 * completion. Its first lines are the key of the list. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "complete.h"

#define LIFE 10 /* seconds */
#define SIZE_MOST (2 * 1024 * 1024)

static void end_quietly(int number) {
  (void)number;
  _exit(0);
}

void limit_time(unsigned ms) {
  const struct itimerval once = {{0, 0}, {0, (suseconds_t)ms * 1000}};

  signal(SIGALRM, end_quietly);
  (void)setitimer(ITIMER_REAL, &once, NULL);
}

/* Makes the folders above it. False: there is no home folder. */
static bool cache_path(char *out, size_t cap) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  bool has_cache = cache && *cache == '/';
  const char *above = has_cache ? cache : home;
  int n;

  if (!above || *above != '/')
    return false;
  n = snprintf(out, cap, "%s%s", above, has_cache ? "" : "/.cache");
  if (n < 0 || (size_t)n + sizeof "/igtcloud/completion" > cap)
    return false;
  (void)mkdir(out, 0700);
  snprintf(out + n, cap - (size_t)n, "/igtcloud");
  (void)mkdir(out, 0700);
  snprintf(out + n, cap - (size_t)n, "/igtcloud/completion");
  return true;
}

char *cache_read(const char *key) {
  char path[4096], *text = NULL;
  size_t n = strlen(key);
  struct stat st;
  int fd;

  if (!cache_path(path, sizeof path) ||
      (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
    return NULL;
  bool usable = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                st.st_size <= SIZE_MOST;
  if (usable && llabs((long long)time(NULL) - (long long)st.st_mtime) > LIFE) {
    (void)unlink(path);
    usable = false;
  }
  if (usable && (text = calloc(1, (size_t)st.st_size + 1)) != NULL &&
      (read(fd, text, (size_t)st.st_size) < 0 || strncmp(text, key, n) != 0)) {
    free(text);
    text = NULL;
  }
  close(fd);
  if (text)
    memmove(text, text + n, strlen(text + n) + 1);
  return text;
}

/* In a process of its own, which the shell does not wait for. */
static void remove_later(const char *path) {
  struct stat st;

  if (fork() != 0)
    return;
  (void)setsid();
  signal(SIGALRM, SIG_IGN);
  for (int fd = 0; fd < 3; fd++)
    close(fd); /* the shell reads to the end of them */
  for (unsigned left = LIFE; left > 0;)
    left = sleep(left);
  if (stat(path, &st) == 0 && time(NULL) - st.st_mtime >= LIFE)
    (void)unlink(path);
  _exit(0);
}

/* The end of the time, or Ctrl-C at a slow completion, must not leave a file with names that
 * nothing removes. */
static void wait_with_signals(bool wait) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  (void)sigprocmask(wait ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static bool replace_file(const char *path, const char *key, const char *text) {
  char temporary[4200];
  int fd;
  bool good;

  snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
  fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return false;
  good = write(fd, key, strlen(key)) == (ssize_t)strlen(key) &&
         write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (close(fd) == 0 && good && rename(temporary, path) == 0)
    return true;
  (void)unlink(temporary);
  return false;
}

void cache_write(const char *key, const char *text) {
  char path[4096];
  bool good;

  if (!cache_path(path, sizeof path))
    return;
  wait_with_signals(true);
  good = replace_file(path, key, text);
  if (good)
    remove_later(path);
  wait_with_signals(false);
}
