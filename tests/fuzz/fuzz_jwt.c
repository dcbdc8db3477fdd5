/* SPDX-License-Identifier: MIT */
/* A session's token, from a server or a file. One that is accepted is valid in a header line. */
#include "auth/jwt.h"
#include "base/mem.h"
#include "demand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *jwt = igt__strndup((const char *)data, size);
  igt__json *claims = NULL;

  if (!jwt)
    return 0;
  if (igt__jwt_claims(jwt, &claims, NULL) == IGT_OK &&
      (strpbrk(jwt, " \t\r\n") || igt__json_typeof(claims) != IGT__JSON_OBJECT))
    abort();
  igt__json_free(claims);
  igt__free(jwt);
  return 0;
}
