/* SPDX-License-Identifier: MIT */
/* libcurl in a program that is linked with it: nothing to load, in place of curl.c. */
#include <pthread.h>

#include "http/internal.h"

igt_status igt__curl_load(igt_error *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  (void)err;
  (void)pthread_once(&once, igt__curl_init);
  return IGT_OK;
}
