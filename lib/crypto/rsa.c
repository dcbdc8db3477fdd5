/* SPDX-License-Identifier: MIT */
/* RSA keys for RS256 (RFC 7518, section 3.3): reads a PEM, rejects encrypted and short keys, signs
 * and verifies, and generates pairs for the sandbox. pem.c normalises the line breaks first. Called
 * by auth/source.c and auth/jwt.c to sign assertions, by the sandbox to verify them. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto.h"

#define MIN_BITS 2048

struct igt__rsa {
  EVP_PKEY *key;
};

static igt_status bad_key(igt_error *err, const char *what, const char *why) {
  ERR_clear_error();
  return igt__fail(err, IGT_E_KEY, "%s cannot be used: %s", what, why);
}

static igt_status pem_to_der(const char *pem, size_t n, const char *what, igt__buf *der,
                             igt_error *err) {
  igt__buf body;

  igt__buf_init(&body, IGT__MAX_KEY_FILE);
  const char *label = NULL;
  igt_status status = IGT_OK;
  if (n > IGT__MAX_KEY_FILE || !igt__pem_body(pem, n, &label, &body))
    status = bad_key(err, what, "it is not in PEM form (-----BEGIN … KEY-----)");
  else if (strncmp(label, "ENCRYPTED", 9) == 0 || strstr(body.data, "Proc-Type"))
    status = bad_key(err, what, "it is encrypted; use a key without a passphrase");
  else if (!igt__base64_decode(der, body.data, body.len))
    status = bad_key(err, what, "its text is damaged");
  igt__buf_finish_wipe(&body);
  return status;
}

static igt_status take_key(EVP_PKEY *key, const char *what, igt__rsa **out, igt_error *err) {
  const char *why = NULL;

  if (!key)
    why = "it is damaged or not an RSA key";
  else if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
    why = "it is not an RSA key";
  else if (EVP_PKEY_bits(key) < MIN_BITS)
    why = "it has fewer than 2,048 bits";
  igt__rsa *rsa = why ? NULL : igt__calloc(1, sizeof *rsa);
  if (!rsa) {
    EVP_PKEY_free(key);
    return why ? bad_key(err, what, why) : igt__fail_memory(err);
  }
  rsa->key = key;
  *out = rsa;
  return IGT_OK;
}

typedef EVP_PKEY *(*decode_fn)(EVP_PKEY **key, const unsigned char **der, long n);

static igt_status read_pem(const char *pem, size_t n, const char *what, decode_fn decode,
                           igt__rsa **out, igt_error *err) {
  *out = NULL;
  igt__buf der;
  igt__buf_init(&der, IGT__MAX_KEY_FILE);
  igt_status status = pem_to_der(pem, n, what, &der, err);
  if (status == IGT_OK) {
    const unsigned char *p = (const unsigned char *)der.data;
    status = take_key(decode(NULL, &p, (long)der.len), what, out, err);
  }
  igt__buf_finish_wipe(&der);
  return status;
}

igt_status igt__rsa_private(const char *pem, size_t n, const char *what, igt__rsa **out,
                            igt_error *err) {
  return read_pem(pem, n, what, d2i_AutoPrivateKey, out, err);
}

igt_status igt__rsa_public(const char *pem, size_t n, const char *what, igt__rsa **out,
                           igt_error *err) {
  return read_pem(pem, n, what, d2i_PUBKEY, out, err);
}

void igt__rsa_free(igt__rsa *rsa) {
  if (!rsa)
    return;
  EVP_PKEY_free(rsa->key);
  igt__free(rsa);
}

igt_status igt__rs256_sign(igt__rsa *rsa, const void *data, size_t n, igt__buf *signature,
                           igt_error *err) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  size_t len = (size_t)EVP_PKEY_size(rsa->key);
  bool ok =
      ctx && igt__buf_reserve(signature, len) &&
      EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, rsa->key) == 1 &&
      EVP_DigestSign(ctx, (unsigned char *)signature->data + signature->len, &len, data, n) == 1;

  EVP_MD_CTX_free(ctx);
  if (!ok)
    return bad_key(err, "the private key", "signing with it failed");
  signature->len += len;
  signature->data[signature->len] = '\0';
  return IGT_OK;
}

bool igt__rs256_verify(igt__rsa *rsa, const void *data, size_t n, const void *sig, size_t sig_len) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, rsa->key) == 1 &&
            EVP_DigestVerify(ctx, sig, sig_len, data, n) == 1;

  EVP_MD_CTX_free(ctx);
  ERR_clear_error();
  return ok;
}

static bool append_bio(igt__buf *out, BIO *bio) {
  char *data;
  long n = BIO_get_mem_data(bio, &data);

  return n > 0 && igt__buf_append(out, data, (size_t)n);
}

igt_status igt__rsa_public_of(const char *private_pem, size_t n, const char *what,
                              igt__buf *public_pem, igt_error *err) {
  igt__rsa *rsa = NULL;
  igt_status status = igt__rsa_private(private_pem, n, what, &rsa, err);
  BIO *bio = status == IGT_OK ? BIO_new(BIO_s_mem()) : NULL;

  if (status == IGT_OK &&
      !(bio && PEM_write_bio_PUBKEY(bio, rsa->key) == 1 && append_bio(public_pem, bio)))
    status = bad_key(err, what, "its public key cannot be derived");
  BIO_free(bio);
  igt__rsa_free(rsa);
  return status;
}

igt_status igt__rsa_generate(igt__buf *private_pem, igt__buf *public_pem, igt_error *err) {
  EVP_PKEY *key = EVP_RSA_gen(MIN_BITS);
  BIO *private_bio = BIO_new(BIO_s_secmem()), *public_bio = BIO_new(BIO_s_mem());
  bool ok =
      key && private_bio && public_bio &&
      PEM_write_bio_PrivateKey_traditional(private_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
      PEM_write_bio_PUBKEY(public_bio, key) == 1 && append_bio(private_pem, private_bio) &&
      append_bio(public_pem, public_bio);

  BIO_free(private_bio);
  BIO_free(public_bio);
  EVP_PKEY_free(key);
  return ok ? IGT_OK : bad_key(err, "a new key", "creating it failed");
}
