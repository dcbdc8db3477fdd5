/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_KNOWN_H
#define SANDBOX_REST_KNOWN_H

/* Caches verified tokens, so that the next request with the same token need not verify it again.
 * Valid as long as nothing that it depends on has changed (sbx_store_people). Passwords that were
 * right are cached, too: a test signs in with one again and again. */

#include <stdbool.h>
#include <stdint.h>

struct sbx_sessions;

typedef struct rest_known {
  uint64_t people; /* sbx_store_people before it was verified */
  int64_t expires; /* of the token */
  int64_t until;   /* end of the token or its session, whichever is earlier */
  bool is_service;
  unsigned rights;
  char token[1536]; /* longer tokens, or longer values of the members above, are not cached */
  char sub[256];
  char uid[64];
  char session[64];
  char csrf[64];
} rest_known;

/* True: *out is the cached result for the token, and still valid. */
bool rest_known_find(struct sbx_sessions *sessions, const char *token, uint64_t people, int64_t now,
                     rest_known *out);
void rest_known_keep(struct sbx_sessions *sessions, const rest_known *known);

/* stored: salt and hash, which are others as soon as the password is changed. The cache has a
 * digest of both, with a key of this process. */
bool rest_known_password(struct sbx_sessions *sessions, const char *stored, const char *password);
void rest_known_keep_password(struct sbx_sessions *sessions, const char *stored,
                              const char *password);

#endif
