/* SPDX-License-Identifier: MIT */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli.h"

/* Sanitizers inspect their own process like a debugger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED 1
#endif
#endif

/* A crash must not write tokens and passwords to disk: no core file. Not dumpable either: core
 * files may go to a pipe whatever the limit (core(5)), and another program of the same user could
 * read our memory or environment through /proc, or attach a debugger. */
void keep_secrets(void) {
  const struct rlimit none = {0, 0};

  (void)setrlimit(RLIMIT_CORE, &none);
#ifndef IS_WATCHED
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
