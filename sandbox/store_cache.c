/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store_internal.h"

/* Rows of objects that were read before. SQLite takes and gives back a lock of the file for each
 * reader, and all of its readers meet in one mutex: more than the look-up itself.
 *
 * No row is ever older than the last commit: a transaction that writes an object drops its row at
 * once, and from then to its end nobody adds one (`writing`), nor may those afterwards who began
 * to read before (`stamp`). Only this process writes, as DIR/lock says. */

#define BUCKETS 16384u
/* Some 40,000 rows of usual size. The oldest goes first: a walk over more objects than that would
 * find none again whichever went. */
#define MAX_BYTES (16u * 1024 * 1024)

typedef struct entry {
  struct entry *chain;
  struct entry *older, *newer;
  uint64_t hash;
  size_t bytes;
  sbx_object object; /* its strings are in text */
  char file[33];
  const char *bucket;
  char text[];
} entry;

struct store_cache {
  pthread_mutex_t lock;
  uint64_t stamp; /* counts ends of transactions that wrote objects */
  bool writing;   /* such a one is open */
  entry *staged;  /* the row that it wrote last; NULL: something was written behind it */
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
static uint64_t hash_of(const char *bucket, const char *key) {
  uint64_t hash = 14695981039346656037u;
  for (; *bucket; bucket++)
    hash = (hash ^ (unsigned char)*bucket) * 1099511628211u;
  for (hash *= 1099511628211u; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 1099511628211u;
  return hash;
}

/* What points to the entry; to NULL when there is none. */
static entry **find_locked(store_cache *cache, uint64_t hash, const char *bucket, const char *key) {
  entry **at = &cache->chains[hash % BUCKETS];
  while (*at && ((*at)->hash != hash || strcmp((*at)->object.key, key) != 0 ||
                 strcmp((*at)->bucket, bucket) != 0))
    at = &(*at)->chain;
  return at;
}

/* ---- reading ---- */

static bool copy_object(const sbx_object *from, sbx_object *out) {
  *out = *from;
  out->key = igt__strdup(from->key);
  out->content_type = igt__strdup(from->content_type);
  out->metadata = igt__strdup(from->metadata);
  if (out->key && (!from->content_type || out->content_type) && (!from->metadata || out->metadata))
    return true;
  sbx_object_finish(out);
  return false;
}

bool sbx__cache_get(store_cache *cache, const char *bucket, const char *key, sbx_object *out,
                    char *file, uint64_t *stamp) {
  uint64_t hash = hash_of(bucket, key);
  pthread_mutex_lock(&cache->lock);
  const entry *e = *find_locked(cache, hash, bucket, key);
  bool found = e && copy_object(&e->object, out);
  if (found)
    memcpy(file, e->file, sizeof e->file);
  *stamp = cache->stamp;
  pthread_mutex_unlock(&cache->lock);
  return found;
}

/* ---- adding ---- */

static const char *keep(char **at, const char *text) {
  size_t n = text ? strlen(text) + 1 : 0;
  const char *kept = n > 0 ? memcpy(*at, text, n) : NULL;
  *at += n;
  return kept;
}

static size_t length(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

static entry *entry_new(const char *bucket, const sbx_object *object, const char *file) {
  size_t bytes = sizeof(entry) + length(bucket) + length(object->key) +
                 length(object->content_type) + length(object->metadata);
  entry *e = igt__malloc(bytes);
  if (!e)
    return NULL;
  *e = (entry){.hash = hash_of(bucket, object->key), .bytes = bytes, .object = *object};
  char *at = e->text;
  snprintf(e->file, sizeof e->file, "%s", file);
  e->bucket = keep(&at, bucket);
  e->object.key = (char *)(uintptr_t)keep(&at, object->key);
  e->object.content_type = (char *)(uintptr_t)keep(&at, object->content_type);
  e->object.metadata = (char *)(uintptr_t)keep(&at, object->metadata);
  return e;
}

/* at: what points to it. */
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
    remove_locked(cache, find_locked(cache, old->hash, old->bucket, old->object.key));
  }
}

void sbx__cache_put(store_cache *cache, uint64_t stamp, const char *bucket,
                    const sbx_object *object, const char *file) {
  entry *e = entry_new(bucket, object, file);
  if (!e)
    return;
  pthread_mutex_lock(&cache->lock);
  if (!cache->writing && cache->stamp == stamp &&
      !*find_locked(cache, e->hash, bucket, object->key)) {
    add_locked(cache, e);
    e = NULL;
  }
  pthread_mutex_unlock(&cache->lock);
  igt__free(e);
}

/* ---- writing ---- */

void sbx__cache_drop(store_cache *cache, const char *bucket, const char *key) {
  uint64_t hash = hash_of(bucket, key);
  pthread_mutex_lock(&cache->lock);
  entry **at = find_locked(cache, hash, bucket, key);
  if (*at)
    remove_locked(cache, at);
  cache->writing = true;
  igt__free(cache->staged);
  cache->staged = NULL;
  pthread_mutex_unlock(&cache->lock);
}

void sbx__cache_stage(store_cache *cache, const char *bucket, const sbx_object *object,
                      const char *file) {
  entry *e = entry_new(bucket, object, file);
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
