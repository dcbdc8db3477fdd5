/* SPDX-License-Identifier: MIT */
/* The socket of the metrics on Windows: Winsock errors become errno values, as on POSIX. */
#include <errno.h>

#include "os/os.h"

#include "os/windows/system.h"

#include <ws2tcpip.h>

static int failed(void) {
  int number = WSAGetLastError();

  if (number == WSAEWOULDBLOCK)
    number = EAGAIN;
  else
    (void)igt__os_socket_error(&number);
  errno = number;
  return -1;
}

static bool is_loopback(const struct sockaddr *a) {
  if (a->sa_family == AF_INET)
    return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
  return a->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* Nobody else may listen there at the same time, as SO_REUSEADDR would allow. */
static SOCKET listen_at(const struct addrinfo *a) {
  SOCKET fd = socket(a->ai_family, SOCK_STREAM, IPPROTO_TCP);
  const BOOL yes = TRUE;
  u_long on = 1;

  if (fd == INVALID_SOCKET)
    return fd;
  (void)setsockopt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof yes);
  (void)SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
  if (bind(fd, a->ai_addr, (int)a->ai_addrlen) == 0 && listen(fd, 8) == 0 &&
      ioctlsocket(fd, FIONBIO, &on) == 0)
    return fd;
  (void)failed();
  closesocket(fd);
  return INVALID_SOCKET;
}

os_listening os_listen(const char *host, const char *port, bool anywhere, os_source *out) {
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE};
  struct addrinfo *a;
  WSADATA data;
  SOCKET fd;

  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
    errno = ENOSYS;
    return OS_CANNOT_LISTEN;
  }
  if (getaddrinfo(host, port, &hints, &a) != 0)
    return OS_NO_ADDRESS;
  if (!anywhere && !is_loopback(a->ai_addr)) {
    freeaddrinfo(a);
    return OS_NOT_LOCAL;
  }
  fd = listen_at(a);
  freeaddrinfo(a);
  *out = (os_source)fd;
  return fd == INVALID_SOCKET ? OS_CANNOT_LISTEN : OS_LISTENS;
}

os_source os_accept(os_source listening) {
  SOCKET fd = accept((SOCKET)listening, NULL, NULL); /* does not block, as the listening one */

  if (fd == INVALID_SOCKET)
    return OS_NO_SOURCE;
  (void)SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
  return (os_source)fd;
}

ssize_t os_receive(os_source socket, void *data, size_t n) {
  int got = recv((SOCKET)socket, data, (int)n, 0);

  return got >= 0 ? got : failed();
}

ssize_t os_send(os_source socket, const void *data, size_t n) {
  int put = send((SOCKET)socket, data, (int)n, 0);

  return put >= 0 ? put : failed();
}

void os_hang_up(os_source socket) {
  closesocket((SOCKET)socket);
}
