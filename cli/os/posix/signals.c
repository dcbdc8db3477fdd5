/* SPDX-License-Identifier: MIT */
/* Signal handling. The first INT, TERM or HUP cancels, so that the run ends in good order; the
 * second ends the process immediately, as the signal itself would. A signal that was ignored when
 * the program started stays ignored: nohup, and background jobs of a script.
 *
 * A run that ends in good order may still print, and its reader may be stuck: so after a signal a
 * timer checks whether output is blocked. If so, the output is abandoned, and the blocked write
 * returns.
 *
 * Output whose reader has gone ends the run as well, silently. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"

#define TICK_US 600000
#define TICKS_LEFT 2 /* after output was abandoned: 1.8 s in all */

static volatile sig_atomic_t caught, stuck, asked;
static igt_cancel *to_set;

static void end_at_once(int number) {
  igt_login_abandon();
  signal(number, SIG_DFL);
  raise(number);
}

static void stop(int number) {
  const struct itimerval ticks = {{0, TICK_US}, {0, TICK_US}};

  caught = number;
  igt_cancel_set(to_set);
  (void)setitimer(ITIMER_REAL, &ticks, NULL);
}

static void on_signal(int number) {
  int saved = errno;

  if (caught)
    end_at_once(number);
  else
    stop(number);
  errno = saved;
}

static void on_quit(int number) {
  end_at_once(number);
}

/* The writer gets an error; /dev/null receives what comes after it. */
static void give_up(int fd) {
  struct pollfd out = {.fd = fd, .events = POLLOUT};
  int null;

  if (poll(&out, 1, 0) != 0 || (null = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
    return;
  dup2(null, fd);
  close(null);
  stuck = 1;
}

/* Installed without SA_RESTART, so that it interrupts a blocked write. */
static void on_tick(int number) {
  int saved = errno;

  if (!caught) /* not our timer */
    end_at_once(number);
  if (stuck && stuck++ > TICKS_LEFT - 1)
    end_at_once(caught);
  give_up(STDOUT_FILENO);
  give_up(STDERR_FILENO);
  errno = saved;
}

/* Connections closed by the peer raise it as well: they just fail. */
static void on_pipe(int number) {
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  int saved = errno;

  if (!caught && poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)))
    stop(number);
  errno = saved;
}

static void catch_one(int number, void (*fn)(int), int flags) {
  struct sigaction action;

  if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
    return;
  memset(&action, 0, sizeof action);
  action.sa_handler = fn;
  action.sa_flags = flags;
  sigaction(number, &action, NULL);
}

bool catch_signals(igt_cancel *cancel) {
  sigset_t tick;

  if (!cancel)
    return false;
  to_set = cancel;
  signal(SIGALRM, SIG_DFL);
  catch_one(SIGALRM, on_tick, 0);
  sigemptyset(&tick);
  sigaddset(&tick, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &tick, NULL);
  catch_one(SIGINT, on_signal, SA_NODEFER | SA_RESTART);
  catch_one(SIGTERM, on_signal, SA_NODEFER | SA_RESTART);
  catch_one(SIGHUP, on_signal, SA_NODEFER | SA_RESTART);
  catch_one(SIGQUIT, on_quit, SA_NODEFER | SA_RESTART);
  catch_one(SIGPIPE, on_pipe, SA_RESTART);
  signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error for that file only */
  return true;
}

static void on_question(int number) {
  (void)number;
  asked = 1;
}

void catch_questions(void) {
  struct sigaction action = {.sa_handler = on_question, .sa_flags = SA_RESTART};

  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
}

bool progress_is_asked_for(void) {
  bool was = asked;

  asked = 0;
  return was;
}

int caught_signal(void) {
  return caught;
}

bool reader_is_gone(void) {
  return caught == SIGPIPE;
}

/* SIGPIPE has reported it, unless this process was started with it ignored. */
void os_note_broken_pipe(void) {}

void end_as_by_pipe(void) {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
}
