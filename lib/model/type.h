/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_TYPE_H
#define IGT_MODEL_TYPE_H

/* The tables that describe models. api/generate.py writes them; decode.c and encode.c walk them. */

#include "base/arena.h"
#include "igtcloud/model.h"

/* The C type of a field; each has its struct in igtcloud/field.h. */
typedef enum igt__kind {
  IGT__KIND_STRING,
  IGT__KIND_INTEGER,
  IGT__KIND_NUMBER,
  IGT__KIND_BOOLEAN,
  IGT__KIND_TIME,
  IGT__KIND_JSON,
  IGT__KIND_STRING_LIST,
  IGT__KIND_INTEGER_LIST,
  IGT__KIND_MODEL,
  IGT__KIND_MODEL_LIST
} igt__kind;

enum { IGT__FIELD_READ_ONLY = 1, IGT__FIELD_REQUIRED = 2 };

typedef struct igt__field {
  const char *name; /* in JSON */
  unsigned char name_len;
  unsigned char kind; /* igt__kind */
  unsigned char flags;
  unsigned short offset; /* from the start of the model */
  const igt_type *type;  /* of a MODEL or of a MODEL_LIST's elements */
} igt__field;

typedef enum igt__type_kind {
  IGT__TYPE_OBJECT,
  IGT__TYPE_LIST,    /* {igt_model; count; v}: a JSON array of models */
  IGT__TYPE_STRINGS, /* igt_string_list: a JSON array of strings */
  IGT__TYPE_TEXT,    /* igt_text: a JSON string */
  IGT__TYPE_RAW      /* igt_text: a response without a described form, unchanged */
} igt__type_kind;

struct igt_type {
  const char *name;
  igt__type_kind kind;
  size_t size;
  const igt_type *base;     /* the type that it extends; NULL: none */
  const igt__field *fields; /* those of base first */
  size_t field_count;
  int discriminator; /* index of the field that names the type; -1: none */
  const igt_type *const
      *derived; /* all types that extend it, directly or not; for the discriminator */
  size_t derived_count;
  const igt_type *element; /* of a LIST */
};

extern const igt_type igt__text_type;
extern const igt_type igt__raw_type;
extern const igt_type igt__string_list_type;

/* The first members of fields of the kinds MODEL and MODEL_LIST; their last member is a pointer of
 * another type in each, so read and write it only with igt__pointer_get and _set. */
typedef struct igt__model_field {
  igt_presence is;
  igt_model *v;
} igt__model_field;
typedef struct igt__model_list_field {
  igt_presence is;
  size_t count;
  igt_model **v;
} igt__model_list_field;
/* Likewise the first members of a LIST's model. */
typedef struct igt__model_list {
  igt_model model;
  size_t count;
  igt_model **v;
} igt__model_list;

/* A field with a name that the description does not contain. */
typedef struct igt__extra {
  const char *name;
  const char *json; /* compact */
} igt__extra;

/* What the library stores with a model. Members are NULL if not used. */
struct igt__extras {
  igt__arena *arena; /* the arena that contains the model */
  bool owns_arena;   /* the model that igt_model_free frees */
  size_t order_count;
  const unsigned short
      *order; /* fields in the server's order, if it differs from the description's */
  size_t unknown_count;
  igt__extra *unknown;
};

const void *igt__pointer_get(const void *at);
void igt__pointer_set(void *at, void *pointer);

#endif
