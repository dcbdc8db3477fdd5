/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_LIFETIME_H
#define IGT_AUTH_LIFETIME_H

/* How long a session lives and when it is renewed, from numbers that a server chose. */

#include "model/json.h"

/* The lifetime of a token that by its own numbers had ended when it was issued: the server's clock
 * or its units are wrong, and a 401 will show the real end. Short enough for a session that really
 * is short. */
#define IGT__LIFE_UNKNOWN_S 60
/* Longer lifetimes are cut to this (ten years) so that arithmetic on them cannot overflow. */
#define IGT__LIFE_MAX_S (10LL * 366 * 24 * 3600)
/* Our own sessions are renewed at least once a day, even if their end is said to be far off. */
#define IGT__RENEW_AT_MOST_S (24LL * 3600)

/* A claim's time in seconds since 1970: a number, also a float or a string of digits; milli-,
 * micro- and nanoseconds are recognised by their size. 0: absent, negative or unusable. */
int64_t igt__lifetime_time(const igt__json *claim);
/* Seconds for which a session lives that was issued just now. expires: from igt__lifetime_time;
 * max_age: the cookie's, -1: none. 0: neither is known. Otherwise at least 1 and at most
 * IGT__LIFE_MAX_S. */
int64_t igt__lifetime_left(int64_t expires, int64_t max_age, int64_t now);
/* Seconds from its receipt after which a session of this lifetime is to be renewed. At least 1: a
 * session that was just renewed is not renewed again immediately, whatever the server says. */
int64_t igt__lifetime_due(int64_t life);

#endif
