/* SPDX-License-Identifier: MIT */
/* A cache of rows. All SQLite readers share one mutex, and a reader that comes while another thread
 * writes reads pages again: more expensive than the look-up itself.
 *
 * No row is ever older than the last commit: a transaction that writes a row drops it here
 * immediately; until it ends nothing is added (`writing`), and afterwards nothing by readers who
 * began before (`stamp`). Only this process writes, which DIR/lock ensures. */
#include <string.h>

#include "base/mem.h"
#include "store/internal.h"

#define BUCKETS 16384u
/* Some 40,000 objects of usual size. The oldest is evicted first: with any policy, a walk over more
 * rows than that would not find any of them again. */
#define MAX_BYTES (16u * 1024 * 1024)

typedef struct entry {
  struct entry *chain;
  struct entry *older, *newer;
  uint64_t hash;
  const char *space, *key; /* in text, after the value */
  size_t n;                /* length of the value, with which text starts */
  size_t bytes;
  char text[];
} entry;

struct store_cache {
  pthread_mutex_t lock;
  uint64_t stamp; /* counts ends of transactions that wrote rows */
  bool writing;   /* such a transaction is open */
  entry *staged;  /* the row it wrote last; NULL: something was written after it */
  size_t bytes;
  entry *oldest, *newest;
  entry *chains[BUCKETS];
};

store_cache *sbx__cache_new(void) {
  store_cache *cache = igt__calloc(1, sizeof *cache);

  if (cache)
    pthread_mutex_init(&cache->lock, NULL);
  return cache;
}

void sbx__cache_free(store_cache *cache) {
  if (!cache)
    return;
  for (entry *e = cache->oldest, *next; e; e = next) {
    next = e->newer;
    igt__free(e);
  }
  pthread_mutex_destroy(&cache->lock);
  igt__free(cache->staged);
  igt__free(cache);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *space, const char *key) {
  uint64_t hash = 14695981039346656037u;

  for (; *space; space++)
    hash = (hash ^ (unsigned char)*space) * 1099511628211u;
  for (hash *= 1099511628211u; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 1099511628211u;
  return hash;
}

/* The link to the entry, which is NULL if there is none. */
static entry **find_locked(store_cache *cache, uint64_t hash, const char *space, const char *key) {
  entry **at = &cache->chains[hash % BUCKETS];

  while (*at &&
         ((*at)->hash != hash || strcmp((*at)->key, key) != 0 || strcmp((*at)->space, space) != 0))
    at = &(*at)->chain;
  return at;
}

bool sbx__cache_get(store_cache *cache, const char *space, const char *key,
                    bool (*take)(void *payload, const char *value, size_t n), void *payload,
                    uint64_t *stamp) {
  uint64_t hash = hash_of(space, key);

  pthread_mutex_lock(&cache->lock);
  const entry *e = *find_locked(cache, hash, space, key);
  bool found = e && take(payload, e->text, e->n);
  *stamp = cache->stamp;
  pthread_mutex_unlock(&cache->lock);
  return found;
}

/* ---- adding ---- */

static entry *entry_new(const char *space, const char *key, const char *value, size_t n) {
  size_t space_n = strlen(space) + 1, key_n = strlen(key) + 1;
  size_t bytes = sizeof(entry) + n + space_n + key_n;
  entry *e = igt__malloc(bytes);

  if (!e)
    return NULL;
  *e = (entry){.hash = hash_of(space, key), .n = n, .bytes = bytes};
  memcpy(e->text, value, n);
  e->space = memcpy(e->text + n, space, space_n);
  e->key = memcpy(e->text + n + space_n, key, key_n);
  return e;
}

/* at: the link to it. */
static void remove_locked(store_cache *cache, entry **at) {
  entry *e = *at;

  *at = e->chain;
  *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
  *(e->newer ? &e->newer->older : &cache->newest) = e->older;
  cache->bytes -= e->bytes;
  igt__free(e);
}

static void add_locked(store_cache *cache, entry *e) {
  entry **chain = &cache->chains[e->hash % BUCKETS];

  e->chain = *chain;
  *chain = e;
  e->older = cache->newest;
  *(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
  cache->newest = e;
  cache->bytes += e->bytes;
  while (cache->bytes > MAX_BYTES) {
    const entry *old = cache->oldest;
    remove_locked(cache, find_locked(cache, old->hash, old->space, old->key));
  }
}

void sbx__cache_put(store_cache *cache, uint64_t stamp, const char *space, const char *key,
                    const char *value, size_t n) {
  entry *e = entry_new(space, key, value, n);

  if (!e)
    return;
  pthread_mutex_lock(&cache->lock);
  if (!cache->writing && cache->stamp == stamp && !*find_locked(cache, e->hash, space, key)) {
    add_locked(cache, e);
    e = NULL;
  }
  pthread_mutex_unlock(&cache->lock);
  igt__free(e);
}

/* ---- writing ---- */

void sbx__cache_drop(store_cache *cache, const char *space, const char *key) {
  uint64_t hash = hash_of(space, key);

  pthread_mutex_lock(&cache->lock);
  entry **at = find_locked(cache, hash, space, key);
  if (*at)
    remove_locked(cache, at);
  cache->writing = true;
  igt__free(cache->staged);
  cache->staged = NULL;
  pthread_mutex_unlock(&cache->lock);
}

void sbx__cache_stage(store_cache *cache, const char *space, const char *key, const char *value,
                      size_t n) {
  entry *e = entry_new(space, key, value, n);

  pthread_mutex_lock(&cache->lock);
  igt__free(cache->staged);
  cache->staged = e;
  pthread_mutex_unlock(&cache->lock);
}

void sbx__cache_settle(store_cache *cache, bool committed) {
  pthread_mutex_lock(&cache->lock);
  if (committed && cache->staged)
    add_locked(cache, cache->staged);
  else
    igt__free(cache->staged);
  cache->staged = NULL;
  cache->stamp += cache->writing;
  cache->writing = false;
  pthread_mutex_unlock(&cache->lock);
}
