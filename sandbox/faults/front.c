/* SPDX-License-Identifier: MIT */
/* The front's port and connections. One thread accepts; each connection gets a thread that runs
 * exchange_run until the connection ends. To refuse connections, the listening socket is closed,
 * while a placeholder (a socket bound to the same port that does not listen) reserves the port
 * until a new listener is opened. main.c starts and stops the front. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "faults/internal.h"

/* ---- the port ---- */

static bool resolve(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *n) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
  char service[8];

  snprintf(service, sizeof service, "%u", port);
  if (getaddrinfo(host, service, &hints, &found) != 0 || !found)
    return false;
  memcpy(out, found->ai_addr, found->ai_addrlen);
  *n = found->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

/* -1 on failure. */
static int bound_socket(const struct sockaddr_storage *address, socklen_t n) {
  int one = 1, fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (const struct sockaddr *)address, n) == 0)
    return fd;
  close(fd);
  return -1;
}

/* Opens a second socket on the placeholder's port; the port stays bound when this one is closed. */
static int open_listener(const sbx_front *front) {
  struct sockaddr_storage address = {0};
  socklen_t n = sizeof address;
  int fd;

  if (getsockname(front->placeholder, (struct sockaddr *)&address, &n) != 0)
    return -1;
  fd = bound_socket(&address, n);
  if (fd >= 0 && listen(fd, 1024) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

static uint16_t port_of(int fd) {
  struct sockaddr_storage address = {0};
  socklen_t n = sizeof address;

  getsockname(fd, (struct sockaddr *)&address, &n);
  return ntohs(address.ss_family == AF_INET6
                   ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
                   : ((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

/* ---- connections ---- */

static void link_locked(sbx_front *front, connection *c) {
  c->number = ++front->next_number;
  c->next = front->connections;
  c->prev = &front->connections;
  if (c->next)
    c->next->prev = &c->next;
  front->connections = c;
  front->connection_count++;
}

static void end_connection(connection *c, ending end) {
  sbx_front *front = c->front;

  pthread_mutex_lock(&front->lock);
  *c->prev = c->next;
  if (c->next)
    c->next->prev = c->prev;
  pthread_mutex_unlock(&front->lock);
  if (end == END_RESET)
    wire_reset(&c->client);
  wire_close(&c->client);
  wire_close(&c->cloud);
  head_finish(&c->request);
  head_finish(&c->response);
  igt__free(c);
  pthread_mutex_lock(&front->lock);
  front->connection_count--;
  pthread_cond_broadcast(&front->changed);
  pthread_mutex_unlock(&front->lock);
}

static void set_idle(connection *c, bool idle) {
  pthread_mutex_lock(&c->front->lock);
  c->idle = idle;
  pthread_mutex_unlock(&c->front->lock);
}

static void *serve(void *arg) {
  connection *c = arg;
  ending end = END_KEEP;

  while (end == END_KEEP) {
    set_idle(c, true);
    bool good = head_read_request(&c->client, &c->request);
    set_idle(c, false);
    end = good ? exchange_run(c) : END_CLOSE;
  }
  end_connection(c, end);
  return NULL;
}

static void accept_one(sbx_front *front) {
  int one = 1, fd = accept4(front->listener, NULL, NULL, SOCK_CLOEXEC);
  connection *c = fd >= 0 ? igt__calloc(1, sizeof *c) : NULL;

  if (!c) {
    if (fd >= 0)
      close(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->front = front;
  wire_init(&c->client, fd);
  wire_init(&c->cloud, -1);
  head_init(&c->request);
  head_init(&c->response);
  pthread_mutex_lock(&front->lock);
  link_locked(front, c);
  pthread_mutex_unlock(&front->lock);
  if (igt__thread_start(NULL, "sbx-connection", IGT__THREAD_STACK, serve, c) != 0)
    end_connection(c, END_RESET);
}

/* ---- refusing ---- */

static void wake(sbx_front *front) {
  while (write(front->wake[1], "", 1) < 0 && errno == EINTR)
    ;
}

void front_refuse(sbx_front *front, double seconds) {
  pthread_mutex_lock(&front->lock);
  front->refuse_until = igt__mono_us() + (int64_t)(seconds * 1e6);
  wake(front);
  while (!front->refusing && !front->stopping)
    pthread_cond_wait(&front->changed, &front->lock);
  for (connection *c = front->connections; c; c = c->next)
    if (c->idle)
      shutdown(c->client.fd, SHUT_RDWR); /* the connection's thread closes it */
  pthread_mutex_unlock(&front->lock);
}

bool front_is_stopping(sbx_front *front) {
  bool stopping;

  pthread_mutex_lock(&front->lock);
  stopping = front->stopping;
  pthread_mutex_unlock(&front->lock);
  return stopping;
}

/* ---- settling ---- */

/* How long a client may take that has shut down its side only and still reads. */
#define SETTLE_MS 5000

static bool is_settled(sbx_front *front, const connection *asking) {
  struct pollfd fd = {.events = POLLIN};
  bool settled;

  pthread_mutex_lock(&front->lock);
  fd.fd = front->listener;
  settled = front->stopping || fd.fd < 0 || poll(&fd, 1, 0) == 0;
  for (connection *c = front->connections; c && settled; c = c->next) {
    fd = (struct pollfd){.fd = c->client.fd, .events = POLLRDHUP | (c->idle ? POLLIN : 0)};
    settled = c == asking || poll(&fd, 1, 0) == 0;
  }
  pthread_mutex_unlock(&front->lock);
  return settled;
}

void front_settle(sbx_front *front, const connection *asking) {
  for (int ms = 0; ms < SETTLE_MS && !is_settled(front, asking); ms++)
    poll(NULL, 0, 1);
}

/* ---- silences ---- */

void front_release(sbx_front *front) {
  pthread_mutex_lock(&front->lock);
  front->releases++;
  pthread_mutex_unlock(&front->lock);
}

unsigned front_releases(sbx_front *front) {
  unsigned n;

  pthread_mutex_lock(&front->lock);
  n = front->releases;
  pthread_mutex_unlock(&front->lock);
  return n;
}

/* Opens or closes the port according to the current state. Returns how long that state lasts:
 * milliseconds, or -1 for ever. */
static int follow(sbx_front *front) {
  int64_t left;
  bool refuse;

  pthread_mutex_lock(&front->lock);
  left = front->refuse_until - igt__mono_us();
  refuse = left > 0;
  if (refuse && front->listener >= 0) {
    close(front->listener); /* connections in the backlog are reset */
    front->listener = -1;
  }
  if (!refuse && front->listener < 0)
    front->listener = open_listener(front);
  front->refusing = refuse;
  pthread_cond_broadcast(&front->changed);
  pthread_mutex_unlock(&front->lock);
  if (!refuse && front->listener < 0)
    return 10; /* the placeholder reserves the port, so this failure is temporary */
  return refuse ? (int)(left / 1000) + 1 : -1;
}

/* ---- the accepting thread ---- */

static void *run(void *arg) {
  sbx_front *front = arg;

  while (!front_is_stopping(front)) {
    int timeout = follow(front);
    struct pollfd fds[2] = {{.fd = front->wake[0], .events = POLLIN},
                            {.fd = front->listener, .events = POLLIN}};
    char bytes[16];
    poll(fds, 2, timeout);
    if (fds[0].revents && read(front->wake[0], bytes, sizeof bytes) < 0)
      continue;
    if (fds[1].revents & POLLIN)
      accept_one(front);
  }
  return NULL;
}

/* ---- start and stop ---- */

static bool open_port(sbx_front *front, const char *host, uint16_t port, char *error,
                      size_t error_cap) {
  struct sockaddr_storage address = {0};
  socklen_t n = 0;

  if (!resolve(host, port, &address, &n)) {
    snprintf(error, error_cap, "%s is not an address of this machine", host);
    return false;
  }
  front->placeholder = bound_socket(&address, n);
  front->listener = front->placeholder >= 0 ? open_listener(front) : -1;
  if (front->listener < 0) {
    snprintf(error, error_cap, "cannot listen on %s port %u; is it in use?", host, port);
    return false;
  }
  front->port = port_of(front->listener);
  return true;
}

sbx_front *sbx_front_start(sbx_server *server, const char *host, uint16_t port, uint16_t behind,
                           char *error, size_t error_cap) {
  sbx_front *front = igt__calloc(1, sizeof *front);

  snprintf(error, error_cap, "out of memory");
  if (!front)
    return NULL;
  front->server = server;
  front->behind = behind;
  front->placeholder = front->listener = front->wake[0] = front->wake[1] = -1;
  pthread_mutex_init(&front->lock, NULL);
  pthread_cond_init(&front->changed, NULL);
  front->plan = fault_plan_new();
  front->log = request_log_new();
  if (front->plan && front->log && pipe2(front->wake, O_CLOEXEC) == 0 &&
      open_port(front, host, port, error, error_cap)) {
    front->started = igt__thread_start(&front->thread, "sbx-front", 0, run, front) == 0;
    if (front->started)
      return front;
  }
  sbx_front_stop(front);
  return NULL;
}

uint16_t sbx_front_port(const sbx_front *front) {
  return front->port;
}

static void end_all(sbx_front *front) {
  pthread_mutex_lock(&front->lock);
  front->stopping = true;
  pthread_cond_broadcast(&front->changed);
  wake(front);
  pthread_mutex_unlock(&front->lock);
  pthread_join(front->thread, NULL);
  pthread_mutex_lock(&front->lock);
  while (front->connection_count > 0) {
    for (connection *c = front->connections; c; c = c->next)
      shutdown(c->client.fd, SHUT_RDWR);
    pthread_cond_wait(&front->changed, &front->lock);
  }
  pthread_mutex_unlock(&front->lock);
}

void sbx_front_stop(sbx_front *front) {
  if (!front)
    return;
  if (front->started)
    end_all(front);
  for (int i = 0; i < 2; i++)
    if (front->wake[i] >= 0)
      close(front->wake[i]);
  if (front->listener >= 0)
    close(front->listener);
  if (front->placeholder >= 0)
    close(front->placeholder);
  fault_plan_free(front->plan);
  request_log_free(front->log);
  pthread_cond_destroy(&front->changed);
  pthread_mutex_destroy(&front->lock);
  igt__free(front);
}
