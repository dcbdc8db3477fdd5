/* SPDX-License-Identifier: MIT */
/* In place of cli/release.c: the key of the test that runs it. */
#include <stdlib.h>

#include "cli.h"

const char *release_key(void) {
  const char *key = getenv("TEST_RELEASE_KEY");

  return key ? key : "";
}

const char *release_url(void) {
  return "https://releases.invalid";
}
