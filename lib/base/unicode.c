/* SPDX-License-Identifier: MIT */
/* Unicode normalization. A text is decoded into characters, each is replaced by its full canonical
 * decomposition, marks are sorted into canonical order, and pairs are composed (UAX #15).
 * unicode_tables.py generates the tables at build time; Hangul is computed. A text without
 * characters from U+0300 on, which is nearly every name, is never decoded. Used by lib/cloud and
 * lib/transfer to compare names. */
#include "unicode.h"

#include <stdint.h>
#include <string.h>

#include "mem.h"
#include "str.h"
#include "unicode_tables.inc"

#define COUNT(table) (sizeof(table) / sizeof *(table))
/* The longest canonical decomposition has four characters, and each byte yields at most one
 * character. */
#define LONGEST 4
/* Anything longer is not a name, and sorting marks takes quadratic time. */
#define NAME_MAX_BYTES 4096

/* Hangul: The Unicode Standard, section 3.12. */
enum {
  S_BASE = 0xac00,
  L_BASE = 0x1100,
  V_BASE = 0x1161,
  T_BASE = 0x11a7,
  L_COUNT = 19,
  V_COUNT = 21,
  T_COUNT = 28,
  S_COUNT = L_COUNT * V_COUNT * T_COUNT
};

typedef struct codes {
  uint32_t *v;
  size_t count;
} codes;

/* ---- the tables ---- */

/* The row of a sorted table whose first member is code; count: not found. */
static size_t row_of(const void *table, size_t count, size_t size, uint32_t code) {
  size_t low = 0, high = count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    uint32_t there;
    memcpy(&there, (const char *)table + middle * size, sizeof there);
    if (there == code)
      return middle;
    if (there < code)
      low = middle + 1;
    else
      high = middle;
  }
  return count;
}

#define ROW_OF(table, code) row_of(table, COUNT(table), sizeof *(table), code)

static unsigned class_of(uint32_t code) {
  size_t low = 0, high = COUNT(classes);

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (code > classes[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < COUNT(classes) && code >= classes[low].first ? classes[low].ccc : 0;
}

/* 0: the two do not compose. */
static uint32_t composed(uint32_t first, uint32_t second) {
  size_t low = 0, high = COUNT(compositions);

  if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT)
    return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
  if (first - S_BASE < S_COUNT && (first - S_BASE) % T_COUNT == 0 && second > T_BASE &&
      second < T_BASE + T_COUNT)
    return first + (second - T_BASE);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compositions[middle].first < first ||
        (compositions[middle].first == first && compositions[middle].second < second))
      low = middle + 1;
    else
      high = middle;
  }
  return low < COUNT(compositions) && compositions[low].first == first &&
                 compositions[low].second == second
             ? compositions[low].code
             : 0;
}

/* ---- the steps ---- */

static uint32_t decode(const unsigned char **at) {
  const unsigned char *p = *at;
  unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
  uint32_t code = more == 0 ? *p : *p & (0x3fu >> more);

  for (p++; more > 0; more--)
    code = code << 6 | (*p++ & 0x3fu);
  *at = p;
  return code;
}

static void put_decomposed(codes *out, uint32_t code) {
  size_t row;

  if (code - S_BASE < S_COUNT) {
    uint32_t s = code - S_BASE;
    out->v[out->count++] = L_BASE + s / (V_COUNT * T_COUNT);
    out->v[out->count++] = V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT;
    if (s % T_COUNT)
      out->v[out->count++] = T_BASE + s % T_COUNT;
    return;
  }
  row = code < 0xc0 ? COUNT(decompositions) : ROW_OF(decompositions, code);
  if (row == COUNT(decompositions)) {
    out->v[out->count++] = code;
    return;
  }
  for (unsigned i = 0; i < decompositions[row].count; i++)
    out->v[out->count++] = decomposed[decompositions[row].at + i];
}

/* Sorts the marks after a character by their classes; the sort is stable. */
static void put_in_order(codes *c) {
  for (size_t i = 1; i < c->count; i++) {
    uint32_t code = c->v[i];
    unsigned of = class_of(code);
    size_t k = i;
    for (; of && k > 0 && class_of(c->v[k - 1]) > of; k--)
      c->v[k] = c->v[k - 1];
    c->v[k] = code;
  }
}

static void compose(codes *c) {
  size_t starter = SIZE_MAX, out = 0;
  unsigned last = 0; /* class of the previous character after the starter */

  for (size_t i = 0; i < c->count; i++) {
    uint32_t code = c->v[i], both;
    unsigned of = class_of(code);
    bool adjacent = starter != SIZE_MAX && out == starter + 1;
    bool blocked = starter == SIZE_MAX || (!adjacent && (of == 0 || last >= of));
    if (!blocked && (both = composed(c->v[starter], code)) != 0) {
      c->v[starter] = both;
      continue;
    }
    if (of == 0)
      starter = out;
    last = of;
    c->v[out++] = code;
  }
  c->count = out;
}

static void fold(codes *c) {
  for (size_t i = 0; i < c->count; i++) {
    size_t row = ROW_OF(folds, c->v[i]);
    if (row < COUNT(folds))
      c->v[i] = folds[row].fold;
  }
}

static char *encode(const codes *c) {
  char *text = igt__malloc(c->count * 4 + 1), *p = text;

  for (size_t i = 0; text && i < c->count; i++) {
    uint32_t code = c->v[i];
    unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    *p++ = (char)(leads[more] | code >> (6 * more));
    while (more-- > 0)
      *p++ = (char)(0x80 | ((code >> (6 * more)) & 0x3f));
  }
  if (text)
    *p = '\0';
  return text;
}

/* ---- forms ---- */

enum { DECOMPOSE = 0, COMPOSE = 1, FOLD = 2 };

static char *transform(const char *text, unsigned how) {
  size_t n = strlen(text);
  codes c = {NULL, 0};
  char *out;

  if (n > NAME_MAX_BYTES || !igt__utf8_valid(text, n))
    return igt__strdup(text);
  c.v = igt__malloc((n * LONGEST + 1) * sizeof *c.v);
  if (!c.v)
    return NULL;
  for (const unsigned char *p = (const unsigned char *)text; *p;)
    put_decomposed(&c, decode(&p));
  put_in_order(&c);
  if (how & COMPOSE)
    compose(&c);
  if (how & FOLD)
    fold(&c);
  out = encode(&c);
  igt__free(c.v);
  return out;
}

bool igt__nfc_is_plain(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++)
    if (*p >= 0xcc) /* the first byte of U+0300 */
      return false;
  return true;
}

bool igt__is_ascii(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++)
    if (*p >= 0x80)
      return false;
  return true;
}

char *igt__nfc(const char *text) {
  return igt__nfc_is_plain(text) ? igt__strdup(text) : transform(text, COMPOSE);
}

bool igt__nfc_eq(const char *a, const char *b) {
  char *x, *y;
  bool same;

  if (strcmp(a, b) == 0)
    return true;
  if (igt__nfc_is_plain(a) && igt__nfc_is_plain(b))
    return false;
  x = igt__nfc(a);
  y = igt__nfc(b);
  same = x && y && strcmp(x, y) == 0;
  igt__free(x);
  igt__free(y);
  return same;
}

char *igt__nfc_fold(const char *text) {
  return transform(text, COMPOSE | FOLD);
}

char *igt__nfd(const char *text) {
  return transform(text, DECOMPOSE);
}
