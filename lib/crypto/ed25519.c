/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto.h"

struct igt__ed25519 {
  EVP_PKEY *key;
};

/* The key's base64, from a PEM or bare, without white space. */
static bool key_text(const char *text, size_t n, igt__buf *out) {
  const char *label = NULL;

  if (igt__pem_body(text, n, &label, out))
    return true;
  igt__buf_clear(out);
  for (size_t i = 0; i < n; i++)
    if (!text[i] || !strchr(" \t\r\n", text[i]))
      igt__buf_putc(out, text[i]);
  return !out->failed;
}

static EVP_PKEY *read_key(const igt__buf *raw) {
  const unsigned char *p = (const unsigned char *)raw->data;

  if (raw->len == IGT__ED25519_KEY)
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, raw->len);
  return d2i_PUBKEY(NULL, &p, (long)raw->len);
}

igt_status igt__ed25519_public(const char *text, size_t n, const char *what, igt__ed25519 **out,
                               igt_error *err) {
  igt__buf body, raw;
  EVP_PKEY *key = NULL;
  igt__ed25519 *made = NULL;

  *out = NULL;
  igt__buf_init(&body, IGT__MAX_KEY_FILE);
  igt__buf_init(&raw, IGT__MAX_KEY_FILE);
  if (key_text(text, n, &body) && igt__base64_decode(&raw, body.data, body.len))
    key = read_key(&raw);
  igt__buf_finish(&body);
  igt__buf_finish(&raw);
  ERR_clear_error();
  if (!key || EVP_PKEY_base_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return igt__fail(err, IGT_E_KEY, "%s cannot be used: it is not a public Ed25519 key", what);
  }
  made = igt__calloc(1, sizeof *made);
  if (!made) {
    EVP_PKEY_free(key);
    return igt__fail_memory(err);
  }
  made->key = key;
  *out = made;
  return IGT_OK;
}

void igt__ed25519_free(igt__ed25519 *key) {
  if (!key)
    return;
  EVP_PKEY_free(key->key);
  igt__free(key);
}

bool igt__ed25519_verify(const igt__ed25519 *key, const void *data, size_t n, const void *sig,
                         size_t sig_len) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx && sig_len == IGT__ED25519_SIGNATURE &&
            EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->key) == 1 &&
            EVP_DigestVerify(ctx, sig, sig_len, data, n) == 1;

  EVP_MD_CTX_free(ctx);
  ERR_clear_error();
  return ok;
}
