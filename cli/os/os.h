/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_H
#define CLI_OS_H

/* What the command line asks of the operating system: its border, as lib/base/os is the library's,
 * whose functions for files, folders and locks it shares (the only header of lib/ that it
 * includes). posix/ and windows/ implement what is below, and the functions of cli.h for signals,
 * questions on the terminal and named files. No other file of cli/ includes a header of the system,
 * and none has an #ifdef of one (scripts/check-layers). */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/os/os.h"

struct settings;

/* ---- the process ---- */

enum { STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR }; /* descriptors */

/* First in main: no core dumps and no debuggers, standard streams that are open, memory that stays
 * small, as many files as are allowed; the console as UTF-8. */
void os_start(void);

/* Of the terminal behind a descriptor; unchanged if there is none. */
void os_screen(int fd, unsigned *rows, unsigned *columns);

/* The running program's file, links resolved. NULL, or why not. */
const char *os_program(char *out, size_t cap);
/* The working folder. False: errno. */
bool os_working_folder(char *out, size_t cap);
/* "Linux 6.1.0 x86_64"; with all: the build, and the distribution on a line of its own. */
void os_system(bool all, char *out, size_t cap);
/* Processors, the size of a page, open files: lines of `igtcloud doctor`'s bundle. */
void os_limits(FILE *out);
/* The folder above that of the configuration file. False: not known. */
bool os_config_folder(char *out, size_t cap);
/* NAME=VALUE, NULL last. */
char **os_environment(void);
/* Whether systemd's journal reads the descriptor. */
bool os_is_journal(int fd);
/* Whatever random numbers there are now. */
void os_random(void *out, size_t n);
/* Gives a file the owner of another one, where this user may. */
bool os_take_owner(const char *path, const char *like);
/* A line in the system's log. priority: of cli.h. */
void os_log(int priority, const char *text);

/* ---- files: lib/base/os, and streams of its descriptors ---- */

/* Takes ownership of fd, also after an error: NULL, errno. fd -1: NULL, errno as it is. */
FILE *os_stream(int fd, const char *mode);
bool os_sync_stream(FILE *out); /* fflush and fsync; false: errno */
/* As mkostemp: the last six characters, XXXXXX, become those of a new file. */
int os_new_file(char *pattern);
bool os_is_terminal(int fd); /* keeps errno, which may be that of a write before */
/* May follow a folder and a '/'. On Windows "/x" and "C:x" are neither absolute nor relative: they
 * mean the current drive, or its current folder. */
bool os_is_relative(const char *path);
/* Any user of the machine may read the file. */
void os_show_to_all(int fd);

/* ---- questions, threads ---- */

/* Standard input can be read more than once: if it is not a file, it becomes a copy of what it
 * has, in a file without a name. False: errno. */
bool os_keep_input(void);
/* Standard output's descriptor for a file that goes there, while what is printed goes to standard
 * error from now on. -1: errno. */
int os_divert_output(void);
/* The first line that a command line of the user's writes. False: reported. */
bool os_ask_command(const char *command, char *out, size_t cap);
/* Whether the terminal shows UTF-8. */
bool os_is_utf8(void);
/* A thread that no signal interrupts: they are for the one that prompts. Debuggers and top show it
 * as `name` (at most 15 bytes). Returns 0 or an errno. */
int os_start_thread(pthread_t *thread, const char *name, void *(*fn)(void *payload), void *payload);

/* ---- services ---- */

/* Calls run, as a service if the arguments are those of one (Windows). */
int os_run(int argc, char **argv, int (*run)(int argc, char **argv));

/* ---- `igtcloud station`: waiting ---- */

/* What a loop waits for: igt_transfer_fd, igt__os_event_new, a watch, the requests, or a socket. */
typedef intptr_t os_source;
#define OS_NO_SOURCE ((os_source)-1)
typedef enum os_interest {
  OS_EVENT,
  OS_RECEIVE,
  OS_SEND
} os_interest; /* the others: of a socket */
typedef struct os_waiting {
  os_source source; /* OS_NO_SOURCE: never ready */
  os_interest interest;
  bool ready;
} os_waiting;
/* Until one of them is ready, or ms have passed. */
void os_wait(os_waiting *v, size_t n, int ms);
/* Milliseconds since some time; goes on while the machine sleeps. */
int64_t os_boot_ms(void);
/* A name of the time since the machine was started, without spaces, by which another process knows
 * whether it has the same os_boot_ms(). False: unknown. */
