/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_DESCRIBE_H
#define IGTCLOUD_DESCRIBE_H

/**
 * @file The API's description, for programs that display it or send requests of their own.
 * Everything returned is constant and static.
 */

#include "igtcloud/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A parameter of an operation. */
typedef struct igt_parameter_info {
  const char *name;
  const char *in;    /**< "path", "query" or "header" */
  const char *type;  /**< "string", "integer", "boolean", "string[]" */
  const char *text;  /**< a sentence, or "" */
  const char *value; /**< the server's default; "" if not described */
  bool required;
} igt_parameter_info;

/** One request of the API. */
typedef struct igt_operation_info {
  const char *id;      /**< the description's operationId: "post_login_resource_/login" */
  const char *c_name;  /**< the function that calls it: "igt_login" */
  const char *service; /**< "auth", "action" or "data" */
  const char *method;
  const char *path;     /**< "/api/data/projects/{project_id}" */
  const char *text;     /**< what it does */
  const char *body;     /**< the model that is sent, with "[]" for a list; "" for none */
  const char *response; /**< the model that is returned, "string", "string[]", "file", "any" if not
                           described, "" for nothing */
  bool open;            /**< needs no session */
  const igt_parameter_info *const *parameters; /**< those of the path first */
  size_t parameter_count;
} igt_operation_info;

/** The i-th operation, in the description's order; NULL beyond the last. */
IGT_EXTERN const igt_operation_info *igt_operation_at(size_t i);
/** The operation of this id; NULL if there is none. */
IGT_EXTERN const igt_operation_info *igt_operation_named(const char *id);
/** The operation that a method and a path (without its query) call; NULL if there is none. */
IGT_EXTERN const igt_operation_info *igt_operation_called(const char *method, const char *path);

/** A field of a model. */
typedef struct igt_field_info {
  const char *name;
  const char *type;   /**< "string", "integer", "number", "boolean", "date-time", "any",
                           "string[]", "integer[]", a model, or with "[]" a list of it */
  const char *text;   /**< a sentence, or "" */
  const char *values; /**< allowed values, joined by "|"; "" for any */
  bool required;
  bool read_only; /**< set by the server */
} igt_field_info;

/** A model; its fields begin with those of what it extends. */
typedef struct igt_model_info {
  const char *name;
  const char *base; /**< the model that it extends, or "" */
  const igt_type *type;
  const igt_field_info *const *fields;
  size_t field_count;
} igt_model_info;

/** The i-th model, by name; NULL beyond the last. */
IGT_EXTERN const igt_model_info *igt_model_info_at(size_t i);
/** The model of this name, exactly; NULL if there is none. */
IGT_EXTERN const igt_model_info *igt_model_info_named(const char *name);

#ifdef __cplusplus
}
#endif

#endif
