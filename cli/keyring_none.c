/* SPDX-License-Identifier: MIT */
/* A static program loads no libraries, and has no keyring: in place of keyring.c. */
#include "cli.h"

bool keyring_is_available(const char **why) {
  *why = "this program is static and cannot load libraries";
  return false;
}

bool keyring_read(const char *domain, const char *user, char *out, size_t cap) {
  (void)domain, (void)user, (void)out, (void)cap;
  return false;
}

bool keyring_store(const char *domain, const char *user, const char *password) {
  (void)domain, (void)user, (void)password;
  return false;
}

int keyring_forget(const char *domain, const char *user) {
  (void)domain, (void)user;
  return 0;
}
