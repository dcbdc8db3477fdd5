/* SPDX-License-Identifier: MIT */
/* Questions on the terminal.
 *
 * Echo is off only while waiting for hidden input. Meanwhile every signal that ends or stops the
 * process is caught, and blocked except while ppoll waits: each is handled in one place, where the
 * terminal is restored and the signal then takes its usual effect. When the process continues after
 * a stop, echo is switched off again and the question is repeated. SIGKILL and SIGSTOP cannot be
 * caught; after the latter the question is repeated, too. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

#define SIGNALS 65 /* Linux's, plus one */

static volatile sig_atomic_t noted[SIGNALS];

typedef struct question {
  int tty;
  const char *text;
  bool hidden;
  bool is_quiet; /* echo is off */
  bool is_known; /* old contains the terminal's settings */
  struct termios old;
  sigset_t mask; /* this thread's mask outside a question */
  struct sigaction actions[SIGNALS];
  bool taken[SIGNALS];
} question;

typedef enum outcome { ANSWERED, AGAIN, NO_RESPONSE } outcome;

static void note_signal(int number) {
  noted[number] = 1;
}

/* ---- signals ---- */

/* Signals that neither end nor stop the process keep their disposition. */
static bool concerns(int number) {
  return number != SIGKILL && number != SIGSTOP && number != SIGCHLD && number != SIGURG &&
         number != SIGWINCH;
}

static void take_signals(question *q) {
  struct sigaction action;
  sigset_t held;

  sigfillset(&held);
  sigdelset(&held, SIGTTOU); /* caused by our own changes, which they would make fail */
  sigdelset(&held, SIGTTIN);
  pthread_sigmask(SIG_SETMASK, &held, &q->mask);
  memset(&action, 0, sizeof action);
  action.sa_handler = note_signal;
  for (int i = 1; i < SIGNALS; i++) {
    noted[i] = 0;
    q->taken[i] = concerns(i) && sigaction(i, NULL, &q->actions[i]) == 0 &&
                  q->actions[i].sa_handler != SIG_IGN && sigaction(i, &action, NULL) == 0;
  }
}

static void return_signals(question *q) {
  for (int i = 1; i < SIGNALS; i++)
    if (q->taken[i])
      sigaction(i, &q->actions[i], NULL);
  pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
}

static bool any_noted(void) {
  for (int i = 1; i < SIGNALS; i++)
    if (noted[i])
      return true;
  return false;
}

/* ---- echo ---- */

/* False: interrupted, or not possible. */
static bool switch_echo_off(question *q) {
  struct termios quiet;

  if (!q->hidden)
    return true;
  if (!q->is_known && tcgetattr(q->tty, &q->old) != 0)
    return false;
  q->is_known = true;
  quiet = q->old;
  quiet.c_lflag &= ~(tcflag_t)ECHO;
  q->is_quiet = tcsetattr(q->tty, TCSAFLUSH, &quiet) == 0;
  return q->is_quiet;
}

static void switch_echo_on(question *q) {
  if (q->is_quiet) {
    (void)tcsetattr(q->tty, TCSAFLUSH, &q->old);
    q->is_known = false; /* it may change before we continue */
  }
  q->is_quiet = false;
}

static bool stops(int number) {
  return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* The terminal is restored, so the noted signals may take effect; the process stops in here. Of
 * several stop signals, one takes effect. */
static outcome pass_signals_on(question *q) {
  bool happened[SIGNALS], stopped = false;

  for (int i = 0; i < SIGNALS; i++)
    happened[i] = noted[i];
  /* Whoever continued us, or has taken the terminal, has changed its settings. */
  if (happened[SIGCONT] || tcgetpgrp(q->tty) != getpgrp())
    q->is_quiet = false;
  switch_echo_on(q);
  return_signals(q);
  for (int i = 1; i < SIGNALS; i++) {
    if (!happened[i] || i == SIGCONT || (stops(i) && stopped))
      continue;
    stopped = stopped || stops(i);
    if (!stops(i))
      dprintf(q->tty, "\n"); /* it may end the process here */
    raise(i);
  }
  take_signals(q);
  return caught_signal() ? NO_RESPONSE : AGAIN;
}

/* ---- one question ---- */

static bool wait_for(question *q) {
  struct pollfd one = {.fd = q->tty, .events = POLLIN};
  sigset_t open;

  sigemptyset(&open);
  return !any_noted() && (ppoll(&one, 1, NULL, &open) > 0 || errno != EINTR) && !any_noted();
}

static outcome ask_once(question *q, char *out, size_t cap) {
  size_t n = 0;

  if (!switch_echo_off(q))
    return any_noted() ? pass_signals_on(q) : NO_RESPONSE;
  dprintf(q->tty, "%s: ", q->text);
  for (;;) {
    char c;
    ssize_t got = wait_for(q) ? read(q->tty, &c, 1) : -1;
    if (any_noted()) {
      explicit_bzero(out, n);
      return pass_signals_on(q);
    }
    if (got < 0 || (got == 0 && n == 0) || n + 1 >= cap)
      return NO_RESPONSE;
    if (got == 0 || c == '\n')
      break;
    out[n++] = c;
  }
  out[n - (n && out[n - 1] == '\r')] = '\0';
  return ANSWERED;
}

static bool ask(const char *text, bool hidden, char *out, size_t cap) {
  question *q = calloc(1, sizeof *q);
  char *safe = safe_text(text);
  outcome result = NO_RESPONSE;

  if (q && safe && (q->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) >= 0) {
    q->text = safe;
    q->hidden = hidden;
    take_signals(q);
    while ((result = ask_once(q, out, cap)) == AGAIN)
      ;
    switch_echo_on(q);
    return_signals(q);
    if (result == ANSWERED ? hidden : !caught_signal()) /* the line has not been ended */
      dprintf(q->tty, "\n");
    close(q->tty);
  }
  free(safe);
  free(q);
  return result == ANSWERED;
}

bool can_ask(void) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

  if (tty >= 0)
    close(tty);
  return tty >= 0;
}

bool ask_text(const char *text, char *out, size_t cap) {
  return ask(text, false, out, cap);
}

bool ask_password(const char *text, char *out, size_t cap) {
  return ask(text, true, out, cap);
}

/* ---- lines of standard input ---- */

/* False once a terminating signal was caught. It could come between the check and the wait for
 * input: so signals are blocked except while ppoll waits. No other thread receives them. */
static bool wait_for_input(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  sigset_t ends, old;
  bool go_on;

  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, &old);
  while ((go_on = !caught_signal()) && ppoll(&one, 1, NULL, &old) < 0 && errno == EINTR)
    ;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return go_on;
}

bool read_password(char *out, size_t cap) {
  size_t n = 0;

  for (;;) {
    char c;
    ssize_t got = wait_for_input(STDIN_FILENO) ? read(STDIN_FILENO, &c, 1) : -1;
    if (got < 0 && errno == EINTR && !caught_signal())
      continue;
    if (got < 0 || (got == 0 && n == 0))
      return false;
    if (got == 0 || c == '\n')
      break;
    if (n + 1 >= cap)
      return false;
    out[n++] = c;
  }
  if (n && out[n - 1] == '\r')
    n--;
  out[n] = '\0';
  return true;
}
