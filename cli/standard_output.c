/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cli.h"

/* Of the write to standard output that failed first. A stream only remembers that one did, and
 * later flushes may have nothing left to fail with. */
static int first_error;

bool output_failed(void) {
  int now = errno;

  if (!ferror(stdout))
    return false;
  if (!first_error)
    first_error = now;
  return true;
}

int output_error(void) {
  if (!ferror(stdout))
    errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return 0;
  (void)output_failed();
  return first_error ? first_error : EIO;
}
