/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_JWT_H
#define IGT_AUTH_JWT_H

/* JSON web tokens (RFC 7519) in compact form: what a client needs of them. */

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "model/json.h"

/* The claims of a signed token. The signature is the server's business and is not verified: a
 * client only reads when its own token ends. An error's text never contains the token. */
igt_status igt__jwt_claims(const char *jwt, igt__json **out, igt_error *err);

/* What a service identity signs in with (RFC 7523), signed with RS256: iss = sub = id, aud the list
 * of `audience`, exp = `expires` (seconds since 1970 by the server's clock). Appends to out. */
igt_status igt__jwt_assertion(igt__rsa *key, const char *audience, const char *id, int64_t expires,
                              igt__buf *out, igt_error *err);

#endif
