/* SPDX-License-Identifier: MIT */
/* A service's key file: the bytes as they are, and as the content of the base64 between the lines
 * of a PEM, so that the fuzzer need not find base64 first. */
#include "base/limits.h"
#include "crypto/crypto.h"
#include "demand.h"

static void read_key(const char *pem, size_t n) {
  igt_error err = IGT_ERROR_INIT;
  igt__rsa *key = NULL;

  if (igt__rsa_private(pem, n, "fuzz", &key, &err) != IGT_OK)
    demand(!key && err.text[0]);
  igt__rsa_free(key);
  key = NULL;
  if (igt__rsa_public(pem, n, "fuzz", &key, &err) != IGT_OK)
    demand(!key && err.text[0]);
  igt__rsa_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  igt__buf pem;

  read_key((const char *)data, size);
  igt__buf_init(&pem, (size_t)2 * IGT__MAX_KEY_FILE);
  if (igt__buf_puts(&pem, "-----BEGIN PRIVATE KEY-----\n") &&
      igt__base64_encode(&pem, data, size) && igt__buf_puts(&pem, "\n-----END PRIVATE KEY-----\n"))
    read_key(pem.data, pem.len);
  igt__buf_finish(&pem);
  return 0;
}
