/* SPDX-License-Identifier: MIT */
/* Models to JSON text. The writer walks a model's present fields in the order of walk.c (type name
 * first, then the server's order, then fields that a program set, then unknown ones), through
 * nested models and lists, in compact or indented style. Called by lib/api for bodies, by
 * igt_model_encode, and for study.json and CSV output. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/time.h"
#include "model/model.h"
#include "model/scan.h"
#include "model/walk.h"

typedef struct igt__writer {
  igt__buf *out;
  igt__json_style style;
  unsigned flags;
  unsigned depth;
} igt__writer;

static void write_model(igt__writer *w, const igt_model *model, const igt_type *declared);

/* ---- layout ---- */

static void new_line(igt__writer *w) {
  if (w->style != IGT__JSON_INDENT4)
    return;
  igt__buf_putc(w->out, '\n');
  for (unsigned i = 0; i < w->depth; i++)
    igt__buf_puts(w->out, "    ");
}

static void open_bracket(igt__writer *w, char bracket) {
  igt__buf_putc(w->out, bracket);
  w->depth++;
}

/* any: the brackets are not empty. */
static void close_bracket(igt__writer *w, char bracket, bool any) {
  w->depth--;
  if (any)
    new_line(w);
  igt__buf_putc(w->out, bracket);
}

static void next_element(igt__writer *w, bool first) {
  if (!first)
    igt__buf_putc(w->out, ',');
  new_line(w);
}

static void write_string(igt__writer *w, const char *s) {
  if (s)
    igt__json_write_string(w->out, s, strlen(s), w->style);
  else
    igt__buf_puts(w->out, "null");
}

static void write_name(igt__writer *w, const char *name, bool first) {
  next_element(w, first);
  write_string(w, name);
  igt__buf_puts(w->out, w->style == IGT__JSON_INDENT4 ? ": " : ":");
}

/* ---- values ---- */

static void write_time(igt__writer *w, const igt_time_field *field) {
  char text[48];

  if (field->text && !(w->flags & IGT__WRITE_ISO_DATES && field->valid)) {
    write_string(w, field->text);
    return;
  }
  igt__time_format(&field->v, 'T', text, sizeof text);
  write_string(w, text);
}

/* The C library's own conversions depend on the program's locale. */
static void write_number(igt__writer *w, double v) {
  igt__json *json = igt__json_new_double(v);

  if (!json || !igt__json_write(w->out, json, IGT__JSON_COMPACT))
    w->out->failed = true;
  igt__json_free(json);
}

static void write_json(igt__writer *w, const char *text) {
  if (text && !igt__scan_rewrite(w->out, text, strlen(text), w->style, w->depth))
    w->out->failed = true;
  else if (!text)
    igt__buf_puts(w->out, "null");
}

static void write_strings(igt__writer *w, const char *const *v, size_t count) {
  open_bracket(w, '[');
  for (size_t i = 0; i < count; i++) {
    next_element(w, i == 0);
    write_string(w, v[i]);
  }
  close_bracket(w, ']', count > 0);
}

static void write_integers(igt__writer *w, const igt_integer_list_field *field) {
  open_bracket(w, '[');
  for (size_t i = 0; i < field->count; i++) {
    next_element(w, i == 0);
    igt__buf_printf(w->out, "%lld", (long long)field->v[i]);
  }
  close_bracket(w, ']', field->count > 0);
}

/* v: an array of pointers to models of any one type. */
static const igt_model *element(const void *v, size_t i) {
  return igt__pointer_get((const char *)v + i * sizeof(void *));
}

static void write_models(igt__writer *w, const void *v, size_t count, const igt_type *type) {
  open_bracket(w, '[');
  for (size_t i = 0; i < count; i++) {
    next_element(w, i == 0);
    write_model(w, element(v, i), type);
  }
  close_bracket(w, ']', count > 0);
}

static void write_value(igt__writer *w, const igt__field *field, const void *at) {
  switch ((igt__kind)field->kind) {
  case IGT__KIND_STRING:
    write_string(w, ((const igt_string_field *)at)->v);
    break;
  case IGT__KIND_INTEGER:
    igt__buf_printf(w->out, "%lld", (long long)((const igt_integer_field *)at)->v);
    break;
  case IGT__KIND_NUMBER:
    write_number(w, ((const igt_number_field *)at)->v);
    break;
  case IGT__KIND_BOOLEAN:
    igt__buf_puts(w->out, ((const igt_boolean_field *)at)->v ? "true" : "false");
    break;
  case IGT__KIND_TIME:
    write_time(w, at);
    break;
  case IGT__KIND_JSON:
    write_json(w, ((const igt_json_field *)at)->v);
    break;
  case IGT__KIND_STRING_LIST:
    write_strings(w, ((const igt_string_list_field *)at)->v,
                  ((const igt_string_list_field *)at)->count);
    break;
  case IGT__KIND_INTEGER_LIST:
    write_integers(w, at);
    break;
  case IGT__KIND_MODEL:
    write_model(w, igt__pointer_get((const char *)at + offsetof(igt__model_field, v)), field->type);
    break;
  case IGT__KIND_MODEL_LIST:
    write_models(w, igt__pointer_get((const char *)at + offsetof(igt__model_list_field, v)),
                 ((const igt__model_list_field *)at)->count, field->type);
    break;
  }
}

