/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_H
#define CLI_OS_H

/* What the command line asks of the operating system. posix/ and windows/ implement it, and the
 * functions of cli.h for signals, questions on the terminal and named files. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct settings;

/* First in main: no core dumps and no debuggers, standard streams that are open, memory that stays
 * small, as many files as are allowed; the console as UTF-8. */
void os_start(void);

/* Of the terminal behind a descriptor; unchanged if there is none. */
void os_screen(int fd, unsigned *rows, unsigned *columns);

/* The running program's file, links resolved. NULL, or why not. */
const char *os_program(char *out, size_t cap);
/* "Linux 6.1.0 x86_64"; with all: the build, and the distribution on a line of its own. */
void os_system(bool all, char *out, size_t cap);
/* Processors, the size of a page, open files: lines of `igtcloud doctor`'s bundle. */
void os_limits(FILE *out);
/* The folder above that of the configuration file. False: not known. */
bool os_config_folder(char *out, size_t cap);
bool os_is_absolute(const char *path);
/* Whether systemd's journal reads the descriptor. */
bool os_is_journal(int fd);
/* Whatever random numbers there are now. */
void os_random(void *out, size_t n);
/* Gives a file the owner of another one, where this user may. */
bool os_take_owner(const char *path, const char *like);
/* Renames unless there is something at to: EEXIST or ENOTEMPTY. For the station. */
int os_rename_new(int from_dir, const char *from, int to_dir, const char *to);
/* A line in the system's log. */
void os_log(bool is_error, const char *text);

/* The first line that a command line of the user's writes. False: reported. */
bool os_ask_command(const char *command, char *out, size_t cap);
/* Whether the terminal shows UTF-8. */
bool os_is_utf8(void);
/* A thread that no signal interrupts: they are for the one that prompts. */
int os_start_thread(pthread_t *thread, void *(*fn)(void *payload), void *payload);

/* ---- login --background, logout ---- */

/* Calls hold in a process of its own, which may ask on the terminal until it calls
 * os_detach(ready), and returns its exit status, or 0 once it has. */
int os_hold_in_background(struct settings *s, int (*hold)(const struct settings *s, int ready));
/* Leaves the terminal and reports that it is signed in. */
void os_detach(int ready);
/* Asks another process of this user to end in good order. False: it is not running. */
bool os_end_process(int64_t id);
bool os_is_running(int64_t id);

#endif
