/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_FILTER_H
#define SANDBOX_REST_FILTER_H

/* The query parameter $filter: conditions joined by "and", as in OData 4.01:
 *   studyType eq 'EpdStudy' and datetime ge 2020-01-01
 *   contains(name, 'ab')   startswith(patient/patientName, 'Do')
 * Operators eq, ne, lt, le, gt, ge; values '…' ('' is one quote), numbers, true, false, null and
 * bare dates. */

#include "model/json.h"

typedef struct rest_filter rest_filter;

/* NULL: not a valid filter, and why has a message. */
rest_filter *rest_filter_parse(const char *text, char *why, size_t why_cap);
void rest_filter_free(rest_filter *filter);
/* Whether every field that it names belongs to `model`, or to a model that extends it; false: why
 * has a message for the client. */
bool rest_filter_fits(const rest_filter *filter, const char *model, char *why, size_t cap);
bool rest_filter_matches(const rest_filter *filter, const igt__json *doc);

#endif
