/* SPDX-License-Identifier: MIT */
/* The cloud's files of a study, in a few bytes each: a fingerprint of the name is mapped to a
 * number that contains the size and flags. Files that this cannot express (another key, a huge
 * size) and names that are not in NFC are in two maps beside it. Called by verify_study.c. */
#include "transfer/verify/remotes.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/fingerprints.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/unicode.h"

/* The number of a name: its size above these flags. */
enum { COMPLETED = 1, WANTED = 2, SEEN = 4, ODD = 8, SIZE_SHIFT = 4 };

struct igt__remotes {
  char *prefix;
  igt__fingerprints *files;
  size_t unseen;
  igt__map *by_nfc;  /* names that are not in NFC, by their NFC form */
  char *nfc;         /* the last one returned */
  igt__map *odd;     /* files whose key or size the number cannot express, by name: igt__remote */
  igt__arena *arena; /* memory of odd and by_nfc */
  char key[IGT__S3_MAX_KEY + 1];
};

igt__remotes *igt__remotes_new(const char *prefix, igt__quota *lists) {
  igt__remotes *r = igt__calloc(1, sizeof *r);

  if (!r)
    return NULL;
  r->prefix = igt__strdup(prefix);
  r->files = igt__fingerprints_new(true, lists);
  r->odd = igt__map_new();
  r->by_nfc = igt__map_new();
  r->arena = igt__arena_new(0);
  if (!r->prefix || !r->files || !r->odd || !r->by_nfc || !r->arena) {
    igt__remotes_free(r);
    return NULL;
  }
  igt__map_bound(r->odd, lists);
  igt__map_bound(r->by_nfc, lists);
  igt__arena_bound(r->arena, UINT64_MAX, lists);
  return r;
}

void igt__remotes_free(igt__remotes *r) {
  if (!r)
    return;
  igt__free(r->prefix);
  igt__fingerprints_free(r->files);
  igt__map_free(r->odd);
  igt__map_free(r->by_nfc);
  igt__free(r->nfc);
  igt__arena_free(r->arena);
  igt__free(r);
}

bool igt__remotes_have(const igt__remotes *r, const char *name) {
  return igt__fingerprints_has(r->files, name);
}

static bool is_odd(const igt__remotes *r, const char *name, const igt__remote *file) {
  return file->size > IGT__S3_MAX_OBJECT || strlen(file->key) > IGT__S3_MAX_KEY ||
         !igt__str_starts(file->key, r->prefix) || strcmp(file->key + strlen(r->prefix), name) != 0;
}

static bool add_odd(igt__remotes *r, const char *name, const igt__remote *file) {
  igt__remote *copy = igt__arena_alloc(r->arena, sizeof *copy);

  if (!copy)
    return false;
  *copy = *file;
  copy->key = igt__arena_strdup(r->arena, file->key);
  return copy->key && igt__map_set(r->odd, name, copy);
}

/* A name that is not in NFC is also found by its NFC form. */
static bool add_form(igt__remotes *r, const char *name) {
  char *nfc, *copy;
  bool added = true;

  if (igt__nfc_is_plain(name))
    return true;
  nfc = igt__nfc(name);
  if (!nfc || strcmp(nfc, name) != 0) {
    copy = nfc ? igt__arena_strdup(r->arena, name) : NULL;
    added = copy && igt__map_set(r->by_nfc, nfc, copy);
  }
  igt__free(nfc);
  return added;
}

bool igt__remotes_add(igt__remotes *r, const char *name, const igt__remote *file) {
  bool odd = is_odd(r, name, file);
  uint64_t flags =
      (file->completed ? COMPLETED : 0) | (file->wanted ? WANTED : 0) | (odd ? ODD : 0);

  if ((odd && !add_odd(r, name, file)) || !add_form(r, name))
    return false;
  if (!igt__fingerprints_set(r->files, name, odd ? flags : file->size << SIZE_SHIFT | flags))
    return false;
  r->unseen += file->wanted;
  return true;
}

const char *igt__remotes_other_form(igt__remotes *r, const char *name) {
  const char *there;

  if (igt__fingerprints_has(r->files, name) ||
      (igt__nfc_is_plain(name) && igt__map_count(r->by_nfc) == 0))
    return name;
  igt__free(r->nfc);
  if (!(r->nfc = igt__nfc(name)))
    return NULL;
  if (igt__fingerprints_has(r->files, r->nfc))
    return r->nfc;
  there = igt__map_get(r->by_nfc, r->nfc);
  return there ? there : name;
}

bool igt__remotes_find(igt__remotes *r, const char *name, igt__remote *out) {
  const uint64_t *number = igt__fingerprints_number(r->files, name);

  if (!number)
    return false;
  if (*number & ODD) {
    const igt__remote *odd = igt__map_get(r->odd, name);
    if (odd)
      *out = *odd;
    return odd != NULL;
  }
  (void)snprintf(r->key, sizeof r->key, "%s%s", r->prefix, name);
  *out = (igt__remote){r->key, *number >> SIZE_SHIFT, *number & COMPLETED, *number & WANTED};
  return true;
}

bool igt__remotes_see(igt__remotes *r, const char *name) {
  uint64_t *number = igt__fingerprints_number(r->files, name);

  if (!number || (*number & (WANTED | SEEN)) != WANTED)
    return false;
  *number |= SEEN;
  r->unseen--;
  return true;
}

size_t igt__remotes_unseen(const igt__remotes *r) {
  return r->unseen;
}
