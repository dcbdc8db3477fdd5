/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

/* Completion of names in the cloud. */

/* complete.c: words of a command line, the last one being typed. */
int complete(int argc, char **argv);

/* os/: the process ends after this time, as if it had found nothing. */
void limit_time(unsigned ms);
/* os/: lists of names, for some seconds. */
/* free() it; NULL: nothing, or nothing recent. */
char *cache_read(const char *key);
void cache_write(const char *key, const char *text);

#endif
