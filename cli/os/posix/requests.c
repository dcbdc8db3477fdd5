/* SPDX-License-Identifier: MIT */
/* TERM and INT ask a station to stop, HUP to read its configuration again. CHLD only wakes the
 * loop, which looks after its hook. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "os/os.h"

static int ends[2] = {-1, -1};
static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number) {
  const char byte = (char)number;
  int saved = errno;

  if (number == SIGTERM || number == SIGINT) {
    if (asked_to_stop) { /* again: at once */
      signal(number, SIG_DFL);
      raise(number);
    }
    asked_to_stop = number;
  }
  (void)!write(ends[1], &byte, 1);
  errno = saved;
}

os_source os_requests_open(void) {
  static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigset_t all;

  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return OS_NO_SOURCE;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  sigemptyset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  return ends[0];
}

bool os_requests_take(void) {
  bool reload = false;
  char bytes[64];
  ssize_t n;

  while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
    for (ssize_t i = 0; i < n; i++)
      reload |= bytes[i] == SIGHUP;
  return reload;
}

bool os_is_asked_to_stop(void) {
  return asked_to_stop != 0;
}
