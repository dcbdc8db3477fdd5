/* SPDX-License-Identifier: MIT */
/* lib/crypto against published test vectors: digests, CRCs, HMAC and PBKDF2, encodings, random
 * tokens, secrets, RSA and Ed25519 signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crypto/crc.h"
#include "crypto/crypto.h"

static void check_digest(igt__digest_alg alg, const char *data, size_t n, const char *hex) {
  unsigned char out[IGT__DIGEST_MAX];
  char text[2 * IGT__DIGEST_MAX + 1];

  igt__digest_of(alg, data, n, out);
  igt__hex(out, igt__digest_size(alg), text);
  assert_string_equal(text, hex);
  igt__digest *d = igt__digest_new(alg);
  for (int round = 0; round < 2; round++) { /* _final restarts it */
    for (size_t i = 0; i < n; i += 3)
      igt__digest_update(d, data + i, n - i < 3 ? n - i : 3);
    igt__digest_final(d, out);
    igt__hex(out, igt__digest_size(alg), text);
    assert_string_equal(text, hex);
    igt__digest_update(d, "left over", 9);
    igt__digest_reset(d);
  }
  igt__digest_free(d);
}

/* The check values of "123456789" (RFC 1321, FIPS 180-4, the CRC catalogue). */
static void test_digests(void **state) {
  (void)state;
  static const char *const hex[] = {
      [IGT__MD5] = "25f9e794323b453885f5181f1b624d0b",
      [IGT__SHA1] = "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
      [IGT__SHA256] = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
      [IGT__CRC32] = "cbf43926",
      [IGT__CRC32C] = "e3069283",
      [IGT__CRC64NVME] = "ae8b14860a799888",
  };
  for (size_t i = 0; i < sizeof hex / sizeof *hex; i++)
    check_digest((igt__digest_alg)i, "123456789", 9, hex[i]);
  check_digest(IGT__CRC32C, "", 0, "00000000");
  check_digest(IGT__MD5, "", 0, "d41d8cd98f00b204e9800998ecf8427e");
}

/* All lengths around the blocks that are folded, at every alignment in a word. */
static void test_crcs_fold(void **state) {
  (void)state;
  static const igt__digest_alg algs[] = {IGT__CRC32, IGT__CRC32C, IGT__CRC64NVME};
  unsigned char data[16 + 700];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (unsigned char)(i * i + 7 * i + (i >> 3));
  for (size_t a = 0; a < sizeof algs / sizeof *algs; a++) {
    for (size_t n = 0; n <= 700; n++) {
      const unsigned char *from = data + n % 16;
      uint64_t plain = igt__crc_update_plain(algs[a], 0, from, n);
      assert_true(igt__crc_update(algs[a], 0, from, n) == plain);
      uint64_t half = igt__crc_update(algs[a], 0, from, n / 3);
      assert_true(igt__crc_update(algs[a], half, from + n / 3, n - n / 3) == plain);
    }
  }
}

/* RFC 4231, test cases 2 and 6 (a key longer than a block); RFC 7914, section 11 has the PBKDF2
 * value (its first 32 bytes). */
