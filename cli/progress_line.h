/* SPDX-License-Identifier: MIT */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

/* progress_line.c: the total of a transfer as text. */

#include <stdio.h>

#include "igtcloud/transfer.h"

/* For a terminal: as much as fits into so many columns. */
void progress_line(const igt_transfer_progress *now, const char *verb, unsigned columns, char *out,
                   size_t cap);
/* For a log: "downloaded 12/345 studies, 1,234/5,678 files, ...". */
void progress_sentence(const igt_transfer_progress *now, const char *verb, char *out, size_t cap);
/* {"progress":{...}} */
void progress_json(const igt_transfer_progress *now, FILE *out);

#endif
