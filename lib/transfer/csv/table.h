/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_TABLE_H
#define IGT_TRANSFER_TABLE_H

/* Studies as rows of a table: columns, values and CSV's quoting (RFC 4180). */

#include "base/buf.h"
#include "igtcloud/models.h"

typedef struct igt__table igt__table;

igt__table *igt__table_new(bool files); /* files: two last columns, filename and filesize */
void igt__table_free(igt__table *table);
/* Columns of a study's fields, and of its type's, that the table has not yet. */
bool igt__table_add_study(igt__table *table, const igt_root_study *study);
bool igt__table_add_type(igt__table *table, const char *study_type);
/* Columns of an existing file's header line. */
bool igt__table_add_header(igt__table *table, const char *line, size_t n);
size_t igt__table_columns(const igt__table *table);
bool igt__table_header(const igt__table *table, igt__buf *out);
/* From here on the columns are fixed, and rows may be made by several threads. name NULL: no file.
 * *left_out counts values without a column. */
bool igt__table_row(const igt__table *table, const igt_root_study *study, const char *name,
                    int64_t size, igt__buf *out, uint64_t *left_out);
/* Its two parts: that of the study, which all of its files share, and that of one file. */
bool igt__table_study_cells(const igt__table *table, const igt_root_study *study, igt__buf *out,
                            uint64_t *left_out);
bool igt__table_end_row(const igt__table *table, const char *name, int64_t size, igt__buf *out);

#endif
