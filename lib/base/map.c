/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "mem.h"
#include "str.h"

#define FIRST_SLOTS 16
#define KEY_OVERHEAD 16 /* of a small allocation */

typedef struct entry {
  char *key;
  void *value;
  uint64_t hash;
} entry;

struct igt__map {
  entry *entries; /* in order of insertion */
  size_t count;
  size_t entries_cap;
  uint32_t *slots;  /* index into entries + 1; 0: free */
  size_t slots_cap; /* a power of two */
  igt__quota *quota;
  size_t taken; /* of the quota */
};

/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") with a key of this process:
 * names come from a server, and with a hash that it can foresee it makes all of them meet in one
 * slot. 131,072 such names took 19 s with FNV-1a. */
typedef struct sip {
  uint64_t a, b, c, d;
} sip;

static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

/* Without a source of chance (early in a machine's start) it is what nobody sends: an address. */
static void choose_secret(void) {
  if (getrandom(secret, sizeof secret, GRND_NONBLOCK) != (ssize_t)sizeof secret)
    secret[0] = secret[1] = (uint64_t)(uintptr_t)&secret;
}

static uint64_t turn(uint64_t x, unsigned bits) {
  return x << bits | x >> (64 - bits);
}

static void sip_round(sip *s) {
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

static void sip_word(sip *s, uint64_t word) {
  s->d ^= word;
  sip_round(s);
  s->a ^= word;
}

/* The paper's words are little-endian; for a table any order will do. */
static uint64_t hash_of(const char *key) {
  size_t left = strlen(key);
  uint64_t word, last = (uint64_t)left << 56;

  (void)pthread_once(&secret_once, choose_secret);
  sip s = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
           secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
  for (; left >= sizeof word; left -= sizeof word, key += sizeof word) {
    memcpy(&word, key, sizeof word);
    sip_word(&s, word);
  }
  word = 0;
  memcpy(&word, key, left);
  sip_word(&s, last ^ word);
  s.c ^= 0xff;
  for (int i = 0; i < 3; i++)
    sip_round(&s);
  return s.a ^ s.b ^ s.c ^ s.d;
}

igt__map *igt__map_new(void) {
  return igt__calloc(1, sizeof(igt__map));
}

void igt__map_bound(igt__map *map, igt__quota *quota) {
  map->quota = quota;
}

static bool take(igt__map *map, size_t n) {
  if (!igt__quota_take(map->quota, n))
    return false;
  map->taken += n;
  return true;
}

void igt__map_free(igt__map *map) {
  if (!map)
    return;
  igt__quota_give(map->quota, map->taken);
  for (size_t i = 0; i < map->count; i++)
    igt__free(map->entries[i].key);
  igt__free(map->entries);
  igt__free(map->slots);
  igt__free(map);
}

/* The slot of key, or the free one where it belongs. */
static size_t find_slot(const igt__map *map, const char *key, uint64_t hash) {
  size_t mask = map->slots_cap - 1, i = (size_t)hash & mask;
  for (; map->slots[i]; i = (i + 1) & mask) {
    const entry *e = &map->entries[map->slots[i] - 1];
    if (e->hash == hash && strcmp(e->key, key) == 0)
      break;
  }
  return i;
}

static entry *find(const igt__map *map, const char *key) {
  if (!map || map->count == 0)
    return NULL;
  size_t slot = find_slot(map, key, hash_of(key));
  return map->slots[slot] ? &map->entries[map->slots[slot] - 1] : NULL;
}

void *igt__map_get(const igt__map *map, const char *key) {
  entry *e = find(map, key);
  return e ? e->value : NULL;
}

bool igt__map_has(const igt__map *map, const char *key) {
  return find(map, key) != NULL;
}

static bool grow(igt__map *map) {
  size_t cap = map->slots_cap ? map->slots_cap * 2 : FIRST_SLOTS, more = cap - map->slots_cap;
  if (!take(map, more * sizeof(uint32_t) + more / 2 * sizeof(entry)))
    return false;
  uint32_t *slots = igt__calloc(cap, sizeof *slots);
  entry *entries = slots ? igt__realloc(map->entries, cap / 2 * sizeof *entries) : NULL;
  if (!entries) {
    igt__free(slots);
    return false;
  }
  igt__free(map->slots);
  map->slots = slots;
  map->slots_cap = cap;
  map->entries = entries;
  map->entries_cap = cap / 2;
  for (size_t i = 0; i < map->count; i++)
    slots[find_slot(map, entries[i].key, entries[i].hash)] = (uint32_t)i + 1;
  return true;
}

bool igt__map_set(igt__map *map, const char *key, void *value) {
  entry *e = find(map, key);
  if (e) {
    e->value = value;
    return true;
  }
  if (map->count == map->entries_cap && (map->count >= UINT32_MAX / 4 || !grow(map)))
    return false;
  char *copy = take(map, strlen(key) + KEY_OVERHEAD) ? igt__strdup(key) : NULL;
  if (!copy)
    return false;
  uint64_t hash = hash_of(key);
  size_t slot = find_slot(map, key, hash);
  map->entries[map->count] = (entry){copy, value, hash};
  map->slots[slot] = (uint32_t)++map->count;
  return true;
}

size_t igt__map_count(const igt__map *map) {
  return map ? map->count : 0;
}

bool igt__map_at(const igt__map *map, size_t i, const char **key, void **value) {
  if (!map || i >= map->count)
    return false;
  if (key)
    *key = map->entries[i].key;
  if (value)
    *value = map->entries[i].value;
  return true;
}
