/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/os/os.h"

#define NO_SUCH_PATH (-1)

static int number_in(const char *path) {
  static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
  const char *digits = strcmp(path, "/dev/stdin") == 0 ? "0" : NULL;

  for (size_t i = 0; i < 2; i++)
    if (strncmp(path, folders[i], strlen(folders[i])) == 0)
      digits = path + strlen(folders[i]);
  if (!digits || !*digits || strlen(digits) > 6 || digits[strspn(digits, "0123456789")])
    return NO_SUCH_PATH;
  return (int)strtol(digits, NULL, 10);
}

int igt__os_open_named_fd(const char *path) {
  int own = number_in(path), copy;

  if (own == NO_SUCH_PATH)
    return NO_SUCH_PATH;
  copy = fcntl(own, F_DUPFD_CLOEXEC, 3);
  return copy >= 0 ? copy : -2;
}

int igt__os_wait_readable(int fd, int ms) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};

  return poll(&wait, 1, ms);
}

void igt__os_pause(int ms) {
  (void)poll(NULL, 0, ms);
}

int igt__os_event_new(void) {
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void igt__os_event_set(int fd) {
  static const uint64_t one = 1;

  (void)!write(fd, &one, sizeof one);
}

void igt__os_event_clear(int fd) {
  uint64_t count;

  (void)!read(fd, &count, sizeof count);
}

void igt__os_event_close(int fd) {
  (void)close(fd);
}
