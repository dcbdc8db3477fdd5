/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_SESSION_INTERNAL_H
#define IGT_AUTH_SESSION_INTERNAL_H

/* What hold.c needs of a session. */

#include "auth/session.h"

typedef struct igt__session_times {
  unsigned generation;
  bool due;   /* it is time to renew */
  bool ended; /* the token is no longer usable */
} igt__session_times;

void igt__session_times_get(igt__session *session, igt__session_times *out);
/* The session as written to the token file, and its generation. */
igt_status igt__session_encode(igt__session *session, char *page, unsigned *generation,
                               igt_error *err);
const char *igt__session_token_file(const igt__session *session); /* NULL: the default */
bool igt__session_is_cancelled(const igt__session *session);
/* It can sign in again, however long ago the last token ended. */
bool igt__session_can_start_over(const igt__session *session);
/* A failure that a retry does not fix. */
bool igt__session_is_final(igt_status status);

#endif
