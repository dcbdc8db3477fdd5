/* SPDX-License-Identifier: MIT */
/* The lifetime of a session as sent by a server: {"exp": any, "maxAge": the cookie's text, "now":
 * number}. Never an overflow, and never a session that is renewed immediately. */
#include "auth/cookie.h"
#include "auth/lifetime.h"
#include "demand.h"

static int64_t max_age_of(const igt__json *root) {
  char line[300];
  igt__cookie cookie;

  snprintf(line, sizeof line, "jwt_header_payload=a.b; Max-Age=%s",
           igt__json_get_str(root, "maxAge") ? igt__json_get_str(root, "maxAge") : "");
  return igt__cookie_find(line, "jwt_header_payload", &cookie) ? cookie.max_age : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  igt__json *root = NULL;
  int64_t expires, now, max_age, life, due;

  if (igt__json_parse((const char *)data, size, "it", &root, NULL) != IGT_OK)
    return 0;
  /* This machine's clock, which may be wrong, but not by 10,000 years. */
  now = igt__json_int(igt__json_get(root, "now")) % 300000000000;
  max_age = max_age_of(root);
  expires = igt__lifetime_time(igt__json_get(root, "exp"));
  demand(expires >= 0 && expires <= 100000000000);
  demand(max_age >= -1 && max_age <= IGT__LIFE_MAX_S);
  life = igt__lifetime_left(expires, max_age, now);
  demand(life >= 0 && life <= IGT__LIFE_MAX_S);
  demand((life == 0) == (expires == 0 && max_age < 0));
  due = igt__lifetime_due(life);
  demand(due >= 1 && (due <= life || due == 1));
  igt__json_free(root);
  return 0;
}
