/* SPDX-License-Identifier: MIT */
/* Whose releases this build takes. A file of its own, so that a program for tests can be linked
 * with another key: the program that is installed has no code that reads a key from anywhere. */
#include "release.h"

#include "cli.h"

const char *release_key(void) {
  return RELEASE_KEY;
}

const char *release_url(void) {
  return RELEASE_URL;
}
