/* SPDX-License-Identifier: MIT */
/* An open-addressing hash table with linear probing whose keys are 128-bit SipHashes of strings.
 * The table doubles when it is three quarters full and counts against a quota. Used by lib/transfer
 * for sets of millions of names: listed files of a study, case variants, existing remote files. */
#include "fingerprints.h"

#include <string.h>

#include "mem.h"
#include "sip.h"

#define FIRST_SLOTS 16

/* A slot consists of the two words of a fingerprint, and of the number if there are numbers. The
 * first word is 0 only in free slots (print_of). */
struct igt__fingerprints {
  uint64_t *slots;
  size_t count, cap; /* cap: a power of two */
  size_t words;      /* per slot */
  igt__quota *quota;
};

igt__fingerprints *igt__fingerprints_new(bool numbers, igt__quota *quota) {
  igt__fingerprints *fingerprints = igt__calloc(1, sizeof *fingerprints);

  if (!fingerprints)
    return NULL;
  fingerprints->words = numbers ? 3 : 2;
  fingerprints->quota = quota;
  return fingerprints;
}

static size_t bytes(const igt__fingerprints *fingerprints, size_t cap) {
  return cap * fingerprints->words * sizeof *fingerprints->slots;
}

void igt__fingerprints_free(igt__fingerprints *fingerprints) {
  if (!fingerprints)
    return;
  igt__quota_give(fingerprints->quota, bytes(fingerprints, fingerprints->cap));
  igt__free(fingerprints->slots);
  igt__free(fingerprints);
}

static void print_of(const char *text, uint64_t print[2]) {
  igt__sip_print(text, print);
  print[0] |= print[0] == 0;
}

/* The slot with this fingerprint, or the free slot for it. */
static uint64_t *find_slot(const igt__fingerprints *fingerprints, const uint64_t print[2]) {
  size_t mask = fingerprints->cap - 1, i = (size_t)print[0] & mask;
  uint64_t *slot = fingerprints->slots + i * fingerprints->words;

  while (slot[0] && (slot[0] != print[0] || slot[1] != print[1])) {
    i = (i + 1) & mask;
    slot = fingerprints->slots + i * fingerprints->words;
  }
  return slot;
}

static uint64_t *find(const igt__fingerprints *fingerprints, const char *text) {
  uint64_t print[2], *slot;

  if (!fingerprints || fingerprints->count == 0)
    return NULL;
  print_of(text, print);
  slot = find_slot(fingerprints, print);
  return slot[0] ? slot : NULL;
}

bool igt__fingerprints_has(const igt__fingerprints *fingerprints, const char *text) {
  return find(fingerprints, text) != NULL;
}

uint64_t *igt__fingerprints_number(const igt__fingerprints *fingerprints, const char *text) {
  uint64_t *slot = find(fingerprints, text);

  return slot && fingerprints->words == 3 ? slot + 2 : NULL;
}

static bool grow(igt__fingerprints *fingerprints) {
  igt__fingerprints larger = *fingerprints;

  larger.cap = fingerprints->cap ? fingerprints->cap * 2 : FIRST_SLOTS;
  if (!igt__quota_take(fingerprints->quota, bytes(fingerprints, larger.cap)))
    return false;
  larger.slots = igt__calloc(larger.cap, fingerprints->words * sizeof *larger.slots);
  if (!larger.slots) {
    igt__quota_give(fingerprints->quota, bytes(fingerprints, larger.cap));
    return false;
  }
  for (size_t i = 0; i < fingerprints->cap; i++) {
    const uint64_t *slot = fingerprints->slots + i * fingerprints->words;
    if (slot[0])
      memcpy(find_slot(&larger, slot), slot, fingerprints->words * sizeof *slot);
  }
  igt__quota_give(fingerprints->quota, bytes(fingerprints, fingerprints->cap));
  igt__free(fingerprints->slots);
  *fingerprints = larger;
  return true;
}

bool igt__fingerprints_set(igt__fingerprints *fingerprints, const char *text, uint64_t number) {
  uint64_t print[2], *slot;

  print_of(text, print);
  slot = fingerprints->cap ? find_slot(fingerprints, print) : NULL;
  if (!slot || !slot[0]) {
    if (fingerprints->count >= fingerprints->cap / 4 * 3) {
      if (!grow(fingerprints))
        return false;
      slot = find_slot(fingerprints, print);
    }
    slot[0] = print[0];
    slot[1] = print[1];
    fingerprints->count++;
  }
  if (fingerprints->words == 3)
    slot[2] = number;
  return true;
}
