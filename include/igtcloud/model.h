/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_MODEL_H
#define IGTCLOUD_MODEL_H

/**
 * @file What all models of the API have in common. The models themselves are in models.h, which is
 * generated from the descriptions in api/.
 *
 * A model is a plain struct whose first member leads to igt_model: `model` if it extends nothing,
 * else `base`, the model that it extends. So a pointer to a model is, cast, a pointer to what it
 * extends and to its igt_model, and igt_model_is() returns whether the downcast is valid:
 *
 *     if (igt_model_is(&study->model, igt_epd_study_type()))
 *       puts(((igt_epd_study *)study)->name.v);
 *
 * Ownership: a response and everything it refers to is one allocation, freed by igt_model_free() of
 * the pointer that the call returned. Nested models are not freed separately. A program that
 * changes a response may point fields at its own memory; see field.h.
 */

#include "igtcloud/field.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A model's description: igt_project_type() and so on, in models.h. */
typedef struct igt_type igt_type;

/** The first member of each model. May be zeroed in a model that a program fills in and sends. */
typedef struct igt_model {
  const igt_type *type;       /**< its type; NULL: the type that the receiving call expects */
  struct igt__extras *extras; /**< internal: its memory, and undescribed fields */
} igt_model;

/** "EpdStudy". Never NULL. */
IGT_EXTERN const char *igt_type_name(const igt_type *type);

/** True when the model is of that type or of one that extends it. False for NULL. */
IGT_EXTERN bool igt_model_is(const igt_model *model, const igt_type *type);

/** An empty model: all fields absent, except the one that names its type. NULL: no memory. */
IGT_EXTERN igt_model *igt_model_new(const igt_type *type);

/** A deep copy. NULL: no memory, or model is NULL. */
IGT_EXTERN igt_model *igt_model_copy(const igt_model *model);

/**
 * Frees a model returned by a call, _new or _copy, with everything it refers to. Accepts NULL;
 * ignores a model nested in another.
 */
IGT_EXTERN void igt_model_free(igt_model *model);

/** A text and its length. */
typedef struct igt_text {
  igt_model model;
  const char *v; /**< followed by a NUL; may contain others if a server sent raw bytes */
  size_t len;
} igt_text;

/** A list of texts. */
typedef struct igt_string_list {
  igt_model model;
  size_t count;
  const char **v; /**< an element may be NULL (JSON null) */
} igt_string_list;

/**
 * Reads a model from JSON: `type` or, where the JSON names one, a type that extends it. Undescribed
 * fields are kept.
 * Errors: IGT_E_PARSE, IGT_E_TYPE, IGT_E_LIMIT, IGT_E_NO_MEMORY.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_parse(const igt_type *type, const char *json, size_t n,
                                                   igt_model **out, igt_error *err);

/** Writes a model with all its fields as compact JSON. Free: &(*out)->model. */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_encode(const igt_model *model, igt_text **out,
                                                    igt_error *err);

/** One field of a model, for showing. Strings are valid during the call. */
typedef struct igt_field_text {
  const char *name;
  igt_presence is;
  const char *text; /**< for display: a string as it is, a list of strings joined by ", ", else as
                       json; "" for null and absent */
  const char *json; /**< compact; "null" for null and absent */
  bool known;       /**< part of the description */
  bool read_only;   /**< set by the server */
} igt_field_text;
/** IGT_OK continues; any other status ends igt_model_each_field() with that status. */
typedef igt_status (*igt_field_fn)(void *payload, const igt_field_text *field);
/**
 * All fields of a model: present ones in the server's order, undescribed ones, then absent ones.
 * Errors: IGT_E_INVALID (a list or a text), IGT_E_NO_MEMORY.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_each_field(const igt_model *model, igt_field_fn fn,
                                                        void *payload, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
