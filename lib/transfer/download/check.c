/* SPDX-License-Identifier: MIT */
/* Verifies content against the strongest checksum that the store knows. igt__check_init selects the
 * checksum and digest from the object's metadata; updates are digested as a whole or, for a
 * multipart object, part by part with a digest over the parts' digests; igt__check_final compares
 * the result. Called by fetch.c and the fetch_*.c files, and by single/reader.c. */
#include "transfer/download/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static bool alg_by_name(const char *name, igt__digest_alg *alg) {
  static const igt__digest_alg all[] = {IGT__SHA256, IGT__CRC64NVME, IGT__CRC32C, IGT__CRC32,
                                        IGT__SHA1};

  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (igt__str_eq_nocase(name, igt__digest_name(all[i]))) {
      *alg = all[i];
      return true;
    }
  return false;
}

/* "…-12" gives 12; 0 without such a suffix. */
static unsigned parts_of(const char *value) {
  const char *dash = strrchr(value, '-');
  uint64_t n;

  return dash && igt__str_to_uint64(dash + 1, &n) && n >= 1 && n <= 10000 ? (unsigned)n : 0;
}

/* Alone, or with a number of parts. Proxies append words of their own ("-gzip"): then nothing says
 * which bytes it is the MD5 of. */
static bool is_md5_hex(const char *etag) {
  return strspn(etag, "0123456789abcdefABCDEF") == 32 && (etag[32] == '\0' || parts_of(etag) > 0);
}

/* False: out of memory. Converted to hex now, so that comparing needs no memory: running out of it
 * would look like a difference. */
static bool expect(igt__check *check, const char *value, bool base64) {
  size_t n = parts_of(value) ? (size_t)(strrchr(value, '-') - value) : strlen(value);
  igt__buf digest;
  bool known = true;

  check->known = true;
  if (!base64) {
    (void)snprintf(check->expected, sizeof check->expected, "%.*s", (int)n, value);
    return true;
  }
  igt__buf_init(&digest, IGT__DIGEST_MAX);
  if (igt__base64_decode(&digest, value, n))
    igt__hex((const unsigned char *)digest.data, digest.len, check->expected);
  else
    known = !digest.failed || digest.too_long;
  igt__buf_finish(&digest);
  return known;
}

static bool choose(igt__check *check, const igt__check_facts *facts) {
  bool known = true;
  bool etag_is_md5 = is_md5_hex(facts->etag) && !igt__str_starts_nocase(facts->sse, "aws:kms");

  check->alg = IGT__SHA256;
  check->verified = "";
  if (*facts->checksum && alg_by_name(facts->checksum_alg, &check->alg) &&
      (!parts_of(facts->checksum) || check->alg == IGT__SHA256)) {
    check->parts = parts_of(facts->checksum);
    check->verified = igt__digest_name(check->alg);
    known = expect(check, facts->checksum, true);
  } else if (etag_is_md5) {
    check->alg = IGT__MD5;
    check->parts = parts_of(facts->etag);
    check->verified = check->parts ? "etag-parts" : "md5";
    known = expect(check, facts->etag, false);
  } else {
    check->alg = IGT__SHA256;
  }
  check->by_parts = check->parts > 0;
  return known;
}

igt_status igt__check_init(igt__check *check, const igt__check_facts *facts, igt_error *err) {
  memset(check, 0, sizeof *check);
  if (!choose(check, facts))
    return igt__fail_memory(err);
  check->digest = igt__digest_new(check->alg);
  if (check->by_parts)
    check->whole = igt__digest_new(check->alg);
  if (!check->digest || (check->by_parts && !check->whole))
    return igt__fail_memory(err);
  return IGT_OK;
}

bool igt__check_needs_part_size(const igt__check *check) {
  return check->by_parts && check->part_size == 0;
}

igt_status igt__check_set_part_size(igt__check *check, uint64_t part_size, igt_error *err) {
  if (part_size) {
    check->part_size = part_size;
    return IGT_OK;
  }
  igt__check_finish(check);
  return igt__check_init(check, &(igt__check_facts){"", "", "", ""}, err);
}

static bool fits(const igt__check *check, uint64_t object_size, uint64_t part_size) {
  while ((object_size + part_size - 1) / part_size > 10000)
    part_size *= 2;
  return (object_size + part_size - 1) / part_size == check->parts;
}

