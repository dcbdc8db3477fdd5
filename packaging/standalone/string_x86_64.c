/* SPDX-License-Identifier: MIT */
/* The C library's functions on memory, for the static program on x86-64 (scripts/build-deps).
 *
 * musl's are small, not fast: each copy, also of one byte, goes through `rep movsq` (18 cycles of
 * the time-stamp counter for 16 bytes, measured on an EPYC, where two moves take 5), and memcmp
 * looks at single bytes. libcurl copies byte by byte what it formats. So blocks of up to 128 bytes
 * are read whole into registers and then written, with parts that overlap where the length is no
 * power of two: one code for every length and for areas that overlap. Larger ones go 64 bytes at a
 * time, and from FAST_STRING on by the one `rep` that processors of the last ten years do fast.
 * Reads of strings are aligned, hence within a page that the string is in.
 *
 * They run before the program is relocated and has its stack guard, and must not be compiled into
 * calls of themselves: scripts/build-deps has the flags. On arm64 musl has ARM's own functions. */
#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

/* tests/unit gives them names of their own. */
#ifndef NAME
#define NAME(name) name
#endif
#define FAST_STRING 2048

typedef uint16_t __attribute__((may_alias, aligned(1))) word2;
typedef uint32_t __attribute__((may_alias, aligned(1))) word4;
typedef uint64_t __attribute__((may_alias, aligned(1))) word8;

void *NAME(memcpy)(void *restrict to, const void *restrict from, size_t n);
void *NAME(memmove)(void *to, const void *from, size_t n);
void *NAME(memset)(void *to, int c, size_t n);
int NAME(memcmp)(const void *left, const void *right, size_t n);
void *NAME(memchr)(const void *memory, int c, size_t n);
size_t NAME(strlen)(const char *text);

static inline __m128i get(const char *from) {
  return _mm_loadu_si128((const __m128i *)from);
}

static inline void put(char *to, __m128i v) {
  _mm_storeu_si128((__m128i *)to, v);
}

/* ---- copies ---- */

static void copy_up_to_16(char *to, const char *from, size_t n) {
  if (n >= 8) {
    uint64_t first = *(const word8 *)from, last = *(const word8 *)(from + n - 8);

    *(word8 *)to = first;
    *(word8 *)(to + n - 8) = last;
  } else if (n >= 4) {
    uint32_t first = *(const word4 *)from, last = *(const word4 *)(from + n - 4);

    *(word4 *)to = first;
    *(word4 *)(to + n - 4) = last;
  } else if (n >= 2) {
    uint16_t first = *(const word2 *)from, last = *(const word2 *)(from + n - 2);

    *(word2 *)to = first;
    *(word2 *)(to + n - 2) = last;
  } else if (n == 1) {
    *to = *from;
  }
}

static void copy_up_to_128(char *to, const char *from, size_t n) {
  __m128i a = get(from), z = get(from + n - 16);

  if (n > 32) {
    __m128i b = get(from + 16), y = get(from + n - 32);

    if (n > 64) {
      __m128i c = get(from + 32), d = get(from + 48), w = get(from + n - 64),
              x = get(from + n - 48);

      put(to + 32, c);
      put(to + 48, d);
      put(to + n - 64, w);
      put(to + n - 48, x);
    }
    put(to + 16, b);
    put(to + n - 32, y);
  }
  put(to, a);
  put(to + n - 16, z);
}

static inline void copy_64(char *to, const char *from) {
  __m128i a = get(from), b = get(from + 16), c = get(from + 32), d = get(from + 48);

  put(to, a);
  put(to + 16, b);
  put(to + 32, c);
  put(to + 48, d);
}

/* The last bytes are read before anything is written over them. */
static void copy_upwards(char *to, const char *from, size_t n) {
  __m128i w = get(from + n - 64), x = get(from + n - 48), y = get(from + n - 32),
          z = get(from + n - 16);

  for (size_t i = 0; i < n - 64; i += 64)
    copy_64(to + i, from + i);
  put(to + n - 64, w);
  put(to + n - 48, x);
  put(to + n - 32, y);
  put(to + n - 16, z);
}

