/* SPDX-License-Identifier: MIT */
/* systemd: its notifications (sd_notify(3): a datagram to the socket in NOTIFY_SOCKET), and its
 * journal, whose native protocol (also datagrams) takes a priority and fields with each line. The
 * journal is written to if standard error is connected to it, which JOURNAL_STREAM says; otherwise
 * lines go where those of other commands go. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

typedef struct peer {
  int fd; /* -1: none */
  struct sockaddr_un to;
  socklen_t length;
} peer;

static peer manager = {.fd = -1}, journal = {.fd = -1};
static int64_t watchdog_ms, last_alive;
/* A name that begins with '@' is in the abstract namespace. */
static void open_peer(peer *p, const char *path) {
  size_t n = path ? strlen(path) : 0;

  if (n == 0 || n >= sizeof p->to.sun_path || (*path != '/' && *path != '@'))
    return;
  p->to.sun_family = AF_UNIX;
  memcpy(p->to.sun_path, path, n);
  if (*path == '@')
    p->to.sun_path[0] = '\0';
  p->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path == '/'));
  p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool send_to(const peer *p, const char *data, size_t n) {
  return p->fd >= 0 && sendto(p->fd, data, n, MSG_NOSIGNAL,
                              (const struct sockaddr *)(const void *)&p->to, p->length) >= 0;
}

void os_manager_open(void) {
  const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
  const char *socket = getenv("IGTCLOUD_TEST_JOURNAL_SOCKET");

  open_peer(&manager, getenv("NOTIFY_SOCKET"));
  if (usec && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
    watchdog_ms = strtoll(usec, NULL, 10) / 1000;
  if (os_is_journal(STDERR_FILENO))
    open_peer(&journal, socket ? socket : JOURNAL_SOCKET);
  /* A hook has no use for them. */
  (void)unsetenv("NOTIFY_SOCKET");
  (void)unsetenv("WATCHDOG_USEC");
  (void)unsetenv("WATCHDOG_PID");
}

IGT_PRINTF(1, 2)
static void notify(const char *fmt, ...) {
  char text[1024];
  va_list args;
  int n;

  va_start(args, fmt);
  n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (n > 0)
    (void)send_to(&manager, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void notify_reloading(void) {
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void os_manager_notify(os_state state, const char *text) {
  switch (state) {
  case OS_READY:
    notify(text ? "READY=1\nSTATUS=%s" : "READY=1", text);
    break;
  case OS_RELOADING:
    notify_reloading();
    break;
  case OS_STOPPING:
    notify("STOPPING=1");
    break;
  case OS_RUNNING:
    notify("STATUS=%s", text);
    break;
  }
}

int64_t os_manager_patience_ms(void) {
  return watchdog_ms;
}

void os_manager_alive(void) {
  int64_t now;

  if (watchdog_ms <= 0)
    return;
  now = os_boot_ms();
  if (now - last_alive < watchdog_ms / 4)
    return;
  last_alive = now;
  notify("WATCHDOG=1");
}

/* ---- the log ---- */

/* NAME=value, or if the value has line ends: NAME, its length in 64 bits, the value. */
static void put_field(FILE *out, const char *name, const char *value) {
  uint64_t n = strlen(value);
  unsigned char length[8];

  if (!*value)
    return;
  if (!strchr(value, '\n')) {
    fprintf(out, "%s=%s\n", name, value);
    return;
  }
  for (size_t i = 0; i < sizeof length; i++)
    length[i] = (unsigned char)(n >> (8 * i));
  fprintf(out, "%s\n", name);
  (void)fwrite(length, 1, sizeof length, out);
  fprintf(out, "%s\n", value);
}

bool os_manager_log(int priority, const char *text, const os_field *fields) {
  char *data = NULL;
  size_t n = 0;
  FILE *out = journal.fd >= 0 ? open_memstream(&data, &n) : NULL;
  bool sent;

  if (!out)
    return false;
  put_field(out, "MESSAGE", text);
  fprintf(out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=igtcloud\n", priority);
  for (; fields->name; fields++)
    put_field(out, fields->name, fields->value);
  sent = fclose(out) == 0 && send_to(&journal, data, n);
  free(data);
  return sent;
}
