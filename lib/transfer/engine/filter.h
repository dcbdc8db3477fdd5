/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FILTER_H
#define IGT_TRANSFER_FILTER_H

/* Which files of the selected studies a run handles: patterns, rules, names, sizes and ages of
 * igt_transfer_options and igt_filters. A file passes if all of them agree. Any thread. */

#include "base/str.h"
#include "igtcloud/transfer.h"

typedef struct igt__filter igt__filter;

/* Where the messages about patterns go. */
typedef void (*igt__filter_report_fn)(void *payload, const char *text);

/* IGT_E_INVALID: an invalid rule, or limits that exclude each other. */
igt_status igt__filters_check(const igt_filters *filters, igt_error *err);

/* Of checked filters. Borrows all strings. transfer and filters may be NULL. */
igt_status igt__filter_new(const igt_transfer_options *transfer, const igt_filters *filters,
                           igt__filter **out, igt_error *err);
void igt__filter_free(igt__filter *filter);

/* The path below the study. A NULL filter passes everything, here and below. */
bool igt__filter_path(igt__filter *filter, const char *path);
bool igt__filter_size(const igt__filter *filter, uint64_t size);
/* Whether ages are limited: for a file in the cloud its date costs a request. */
bool igt__filter_has_age(const igt__filter *filter);
/* modified: seconds since 1970. */
bool igt__filter_age(const igt__filter *filter, int64_t modified);

/* Reports patterns, rules and names that selected no path. */
void igt__filter_report(const igt__filter *filter, igt__filter_report_fn report, void *payload);

/* Seconds since then. A time in the future comes from a clock that is ahead and counts as now; more
 * than a day ahead it is a wrong date, and the file counts as old: otherwise it would never be sent
 * by an upload that waits for its age. */
int64_t igt__age_of(int64_t modified);

#endif
