/* SPDX-License-Identifier: MIT */
/* Replaces cli/release.c: the key of the test that runs the program. */
#include <stdlib.h>

#include "cli.h"

const char *release_key(void) {
  const char *key = getenv("TEST_RELEASE_KEY");

  return key ? key : "";
}

const char *release_url(void) {
  return "https://releases.invalid";
}
