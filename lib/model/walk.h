/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_WALK_H
#define IGT_MODEL_WALK_H

/* The order in which a model's fields are written and shown. */

#include "model/type.h"

/* Fields of one type; the generator rejects more. The API's largest has 60. */
#define IGT__MAX_FIELDS 256

/* Indices of type->fields that are not absent: the discriminator first, then in the server's order,
 * then as described. Returns their number. */
size_t igt__present_fields(const igt_model *model, const igt_type *type,
                           unsigned short order[IGT__MAX_FIELDS]);
igt_presence igt__field_presence(const igt_model *model, const igt__field *field);
const void *igt__field_at(const igt_model *model, const igt__field *field);

#endif
