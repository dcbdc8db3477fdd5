/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t caught;
static igt_cancel *to_set;

static void on_signal(int number) {
  if (caught) {
    /* The second one: at once, as the signal itself would. */
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  caught = number;
  igt_cancel_set(to_set);
}

bool catch_signals(igt_cancel *cancel) {
  struct sigaction action;

  if (!cancel)
    return false;
  to_set = cancel;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error of that file */
  return true;
}

int caught_signal(void) {
  return caught;
}
