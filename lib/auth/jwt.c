/* SPDX-License-Identifier: MIT */
/* JSON web tokens (RFC 7519) in compact form: reads the claims of a token that the server signed,
 * and creates the assertion with which a service identity signs in (RFC 7523). Called by login.c
 * and token_file.c. */
#include "auth/jwt.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"

/* Only characters of the base64url alphabet, so that a token can be sent in a header as it is. */
static bool is_part(const char *s, size_t n) {
  static const char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";

  return n > 0 && strspn(s, alphabet) == n;
}

/* Header, payload and signature, joined by dots (RFC 7515, section 7.1). */
static bool find_payload(const char *jwt, const char **payload, size_t *len) {
  const char *first = strchr(jwt, '.');
  const char *second = first ? strchr(first + 1, '.') : NULL;

  if (!second || strlen(jwt) > IGT__MAX_TOKEN)
    return false;
  *payload = first + 1;
  *len = (size_t)(second - first - 1);
  return is_part(jwt, (size_t)(first - jwt)) && is_part(*payload, *len) &&
         is_part(second + 1, strlen(second + 1));
}

igt_status igt__jwt_claims(const char *jwt, igt__json **out, igt_error *err) {
  const char *payload = NULL;
  size_t len = 0;
  igt__buf text;
  igt__json *claims = NULL;
  igt_status status = IGT_OK;

  igt__buf_init(&text, IGT__MAX_TOKEN);
  if (!find_payload(jwt, &payload, &len) || !igt__base64url_decode(&text, payload, len)) {
    status = text.failed && !text.too_long
                 ? igt__fail_memory(err)
                 : igt__fail(err, IGT_E_PARSE, "the session's token is not a JSON web token");
    goto out;
  }
  status = igt__json_parse(text.data, text.len, "the session token's payload", &claims, err);
  if (status != IGT_OK)
    goto out;
  if (igt__json_typeof(claims) != IGT__JSON_OBJECT) {
    status = igt__fail(err, IGT_E_PARSE, "the session token's payload is not a JSON object");
    goto out;
  }
  *out = claims;
  claims = NULL;
out:
  igt__json_free_wipe(claims);
  igt__buf_finish_wipe(&text);
  return status;
}

static igt__json *assertion_claims(const char *audience, const char *id, int64_t expires) {
  igt__json *claims = igt__json_new_object();
  igt__json *audiences = igt__json_new_array();
  bool ok = claims && audiences && igt__json_push(audiences, igt__json_new_str(audience));

  if (ok) {
    ok = igt__json_set(claims, "aud", audiences);
    audiences = NULL; /* owned by claims from here on, also when adding failed */
  }
  ok = ok && igt__json_set_str(claims, "iss", id) && igt__json_set_str(claims, "sub", id) &&
       igt__json_set_int(claims, "exp", expires);
  igt__json_free(audiences);
  if (!ok) {
    igt__json_free(claims);
    claims = NULL;
  }
  return claims;
}

igt_status igt__jwt_assertion(igt__rsa *key, const char *audience, const char *id, int64_t expires,
                              igt__buf *out, igt_error *err) {
  static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
  igt__json *claims = assertion_claims(audience, id, expires);
  igt__buf payload, signature;
  igt_status status = IGT_OK;
  size_t start = out->len;

  igt__buf_init(&payload, IGT__MAX_TOKEN);
  igt__buf_init(&signature, IGT__MAX_TOKEN);
  if (!claims || !igt__json_write(&payload, claims, IGT__JSON_COMPACT) ||
      !igt__base64url_encode(out, header, sizeof header - 1) || !igt__buf_putc(out, '.') ||
      !igt__base64url_encode(out, payload.data, payload.len)) {
    status = igt__fail_memory(err);
    goto out;
  }
  status = igt__rs256_sign(key, out->data + start, out->len - start, &signature, err);
  if (status != IGT_OK)
    goto out;
  if (!igt__buf_putc(out, '.') || !igt__base64url_encode(out, signature.data, signature.len))
    status = igt__fail_memory(err);
out:
  igt__buf_finish_wipe(&signature);
  igt__buf_finish(&payload);
  igt__json_free(claims);
  return status;
}
