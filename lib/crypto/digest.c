/* SPDX-License-Identifier: MIT */
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

static const EVP_MD *evp_of(igt__digest_alg alg) {
  return alg == IGT__MD5 ? EVP_md5() : alg == IGT__SHA1 ? EVP_sha1() : EVP_sha256();
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
    if (!d->evp || !EVP_DigestInit_ex(d->evp, evp_of(alg), NULL)) {
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
    EVP_DigestInit_ex(d->evp, NULL, NULL);
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

void igt__hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
                      unsigned char out[32]) {
  unsigned len = 32;
  HMAC(EVP_sha256(), key, (int)key_len, data, n, out, &len);
}

void igt__pbkdf2(const char *password, const void *salt, size_t salt_len, unsigned iterations,
                 unsigned char out[32]) {
  PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_len, (int)iterations,
                    EVP_sha256(), 32, out);
}
