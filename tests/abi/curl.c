/* SPDX-License-Identifier: MIT */
/* A libcurl that only says how it was initialized: test_abi.py loads it in place of the real one.
 */
#include <stdlib.h>
#include <unistd.h>

int curl_global_init(long flags) {
  (void)flags;
  (void)!write(STDOUT_FILENO, "plain\n", 6);
  return 0;
}

int curl_global_init_mem(long flags) {
  (void)flags;
  (void)!write(STDOUT_FILENO, "own memory\n", 11);
  return 0;
}

#define NOTHING(name)                                                                              \
  void *name(void) {                                                                               \
    return NULL;                                                                                   \
  }
NOTHING(curl_version)
NOTHING(curl_easy_init)
NOTHING(curl_easy_cleanup)
NOTHING(curl_easy_setopt)
NOTHING(curl_easy_getinfo)
NOTHING(curl_easy_pause)
NOTHING(curl_easy_perform)
NOTHING(curl_easy_strerror)
NOTHING(curl_multi_init)
NOTHING(curl_multi_cleanup)
NOTHING(curl_multi_setopt)
NOTHING(curl_multi_add_handle)
NOTHING(curl_multi_remove_handle)
NOTHING(curl_multi_info_read)
NOTHING(curl_multi_socket_action)
