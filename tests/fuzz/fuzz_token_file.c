/* SPDX-License-Identifier: MIT */
/* The token file's content: the bytes as they are, and as the JSON inside it, so that the fuzzer
 * need not find base64 first. */
#include "auth/token_file.h"
#include "base/limits.h"
#include "demand.h"

static void parse(const char *data, size_t size) {
  igt_token *token = NULL;

  if (igt__token_parse(data, size, &token, NULL) == IGT_OK &&
      (!*igt_token_jwt(token) || strlen(igt_token_jwt(token)) > IGT__MAX_TOKEN))
    abort();
  igt_token_free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  igt__buf encoded;

  parse((const char *)data, size);
  igt__buf_init(&encoded, (size_t)2 * IGT__TOKEN_FILE_SIZE);
  if (igt__base64_encode(&encoded, data, size))
    parse(encoded.data, encoded.len);
  igt__buf_finish(&encoded);
  return 0;
}
