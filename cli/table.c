/* SPDX-License-Identifier: MIT */
/* Rows of text in columns, for a terminal. All rows are kept until they are printed, so that they
 * can be sorted and the columns are as wide as their texts need. If that is more than the terminal
 * has, free text becomes narrower first, then the last columns are left out, and the first one, the
 * name, is shortened at last. listing.c makes the rows. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "screen.h"

#define NARROW 12 /* columns that free text keeps if it has that much */
#define GAP 2

typedef struct kept {
  char *key;
  char *cells[];
} kept;

struct table {
  table_column columns[64];
  size_t count, shown; /* columns; those that fit */
  void (*print_row)(char *const *cells);
  kept **rows;
  size_t used, capacity, held;
  bool titled, bounded;
};

table *table_new(const table_column *columns, size_t count, void (*print_row)(char *const *cells)) {
  table *t = calloc(1, sizeof *t);

  if (!t)
    return NULL;
  memcpy(t->columns, columns, count * sizeof *columns);
  t->count = t->shown = count;
  t->print_row = print_row;
  return t;
}

static void free_row(const table *t, kept *row) {
  for (size_t i = 0; i < t->count; i++)
    free(row->cells[i]);
  free(row->key);
  free(row);
}

void table_free(table *t) {
  if (!t)
    return;
  for (size_t i = 0; i < t->used; i++)
    free_row(t, t->rows[i]);
  free(t->rows);
  free(t);
}

size_t table_rows(const table *t) {
  return t->used;
}

size_t table_held(const table *t) {
  return t->held;
}

static bool make_space(table *t) {
  size_t capacity = t->capacity ? t->capacity * 2 : 64;
  kept **larger;

  if (t->used < t->capacity)
    return true;
  if (!(larger = realloc(t->rows, capacity * sizeof(kept *))))
    return false;
  t->rows = larger;
  t->capacity = capacity;
  return true;
}

bool table_add(table *t, char **cells, char *key) {
  kept *row = calloc(1, sizeof *row + t->count * sizeof *row->cells);
  bool good = row && make_space(t);

  for (size_t i = 0; i < t->count && !good; i++)
    free(cells[i]);
  if (!good) {
    free(key);
    free(row);
    return false;
  }
  row->key = key;
  memcpy(row->cells, cells, t->count * sizeof *cells);
  for (size_t i = 0; i < t->count; i++)
    t->held += cells[i] ? strlen(cells[i]) + 1 : 0;
  t->held += sizeof *row + t->count * sizeof *row->cells + (key ? strlen(key) + 1 : 0);
  t->rows[t->used++] = row;
  return true;
}

/* ---- sorting ---- */

static const char *key_of(const void *row) {
  const kept *k = *(kept *const *)row;

  return k->key ? k->key : "";
}

static int by_name(const void *a, const void *b) {
  return compare_names(key_of(a), key_of(b));
}

static int by_name_down(const void *a, const void *b) {
  return by_name(b, a);
}

static int by_number_down(const void *a, const void *b) {
  unsigned long long x = strtoull(key_of(a), NULL, 10), y = strtoull(key_of(b), NULL, 10);

  return x < y ? 1 : x > y ? -1 : 0;
}

void table_sort(table *t, bool by_number, bool descending) {
  if (t->used)
    qsort(t->rows, t->used, sizeof *t->rows,
          by_number    ? by_number_down
          : descending ? by_name_down
                       : by_name);
}

/* ---- widths ---- */

static void measure(table *t, size_t most) {
  for (size_t i = 0; i < t->count; i++) {
    t->columns[i].width = width_of(t->columns[i].title);
    for (size_t k = 0; k < t->used && k < most; k++) {
      size_t width = t->rows[k]->cells[i] ? width_of(t->rows[k]->cells[i]) : 0;
      t->columns[i].width = width > t->columns[i].width ? width : t->columns[i].width;
    }
  }
}

static size_t total_width(const table *t) {
  size_t width = 0;

  for (size_t i = 0; i < t->shown; i++)
    width += t->columns[i].width + (i ? GAP : 0);
  return width;
}

static void fit(table *t, size_t columns) {
  for (size_t i = t->shown; i-- > 0 && total_width(t) > columns;) {
    size_t excess = total_width(t) - columns, *width = &t->columns[i].width;
    if (t->columns[i].wide && *width > NARROW)
      *width = *width > excess + NARROW ? *width - excess : NARROW;
  }
  while (t->shown > 1 && total_width(t) > columns)
    t->shown--;
  if (total_width(t) > columns)
    t->columns[0].width = columns;
}

/* ---- printing ---- */

static void print_cell(const table *t, size_t i, const char *text) {
  const table_column *c = &t->columns[i];
  char shortened[1024];
  size_t width = width_of(text), pad;

  if (t->bounded && width > c->width) {
    shorten(text, c->width, screen_is_utf8(), shortened, sizeof shortened);
    text = shortened;
    width = width_of(text);
  }
  pad = c->width > width ? c->width - width : 0;
  printf("%*s", i ? GAP : 0, "");
  if (c->right)
    printf("%*s", (int)pad, "");
  print_safe(stdout, text);
  if (!c->right && i + 1 < t->shown)
    printf("%*s", (int)pad, "");
}

static void print_cells(const table *t, char *const *cells) {
  if (t->print_row) {
    t->print_row(cells);
    return;
  }
  for (size_t i = 0; i < t->shown; i++)
    print_cell(t, i, cells[i] ? cells[i] : "");
  putchar('\n');
}

static void print_title(const table *t) {
  bool bold = begin_bold();

  for (size_t i = 0; i < t->shown; i++)
    print_cell(t, i, t->columns[i].title);
  putchar('\n');
  end_bold(bold);
}

void table_print(table *t, size_t most, unsigned columns) {
  if (!t->titled && t->used && !t->print_row) {
    t->bounded = columns > 0;
    measure(t, most);
    if (t->bounded)
      fit(t, columns);
    print_title(t);
    t->titled = true;
  }
  for (size_t i = 0; i < t->used; i++) {
    if (i < most)
      print_cells(t, t->rows[i]->cells);
    free_row(t, t->rows[i]);
  }
  t->used = t->held = 0;
}
