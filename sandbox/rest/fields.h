/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_FIELDS_H
#define SANDBOX_REST_FIELDS_H

/* The fields of what clients send, as the API describes them, and the check of a body against
 * them. Written down here on its own, not made from api/, so that a mistake of the generator
 * meets a second opinion. */

#include <stdbool.h>
#include <stddef.h>

#include "model/json.h"

typedef struct rest_field {
  char name[40];
  char type[32]; /* "string", "time", "int", "bool", "any" or a model's name */
  bool list;
  bool required;
  bool read_only; /* the server sets it: what a client sends in it is left aside */
} rest_field;

bool rest_model_known(const char *model);
/* True when `model` is `base` or extends it. */
bool rest_model_is(const char *model, const char *base);
/* The fields of a model, the parent's first; fn returns false to end. */
void rest_model_fields(const char *model, bool (*fn)(void *payload, const rest_field *field),
                       void *payload);
/* True when the model, or one that extends it, has the field: "patient/patientName". */
bool rest_model_has(const char *model, const char *path);
/* Checks required fields and the types of those that are there and not null. A model with a
 * discriminator (RootStudy, Series) is checked as the concrete type that the value names.
 * "[]Name" wants a list. False: a sentence for the client is in why. */
bool rest_model_check(const char *model, const igt__json *value, char *why, size_t why_cap);

#endif
