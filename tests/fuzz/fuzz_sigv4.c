/* SPDX-License-Identifier: MIT */
/* A request to be signed or checked: "METHOD TARGET", header lines, an empty line, then the value
 * of SignedHeaders. Signer and checker must arrive at the same signature. */
#include "base/mem.h"
#include "crypto/crypto.h"
#include "demand.h"
#include "s3/sigv4.h"

#define MAX_HEADERS 64

static char *line_of(char **text) {
  char *line = *text, *lf = strchr(line, '\n');

  *text = lf ? lf + 1 : line + strlen(line);
  if (lf)
    *lf = '\0';
  return line;
}

static void sign(const igt__sigv4_request *req) {
  igt__sigv4_key key;
  igt__buf scratch;
  char one[65], two[65];

  igt__sigv4_key_derive("secret", 6, "20260131", "eu-central-1", "s3", &key);
  igt__buf_init(&scratch, 1024 * 1024);
  if (igt__sigv4_sign(&key, req, "20260131T000000Z", "eu-central-1", "s3", &scratch, one)) {
    demand(strlen(one) == 64 && strspn(one, "0123456789abcdef") == 64);
    demand(igt__sigv4_sign(&key, req, "20260131T000000Z", "eu-central-1", "s3", &scratch, two));
    demand(strcmp(one, two) == 0);
  }
  igt__buf_finish(&scratch);
}

static void presign(const igt__sigv4_request *req) {
  igt__sigv4_request presigned = *req;
  igt__buf query;

  igt__buf_init(&query, 1024 * 1024);
  if (igt__sigv4_presign_query(req->query, "AKIA", "token/+=", "20260131T000000Z", "eu-central-1",
                               "s3", 60, "host", &query)) {
    presigned.query = query.data;
    presigned.payload_hash = IGT__SIGV4_UNSIGNED;
    sign(&presigned);
  }
  igt__buf_finish(&query);
}

static void request(char *text) {
  igt__sigv4_header headers[MAX_HEADERS];
  igt__sigv4_request req = {.headers = headers, .payload_hash = IGT__SIGV4_EMPTY_HASH};
  igt__buf names;
  char *target, *query;

  req.method = line_of(&text);
  target = strchr(req.method, ' ');
  if (!target)
    return;
  *target++ = '\0';
  query = strchr(target, '?');
  if (query)
    *query++ = '\0';
  req.path = target;
  req.query = query;
  for (char *line; *(line = line_of(&text)) && req.header_count < MAX_HEADERS;) {
    char *colon = strchr(line, ':');
    if (!colon)
      continue;
    *colon = '\0';
    headers[req.header_count++] = (igt__sigv4_header){line, colon + 1};
  }
  req.signed_headers = line_of(&text);
  sign(&req);
  presign(&req);
  igt__buf_init(&names, 1024 * 1024);
  if (igt__sigv4_signed_headers(headers, req.header_count, &names)) {
    req.signed_headers = names.data;
    sign(&req);
  }
  igt__buf_finish(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = igt__strndup((const char *)data, size);

  if (text)
    request(text);
  igt__free(text);
  return 0;
}