/* 8 MiB is what igtcloud, boto3 and the AWS CLI send; 5 MiB what igtcloud sends on a slow line.
 * Larger where there would be more than 10,000 parts. */
bool igt__check_guess_part_size(igt__check *check, uint64_t object_size) {
  static const uint64_t mib = (uint64_t)1024 * 1024;
  uint64_t guess = fits(check, object_size, 8 * mib) ? 8 * mib : 5 * mib;

  if (!fits(check, object_size, guess))
    return false;
  while ((object_size + guess - 1) / guess > 10000)
    guess *= 2;
  check->part_size = guess;
  check->guessed = true;
  return true;
}

bool igt__check_guess_again(igt__check *check, uint64_t object_size) {
  static const uint64_t mib = (uint64_t)1024 * 1024;

  if (!check->guessed || check->known || check->part_size != 8 * mib ||
      !fits(check, object_size, 5 * mib))
    return false;
  check->part_size = 5 * mib;
  check->known = true;
  check->verified = check->alg == IGT__MD5 ? "etag-parts" : igt__digest_name(check->alg);
  igt__check_reset(check);
  return true;
}

static void end_part(igt__check *check) {
  unsigned char out[IGT__DIGEST_MAX];

  igt__digest_final(check->digest, out);
  igt__digest_update(check->whole, out, igt__digest_size(check->alg));
  check->parts_done++;
  check->in_part = 0;
  check->part_open = false;
}

void igt__check_update(igt__check *check, const void *data, size_t n) {
  const unsigned char *at = data;

  if (!check->by_parts) {
    igt__digest_update(check->digest, at, n);
    return;
  }
  while (n) {
    uint64_t left = check->part_size - check->in_part;
    size_t take = n < left ? n : (size_t)left;
    igt__digest_update(check->digest, at, take);
    check->part_open = true;
    check->in_part += take;
    at += take;
    n -= take;
    if (check->in_part == check->part_size)
      end_part(check);
  }
}

void igt__check_reset(igt__check *check) {
  igt__digest_reset(check->digest);
  if (check->whole)
    igt__digest_reset(check->whole);
  check->in_part = 0;
  check->parts_done = 0;
  check->part_open = false;
}

static bool matches(const igt__check *check, const unsigned char *out, size_t n) {
  char hex[2 * IGT__DIGEST_MAX + 1];

  igt__hex(out, n, hex);
  return igt__str_eq_nocase(hex, check->expected);
}

static void put_digest(const igt__check *check, const char *hex, char *digest, size_t cap) {
  if (check->by_parts)
    (void)snprintf(digest, cap, "%s-parts-%llu:%s", igt__digest_name(check->alg),
                   (unsigned long long)check->part_size, hex);
  else
    (void)snprintf(digest, cap, "%s:%s", igt__digest_name(check->alg), hex);
}

void igt__check_text(const igt__check *check, char *digest, size_t cap) {
  bool known =
      check->known && !check->guessed && *check->expected && (!check->by_parts || check->part_size);

  *digest = '\0';
  if (known)
    put_digest(check, check->expected, digest, cap);
}

igt_status igt__check_final(igt__check *check, char *digest, size_t cap, igt_error *err) {
  unsigned char out[IGT__DIGEST_MAX];
  char hex[2 * IGT__DIGEST_MAX + 1];
  size_t n = igt__digest_size(check->alg);

  if (check->by_parts) {
    if (check->part_open || check->parts_done == 0)
      end_part(check);
    igt__digest_final(check->whole, out);
  } else {
    igt__digest_final(check->digest, out);
  }
  igt__hex(out, n, hex);
  put_digest(check, hex, digest, cap);
  if (check->guessed && !matches(check, out, n)) {
    check->known = false;
    check->verified = "";
  }
  if (check->known && !matches(check, out, n))
    return igt__fail(
        err, IGT_E_CHECKSUM,
        "the content does not match the store's (%s differs): the download was discarded",
        check->verified);
  return IGT_OK;
}

void igt__check_finish(igt__check *check) {
  igt__digest_free(check->digest);
  igt__digest_free(check->whole);
  check->digest = check->whole = NULL;
}
