/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_MODEL_H
#define IGT_MODEL_MODEL_H

/* Models: created, read from JSON, written as JSON, and walked field by field. */

#include "model/json.h"
#include "model/type.h"

/* In an arena of its own; the field that names the type is set. NULL: out of memory. */
igt_model *igt__model_new(const igt_type *type);
igt_model *igt__model_copy(const igt_model *model);

/* Strict JSON to a model of `type`, or of the derived type that the discriminator names; an unknown
 * name results in `type` itself with the name in its field. Unknown fields are kept; of duplicate
 * ones, the last. A value of another type than described is IGT_E_TYPE naming `what` and the field.
 * Required fields may be missing. */
igt_status igt__model_decode(const igt_type *type, const char *json, size_t n, const char *what,
                             igt_model **out, igt_error *err);

/* Memory allocated for a model that owns its memory. */
size_t igt__model_memory(const igt_model *model);
/* The same, into the caller's memory: the model lives until the arena is freed or reset. */
igt_status igt__model_decode_in(igt__arena *arena, const igt_type *type, const char *json, size_t n,
                                const char *what, igt_model **out, igt_error *err);

/* The maximum length of a whole response of this type. */
size_t igt__type_max_body(const igt_type *type);

/* Texts of earlier elements, so that repeated ones are stored once; freed by igt__free. */
typedef struct igt__seen igt__seen;
igt__seen *igt__seen_new(void); /* NULL: out of memory */
/* An element of a list that is being built in an arena: it does not own the arena. */
igt_status igt__model_decode_part(igt__arena *arena, igt__seen *seen, const igt_type *type,
                                  const char *json, size_t n, igt_model **out, igt_error *err);

enum {
  IGT__WRITE_ALL = 0,         /* everything that is set or null */
  IGT__WRITE_FOR_SENDING = 1, /* without fields that the server sets */
  IGT__WRITE_ISO_DATES = 2 /* dates as in study.json: +00:00 for Z, fractions of six digits; what is
                              not a date-time is unchanged */
};
/* The field that names the type first, then the server's order, then fields that a program set,
 * then unknown ones. False: out of memory, or past the buffer's maximum. */
bool igt__model_write(igt__buf *out, const igt_model *model, igt__json_style style, unsigned flags);
/* type: used for a model without a type. */
bool igt__model_write_as(igt__buf *out, const igt_model *model, const igt_type *type,
                         igt__json_style style, unsigned flags);
/* Several in a JSON array; models: an array of count pointers to them. */
bool igt__model_write_list(igt__buf *out, const void *models, size_t count, const igt_type *type,
                           igt__json_style style, unsigned flags);
/* Before sending: the model is of `type`, required fields are set, strings are UTF-8, JSON fields
 * are JSON. */
igt_status igt__model_check(const igt_model *model, const igt_type *type, const char *what,
                            igt_error *err);
/* The same, but required fields may be missing. */
igt_status igt__model_check_values(const igt_model *model, const igt_type *type, const char *what,
                                   igt_error *err);

/* One field of a walk. */
typedef struct igt__field_view {
  const char *name; /* in JSON */
  igt_presence is;
  igt__kind kind;       /* JSON for unknown fields */
  const igt_type *type; /* of MODEL and MODEL_LIST */
  const void *field;    /* igt_string_field and so on, by kind */
  bool known;           /* the description contains it */
  bool read_only;
} igt__field_view;
typedef igt_status (*igt__field_fn)(void *payload, const igt__field_view *field);
/* In the order of igt__model_write, then the absent fields as described, then unknown ones. Stops
 * with the first status that is not IGT_OK. */
igt_status igt__model_each_field(const igt_model *model, igt__field_fn fn, void *payload);
/* The value of a set field, as compact JSON. False: out of memory. */
bool igt__field_write(igt__buf *out, const igt__field_view *view);
/* The fields of a type, as if a model had none of them: for the header of a table. */
igt_status igt__type_each_field(const igt_type *type, igt__field_fn fn, void *payload);

/* ---- lists that do not fit in memory ---- */

/* An element, valid during the call. list: the member of the response that contains it, NULL if the
 * response itself is the list. */
typedef igt_status (*igt__element_fn)(void *payload, const char *list, igt_model *element);

typedef struct igt__model_stream igt__model_stream;
/* type: a LIST, or an object whose members are lists of models. what is not copied. */
igt_status igt__model_stream_new(const igt_type *type, const char *what, igt__element_fn fn,
                                 void *payload, igt__model_stream **out, igt_error *err);
/* The same for a list that is wanted as a whole, whose text need not be in memory: elements are
 * kept, and igt__model_stream_take returns the list after the end. */
igt_status igt__model_stream_new_whole(const igt_type *type, const char *what,
                                       igt__model_stream **out, igt_error *err);
igt_status igt__model_stream_take(igt__model_stream *stream, igt_model **out, igt_error *err);
void igt__model_stream_free(igt__model_stream *stream);
/* Space for the next bytes: at least *cap > 0 of them at the returned pointer; NULL: out of
 * memory. */
char *igt__model_stream_space(igt__model_stream *stream, size_t *cap);
/* n bytes were written there: hands out the elements that are complete. */
igt_status igt__model_stream_filled(igt__model_stream *stream, size_t n, igt_error *err);
/* The end of the input. */
igt_status igt__model_stream_end(igt__model_stream *stream, igt_error *err);

#endif
