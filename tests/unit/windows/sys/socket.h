/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WINDOWS_SOCKET_H
#define TESTS_UNIT_WINDOWS_SOCKET_H

/* For http_server.c, whose descriptors are all sockets. */
#include <winsock2.h>

#include <ws2tcpip.h>

#define SHUT_RDWR SD_BOTH
#define MSG_NOSIGNAL 0
#define SOCK_CLOEXEC 0
#define close(fd) closesocket(fd)
#define setsockopt(fd, level, name, value, n) setsockopt(fd, level, name, (const char *)(value), n)
#define accept(fd, address, n) ((int)accept(fd, address, n))
#define socket(family, kind, protocol) ((int)socket(family, kind, protocol))

/* Here it does not end an accept() that waits on another thread; closing does. */
static inline void shut_down(int fd, int how) {
  BOOL listens = FALSE;
  int n = sizeof listens;

  if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listens, &n) == 0 && listens)
    closesocket((SOCKET)fd);
  else
    (shutdown)((SOCKET)fd, how);
}
#define shutdown shut_down

#endif
