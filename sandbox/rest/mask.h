/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_MASK_H
#define SANDBOX_REST_MASK_H

/* The field mask of the header X-Fields: "name, patient{patientId}, *". Braces around the whole may
 * be left out; "*" stands for all that is not named. */

#include <stdbool.h>
#include <stddef.h>

#include "model/json.h"

/* An object with a member for each name: true, or the mask of what is in it. NULL: a sentence for
 * the client is in why. The caller frees it. */
igt__json *rest_mask_parse(const char *text, char *why, size_t why_cap);
/* What the mask lets through, as a new value; of a list, of each element. */
igt__json *rest_mask_apply(const igt__json *mask, const igt__json *value);

#endif
