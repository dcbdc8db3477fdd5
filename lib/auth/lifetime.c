/* SPDX-License-Identifier: MIT */
#include "auth/lifetime.h"

#include "base/str.h"

/* Renewal is due this long before the end, or halfway through a lifetime that is not twice as
 * long. */
#define AHEAD_S 180
/* The year 5138: a larger number is not in seconds. */
#define SECONDS_MOST 100000000000LL
/* Max-Age is a duration and takes precedence, unless the token itself ends much earlier: differing
 * clocks must not shorten a lifetime. */
#define CLOCKS_DIFFER_S 120

int64_t igt__lifetime_time(const igt__json *claim) {
  int64_t t = igt__json_int(claim);

  if (igt__json_str(claim) && !igt__str_to_int64(igt__json_str(claim), &t))
    t = 0;
  /* Larger than fits: as far in the future as possible. Negative ones are unusable, as is zero. */
  if (t == 0 && igt__json_typeof(claim) == IGT__JSON_DOUBLE && igt__json_double(claim) > 1e18)
    t = INT64_MAX;
  while (t > SECONDS_MOST)
    t /= 1000;
  return t > 0 ? t : 0;
}

static int64_t clamp(int64_t life) {
  return life < 1 ? 1 : life > IGT__LIFE_MAX_S ? IGT__LIFE_MAX_S : life;
}

int64_t igt__lifetime_left(int64_t expires, int64_t max_age, int64_t now) {
  /* Both are below SECONDS_MOST: no overflow. */
  int64_t left = expires > 0 ? expires - now : 0;

  if (expires <= 0 && max_age < 0)
    return 0;
  if (max_age > 0 && (left <= 0 || left > max_age - CLOCKS_DIFFER_S))
    return clamp(max_age);
  return left > 0 ? clamp(left) : IGT__LIFE_UNKNOWN_S;
}

int64_t igt__lifetime_due(int64_t life) {
  int64_t due = life > 2 * AHEAD_S ? life - AHEAD_S : life / 2;

  return due > 1 ? due : 1;
}
