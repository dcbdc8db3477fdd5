/* SPDX-License-Identifier: MIT */
#ifndef IGT_CRYPTO_H
#define IGT_CRYPTO_H

/* Only this folder includes OpenSSL. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

typedef enum igt__digest_alg {
  IGT__MD5,
  IGT__SHA1,
  IGT__SHA256,
  IGT__CRC32,  /* IEEE, as x-amz-checksum-crc32: 4 bytes big-endian */
  IGT__CRC32C, /* Castagnoli, in hardware if available */
  IGT__CRC64NVME
} igt__digest_alg;

#define IGT__DIGEST_MAX 32
size_t igt__digest_size(igt__digest_alg alg);
const char *igt__digest_name(igt__digest_alg alg); /* "md5", "sha256", "crc32c" ... */

typedef struct igt__digest igt__digest;
igt__digest *igt__digest_new(igt__digest_alg alg); /* NULL: out of memory */
void igt__digest_free(igt__digest *d);
void igt__digest_update(igt__digest *d, const void *data, size_t n);
/* Writes igt__digest_size bytes and resets the digest. */
void igt__digest_final(igt__digest *d, unsigned char *out);
void igt__digest_reset(igt__digest *d);
/* Digest of a buffer in one call. */
void igt__digest_of(igt__digest_alg alg, const void *data, size_t n, unsigned char *out);

void igt__hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
                      unsigned char out[32]);

void igt__hex(const unsigned char *data, size_t n, char *out); /* lower case, 2n + NUL */
bool igt__unhex(const char *hex, size_t n_chars, unsigned char *out);
bool igt__base64_encode(igt__buf *out, const void *data, size_t n);
bool igt__base64url_encode(igt__buf *out, const void *data, size_t n); /* no padding */
/* Strict: no spaces, correct padding. base64url: unpadded or padded. */
bool igt__base64_decode(igt__buf *out, const char *s, size_t n);
bool igt__base64url_decode(igt__buf *out, const char *s, size_t n);

bool igt__random(void *out, size_t n); /* for secrets; false if the system provides none */
bool igt__random_token(char *out, size_t n_chars); /* n_chars of [A-Za-z0-9] + NUL */
bool igt__uuid(char out[37]);                      /* version 4 */
bool igt__equal_constant_time(const void *a, const void *b, size_t n);

/* A secret: wiped when freed, never printed, and removed from errors and the log (redact.h). */
typedef struct igt__secret igt__secret;
igt__secret *igt__secret_new(const char *s, size_t n); /* copies; NULL: out of memory */
void igt__secret_free(igt__secret *secret);
const char *igt__secret_text(const igt__secret *secret); /* NUL-terminated; "" for NULL */
size_t igt__secret_len(const igt__secret *secret);

/* RSA keys for RS256 (RFC 7518, section 3.3). A private key: PEM, PKCS#1 or PKCS#8, also if all of
 * it is on one line with spaces or nothing for newlines. Encrypted keys and keys below 2,048 bits
 * are rejected with a message. `what` names the file in it. */
/* The base64 between a PEM's first and last line, without white space; *label: after BEGIN. False:
 * not a PEM. */
bool igt__pem_body(const char *pem, size_t n, const char **label, igt__buf *body);
/* Rewrites a PEM with any or no line breaks in lines of 64 columns. False: not a PEM, or has
 * headers. */
bool igt__pem_wrap(const char *pem, size_t n, igt__buf *out);

typedef struct igt__rsa igt__rsa;
igt_status igt__rsa_private(const char *pem, size_t n, const char *what, igt__rsa **out,
                            igt_error *err);
igt_status igt__rsa_public(const char *pem, size_t n, const char *what, igt__rsa **out,
                           igt_error *err);
void igt__rsa_free(igt__rsa *rsa);
igt_status igt__rs256_sign(igt__rsa *rsa, const void *data, size_t n, igt__buf *signature,
                           igt_error *err);
bool igt__rs256_verify(igt__rsa *rsa, const void *data, size_t n, const void *sig, size_t sig_len);
/* The public key (PEM, SPKI) of a private one. */
igt_status igt__rsa_public_of(const char *private_pem, size_t n, const char *what,
                              igt__buf *public_pem, igt_error *err);
/* A new 2,048-bit pair, for the sandbox's service identities: PEM (PKCS#1 / SPKI). */
igt_status igt__rsa_generate(igt__buf *private_pem, igt__buf *public_pem, igt_error *err);

/* Ed25519 (RFC 8032): verifies who made a release. A public key is a PEM (SPKI), its base64, or
 * only the base64 of the 32 bytes, with white space anywhere. `what` names it in the message
 * (IGT_E_KEY). */
#define IGT__ED25519_KEY 32
#define IGT__ED25519_SIGNATURE 64
typedef struct igt__ed25519 igt__ed25519;
igt_status igt__ed25519_public(const char *text, size_t n, const char *what, igt__ed25519 **out,
                               igt_error *err);
void igt__ed25519_free(igt__ed25519 *key);
bool igt__ed25519_verify(const igt__ed25519 *key, const void *data, size_t n, const void *sig,
                         size_t sig_len);

/* Passwords of the sandbox's users: PBKDF2-HMAC-SHA256, out 32 bytes. */
void igt__pbkdf2(const char *password, const void *salt, size_t salt_len, unsigned iterations,
                 unsigned char out[32]);

/* "OpenSSL 3.0.15 3 Sep 2024", as it runs. */
const char *igt__crypto_library(void);

#endif
