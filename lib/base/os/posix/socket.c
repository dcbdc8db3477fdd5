/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os/os.h"

int igt__os_poll(igt__os_pollfd *sockets, size_t n, int ms) {
  return poll(sockets, (nfds_t)n, ms);
}

int igt__os_wake_open(igt__os_socket ends[2]) {
  return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

void igt__os_wake(igt__os_socket end) {
  ssize_t n;

  do
    n = write(end, "", 1);
  while (n < 0 && errno == EINTR);
}

void igt__os_wake_drain(igt__os_socket end) {
  char bytes[16];

  while (read(end, bytes, sizeof bytes) == sizeof bytes)
    ;
}

void igt__os_wake_close(igt__os_socket ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

/* The kernel counts what it keeps, which needs no mark. */
uint64_t igt__os_mark_received(igt__os_socket fd) {
  (void)fd;
  return 0;
}

uint64_t igt__os_received(igt__os_socket fd, uint64_t mark, uint64_t up) {
  int kept = 0;

  (void)mark;
  if (ioctl(fd, SIOCOUTQ, &kept) != 0 || kept < 0)
    return up;
  return (uint64_t)kept < up ? up - (uint64_t)kept : 0;
}

void igt__os_tune_socket(igt__os_socket fd, int unsent, int segment) {
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  if (segment > 0)
    (void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

const char *igt__os_socket_error(int *number) {
  return strerror(*number);
}

int igt__os_parse_ip(const char *text, unsigned char out[16]) {
  if (inet_pton(AF_INET, text, out) == 1)
    return 4;
  return inet_pton(AF_INET6, text, out) == 1 ? 6 : 0;
}
