/* SPDX-License-Identifier: MIT */
/* What the commands ask the terminal for. */
#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/os.h"

void screen_size(int fd, unsigned *rows, unsigned *columns) {
  const char *text = getenv("COLUMNS");

  *rows = *columns = 0;
  os_screen(fd, rows, columns);
  if (*columns == 0 && text && *text)
    *columns = (unsigned)strtoul(text, NULL, 10);
}

bool screen_is_drawable(int fd) {
  const char *term = getenv("TERM");

  return os_is_terminal(fd) && !(term && strcmp(term, "dumb") == 0);
}

bool screen_is_utf8(void) {
  return os_is_utf8();
}

int64_t screen_clock_ms(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
