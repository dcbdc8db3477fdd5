/* SPDX-License-Identifier: MIT */
/* CRCs by carry-less multiplication, 64 bytes at a time: "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction" (Gopal et al., Intel 2009). The state is a 128-bit
 * polynomial that is congruent to all bytes so far; the table reduces it at the end. */
#include "crc.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define FOLD __attribute__((target("pclmul,sse4.1")))

bool igt__crc_can_fold(void) {
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

FOLD static __m128i fold(__m128i sum, __m128i keys, __m128i data) {
  __m128i low = _mm_clmulepi64_si128(sum, keys, 0x00), high = _mm_clmulepi64_si128(sum, keys, 0x11);

  return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

FOLD static __m128i load(const unsigned char *p) {
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

FOLD size_t igt__crc_fold(const igt__crc_keys *keys, uint64_t crc, const unsigned char *p, size_t n,
                          unsigned char rest[16]) {
  __m128i far = _mm_set_epi64x((long long)keys->far[1], (long long)keys->far[0]);
  __m128i near = _mm_set_epi64x((long long)keys->near[1], (long long)keys->near[0]);
  __m128i a = _mm_xor_si128(load(p), _mm_cvtsi64_si128((long long)crc));
  __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
  size_t at = 64;

  for (; n - at >= 64; at += 64) {
    a = fold(a, far, load(p + at));
    b = fold(b, far, load(p + at + 16));
    c = fold(c, far, load(p + at + 32));
    d = fold(d, far, load(p + at + 48));
  }
  d = fold(fold(fold(a, near, b), near, c), near, d);
  _mm_storeu_si128((__m128i *)(void *)rest, d);
  return at;
}

#else

bool igt__crc_can_fold(void) {
  return false;
}

size_t igt__crc_fold(const igt__crc_keys *keys, uint64_t crc, const unsigned char *p, size_t n,
                     unsigned char rest[16]) {
  (void)keys, (void)crc, (void)p, (void)n, (void)rest;
  return 0;
}

#endif
