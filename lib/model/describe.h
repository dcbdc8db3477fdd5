/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_DESCRIBE_H
#define IGT_MODEL_DESCRIBE_H

/* The tables of igtcloud/describe.h, which api/describe.py writes. */

#include "igtcloud/describe.h"

typedef struct igt__description {
  const igt_operation_info *operations;
  size_t operation_count;
  const igt_model_info *models; /* sorted by name */
  size_t model_count;
} igt__description;

extern const igt__description igt__description_of_api;

#endif
