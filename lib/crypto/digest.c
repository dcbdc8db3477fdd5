/* SPDX-License-Identifier: MIT */
/* Digests with one interface for OpenSSL's hashes (MD5, SHA-1, SHA-256) and our CRCs, and
 * HMAC-SHA-256. Called wherever bytes are verified: lib/transfer for files, lib/s3 for bodies and
 * signatures. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "crc.h"
#include "crypto.h"

struct igt__digest {
  igt__digest_alg alg;
  EVP_MD_CTX *evp; /* NULL for a CRC */
  uint64_t crc;
};

static const struct {
  size_t size;
  const char *name;
} algs[] = {
    [IGT__MD5] = {16, "md5"},    [IGT__SHA1] = {20, "sha1"},    [IGT__SHA256] = {32, "sha256"},
    [IGT__CRC32] = {4, "crc32"}, [IGT__CRC32C] = {4, "crc32c"}, [IGT__CRC64NVME] = {8, "crc64nvme"},
};

size_t igt__digest_size(igt__digest_alg alg) {
  return algs[alg].size;
}

const char *igt__digest_name(igt__digest_alg alg) {
  return algs[alg].name;
}

/* Fetched once: OpenSSL 3 looks up EVP_md5() and the like by name at each use, which costs as much
 * as the digest of some hundred bytes. */
static const EVP_MD *evps[IGT__SHA256 + 1];

static void fetch_evps(void) {
  static const char *const names[] = {
      [IGT__MD5] = "MD5", [IGT__SHA1] = "SHA1", [IGT__SHA256] = "SHA256"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    evps[i] = EVP_MD_fetch(NULL, names[i], NULL);
}

static const EVP_MD *evp_of(igt__digest_alg alg) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once(&once, fetch_evps);
  return evps[alg];
}

static bool is_crc(igt__digest_alg alg) {
  return alg >= IGT__CRC32;
}

igt__digest *igt__digest_new(igt__digest_alg alg) {
  igt__digest *d = igt__calloc(1, sizeof *d);

  if (!d)
    return NULL;
  d->alg = alg;
  if (!is_crc(alg)) {
    d->evp = EVP_MD_CTX_new();
    if (!d->evp || !EVP_DigestInit_ex2(d->evp, evp_of(alg), NULL)) {
      igt__digest_free(d);
      return NULL;
    }
  }
  return d;
}

void igt__digest_free(igt__digest *d) {
  if (!d)
    return;
  EVP_MD_CTX_free(d->evp);
  igt__free(d);
}

void igt__digest_update(igt__digest *d, const void *data, size_t n) {
  if (d->evp)
    EVP_DigestUpdate(d->evp, data, n);
  else
    d->crc = igt__crc_update(d->alg, d->crc, data, n);
}

void igt__digest_final(igt__digest *d, unsigned char *out) {
  if (d->evp)
    EVP_DigestFinal_ex(d->evp, out, NULL);
  else
    for (size_t i = 0, n = algs[d->alg].size; i < n; i++)
      out[i] = (unsigned char)(d->crc >> (8 * (n - 1 - i)));
  igt__digest_reset(d);
}

void igt__digest_reset(igt__digest *d) {
  d->crc = 0;
  if (d->evp)
    EVP_DigestInit_ex2(d->evp, NULL, NULL);
}

void igt__digest_of(igt__digest_alg alg, const void *data, size_t n, unsigned char *out) {
  if (!is_crc(alg)) {
    EVP_Digest(data, n, out, NULL, evp_of(alg), NULL);
    return;
  }
  igt__digest d = {.alg = alg};
  igt__digest_update(&d, data, n);
  igt__digest_final(&d, out);
}

/* H(pad || data): both passes of RFC 2104. */
static bool padded_pass(EVP_MD_CTX *ctx, const unsigned char key[64], unsigned char with,
                        const void *data, size_t n, unsigned char out[32]) {
  unsigned char pad[64];
  bool ok;

  for (size_t i = 0; i < sizeof pad; i++)
    pad[i] = key[i] ^ with;
  ok = EVP_DigestInit_ex2(ctx, evp_of(IGT__SHA256), NULL) &&
       EVP_DigestUpdate(ctx, pad, sizeof pad) && EVP_DigestUpdate(ctx, data, n) &&
       EVP_DigestFinal_ex(ctx, out, NULL);
  igt__wipe(pad, sizeof pad);
  return ok;
}

/* Implemented here: OpenSSL 3 looks its MAC up by name and allocates for each call, four times the
 * cost. */
void igt__hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
                      unsigned char out[32]) {
  unsigned char block[64] = {0}, inner[32];
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx != NULL;

  if (key_len > sizeof block)
    igt__digest_of(IGT__SHA256, key, key_len, block);
  else if (key_len > 0)
    memcpy(block, key, key_len);
  ok = ok && padded_pass(ctx, block, 0x36, data, n, inner) &&
       padded_pass(ctx, block, 0x5c, inner, sizeof inner, out);
  if (!ok) /* no memory: a value that no one accepts */
    igt__wipe(out, 32);
  EVP_MD_CTX_free(ctx);
  igt__wipe(block, sizeof block);
  igt__wipe(inner, sizeof inner);
}

void igt__pbkdf2(const char *password, const void *salt, size_t salt_len, unsigned iterations,
                 unsigned char out[32]) {
  PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_len, (int)iterations,
                    EVP_sha256(), 32, out);
}

const char *igt__crypto_library(void) {
  return OpenSSL_version(OPENSSL_VERSION);
}
