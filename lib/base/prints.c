/* SPDX-License-Identifier: MIT */
#include "prints.h"

#include <string.h>

#include "mem.h"
#include "sip.h"

#define FIRST_SLOTS 16

/* A slot is a fingerprint of two words, and its number where there are numbers. The first word is 0
 * where a slot is free, and nowhere else (print_of). */
struct igt__prints {
  uint64_t *slots;
  size_t count, cap; /* cap: a power of two */
  size_t words;      /* of a slot */
  igt__quota *quota;
};

igt__prints *igt__prints_new(bool numbers, igt__quota *quota) {
  igt__prints *prints = igt__calloc(1, sizeof *prints);

  if (!prints)
    return NULL;
  prints->words = numbers ? 3 : 2;
  prints->quota = quota;
  return prints;
}

static size_t bytes(const igt__prints *prints, size_t cap) {
  return cap * prints->words * sizeof *prints->slots;
}

void igt__prints_free(igt__prints *prints) {
  if (!prints)
    return;
  igt__quota_give(prints->quota, bytes(prints, prints->cap));
  igt__free(prints->slots);
  igt__free(prints);
}

static void print_of(const char *text, uint64_t print[2]) {
  igt__sip_print(text, print);
  print[0] |= print[0] == 0;
}

/* The slot with this fingerprint, or the free one where it belongs. */
static uint64_t *find_slot(const igt__prints *prints, const uint64_t print[2]) {
  size_t mask = prints->cap - 1, i = (size_t)print[0] & mask;
  uint64_t *slot = prints->slots + i * prints->words;

  while (slot[0] && (slot[0] != print[0] || slot[1] != print[1])) {
    i = (i + 1) & mask;
    slot = prints->slots + i * prints->words;
  }
  return slot;
}

static uint64_t *find(const igt__prints *prints, const char *text) {
  uint64_t print[2], *slot;

  if (!prints || prints->count == 0)
    return NULL;
  print_of(text, print);
  slot = find_slot(prints, print);
  return slot[0] ? slot : NULL;
}

bool igt__prints_has(const igt__prints *prints, const char *text) {
  return find(prints, text) != NULL;
}

uint64_t *igt__prints_number(const igt__prints *prints, const char *text) {
  uint64_t *slot = find(prints, text);

  return slot && prints->words == 3 ? slot + 2 : NULL;
}

static bool grow(igt__prints *prints) {
  igt__prints larger = *prints;

  larger.cap = prints->cap ? prints->cap * 2 : FIRST_SLOTS;
  if (!igt__quota_take(prints->quota, bytes(prints, larger.cap)))
    return false;
  larger.slots = igt__calloc(larger.cap, prints->words * sizeof *larger.slots);
  if (!larger.slots) {
    igt__quota_give(prints->quota, bytes(prints, larger.cap));
    return false;
  }
  for (size_t i = 0; i < prints->cap; i++) {
    const uint64_t *slot = prints->slots + i * prints->words;
    if (slot[0])
      memcpy(find_slot(&larger, slot), slot, prints->words * sizeof *slot);
  }
  igt__quota_give(prints->quota, bytes(prints, prints->cap));
  igt__free(prints->slots);
  *prints = larger;
  return true;
}

bool igt__prints_set(igt__prints *prints, const char *text, uint64_t number) {
  uint64_t print[2], *slot;

  print_of(text, print);
  slot = prints->cap ? find_slot(prints, print) : NULL;
  if (!slot || !slot[0]) {
    if (prints->count >= prints->cap / 4 * 3) {
      if (!grow(prints))
        return false;
      slot = find_slot(prints, print);
    }
    slot[0] = print[0];
    slot[1] = print[1];
    prints->count++;
  }
  if (prints->words == 3)
    slot[2] = number;
  return true;
}