static void copy_downwards(char *to, const char *from, size_t n) {
  __m128i a = get(from), b = get(from + 16), c = get(from + 32), d = get(from + 48);

  for (size_t i = n; i > 64; i -= 64)
    copy_64(to + i - 64, from + i - 64);
  put(to, a);
  put(to + 16, b);
  put(to + 32, c);
  put(to + 48, d);
}

void *NAME(memmove)(void *to, const void *from, size_t n) {
  size_t apart = (size_t)((uintptr_t)to - (uintptr_t)from);

  if (n <= 16) {
    copy_up_to_16(to, from, n);
  } else if (n <= 128) {
    copy_up_to_128(to, from, n);
  } else if (apart < n) { /* what is read ends in what is written */
    copy_downwards(to, from, n);
  } else if (n >= FAST_STRING && -apart >= n) {
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
  } else {
    copy_upwards(to, from, n);
  }
  return to;
}

void *NAME(memcpy)(void *restrict to, const void *restrict from, size_t n) {
  return NAME(memmove)(to, from, n);
}

/* ---- fills ---- */

static void fill_up_to_16(char *to, uint64_t c, size_t n) {
  if (n >= 8) {
    *(word8 *)to = c;
    *(word8 *)(to + n - 8) = c;
  } else if (n >= 4) {
    *(word4 *)to = (uint32_t)c;
    *(word4 *)(to + n - 4) = (uint32_t)c;
  } else if (n >= 2) {
    *(word2 *)to = (uint16_t)c;
    *(word2 *)(to + n - 2) = (uint16_t)c;
  } else if (n == 1) {
    *to = (char)c;
  }
}

void *NAME(memset)(void *memory, int c, size_t n) {
  char *to = memory;
  uint64_t word = (uint8_t)c * 0x0101010101010101u;

  if (n <= 16) {
    fill_up_to_16(to, word, n);
  } else if (n >= FAST_STRING) {
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
  } else {
    __m128i v = _mm_set1_epi8((char)c);

    for (size_t i = 0; i < n - 16; i += 16)
      put(to + i, v);
    put(to + n - 16, v);
  }
  return memory;
}

/* ---- searches ---- */

static inline unsigned differ(const char *left, const char *right) {
  return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(get(left), get(right))) ^ 0xffff;
}

int NAME(memcmp)(const void *left_memory, const void *right_memory, size_t n) {
  const char *left = left_memory, *right = right_memory;
  size_t i = 0;

  for (; i + 16 <= n; i += 16) {
    unsigned mask = differ(left + i, right + i);

    if (mask) {
      i += (size_t)__builtin_ctz(mask);
      return (uint8_t)left[i] - (uint8_t)right[i];
    }
  }
  for (; i < n; i++)
    if (left[i] != right[i])
      return (uint8_t)left[i] - (uint8_t)right[i];
  return 0;
}

/* The bit of each byte at `at`, which is aligned, that is c. */
static inline unsigned equal(const char *at, __m128i c) {
  return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128((const __m128i *)at), c));
}

void *NAME(memchr)(const void *memory, int c, size_t n) {
  const char *from = memory, *at = from - ((uintptr_t)from & 15);
  __m128i wanted = _mm_set1_epi8((char)c);

  if (n == 0)
    return NULL;
  unsigned mask = equal(at, wanted) & (0xffffu << ((uintptr_t)from & 15));
  size_t seen = 16 - ((uintptr_t)from & 15); /* of n; n may reach past the end of all memory */
  while (!mask && seen < n) {
    at += 16;
    seen += 16;
    mask = equal(at, wanted);
  }
  if (!mask)
    return NULL;
  at += __builtin_ctz(mask);
  return (size_t)(at - from) < n ? (void *)(uintptr_t)at : NULL;
}

size_t NAME(strlen)(const char *text) {
  const char *at = text - ((uintptr_t)text & 15);
  unsigned mask = equal(at, _mm_setzero_si128()) & (0xffffu << ((uintptr_t)text & 15));

  while (!mask) {
    at += 16;
    mask = equal(at, _mm_setzero_si128());
  }
  return (size_t)(at + __builtin_ctz(mask) - text);
}
