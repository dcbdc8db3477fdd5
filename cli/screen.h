/* SPDX-License-Identifier: MIT */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

/* screen.c: the terminal, and the clock that its displays are refreshed by. */

#include <stdbool.h>
#include <stdint.h>

/* 0: unknown. Columns may also come from $COLUMNS. */
void screen_size(int fd, unsigned *rows, unsigned *columns);
/* A terminal on which lines can be redrawn. */
bool screen_is_drawable(int fd);
bool screen_is_utf8(void); /* the locale's encoding */
int64_t screen_clock_ms(void);

#endif
