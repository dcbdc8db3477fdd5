/* SPDX-License-Identifier: MIT */
/* The sockets of a small server that is one part of a loop: nothing here blocks. metrics.c speaks
 * HTTP over them. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"

static bool is_loopback(const struct sockaddr *a) {
  if (a->sa_family == AF_INET)
    return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
  return a->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

os_listening os_listen(const char *host, const char *port, bool anywhere, os_source *out) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
  struct addrinfo *a;
  int fd, on = 1, error;

  if (getaddrinfo(host, port, &hints, &a) != 0)
    return OS_NO_ADDRESS;
  if (!anywhere && !is_loopback(a->ai_addr)) {
    freeaddrinfo(a);
    return OS_NOT_LOCAL;
  }
  fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  error = fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, 8) != 0 ? errno : 0;
  freeaddrinfo(a);
  *out = fd;
  if (!error)
    return OS_LISTENS;
  if (fd >= 0)
    close(fd);
  errno = error;
  return OS_CANNOT_LISTEN;
}

os_source os_accept(os_source listening) {
  return accept4((int)listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t os_receive(os_source socket, void *data, size_t n) {
  return recv((int)socket, data, n, 0);
}

ssize_t os_send(os_source socket, const void *data, size_t n) {
  return send((int)socket, data, n, MSG_NOSIGNAL);
}

void os_hang_up(os_source socket) {
  close((int)socket);
}
