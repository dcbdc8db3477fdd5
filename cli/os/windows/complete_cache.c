/* SPDX-License-Identifier: MIT */
/* None of the shells whose completions ask for names runs here as a rule; without a cache each of
 * them takes a request. */
#include "complete.h"

#include <stddef.h>

void limit_time(unsigned ms) {
  (void)ms;
}

char *cache_read(const char *key) {
  (void)key;
  return NULL;
}

void cache_write(const char *key, const char *text) {
  (void)key;
  (void)text;
}
