/* SPDX-License-Identifier: MIT */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/* table.c: rows of text that are kept, sorted, and printed in columns. */

#include <stdbool.h>
#include <stddef.h>

typedef struct table_column {
  const char *title;
  bool right; /* aligned */
  bool wide;  /* free text: the first to become narrower */
  size_t width;
} table_column;

typedef struct table table;
/* print_row NULL: rows are printed as columns of a table; else by it (such as a line of JSON in the
 * only cell). NULL: no memory. */
table *table_new(const table_column *columns, size_t count, void (*print_row)(char *const *cells));
/* Takes over the cells (each may be NULL) and key (may be NULL). False: no memory; they are freed.
 */
bool table_add(table *t, char **cells, char *key);
/* Sorts by key: as names, or by_number as numbers, the largest first. */
void table_sort(table *t, bool by_number, bool descending);
/* Prints the first `most` rows below a title, and forgets all of them; later ones, and then only
 * those, are printed in the same widths. columns: of the terminal; 0: any width. */
void table_print(table *t, size_t most, unsigned columns);
size_t table_rows(const table *t);
size_t table_held(const table *t); /* bytes */
void table_free(table *t);

#endif
