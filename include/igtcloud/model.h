/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_MODEL_H
#define IGTCLOUD_MODEL_H

/**
 * @file
 * What all models of the API have in common. The models themselves stand in models.h, which is
 * generated from the descriptions in api/.
 *
 * A model is a plain struct whose first member leads to igt_model: `model` where it extends
 * nothing, else `base`, the model that it extends. So a pointer to a model is, cast, a pointer to
 * what it extends and to its igt_model, and igt_model_is() tells whether the way back is open:
 *
 *     if (igt_model_is(&study->model, &igt_epd_study_type))
 *       puts(((igt_epd_study *)study)->name.v);
 *
 * Ownership: an answer and all that hangs off it is one piece of memory, freed by
 * igt_model_free() of the pointer that the call gave. Models inside it are not freed one by one.
 * A program that changes an answer may point fields at its own memory; see field.h.
 */

#include "field.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A model's description: igt_project_type and so on, in models.h. */
typedef struct igt_type igt_type;

/** The beginning of each model. Zeroed is fine for one that a program fills in and sends. */
typedef struct igt_model {
  const igt_type *type;       /**< what it is; NULL: what the call that takes it expects */
  struct igt__extras *extras; /**< the library's: its memory, and fields of no described name */
} igt_model;

/** "EpdStudy". Never NULL. */
IGT_EXTERN const char *igt_type_name(const igt_type *type);

/** True when the model is of that type or of one that extends it. NULL is nothing. */
IGT_EXTERN bool igt_model_is(const igt_model *model, const igt_type *type);

/** An empty model: all fields absent, but for the one that names its type. NULL: no memory. */
IGT_EXTERN igt_model *igt_model_new(const igt_type *type);

/** All of it, with what hangs off it, as a model of its own. NULL: no memory, or model is NULL. */
IGT_EXTERN igt_model *igt_model_copy(const igt_model *model);

/**
 * Frees a model that a call, _new or _copy gave, with all that hangs off it. NULL is fine; so is
 * a model that lies inside another, which it leaves alone.
 */
IGT_EXTERN void igt_model_free(igt_model *model);

/** A text, and how long it is. */
typedef struct igt_text {
  igt_model model;
  const char *v; /**< followed by a NUL; may hold others when a server sent raw bytes */
  size_t len;
} igt_text;

/** A list of texts. */
typedef struct igt_string_list {
  igt_model model;
  size_t count;
  const char **v; /**< an element may be NULL (JSON null) */
} igt_string_list;

/**
 * Reads a model from JSON: `type` or, where the JSON names one, a type that extends it. Fields
 * of no described name are kept.
 * Errors: IGT_E_PARSE, IGT_E_TYPE, IGT_E_LIMIT, IGT_E_NO_MEMORY.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_parse(const igt_type *type, const char *json, size_t n,
                                                   igt_model **out, igt_error *err);

/** Writes a model as compact JSON with everything that it holds. Free: &(*out)->model. */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_encode(const igt_model *model, igt_text **out,
                                                    igt_error *err);

/** One field of a model, for showing. Strings are valid during the call. */
typedef struct igt_field_text {
  const char *name;
  igt_presence is;
  const char *text; /**< for people: a string as it is, a list of strings joined by ", ", else as
                         json; "" for null and absent */
  const char *json; /**< compact; "null" for null and absent */
  bool known;       /**< the description has it */
  bool read_only;   /**< set by the server */
} igt_field_text;
/** IGT_OK goes on; anything else ends igt_model_each_field() with it. */
typedef igt_status (*igt_field_fn)(void *payload, const igt_field_text *field);
/**
 * All fields of a model: those that it holds in the server's order, those of no described name,
 * then those that are absent. Errors: IGT_E_INVALID (a list or a text), IGT_E_NO_MEMORY.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_model_each_field(const igt_model *model, igt_field_fn fn,
                                                        void *payload, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
