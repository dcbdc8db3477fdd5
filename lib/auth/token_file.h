/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_TOKEN_FILE_H
#define IGT_AUTH_TOKEN_FILE_H

/* The file through which a running `igtcloud login` shares its session: five pages, base64 of a
 * JSON object {sub, jwt, jwt_data, csrf, domain}, padded with NULs. Other programs map it and read
 * it repeatedly, so it is rewritten in place and never shrinks. See docs/internals/auth.md. */

#include "base/cancel.h"
#include "crypto/crypto.h"
#include "igtcloud/client.h"
#include "model/json.h"

/* The content of the file. */
struct igt_token {
  igt__secret *jwt;
  igt__secret *csrf;
  igt__secret *access; /* NULL if the JWT has none */
  char user[256];
  char domain[300];
  int64_t expires;  /* seconds since 1970 UTC; 0: not known */
  int64_t holder;   /* process, 0 if nobody holds the file's lock */
  bool has_refresh; /* of a user; services have none */
};

/* Of a session: copies of its secrets. access may be NULL. NULL: no memory. */
igt_token *igt__token_new(const char *user, const char *domain, const char *jwt, const char *csrf,
                          const char *access, int64_t expires);
/* Like igt_token_read, but also reads an expired token. */
igt_status igt__token_file_read(const char *path, igt_token **out, igt_error *err);
/* Like igt_token_read; cancellation ends the wait for a renewal. */
igt_status igt__token_read(const char *path, igt__cancel *cancel, igt_token **out, igt_error *err);
/* From the file's content: n bytes, ends at the first NUL or newline. IGT_E_NO_SESSION if it is
 * empty, IGT_E_PARSE if it is damaged or torn. */
igt_status igt__token_parse(const char *data, size_t n, igt_token **out, igt_error *err);
/* Fills all of page[0..IGT__TOKEN_FILE_SIZE). IGT_E_LIMIT if it does not fit. */
igt_status igt__token_encode(const char *user, const char *jwt, const igt__json *claims,
                             const char *csrf, const char *domain, char *page, igt_error *err);

/* The writer: one per file, for as long as it holds the lock. */
typedef struct igt__token_holder igt__token_holder;
/* Creates an empty file, or takes over one that nobody holds: a live token in it stays until the
 * first write, or permanently if there is none. IGT_E_TOKEN_FILE, and the file is unchanged: it is
 * neither empty nor a token file, or it is a symbolic or hard link. */
igt_status igt__token_holder_open(const char *path, igt__token_holder **out, igt_error *err);
/* page: from igt__token_encode. */
igt_status igt__token_holder_write(igt__token_holder *holder, const char *page, igt_error *err);
/* Empties the file, removes it if the name still refers to it, and releases the lock. */
void igt__token_holder_close(igt__token_holder *holder);

#endif
