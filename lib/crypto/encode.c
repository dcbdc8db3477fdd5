/* SPDX-License-Identifier: MIT */
/* Hex, base64 and base64url, random bytes, tokens and UUIDs, constant-time comparison, and secrets
 * that are wiped when freed. Decoders are strict, because their input comes from servers and files.
 * Called by all layers above; OpenSSL provides the random bytes and the comparison. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"
#include "crypto.h"

void igt__hex(const unsigned char *data, size_t n, char *out) {
  static const char digits[] = "0123456789abcdef";

  for (size_t i = 0; i < n; i++) {
    out[2 * i] = digits[data[i] >> 4];
    out[2 * i + 1] = digits[data[i] & 15];
  }
  out[2 * n] = '\0';
}

bool igt__unhex(const char *hex, size_t n_chars, unsigned char *out) {
  if (n_chars % 2)
    return false;
  for (size_t i = 0; i < n_chars / 2; i++) {
    int high = igt__hex_value(hex[2 * i]), low = igt__hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    out[i] = (unsigned char)(high * 16 + low);
  }
  return true;
}

/* RFC 4648, sections 4 and 5. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode(igt__buf *out, const unsigned char *p, size_t n, const char *letters, bool pad) {
  for (size_t i = 0; i < n; i += 3) {
    size_t left = n - i < 3 ? n - i : 3;
    unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                 (left > 2 ? (unsigned)p[i + 2] : 0);
    char four[4] = {letters[v >> 18], letters[v >> 12 & 63], letters[v >> 6 & 63], letters[v & 63]};
    for (size_t k = left + 1; k < 4; k++)
      four[k] = '=';
    igt__buf_append(out, four, pad ? 4 : left + 1);
  }
  return !out->failed;
}

bool igt__base64_encode(igt__buf *out, const void *data, size_t n) {
  return encode(out, data, n, alphabet, true);
}

bool igt__base64url_encode(igt__buf *out, const void *data, size_t n) {
  return encode(out, data, n, url_alphabet, false);
}

static int letter_value(char c, const char *letters) {
  const char *found = c ? strchr(letters, c) : NULL;

  return found ? (int)(found - letters) : -1;
}

static bool decode(igt__buf *out, const char *s, size_t n, const char *letters) {
  unsigned v = 0;
  int bits = 0;

  for (size_t i = 0; i < n; i++) {
    int value = letter_value(s[i], letters);
    if (value < 0)
      return false;
    v = v << 6 | (unsigned)value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      igt__buf_putc(out, (char)(unsigned char)(v >> bits));
      v &= (1u << bits) - 1;
    }
  }
  return bits < 6 && v == 0 && !out->failed; /* no bits that encode nothing */
}

static size_t without_padding(const char *s, size_t n) {
  size_t m = n;

  while (m > 0 && n - m < 2 && s[m - 1] == '=')
    m--;
  return m;
}

bool igt__base64_decode(igt__buf *out, const char *s, size_t n) {
  return n % 4 == 0 && decode(out, s, without_padding(s, n), alphabet);
}

bool igt__base64url_decode(igt__buf *out, const char *s, size_t n) {
  size_t m = without_padding(s, n);

  return (m == n || n % 4 == 0) && decode(out, s, m, url_alphabet);
}

bool igt__random(void *out, size_t n) {
  return n <= INT32_MAX && RAND_bytes(out, (int)n) == 1;
}

/* Usually enough for a token of 64 characters in one go: each call of OpenSSL's generator costs
 * more than its bytes. */
bool igt__random_token(char *out, size_t n_chars) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  unsigned char bytes[72];
  size_t at = sizeof bytes;

  for (size_t i = 0; i < n_chars; at++) {
    if (at == sizeof bytes && !igt__random(bytes, sizeof bytes))
      return false;
    at %= sizeof bytes;
    if (bytes[at] < 62 * 4) /* so that all characters are equally likely */
      out[i++] = letters[bytes[at] % 62];
  }
  igt__wipe(bytes, sizeof bytes);
  out[n_chars] = '\0';
  return true;
}

bool igt__uuid(char out[37]) {
  unsigned char b[16];
  char hex[33];

  if (!igt__random(b, sizeof b))
    return false;
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  igt__hex(b, sizeof b, hex);
  static const unsigned char lengths[] = {8, 4, 4, 4, 12};
  const char *from = hex;
  for (size_t i = 0; i < sizeof lengths; i++) {
    memcpy(out, from, lengths[i]);
    out += lengths[i];
    from += lengths[i];
    *out++ = '-';
  }
  out[-1] = '\0';
  return true;
}

bool igt__equal_constant_time(const void *a, const void *b, size_t n) {
  return CRYPTO_memcmp(a, b, n) == 0;
}

struct igt__secret {
  igt__redacted redacted;
  size_t len;
  char text[];
};

igt__secret *igt__secret_new(const char *s, size_t n) {
  igt__secret *secret = igt__malloc(sizeof *secret + n + 1);

  if (!secret)
    return NULL;
  secret->len = n;
  memcpy(secret->text, s, n);
  secret->text[n] = '\0';
  igt__redact_remember(&secret->redacted, secret->text, n);
  return secret;
}

void igt__secret_free(igt__secret *secret) {
  if (!secret)
    return;
  igt__redact_forget(&secret->redacted);
  igt__wipe(secret->text, secret->len);
  igt__free(secret);
}

const char *igt__secret_text(const igt__secret *secret) {
  return secret ? secret->text : "";
}

size_t igt__secret_len(const igt__secret *secret) {
  return secret ? secret->len : 0;
}
