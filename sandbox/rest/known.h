/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_KNOWN_H
#define SANDBOX_REST_KNOWN_H

/* What tokens were found to say, so that the next request with the same one need not verify it
 * again. Good as long as nothing has changed on which it hangs (sbx_store_people). */

#include <stdbool.h>
#include <stdint.h>

struct sbx_sessions;

typedef struct rest_known {
  uint64_t people; /* sbx_store_people before it was verified */
  int64_t expires; /* of the token */
  int64_t until;   /* of the token or its session, whichever ends first */
  bool is_service;
  unsigned rights;
  char token[1536]; /* those that are longer, or anything below that is, are not kept */
  char sub[256];
  char uid[64];
  char session[64];
  char csrf[64];
} rest_known;

/* True: *out is what was found out about the token, and still true. */
bool rest_known_find(struct sbx_sessions *sessions, const char *token, uint64_t people, int64_t now,
                     rest_known *out);
void rest_known_keep(struct sbx_sessions *sessions, const rest_known *known);

#endif
