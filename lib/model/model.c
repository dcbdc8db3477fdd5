/* SPDX-License-Identifier: MIT */
/* The life of a model: creating an empty one in its own arena, copying, freeing, its memory, and
 * the public functions that parse and encode it. A model that owns its arena frees everything it
 * contains with it. Programs and all layers above use it; decode.c and encode.c do the work. */
#include "model/model.h"

#include <string.h>

#include "base/limits.h"

const igt_type igt__text_type = {
    .name = "text", .kind = IGT__TYPE_TEXT, .size = sizeof(igt_text), .discriminator = -1};
const igt_type igt__raw_type = {
    .name = "text", .kind = IGT__TYPE_RAW, .size = sizeof(igt_text), .discriminator = -1};
const igt_type igt__string_list_type = {.name = "list of strings",
                                        .kind = IGT__TYPE_STRINGS,
                                        .size = sizeof(igt_string_list),
                                        .discriminator = -1};

/* Pointers to models of all types are stored through these functions, because C does not allow a
 * pointer of one type to be read as one of another. */
const void *igt__pointer_get(const void *at) {
  const void *pointer;

  memcpy(&pointer, at, sizeof pointer);
  return pointer;
}

void igt__pointer_set(void *at, void *pointer) {
  memcpy(at, &pointer, sizeof pointer);
}

const char *igt_type_name(const igt_type *type) {
  return type ? type->name : "";
}

bool igt_model_is(const igt_model *model, const igt_type *type) {
  const igt_type *at = model ? model->type : NULL;

  while (at && at != type)
    at = at->base;
  return at && type;
}

/* An empty model that owns its arena. */
static igt_model *new_in_own_arena(const igt_type *type) {
  igt__arena *arena = igt__arena_new(0);
  igt_model *model = arena ? igt__arena_calloc(arena, 1, type->size) : NULL;
  struct igt__extras *extras = model ? igt__arena_calloc(arena, 1, sizeof *extras) : NULL;

  if (!extras) {
    igt__arena_free(arena);
    return NULL;
  }
  *extras = (struct igt__extras){.arena = arena, .owns_arena = true};
  *model = (igt_model){.type = type, .extras = extras};
  return model;
}

igt_model *igt__model_new(const igt_type *type) {
  igt_model *model = new_in_own_arena(type);

  if (model && type->base && type->discriminator >= 0) {
    igt_string_field *tag = (void *)((char *)model + type->fields[type->discriminator].offset);

    *tag = (igt_string_field){IGT_SET, type->name};
  }
  return model;
}

/* Copies through JSON: this reuses the code that reads and writes instead of a third walk. */
igt_model *igt__model_copy(const igt_model *model) {
  igt_model *copy = NULL;
  igt__buf buf;

  if (!model || !model->type)
    return NULL;
  igt__buf_init(&buf, SIZE_MAX / 2);
  if (igt__model_write(&buf, model, IGT__JSON_COMPACT, IGT__WRITE_ALL) &&
      igt__model_decode(model->type, buf.data, buf.len, NULL, &copy, NULL) != IGT_OK)
    copy = NULL;
  igt__buf_finish_wipe(&buf);
  return copy;
}

igt_model *igt_model_new(const igt_type *type) {
  return type ? igt__model_new(type) : NULL;
}

igt_model *igt_model_copy(const igt_model *model) {
  return igt__model_copy(model);
}

size_t igt__model_memory(const igt_model *model) {
  return igt__arena_held(model->extras->arena);
}

void igt_model_free(igt_model *model) {
  if (model && model->extras && model->extras->owns_arena)
    igt__arena_free(model->extras->arena);
}

size_t igt__type_max_body(const igt_type *type) {
  return type->kind == IGT__TYPE_LIST ? IGT__MAX_JSON_LIST : IGT__MAX_JSON_BODY;
}

igt_status igt_model_parse(const igt_type *type, const char *json, size_t n, igt_model **out,
                           igt_error *err) {
  size_t most;

  igt__error_clear(err);
  *out = NULL;
  if (!type || !json)
    return igt__fail(err, IGT_E_INVALID, "no type or no JSON to read");
  most = igt__type_max_body(type);
  if (n > most)
    return igt__fail(err, IGT_E_LIMIT, "the JSON is larger than %zu bytes", most);
  return igt__model_decode(type, json, n, type->name, out, err);
}

igt_status igt_model_encode(const igt_model *model, igt_text **out, igt_error *err) {
  igt_model *text = NULL;
  igt_status status;
  igt__buf buf;

  igt__error_clear(err);
  *out = NULL;
  if (!model || !model->type)
    return igt__fail(err, IGT_E_INVALID, "a model without a type cannot be written");
  status = igt__model_check_values(model, model->type, model->type->name, err);
  if (status != IGT_OK)
    return status;
  igt__buf_init(&buf, IGT__MAX_JSON_BODY);
  if (!igt__model_write(&buf, model, IGT__JSON_COMPACT, IGT__WRITE_ALL))
    status = buf.too_long ? igt__fail(err, IGT_E_LIMIT, "the JSON is larger than %u bytes",
                                      IGT__MAX_JSON_BODY)
                          : igt__fail_memory(err);
  else
    status = igt__model_decode(&igt__raw_type, buf.data, buf.len, NULL, &text, err);
  igt__buf_finish(&buf);
  *out = (igt_text *)text;
  return status;
}
