/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_LIBC_H
#define CLI_OS_LIBC_H

/* Included before every file of the command line (cli/meson.build): functions of the C library of
 * POSIX that Windows' lacks, or has with other rules. Files are not among them: os/os.h has these.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

int os_fclose(FILE *file);
int os_fflush(FILE *file);
int os_fprintf(FILE *file, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));
int os_fputc(int c, FILE *file);
int os_fputs(const char *text, FILE *file);
FILE *os_memory(char **text, size_t *n);
int os_width(unsigned code);

char *strndup(const char *s, size_t n);
ssize_t getline(char **line, size_t *cap, FILE *in);
char *strptime(const char *text, const char *format, struct tm *out);
time_t timegm(struct tm *tm);
void explicit_bzero(void *p, size_t n);

#define fclose os_fclose
#define fflush os_fflush
#define fprintf os_fprintf
#define fputc os_fputc
#define fputs os_fputs /* of one character it would become fputc */
#undef putc
#define putc os_fputc
#define open_memstream os_memory
#define wcwidth(code) os_width((unsigned)(code))
#define flockfile _lock_file
#define funlockfile _unlock_file

#endif
