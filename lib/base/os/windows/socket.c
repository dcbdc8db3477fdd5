/* SPDX-License-Identifier: MIT */
/* select() in place of poll(): before Windows 10 2004, WSAPoll reports no connection that failed.
 * Its sets are arrays here, not bits, so a socket may have any number. */
#define NTDDI_VERSION 0x0A000006 /* Windows 10 1809, for SIO_TCP_INFO */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

#include <mstcpip.h>
#include <ws2tcpip.h>

static void add(fd_set *set, SOCKET fd) {
  if (set->fd_count < FD_SETSIZE)
    set->fd_array[set->fd_count++] = fd;
}

static bool has(const fd_set *set, SOCKET fd) {
  for (unsigned i = 0; i < set->fd_count; i++)
    if (set->fd_array[i] == fd)
      return true;
  return false;
}

int igt__os_poll(igt__os_pollfd *sockets, size_t n, int ms) {
  TIMEVAL wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  static _Thread_local fd_set in, out, failed;
  int ready;

  in.fd_count = out.fd_count = failed.fd_count = 0;
  for (size_t i = 0; i < n; i++) {
    if (sockets[i].events & IGT__OS_POLL_IN)
      add(&in, sockets[i].fd);
    if (sockets[i].events & IGT__OS_POLL_OUT)
      add(&out, sockets[i].fd);
    add(&failed, sockets[i].fd); /* a connection that failed */
  }
  ready = select(0, &in, &out, &failed, ms < 0 ? NULL : &wait);
  if (ready < 0)
    return igt__windows_fail((DWORD)WSAGetLastError());
  for (size_t i = 0; i < n; i++)
    sockets[i].revents = (short)((has(&in, sockets[i].fd) ? IGT__OS_POLL_IN : 0) |
                                 (has(&out, sockets[i].fd) ? IGT__OS_POLL_OUT : 0) |
                                 (has(&failed, sockets[i].fd) ? IGT__OS_POLL_FAILED : 0));
  return ready;
}

/* One datagram socket that talks to itself over loopback: select() takes no pipes. */
int igt__os_wake_open(igt__os_socket ends[2]) {
  struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int size = sizeof self;
  u_long yes = 1;
  WSADATA data;
  SOCKET fd;

  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
    errno = ENOSYS;
    return -1;
  }
  fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  if (fd == INVALID_SOCKET || bind(fd, (struct sockaddr *)&self, size) != 0 ||
      getsockname(fd, (struct sockaddr *)&self, &size) != 0 ||
      connect(fd, (struct sockaddr *)&self, size) != 0 || ioctlsocket(fd, FIONBIO, &yes) != 0) {
    (void)igt__windows_fail((DWORD)WSAGetLastError());
    if (fd != INVALID_SOCKET)
      closesocket(fd);
    WSACleanup();
    return -1;
  }
  ends[0] = ends[1] = fd;
  return 0;
}

void igt__os_wake(igt__os_socket end) {
  (void)send(end, "", 1, 0);
}

void igt__os_wake_drain(igt__os_socket end) {
  char bytes[16];

  while (recv(end, bytes, sizeof bytes, 0) > 0)
    ;
}

void igt__os_wake_close(igt__os_socket ends[2]) {
  closesocket(ends[0]);
  WSACleanup();
}

/* ---- what the other side has ---- */

static bool get_info(SOCKET fd, TCP_INFO_v0 *info) {
  DWORD version = 0, n = 0;

  return WSAIoctl(fd, SIO_TCP_INFO, &version, sizeof version, info, sizeof *info, &n, NULL, NULL) ==
         0;
}

/* Whether BytesOut includes what was sent twice is not documented. If it does not, a lossy line
 * seems a little slower; otherwise a dead one, for which Windows repeats itself, would seem alive.
 */
static bool count_received(SOCKET fd, uint64_t *out) {
  TCP_INFO_v0 info;
  uint64_t missing;

  if (!get_info(fd, &info))
    return false;
  missing = (uint64_t)info.BytesInFlight + info.BytesRetrans;
  *out = missing < info.BytesOut ? info.BytesOut - missing : 0;
  return true;
}

uint64_t igt__os_mark_received(igt__os_socket fd) {
  uint64_t now;

  return count_received(fd, &now) ? now : 0;
}

uint64_t igt__os_received(igt__os_socket fd, uint64_t mark, uint64_t up) {
  uint64_t now;

  if (!count_received(fd, &now) || now > mark + up)
    return up;
  return now > mark ? now - mark : 0;
}

/* Windows adapts its buffer to the line, and curl follows it (SIO_IDEAL_SEND_BACKLOG_QUERY), so
 * that little waits unsent. Where it does not say what the other side has (wine, some providers of
 * other firms), a buffer of a fixed size keeps progress near to the truth. */
void igt__os_tune_socket(igt__os_socket fd, int unsent, int segment) {
  const int kept = unsent / 4;
  TCP_INFO_v0 info;

  (void)segment; /* no such option */
  if (!get_info(fd, &info) && WSAGetLastError() == WSAEOPNOTSUPP)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, (const char *)&kept, sizeof kept);
}

/* The C library has no texts for them, and Windows' own are in the user's language. */
const char *igt__os_socket_error(int *number) {
  static const struct {
    int windows, posix;
    const char *text;
  } errors[] = {{WSAECONNREFUSED, ECONNREFUSED, "Connection refused"},
                {WSAETIMEDOUT, ETIMEDOUT, "Connection timed out"},
                {WSAEHOSTUNREACH, EHOSTUNREACH, "No route to host"},
                {WSAENETUNREACH, ENETUNREACH, "Network is unreachable"},
                {WSAENETDOWN, ENETDOWN, "Network is down"},
                {WSAECONNRESET, ECONNRESET, "Connection reset by peer"},
                {WSAECONNABORTED, ECONNABORTED, "Connection aborted"},
                {WSAEACCES, EACCES, "Windows or its firewall does not allow it"},
                {WSAEADDRNOTAVAIL, EADDRNOTAVAIL, "Cannot assign requested address"},
                {WSAEADDRINUSE, EADDRINUSE, "Address already in use"},
                {WSAENOBUFS, ENOBUFS, "No buffer space available"},
                {WSAEMFILE, EMFILE, "Too many open files"}};
  static _Thread_local char other[32];

  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (errors[i].windows == *number || errors[i].posix == *number) {
      *number = errors[i].posix;
      return errors[i].text;
    }
  (void)snprintf(other, sizeof other, "Windows error %d", *number);
  *number = EIO;
  return other;
}

int igt__os_parse_ip(const char *text, unsigned char out[16]) {
  if (inet_pton(AF_INET, text, out) == 1)
    return 4;
  return inet_pton(AF_INET6, text, out) == 1 ? 6 : 0;
}