/* ---- objects ---- */

static bool is_left_out(const igt__writer *w, const igt__field *field) {
  return w->flags & IGT__WRITE_FOR_SENDING && field->flags & IGT__FIELD_READ_ONLY;
}

/* Writes the type's name for a zeroed model whose type has one on the wire. */
static bool write_missing_tag(igt__writer *w, const igt_model *model, const igt_type *type) {
  const igt__field *tag;

  if (type->discriminator < 0 || !type->base || !(w->flags & IGT__WRITE_FOR_SENDING))
    return false;
  tag = &type->fields[type->discriminator];
  if (igt__field_presence(model, tag) != IGT_ABSENT)
    return false;
  write_name(w, tag->name, true);
  write_string(w, type->name);
  return true;
}

static bool write_fields(igt__writer *w, const igt_model *model, const igt_type *type) {
  unsigned short order[IGT__MAX_FIELDS];
  size_t count = igt__present_fields(model, type, order);
  bool any = write_missing_tag(w, model, type);

  for (size_t i = 0; i < count; i++) {
    const igt__field *field = &type->fields[order[i]];

    if (is_left_out(w, field))
      continue;
    write_name(w, field->name, !any);
    any = true;
    if (igt__field_presence(model, field) == IGT_NULL)
      igt__buf_puts(w->out, "null");
    else
      write_value(w, field, igt__field_at(model, field));
  }
  return any;
}

static void write_object(igt__writer *w, const igt_model *model, const igt_type *type) {
  bool any;

  open_bracket(w, '{');
  any = write_fields(w, model, type);
  for (size_t i = 0; model->extras && i < model->extras->unknown_count; i++) {
    write_name(w, model->extras->unknown[i].name, !any);
    any = true;
    write_json(w, model->extras->unknown[i].json);
  }
  close_bracket(w, '}', any);
}

static void write_model(igt__writer *w, const igt_model *model, const igt_type *declared) {
  const igt_type *type = model && model->type ? model->type : declared;

  if (w->depth > IGT__MAX_JSON_DEPTH)
    w->out->failed = true; /* models that contain themselves */
  if (!model || w->out->failed) {
    igt__buf_puts(w->out, "null");
    return;
  }
  switch (type->kind) {
  case IGT__TYPE_OBJECT:
    write_object(w, model, type);
    break;
  case IGT__TYPE_LIST: {
    const igt__model_list *list = (const igt__model_list *)model;

    write_models(w, igt__pointer_get(&list->v), list->count, type->element);
    break;
  }
  case IGT__TYPE_STRINGS:
    write_strings(w, igt__pointer_get(&((const igt_string_list *)model)->v),
                  ((const igt_string_list *)model)->count);
    break;
  case IGT__TYPE_TEXT:
    igt__json_write_string(w->out, ((const igt_text *)model)->v, ((const igt_text *)model)->len,
                           w->style);
    break;
  case IGT__TYPE_RAW:
    igt__buf_append(w->out, ((const igt_text *)model)->v, ((const igt_text *)model)->len);
    break;
  }
}

static bool write_typed(igt__buf *out, const igt_model *model, const igt_type *type,
                        igt__json_style style, unsigned flags) {
  igt__writer w = {.out = out, .style = style, .flags = flags};

  write_model(&w, model, type);
  return !out->failed;
}

bool igt__model_write(igt__buf *out, const igt_model *model, igt__json_style style,
                      unsigned flags) {
  return write_typed(out, model, model->type, style, flags);
}

bool igt__model_write_as(igt__buf *out, const igt_model *model, const igt_type *type,
                         igt__json_style style, unsigned flags) {
  return write_typed(out, model, type, style, flags);
}

bool igt__model_write_list(igt__buf *out, const void *models, size_t count, const igt_type *type,
                           igt__json_style style, unsigned flags) {
  igt__writer w = {.out = out, .style = style, .flags = flags};

  write_models(&w, models, count, type);
  return !out->failed;
}

bool igt__field_write(igt__buf *out, const igt__field_view *view) {
  igt__writer w = {.out = out, .style = IGT__JSON_COMPACT};
  igt__field field = {.name = view->name, .kind = (unsigned char)view->kind, .type = view->type};

  write_value(&w, &field, view->field);
  return !out->failed;
}
