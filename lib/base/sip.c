/* SPDX-License-Identifier: MIT */
#include "sip.h"

#include <pthread.h>
#include <string.h>

#include "os/os.h"

typedef struct sip {
  uint64_t a, b, c, d;
} sip;

static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

/* Without entropy (early during boot), fall back to an address, which nobody sends. */
static void choose_secret(void) {
  if (!igt__os_random(secret, sizeof secret))
    secret[0] = secret[1] = (uint64_t)(uintptr_t)&secret;
}

static uint64_t turn(uint64_t x, unsigned bits) {
  return x << bits | x >> (64 - bits);
}

static inline void sip_rounds(sip *s, unsigned count) {
  while (count-- > 0) {
    s->a += s->b;
    s->b = turn(s->b, 13) ^ s->a;
    s->a = turn(s->a, 32);
    s->c += s->d;
    s->d = turn(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = turn(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = turn(s->b, 17) ^ s->c;
    s->c = turn(s->c, 32);
  }
}

static inline void sip_word(sip *s, uint64_t word, unsigned rounds) {
  s->d ^= word;
  sip_rounds(s, rounds);
  s->a ^= word;
}

static sip sip_begin(const uint64_t key[2]) {
  return (sip){key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
               key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
}

/* The paper's words are little-endian; within one process any order works. */
static inline void sip_text(sip *s, const char *text, size_t n, unsigned rounds) {
  uint64_t word, last = (uint64_t)n << 56;

  for (; n >= sizeof word; n -= sizeof word, text += sizeof word) {
    memcpy(&word, text, sizeof word);
    sip_word(s, word, rounds);
  }
  word = 0;
  memcpy(&word, text, n);
  sip_word(s, last ^ word, rounds);
}

uint64_t igt__sip_place(const char *text) {
  (void)pthread_once(&secret_once, choose_secret);
  sip s = sip_begin(secret);
  sip_text(&s, text, strlen(text), 1);
  s.c ^= 0xff;
  sip_rounds(&s, 3);
  return s.a ^ s.b ^ s.c ^ s.d;
}

void igt__sip_print_keyed(const uint64_t key[2], const char *text, size_t n, uint64_t print[2]) {
  sip s = sip_begin(key);

  s.b ^= 0xee;
  sip_text(&s, text, n, 2);
  s.c ^= 0xee;
  sip_rounds(&s, 4);
  print[0] = s.a ^ s.b ^ s.c ^ s.d;
  s.b ^= 0xdd;
  sip_rounds(&s, 4);
  print[1] = s.a ^ s.b ^ s.c ^ s.d;
}

void igt__sip_print(const char *text, uint64_t print[2]) {
  (void)pthread_once(&secret_once, choose_secret);
  igt__sip_print_keyed(secret, text, strlen(text), print);
}
