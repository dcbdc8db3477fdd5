/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_MASK_H
#define SANDBOX_REST_MASK_H

/* The field mask of the header X-Fields: "name, patient{patientId}, *". Braces around the whole
 * mask are optional; "*" stands for all members that are not named. */

#include <stdbool.h>
#include <stddef.h>

#include "model/json.h"

/* An object with a member for each name: true, or the mask of its members. NULL: why has a message
 * for the client. The caller frees it. */
igt__json *rest_mask_parse(const char *text, char *why, size_t why_cap);
/* The part of the value that the mask selects, as a new value; for a list, applied to each
 * element. */
igt__json *rest_mask_apply(const igt__json *mask, const igt__json *value);

#endif
