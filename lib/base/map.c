/* SPDX-License-Identifier: MIT */
/* A hash map from strings to pointers: entries in insertion order, and a table of indices into them
 * with linear probing, keyed by SipHash because servers choose the names. Deletion is not
 * supported. Keys are copied; keys and tables count against a quota. Used for names in plans,
 * caches and lists (lib/transfer, lib/journal, lib/s3). */
#include <string.h>

#include "mem.h"
#include "sip.h"
#include "str.h"

#define FIRST_SLOTS 16
#define KEY_OVERHEAD 16 /* of a small allocation */

typedef struct entry {
  char *key;
  void *value;
  uint64_t hash;
} entry;

struct igt__map {
  entry *entries; /* in insertion order */
  size_t count;
  size_t entries_cap;
  uint32_t *slots;  /* index into entries + 1; 0: free */
  size_t slots_cap; /* a power of two */
  igt__quota *quota;
  size_t taken; /* from the quota */
};

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

/* The slot of key, or the free slot for it. */
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
  size_t slot = find_slot(map, key, igt__sip_place(key));
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
  uint64_t hash = igt__sip_place(key);
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
