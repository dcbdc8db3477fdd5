/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_TOKEN_FILE_H
#define IGT_AUTH_TOKEN_FILE_H

/* The file by which a running `igtcloud login` shares its session: five pages, base64 of a JSON
 * object {sub, jwt, jwt_data, csrf, domain}, the rest NUL. Others map it and read it again and
 * again, so it is rewritten in place and never shrinks. See docs/internals/auth.md. */

#include "base/cancel.h"
#include "crypto/crypto.h"
#include "igtcloud/client.h"
#include "model/json.h"

/* What the file holds. */
struct igt_token {
  igt__secret *jwt;
  igt__secret *csrf;
  igt__secret *access; /* NULL when the JWT has none */
  char user[256];
  char domain[300];
  int64_t expires;  /* seconds since 1970 UTC; 0: not known */
  int64_t holder;   /* process, 0 when nobody holds the file's lock */
  bool has_refresh; /* of a person; services have none */
};

/* As igt_token_read, but an expired token is read, too. */
igt_status igt__token_file_read(const char *path, igt_token **out, igt_error *err);
/* As igt_token_read; a cancel ends a wait for a renewal. */
igt_status igt__token_read(const char *path, igt__cancel *cancel, igt_token **out, igt_error *err);
/* From the file's content: n bytes, ends at the first NUL or newline. IGT_E_NO_SESSION when
 * there is nothing, IGT_E_PARSE when it is damaged or torn. */
igt_status igt__token_parse(const char *data, size_t n, igt_token **out, igt_error *err);
/* Fills all of page[0..IGT__TOKEN_FILE_SIZE). IGT_E_LIMIT when it does not fit. */
igt_status igt__token_encode(const char *user, const char *jwt, const igt__json *claims,
                             const char *csrf, const char *domain, char *page, igt_error *err);

/* The writer's side: one a file, for as long as it holds the lock. */
typedef struct igt__token_holder igt__token_holder;
/* Makes the file with nothing in it, or takes over one that nobody holds: a live token in that
 * stays until the first write, and for ever when there is none. IGT_E_TOKEN_FILE, and the file is
 * as it was: it is neither empty nor a token file, or a link of either kind. */
igt_status igt__token_holder_open(const char *path, igt__token_holder **out, igt_error *err);
/* page as igt__token_encode made it. */
igt_status igt__token_holder_write(igt__token_holder *holder, const char *page, igt_error *err);
/* Empties the file, removes it if the name is still this file's, and lets go of the lock. */
void igt__token_holder_close(igt__token_holder *holder);

#endif
