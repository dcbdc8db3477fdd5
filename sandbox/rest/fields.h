/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_FIELDS_H
#define SANDBOX_REST_FIELDS_H

/* The fields of request bodies, as the API describes them, and the check of a body against them.
 * Written by hand rather than generated from api/, so that a mistake of the generator does not go
 * unnoticed. */

#include <stdbool.h>
#include <stddef.h>

#include "model/json.h"

typedef struct rest_field {
  char name[40];
  char type[32]; /* "string", "time", "int", "bool", "any" or a model's name */
  bool list;
  bool required;
  bool read_only; /* set by the server: ignored in requests */
} rest_field;

bool rest_model_known(const char *model);
/* True when `model` is `base` or extends it. */
bool rest_model_is(const char *model, const char *base);
/* The fields of a model, the parent's first; stops when fn returns false. */
void rest_model_fields(const char *name, bool (*fn)(void *payload, const rest_field *field),
                       void *payload);
/* True when the model, or one that extends it, has the field: "patient/patientName". */
bool rest_model_has(const char *model, const char *path);
/* Checks required fields, and the types of those present and not null. A model with a discriminator
 * (RootStudy, Series) is checked as the concrete type that the value names. "[]Name" requires a
 * list. False: why has a message for the client. */
bool rest_model_check(const char *model, const igt__json *value, char *why, size_t why_cap);

#endif
