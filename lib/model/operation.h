/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_OPERATION_H
#define IGT_MODEL_OPERATION_H

/* The tables that describe operations. api/generate.py writes them; lib/api/call.c walks them. */

#include "model/type.h"

typedef enum igt__param_kind {
  IGT__PARAM_STRING,     /* const char *; NULL is absent */
  IGT__PARAM_INTEGER,    /* igt_integer_field */
  IGT__PARAM_BOOLEAN,    /* igt_boolean_field */
  IGT__PARAM_NUMBER,     /* igt_number_field */
  IGT__PARAM_STRING_LIST /* const char *const *, then size_t */
} igt__param_kind;

/* A member of an operation's options. */
typedef struct igt__param {
  const char *name; /* on the wire */
  unsigned char kind;
  char separator; /* separates the values of a STRING_LIST; NUL: the name is repeated for each */
  bool is_header; /* otherwise part of the query */
  bool required;
  unsigned short offset;       /* in the options */
  unsigned short count_offset; /* of a STRING_LIST's count */
} igt__param;

typedef struct igt__operation {
  const char *id;     /* "get_studies" */
  const char *method; /* "GET" */
  const char *path;   /* "/api/data/hospitals/{hospital_id}/studies" */
  unsigned integers;  /* bit n: the n-th parameter of the path is a number */
  bool open;          /* needs no session */
  bool idempotent;    /* may be sent again after an unclear outcome: RFC 9110, section 9.2.2 */
  const char *accept; /* the response's media type */
  const igt__param *params;
  size_t param_count;
  size_t options_size;  /* of the options; a program's may be smaller or larger */
  const igt_type *body; /* NULL: none */
  bool body_is_list;
  const igt_type *response; /* NULL: nothing to read, or a file */
} igt__operation;

/* All of them, terminated by NULL. */
extern const igt__operation *const igt__operations[];

#endif