#define OS_BOOT_ID 64
bool os_boot_id(char out[OS_BOOT_ID]);

/* To stop or to read the configuration again: signals, or the controls of a service. */
os_source os_requests_open(void); /* OS_NO_SOURCE: errno */
/* Takes what has come. True: the configuration is to be read again. */
bool os_requests_take(void);
bool os_is_asked_to_stop(void);

/* Names that appear and vanish in folders. OS_NO_SOURCE: not here, or errno. */
os_source os_watch_open(void);
/* The folder's number, from 1 on; 0: the watch of root has it, too; -1: there is no space. folder:
 * below root, "" for itself. */
int os_watch_add(os_source watch, const char *root, const char *folder);
/* name: below the folder, with '/'; NULL: the folder is not watched any more. */
typedef void (*os_watch_fn)(void *payload, int number, const char *name);
/* True: names were missed. */
bool os_watch_read(os_source watch, os_watch_fn fn, void *payload);
void os_watch_close(os_source watch);

/* Whether a program has a file open for writing, as far as can be seen. */
typedef struct os_file {
  const char *path;
  int dir; /* of its folder; name in it */
  const char *name;
  uint64_t device, inode;
} os_file;
bool os_is_written(const os_file *file);
/* For this user; UINT64_MAX: unknown. */
uint64_t os_free_bytes(const char *path);

/* ---- what manages the station: systemd, or Windows' service manager ---- */

void os_manager_open(void);
typedef enum os_state { OS_READY, OS_RELOADING, OS_STOPPING, OS_RUNNING } os_state;
/* text: for users who ask for its state; may be NULL. */
void os_manager_notify(os_state state, const char *text);
/* How often it wants to hear of this process; 0: it does not. */
int64_t os_manager_patience_ms(void);
void os_manager_alive(void);

typedef struct os_field {
  const char *name, *value; /* "": left out */
} os_field;
/* A line in the system's log, with fields (NULL at the end). False: there is none, and the line
 * belongs on standard error. priority: of cli.h. */
bool os_manager_log(int priority, const char *text, const os_field *fields);

/* ---- programs that it starts ---- */

typedef struct os_child os_child;
/* input: its standard input, which stays open here. With few variables, without a shell. NULL:
 * errno. */
os_child *os_child_start(const char *program, int input);
/* False: it runs. how: "", or such as "exit status 3". */
bool os_child_has_ended(os_child *child, char *how, size_t cap);
/* Asks it and its children to end; at_once: ends them. */
void os_child_end(os_child *child, bool at_once);
void os_child_free(os_child *child);
/* NULL, or why not. */
const char *os_cannot_run(const char *program);

/* ---- sockets of a server, which do not block ---- */

typedef enum os_listening {
  OS_LISTENS,
  OS_NO_ADDRESS,
  OS_NOT_LOCAL,
  OS_CANNOT_LISTEN
} os_listening;
/* host: an address such as "127.0.0.1" or "::1"; port: digits. OS_CANNOT_LISTEN: errno. */
os_listening os_listen(const char *host, const char *port, bool anywhere, os_source *out);
os_source os_accept(os_source listening); /* OS_NO_SOURCE: none is there */
/* -1: errno, EAGAIN if it would block. */
ssize_t os_receive(os_source socket, void *data, size_t n);
ssize_t os_send(os_source socket, const void *data, size_t n);
void os_hang_up(os_source socket);

/* Standard output was written to past stdio, and has no reader any more: EPIPE. */
void os_note_broken_pipe(void);

/* ---- login --background, logout ---- */

/* Calls hold in a process of its own, which may ask on the terminal until it calls
 * os_detach(ready), and returns its exit status, or 0 once it has. */
int os_hold_in_background(struct settings *s, int (*hold)(const struct settings *s, int ready));
/* Leaves the terminal and reports that it is signed in. */
void os_detach(int ready);
/* Asks another process of this user to end in good order. False: it is not running. */
bool os_end_process(int64_t id);
bool os_is_running(int64_t id);
/* False on POSIX: a process that has ended counts as running until its parent has waited for it.
 * True on Windows, where a file that another process has open is not gone as soon as it is
 * deleted. */
bool os_knows_ends(void);

#endif
