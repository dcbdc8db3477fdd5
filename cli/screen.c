/* SPDX-License-Identifier: MIT */
/* What the commands ask the terminal for. */
#include "screen.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void screen_size(int fd, unsigned *rows, unsigned *columns) {
  const char *text = getenv("COLUMNS");
  struct winsize size;

  *rows = *columns = 0;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    *rows = size.ws_row;
    *columns = size.ws_col;
  } else if (text && *text) {
    *columns = (unsigned)strtoul(text, NULL, 10);
  }
}

bool screen_is_drawable(int fd) {
  const char *term = getenv("TERM");

  return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

bool screen_is_utf8(void) {
  return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int64_t screen_clock_ms(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
