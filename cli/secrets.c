/* SPDX-License-Identifier: MIT */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli.h"

/* Sanitizers look at their own process as a debugger does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED 1
#endif
#endif

/* A crash must not write tokens and passwords to a disk: no core file. And where a pipe takes core
 * files whatever the limit says (core(5)), or another program of the same user would read our
 * memory or environment through /proc or attach a debugger: not dumpable. */
void keep_secrets(void) {
  const struct rlimit none = {0, 0};

  (void)setrlimit(RLIMIT_CORE, &none);
#ifndef IS_WATCHED
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
