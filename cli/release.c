/* SPDX-License-Identifier: MIT */
/* The key of the releases that this build accepts. It has its own file so that a test program can
 * be linked with another key: the installed program contains no code that reads a key from
 * anywhere. */
#include "release.h"

#include "cli.h"

const char *release_key(void) {
  return RELEASE_KEY;
}

const char *release_url(void) {
  return RELEASE_URL;
}
