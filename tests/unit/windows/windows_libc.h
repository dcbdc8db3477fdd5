/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WINDOWS_LIBC_H
#define TESTS_UNIT_WINDOWS_LIBC_H

/* Included before every unit test of a Windows build: functions of POSIX that the tests use, and
 * that Windows' C library lacks. Sockets are in sys/socket.h beside this file. */
#include <fcntl.h>
#include <io.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define pread(fd, data, n, at) (-1) /* of a test that is left out */
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
char *mkdtemp(char *pattern);
char *strndup(const char *s, size_t n);
char *strcasestr(const char *text, const char *part);
void *memmem(const void *in, size_t n, const void *part, size_t m);
time_t timegm(struct tm *tm);
/* "rm -rf FOLDER" or "rm -r FOLDER", in quotes or not; everything else fails. */
int test_system(const char *command);
/* Fails: links take a privilege here. */
int symlink(const char *to, const char *path);
int test_rename(const char *from, const char *to);

/* A thread has none to block. */
typedef int test_signals;
#define sigset_t test_signals
#define SIG_BLOCK 0
#define pthread_sigmask(how, set, before) (*(before) = 0)
#define sigismember(set, number) (*(set) == 0)

/* A group's tests without those that windows_libc.c lists, which it names with their reasons. */
#define _cmocka_run_group_tests run_group_here

#define O_CLOEXEC 0
#define pipe(ends) _pipe(ends, 4096, O_BINARY)
#define mkdir(path, mode) _mkdir(path)
#define chmod(path, mode) ((void)(path), (void)(mode), 0)
#define system test_system
#define rename test_rename /* Windows' replaces nothing */

#endif