static void test_keyed(void **state) {
  (void)state;
  unsigned char out[32];
  char text[65];
  igt__hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
  igt__hex(out, 32, text);
  assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  unsigned char key[131];
  memset(key, 0xaa, sizeof key);
  igt__hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                   out);
  igt__hex(out, 32, text);
  assert_string_equal(text, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  igt__pbkdf2("passwd", "salt", 4, 1, out);
  igt__hex(out, 32, text);
  assert_string_equal(text, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

/* RFC 4648, section 10. */
static void test_encodings(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff", "+/8="}};
  igt__buf b;
  igt__buf_init(&b, 1000);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    igt__buf_clear(&b);
    assert_true(igt__base64_encode(&b, pairs[i][0], strlen(pairs[i][0])));
    assert_string_equal(b.data, pairs[i][1]);
    igt__buf_clear(&b);
    assert_true(igt__base64_decode(&b, pairs[i][1], strlen(pairs[i][1])));
    assert_string_equal(b.data, pairs[i][0]);
  }
  static const char *const bad[] = {"Zg=", "Zg", "Zh==", "Z===", "Zm 9v", "Zm9v\n", "-_8="};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(igt__base64_decode(&b, bad[i], strlen(bad[i])));
  igt__buf_clear(&b);
  assert_true(igt__base64url_encode(&b, "\xfb\xff", 2));
  assert_string_equal(b.data, "-_8");
  igt__buf_clear(&b);
  assert_true(igt__base64url_decode(&b, "-_8=", 4) && igt__base64url_decode(&b, "-_8", 3));
  assert_false(igt__base64url_decode(&b, "+/8", 3));
  igt__buf_finish(&b);
  unsigned char raw[2];
  assert_true(igt__unhex("aBf0", 4, raw) && raw[0] == 0xab && raw[1] == 0xf0);
  assert_false(igt__unhex("abc", 3, raw));
  assert_false(igt__unhex("0g", 2, raw));
}

static void test_random(void **state) {
  (void)state;
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  char a[37], b[37], token[33], text[6201];
  assert_true(igt__uuid(a) && igt__uuid(b));
  assert_string_not_equal(a, b);
  assert_int_equal(strlen(a), 36);
  assert_int_equal(a[14], '4');
  assert_true(a[8] == '-' && a[23] == '-');
  assert_true(igt__random_token(token, 32));
  assert_int_equal(strspn(token, letters), 32);
  assert_int_equal(token[32], '\0');
  /* Longer than what is drawn in one go; each letter occurs 100 times, give or take six sigma. */
  assert_true(igt__random_token(text, 6200));
  assert_int_equal(strlen(text), 6200);
  for (size_t i = 0; letters[i]; i++) {
    size_t n = 0;
    for (const char *p = text; *p; p++)
      n += *p == letters[i];
    assert_in_range(n, 40, 160);
  }
  assert_true(igt__equal_constant_time("abc", "abd", 2));
  assert_false(igt__equal_constant_time("abc", "abd", 3));
}

static void test_secret(void **state) {
  (void)state;
  igt__secret *s = igt__secret_new("pass\0word", 9);
  assert_int_equal(igt__secret_len(s), 9);
  assert_memory_equal(igt__secret_text(s), "pass\0word", 10);
  igt__secret_free(s);
  assert_string_equal(igt__secret_text(NULL), "");
}

static void one_line(char *pem, char with) {
  for (; *pem; pem++) {
    if (*pem == '\n')
      *pem = with;
  }
}

static void sign_and_verify(const char *pem, igt__rsa *public_key) {
  igt__rsa *key;
  igt_error err;
  igt__buf signature;

  igt__buf_init(&signature, 1000);
  assert_int_equal(igt__rsa_private(pem, strlen(pem), "the key", &key, &err), IGT_OK);
  assert_int_equal(igt__rs256_sign(key, "hello", 5, &signature, &err), IGT_OK);
  assert_int_equal(signature.len, 256);
  assert_true(igt__rs256_verify(public_key, "hello", 5, signature.data, signature.len));
  assert_false(igt__rs256_verify(public_key, "hullo", 5, signature.data, signature.len));
  signature.data[9] ^= 1;
  assert_false(igt__rs256_verify(public_key, "hello", 5, signature.data, signature.len));
  igt__buf_finish(&signature);
  igt__rsa_free(key);
}

static void refuse(const char *pem, const char *why) {
  igt__rsa *key;
  igt_error err;

  assert_int_equal(igt__rsa_private(pem, strlen(pem), "key file 'k.pem'", &key, &err), IGT_E_KEY);
  assert_null(key);
  assert_non_null(strstr(err.text, "key file 'k.pem'"));
  if (!strstr(err.text, why))
    fail_msg("%s: %s", why, err.text);
}

static void test_rsa(void **state) {
  (void)state;
  igt__buf private_pem, public_pem;
  igt_error err;
  igt__rsa *public_key;
  igt__buf_init(&private_pem, 100000);
  igt__buf_init(&public_pem, 100000);
  assert_int_equal(igt__rsa_generate(&private_pem, &public_pem, &err), IGT_OK);
  assert_int_equal(igt__rsa_public(public_pem.data, public_pem.len, "k", &public_key, &err),
                   IGT_OK);
  sign_and_verify(private_pem.data, public_key);
  one_line(private_pem.data, ' ');
  sign_and_verify(private_pem.data, public_key);
  private_pem.data[200] = '!';
  refuse(private_pem.data, "damaged");
  refuse(public_pem.data, "not an RSA key");
  refuse("", "PEM form");
  refuse("-----BEGIN PRIVATE KEY-----\nAAAA", "PEM form");
  refuse("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an RSA key");
  refuse("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
         "encrypted");
  refuse("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n"
         "-----END RSA PRIVATE KEY-----\n",
         "encrypted");
  igt__rsa_free(public_key);
  igt__buf_finish_wipe(&private_pem);
  igt__buf_finish(&public_pem);
}

/* RFC 8032 7.1, tests 1 and 3. */
static void test_ed25519(void **state) {
  static const struct {
    const char *key, *data, *signature;
  } cases[] = {
      {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
       "9b4"
       "6bd25bf5f0595bbe24655141438e7a100b"},
      {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
       "dc6"
       "594a7c15e9716ed28dc027beceea1ec40a"},
  };
  /* The bytes that precede the 32 key bytes in a PEM (RFC 8410 section 4). */
  static const char spki[] = "302a300506032b6570032100";
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    unsigned char raw[44], data[2], signature[64];
    size_t n = strlen(cases[i].data) / 2;
    igt_error err = IGT_ERROR_INIT;
    igt__ed25519 *key = NULL;
    igt__buf forms[3];
    assert_true(igt__unhex(spki, 24, raw) && igt__unhex(cases[i].key, 64, raw + 12));
    assert_true(igt__unhex(cases[i].data, 2 * n, data));
    assert_true(igt__unhex(cases[i].signature, 128, signature));
    for (int form = 0; form < 3; form++) {
      igt__buf_init(&forms[form], 1024);
      igt__buf_puts(&forms[form], form == 2 ? "-----BEGIN PUBLIC KEY----- " : " ");
      igt__base64_encode(&forms[form], form ? raw : raw + 12, form ? 44 : 32);
      igt__buf_puts(&forms[form], form == 2 ? " -----END PUBLIC KEY-----" : "\n");
      assert_int_equal(
          igt__ed25519_public(forms[form].data, forms[form].len, "the key", &key, &err), IGT_OK);
      assert_true(igt__ed25519_verify(key, data, n, signature, 64));
      assert_false(igt__ed25519_verify(key, data, n, signature, 63));
      assert_false(igt__ed25519_verify(key, "x", 1, signature, 64));
      signature[form] ^= 1;
      assert_false(igt__ed25519_verify(key, data, n, signature, 64));
      signature[form] ^= 1;
      igt__ed25519_free(key);
      igt__buf_finish(&forms[form]);
    }
  }
  static const char *const bad[] = {"", "AAAA", "no base64",
                                    "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    igt_error err = IGT_ERROR_INIT;
    igt__ed25519 *key = NULL;
    assert_int_equal(igt__ed25519_public(bad[i], strlen(bad[i]), "the key", &key, &err), IGT_E_KEY);
    assert_null(key);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digests), cmocka_unit_test(test_crcs_fold),
      cmocka_unit_test(test_keyed),   cmocka_unit_test(test_encodings),
      cmocka_unit_test(test_random),  cmocka_unit_test(test_secret),
      cmocka_unit_test(test_rsa),     cmocka_unit_test(test_ed25519),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
