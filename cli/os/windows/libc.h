/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_LIBC_H
#define CLI_OS_LIBC_H

/* Included before every file of the command line (cli/meson.build): functions of POSIX's C library
 * that Windows' lacks, or has with other rules. Files are opened without translating line ends, by
 * paths of any length, and may be renamed or removed meanwhile. */
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define O_CLOEXEC _O_NOINHERIT
#define O_NONBLOCK 0
#define O_NOCTTY 0
#define O_NOFOLLOW 0
#ifndef S_IWOTH
#define S_IWGRP 0020
#define S_IWOTH 0002
#endif

/* The C library's st_ino has 16 bits. */
struct os_stat {
  unsigned long long st_dev, st_ino;
  unsigned st_mode, st_nlink, st_uid;
  long long st_size;
  time_t st_mtime;
};

int os_open(const char *path, int flags, ...);
FILE *os_fopen(const char *path, const char *mode);
int os_fclose(FILE *file);
int os_fflush(FILE *file);
FILE *os_memory(char **text, size_t *n);
int os_rename(const char *from, const char *to);
int os_unlink(const char *path);
int os_mkdir(const char *path);
int os_access(const char *path, int mode);
int os_stat(const char *path, struct os_stat *st);
int os_lstat(const char *path, struct os_stat *st); /* of a link itself */
int os_fstat(int fd, struct os_stat *st);
int os_isatty(int fd);
int os_new_file(char *pattern);
int os_width(unsigned code);
ssize_t os_read(int fd, void *data, size_t n);
ssize_t os_write(int fd, const void *data, size_t n);

char *strndup(const char *s, size_t n);
ssize_t getline(char **line, size_t *cap, FILE *in);
char *strptime(const char *text, const char *format, struct tm *out);
time_t timegm(struct tm *tm);
void explicit_bzero(void *p, size_t n);

#define open os_open
#define fopen os_fopen
#define fclose os_fclose
#define fflush os_fflush
#define open_memstream os_memory
#define rename os_rename
#define unlink os_unlink
#define mkdir(path, mode) os_mkdir(path)
#define access os_access
#undef stat
#undef fstat
#define stat os_stat
#define fstat os_fstat
#define lstat os_lstat
#define isatty os_isatty
#define mkostemp(pattern, flags) os_new_file(pattern)
#define wcwidth(code) os_width((unsigned)(code))
#define read os_read
#define write os_write
#define fchmod(fd, mode) ((void)(fd), (void)(mode), 0)
#define fsync _commit
#define realpath(path, out) ((void)(out), (char *)NULL) /* links stay links by os_rename */
#define geteuid() 0
#define flockfile _lock_file
#define funlockfile _unlock_file

#endif
