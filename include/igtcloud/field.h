/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_FIELD_H
#define IGTCLOUD_FIELD_H

/**
 * @file The fields of models. Every field has three states: absent (the key is missing, or will not
 * be sent), null, and set. A zeroed field is absent.
 *
 * Memory: strings, lists and objects that the library put into a model live as long as the model's
 * owner (see igtcloud/model.h). A pointer that a program stores in a field stays the program's and
 * must remain valid until the call that uses it returns.
 */

#include <stdint.h>

#include "igtcloud/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_presence { IGT_ABSENT = 0, IGT_NULL = 1, IGT_SET = 2 } igt_presence;

/**
 * An instant, or a local time where the text had no offset. `seconds` counts from
 * 1970-01-01T00:00:00 UTC when has_offset, else from that moment on the local clock that
 * the text was written by.
 */
typedef struct igt_time {
  int64_t seconds;
  int32_t microseconds; /**< 0 to 999999 */
  int16_t offset;       /**< minutes east of UTC, as in the text */
  bool has_offset;
} igt_time;

typedef struct igt_string_field {
  igt_presence is;
  const char *v; /**< UTF-8, NUL-terminated; contains no other NUL */
} igt_string_field;

typedef struct igt_integer_field {
  igt_presence is;
  int64_t v;
} igt_integer_field;

typedef struct igt_number_field {
  igt_presence is;
  double v;
} igt_number_field;

typedef struct igt_boolean_field {
  igt_presence is;
  bool v;
} igt_boolean_field;

/** A date-time. `text` is what the server sent, kept for an exact round trip. */
typedef struct igt_time_field {
  igt_presence is;
  igt_time v;
  bool valid; /**< false if the text is not a date-time (a date alone, for example): see text */
  const char *text; /**< NULL in a field that a program has set: then v is sent */
} igt_time_field;

/** Any JSON, as compact text: free-form objects and values without a described type. */
typedef struct igt_json_field {
  igt_presence is;
  const char *v;
} igt_json_field;

typedef struct igt_string_list_field {
  igt_presence is;
  size_t count;
  const char *const *v; /**< an element may be NULL (JSON null) */
} igt_string_list_field;

typedef struct igt_integer_list_field {
  igt_presence is;
  size_t count;
  const int64_t *v;
} igt_integer_list_field;

#ifdef __cplusplus
}
#endif

#endif
