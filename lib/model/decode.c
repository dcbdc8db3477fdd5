/* SPDX-License-Identifier: MIT */
/* JSON text to models. The decoder reads with scan.c, looks up each member in the tables of type.h
 * and stores its value in the struct, all of it in one arena; members without a described name are
 * kept as compact text. The path of steps exists for error messages ("events[3].isMaster"). Texts
 * that lists repeat are stored once. The first error stops the decoder and is explained at the end.
 * Called by lib/api for whole responses, by stream.c for elements, and by igt_model_parse. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/time.h"
#include "model/model.h"
#include "model/scan.h"
#include "model/walk.h"

/* Limit for members of one object without a described name. The API adds one or two per release;
 * finding duplicates among them takes quadratic time. */
#define MAX_UNKNOWN 1024
#define SMALL 1024

typedef struct igt__step {
  const char *field;
  size_t index; /* SIZE_MAX: not in a list */
} igt__step;

/* Texts stored earlier, each in the one slot that its hash selects. Elements of a list repeat the
 * institute, the project and the creator: a repeated text is not stored again. */
#define SEEN_SLOTS 256
#define SEEN_SHORTEST 4 /* shorter ones cost less than they save */
struct igt__seen {
  struct {
    const char *text;
    size_t len;
  } slots[SEEN_SLOTS];
  const unsigned short *order; /* of fields, as stored last */
  size_t order_count;
};

igt__seen *igt__seen_new(void) {
  return igt__calloc(1, sizeof(igt__seen));
}

/* The first error is in status and wanted, or in scan.problem. */
typedef struct igt__decoder {
  igt__scan scan;
  igt__arena *arena;
  igt_status status;
  const char *wanted; /* "an integer", for IGT_E_TYPE */
  const char *found;
  igt__step path[IGT__MAX_JSON_DEPTH + 2];
  size_t steps;
  igt__seen *seen; /* NULL: texts are not deduplicated */
} igt__decoder;

static bool decode_model(igt__decoder *d, const igt_type *type, igt_model **out);

/* ---- failing ---- */

static bool fail(igt__decoder *d, igt_status status) {
  if (d->status == IGT_OK)
    d->status = status;
  return false;
}

static bool fail_parse(igt__decoder *d) {
  return fail(d, d->scan.too_deep ? IGT_E_LIMIT : IGT_E_PARSE);
}

static const char *kind_found(char c) {
  switch (c) {
  case '{':
    return "an object";
  case '[':
    return "a list";
  case '"':
    return "a string";
  case 't':
  case 'f':
    return "true or false";
  case 'n':
    return "null";
  default:
    return "a number";
  }
}

/* A value of another type; one that is not JSON at all is an error of its own. */
static bool fail_type(igt__decoder *d, const char *wanted) {
  char c = igt__scan_peek(&d->scan);

  if (!igt__scan_skip(&d->scan))
    return fail_parse(d);
  d->wanted = wanted;
  d->found = kind_found(c);
  return fail(d, IGT_E_TYPE);
}

/* "patient.dateOfBirth", "events[3].isMaster" */
static void write_path(const igt__decoder *d, char *out, size_t cap) {
  size_t len = 0;

  out[0] = '\0';
  for (size_t i = 0; i < d->steps && len + 1 < cap; i++) {
    const igt__step *step = &d->path[i];
    int n;

    if (step->index == SIZE_MAX)
      n = snprintf(out + len, cap - len, "%s%s", len ? "." : "", step->field);
    else
      n = snprintf(out + len, cap - len, "%s%s[%zu]", len ? "." : "", step->field, step->index);
    len += n > 0 ? (size_t)n : 0;
  }
}

static igt_status explain(const igt__decoder *d, igt_error *err) {
  char path[256];

  write_path(d, path, sizeof path);
  switch (d->status) {
  case IGT_OK:
    return IGT_OK;
  case IGT_E_NO_MEMORY:
    if (igt__arena_is_full(d->arena))
      return igt__fail(err, IGT_E_LIMIT, "it would exceed the memory limit of a response");
    return igt__fail_memory(err);
  case IGT_E_TYPE:
    if (!path[0])
      return igt__fail(err, IGT_E_TYPE, "%s is expected but it is %s", d->wanted, d->found);
    return igt__fail(err, IGT_E_TYPE, "the field %s must be %s but is %s", path, d->wanted,
                     d->found);
  case IGT_E_LIMIT:
    if (!d->scan.too_deep)
      return igt__fail(err, IGT_E_LIMIT, "more than %d unknown fields in one object", MAX_UNKNOWN);
    return igt__fail(err, IGT_E_LIMIT, "values are nested deeper than %d levels",
                     IGT__MAX_JSON_DEPTH);
  default:
    return igt__fail(err, IGT_E_PARSE, "not JSON at byte %zu: %s",
                     (size_t)(d->scan.at - d->scan.begin),
                     d->scan.problem ? d->scan.problem : "unexpected text after the value");
  }
}

/* ---- memory ---- */

static void *get(igt__decoder *d, size_t count, size_t size) {
  void *p = igt__arena_calloc(d->arena, count ? count : 1, size);

  if (!p)
    fail(d, IGT_E_NO_MEMORY);
  return p;
}

/* Space for one more element after count; lists double, so no more than half is wasted. */
static void *grow(igt__decoder *d, void *list, size_t count, size_t *cap, size_t size) {
  void *larger;

  if (count < *cap)
    return list;
  larger = get(d, *cap ? *cap * 2 : 2, size);
  if (!larger)
    return NULL;
  if (count)
    memcpy(larger, list, count * size);
  *cap = *cap ? *cap * 2 : 2;
  return larger;
}

static char *keep(igt__decoder *d, const igt__slice *string, size_t *len) {
  char *s = igt__arena_text(d->arena, string->len + 1);

  if (s)
    *len = igt__slice_unescape(string, s);
  else
    fail(d, IGT_E_NO_MEMORY);
  return s;
}

/* ---- single values ---- */

static bool decode_text(igt__decoder *d, const char **out, size_t *len) {
  igt__slice string;
  char *s;

  if (igt__scan_peek(&d->scan) != '"')
    return fail_type(d, "a string");
  if (!igt__scan_string(&d->scan, &string))
    return fail_parse(d);
  s = keep(d, &string, len);
  *out = s;
  return s != NULL;
}

/* FNV-1a of the length and both ends: ids differ there. */
static size_t seen_slot(const igt__slice *string) {
  size_t ends = string->len < 16 ? string->len / 2 : 8;
  uint32_t hash = 2166136261u ^ (uint32_t)string->len;

  for (size_t i = 0; i < ends; i++) {
    hash = (hash ^ (unsigned char)string->at[i]) * 16777619u;
    hash = (hash ^ (unsigned char)string->at[string->len - 1 - i]) * 16777619u;
  }
  return (hash ^ hash >> 16) % SEEN_SLOTS;
}

/* A field's text ends at its NUL, so it cannot contain one. A text without escapes has none. */
static bool decode_string(igt__decoder *d, const char **out) {
  igt__slice string;
  size_t len = 0, slot = 0;
  bool look;

  if (igt__scan_peek(&d->scan) != '"')
    return fail_type(d, "a string");
  if (!igt__scan_string(&d->scan, &string))
    return fail_parse(d);
  look = d->seen && !string.escaped && string.len >= SEEN_SHORTEST;
  if (look) {
    slot = seen_slot(&string);
    *out = d->seen->slots[slot].text;
    if (d->seen->slots[slot].len == string.len && memcmp(*out, string.at, string.len) == 0)
      return true;
  }
  *out = keep(d, &string, &len);
  if (!*out)
    return false;
  if (look) {
    d->seen->slots[slot].text = *out;
    d->seen->slots[slot].len = len;
  }
  if (!string.escaped || !memchr(*out, '\0', len))
    return true;
  d->wanted = "text";
  d->found = "text with a NUL character in it";
  return fail(d, IGT_E_TYPE);
}

static bool decode_time(igt__decoder *d, igt_time_field *field) {
  if (!decode_string(d, &field->text))
    return false;
  field->valid = igt__time_parse(field->text, &field->v);
  if (!field->valid)
    memset(&field->v, 0, sizeof field->v);
  return true;
}

static bool is_number(igt__decoder *d) {
  char c = igt__scan_peek(&d->scan);

  return c == '-' || (c >= '0' && c <= '9');
}

static bool decode_integer(igt__decoder *d, int64_t *out) {
  igt__slice number;
  bool is_integer;

  if (!is_number(d))
    return fail_type(d, "an integer");
  if (!igt__scan_number(&d->scan, &number, &is_integer))
    return fail_parse(d);
  if (igt__slice_to_int64(&number, out))
    return true;
  d->wanted = "an integer of 64 bits";
  d->found = is_integer ? "a larger number" : "a number with a fraction or too large";
  return fail(d, IGT_E_TYPE);
}

static bool decode_number(igt__decoder *d, double *out) {
  igt__slice number;
  igt__json *json = NULL;
  bool is_integer;

  if (!is_number(d))
    return fail_type(d, "a number");
  if (!igt__scan_number(&d->scan, &number, &is_integer))
    return fail_parse(d);
  /* The C library's own conversions depend on the program's locale. */
  if (igt__json_parse(number.at, number.len, "a number", &json, NULL) != IGT_OK)
    return fail(d, IGT_E_NO_MEMORY);
  *out = igt__json_double(json);
  igt__json_free(json);
  return true;
}

static bool decode_boolean(igt__decoder *d, bool *out) {
  char c = igt__scan_peek(&d->scan);

  if (c != 't' && c != 'f')
    return fail_type(d, "true or false");
  *out = c == 't';
  return igt__scan_word(&d->scan, c == 't' ? "true" : "false") || fail_parse(d);
}

/* Any value, stored as compact text. */
static bool decode_json(igt__decoder *d, const char **out) {
  const char *begin;
  igt__buf buf;
  bool ok;

  igt__scan_space(&d->scan);
  begin = d->scan.at;
  if (!igt__scan_skip(&d->scan))
    return fail_parse(d);
  igt__buf_init(&buf, IGT__MAX_JSON_ELEMENT * 2);
  ok = igt__scan_rewrite(&buf, begin, (size_t)(d->scan.at - begin), IGT__JSON_COMPACT, 0);
  *out = ok ? igt__arena_strndup(d->arena, buf.data, buf.len) : NULL;
  igt__buf_finish(&buf);
  return *out || fail(d, IGT_E_NO_MEMORY);
}

/* ---- lists ---- */

static bool decode_string_list(igt__decoder *d, size_t *count, const char *const **out) {
  const char **list = NULL;
  size_t cap = 0;
  bool first = true;

  *count = 0;
  if (igt__scan_peek(&d->scan) != '[')
    return fail_type(d, "a list of strings");
  if (!igt__scan_open(&d->scan, '['))
    return fail_parse(d);
  for (; igt__scan_more(&d->scan, ']', &first); ++*count) {
    list = grow(d, list, *count, &cap, sizeof *list);
    if (!list)
      return false;
    list[*count] = NULL;
    if (igt__scan_peek(&d->scan) == 'n' ? !igt__scan_word(&d->scan, "null")
                                        : !decode_string(d, &list[*count]))
      return fail_parse(d);
  }
  *out = list;
  return !d->scan.problem || fail_parse(d);
}

static bool decode_integer_list(igt__decoder *d, igt_integer_list_field *field) {
  int64_t *list = NULL;
  size_t cap = 0;
  bool first = true;

  field->count = 0;
  if (igt__scan_peek(&d->scan) != '[')
    return fail_type(d, "a list of integers");
  if (!igt__scan_open(&d->scan, '['))
    return fail_parse(d);
  for (; igt__scan_more(&d->scan, ']', &first); field->count++) {
    list = grow(d, list, field->count, &cap, sizeof *list);
    if (!list || !decode_integer(d, &list[field->count]))
      return false;
  }
  field->v = list;
  return !d->scan.problem || fail_parse(d);
}

/* step: gets the elements' index in the path; NULL: the list is the whole response. */
static bool decode_model_list(igt__decoder *d, const igt_type *type, igt__step *step, size_t *count,
                              void *v) {
  igt_model **list = NULL;
  size_t cap = 0;
  bool first = true;

  *count = 0;
  if (igt__scan_peek(&d->scan) != '[')
    return fail_type(d, "a list of objects");
  if (!igt__scan_open(&d->scan, '['))
    return fail_parse(d);
  for (; igt__scan_more(&d->scan, ']', &first); ++*count) {
    step->index = *count;
    list = grow(d, list, *count, &cap, sizeof(igt_model *));
    if (!list || !decode_model(d, type, &list[*count]))
      return false;
  }
  step->index = SIZE_MAX;
  igt__pointer_set(v, list);
  return !d->scan.problem || fail_parse(d);
}

/* ---- objects ---- */

static bool decode_value(igt__decoder *d, const igt__field *field, void *at) {
  igt__step *step = &d->path[d->steps - 1];

  switch ((igt__kind)field->kind) {
  case IGT__KIND_STRING:
    return decode_string(d, &((igt_string_field *)at)->v);
  case IGT__KIND_INTEGER:
    return decode_integer(d, &((igt_integer_field *)at)->v);
  case IGT__KIND_NUMBER:
    return decode_number(d, &((igt_number_field *)at)->v);
  case IGT__KIND_BOOLEAN:
    return decode_boolean(d, &((igt_boolean_field *)at)->v);
  case IGT__KIND_TIME:
    return decode_time(d, at);
  case IGT__KIND_JSON:
    return decode_json(d, &((igt_json_field *)at)->v);
  case IGT__KIND_STRING_LIST:
    return decode_string_list(d, &((igt_string_list_field *)at)->count,
                              &((igt_string_list_field *)at)->v);
  case IGT__KIND_INTEGER_LIST:
    return decode_integer_list(d, at);
  case IGT__KIND_MODEL: {
    igt_model *model = NULL;

    if (!decode_model(d, field->type, &model))
      return false;
    igt__pointer_set((char *)at + offsetof(igt__model_field, v), model);
    return true;
  }
  case IGT__KIND_MODEL_LIST:
    return decode_model_list(d, field->type, step, &((igt__model_list_field *)at)->count,
                             (char *)at + offsetof(igt__model_list_field, v));
  }
  return fail(d, IGT_E_INTERNAL);
}

/* All field structs start with their presence. */
static bool decode_field(igt__decoder *d, const igt__field *field, char *at) {
  igt_presence *is = (igt_presence *)(void *)at;
  bool ok = true;

  *is = IGT_SET;
  d->path[d->steps++] = (igt__step){field->name, SIZE_MAX};
  if (igt__scan_peek(&d->scan) == 'n') {
    *is = IGT_NULL;
    ok = igt__scan_word(&d->scan, "null") || fail_parse(d);
  } else {
    ok = decode_value(d, field, at);
  }
  if (ok) /* otherwise the path locates the error */
    d->steps--;
  return ok;
}

/* The names in an object mostly come in the order of the previous object: searches after the last
 * hit first. Returns field_count for an unknown name. */
static size_t find_field(const igt_type *type, const char *name, size_t len, size_t hint) {
  for (size_t i = 0; i < type->field_count; i++) {
    size_t at = hint + i < type->field_count ? hint + i : hint + i - type->field_count;
    const igt__field *field = &type->fields[at];

    if (field->name_len == len && memcmp(field->name, name, len) == 0)
      return at;
  }
  return type->field_count;
}

/* A member's name; one with escapes is decoded into the arena. */
static const char *key_text(igt__decoder *d, const igt__slice *key, size_t *len) {
  *len = key->len;
  return key->escaped ? keep(d, key, len) : key->at;
}

typedef struct igt__members {
  unsigned short order[IGT__MAX_FIELDS];
  size_t count;
  bool reordered;
  igt__extra *unknown;
  size_t unknown_count, unknown_cap;
} igt__members;

static bool decode_unknown(igt__decoder *d, igt__members *m, const char *name, size_t len) {
  igt__extra *extra = NULL;

  for (size_t i = 0; i < m->unknown_count && !extra; i++)
    if (strncmp(m->unknown[i].name, name, len) == 0 && m->unknown[i].name[len] == '\0')
      extra = &m->unknown[i];
  if (!extra) {
    if (m->unknown_count == MAX_UNKNOWN)
      return fail(d, IGT_E_LIMIT);
    m->unknown = grow(d, m->unknown, m->unknown_count, &m->unknown_cap, sizeof *extra);
    if (!m->unknown)
      return false;
    extra = &m->unknown[m->unknown_count++];
    extra->name = igt__arena_strndup(d->arena, name, len);
    if (!extra->name)
      return fail(d, IGT_E_NO_MEMORY);
  }
  return decode_json(d, &extra->json);
}

static bool decode_members(igt__decoder *d, const igt_type *type, char *model, igt__members *m) {
  igt__slice key;
  size_t len, at, next = 0;
  bool first = true;

  if (!igt__scan_open(&d->scan, '{'))
    return fail_parse(d);
  while (igt__scan_more(&d->scan, '}', &first)) {
    const char *name;

    if (!igt__scan_key(&d->scan, &key))
      return fail_parse(d);
    name = key_text(d, &key, &len);
    if (!name)
      return false;
    at = find_field(type, name, len, next);
    if (at == type->field_count) {
      if (!decode_unknown(d, m, name, len))
        return false;
      continue;
    }
    if (*(igt_presence *)(void *)(model + type->fields[at].offset) == IGT_ABSENT) {
      m->reordered = m->reordered || at < next;
      m->order[m->count++] = (unsigned short)at;
    }
    if (!decode_field(d, &type->fields[at], model + type->fields[at].offset))
      return false;
    next = at + 1;
  }
  return !d->scan.problem || fail_parse(d);
}

/* An object mostly has the order of the previous one. */
static const unsigned short *keep_order(igt__decoder *d, const igt__members *m) {
  size_t size = m->count * sizeof *m->order;
  unsigned short *order;

  if (d->seen && d->seen->order && d->seen->order_count == m->count &&
      memcmp(d->seen->order, m->order, size) == 0)
    return d->seen->order;
  order = get(d, m->count, sizeof *order);
  if (order)
    memcpy(order, m->order, size);
  if (d->seen) {
    d->seen->order = order;
    d->seen->order_count = m->count;
  }
  return order;
}

/* Members for which the struct itself has no place. */
static bool keep_members(igt__decoder *d, igt_model *model, const igt__members *m) {

  if (!m->reordered && !m->unknown_count)
    return true;
  model->extras = get(d, 1, sizeof *model->extras);
  if (!model->extras)
    return false;
  model->extras->unknown = m->unknown;
  model->extras->unknown_count = m->unknown_count;
  if (!m->reordered)
    return true;
  model->extras->order = keep_order(d, m);
  model->extras->order_count = m->count;
  return model->extras->order != NULL;
}

static const igt_type *named_type(const igt_type *type, const char *name, size_t len) {
  for (size_t i = 0; i < type->derived_count; i++)
    if (strlen(type->derived[i]->name) == len && memcmp(type->derived[i]->name, name, len) == 0)
      return type->derived[i];
  return type;
}

/* The type that the object at scan names: its members are read ahead, because that field may be the
 * last. A type's name needs no escapes. */
static const igt_type *concrete_type(const igt__decoder *d, const igt_type *type) {
  const igt_type *found = type;
  const igt__field *tag;
  igt__scan scan = d->scan;
  igt__slice key, value;
  bool first = true;

  if (type->discriminator < 0 || !type->derived_count)
    return type;
  tag = &type->fields[type->discriminator];
  if (!igt__scan_open(&scan, '{'))
    return type;
  while (igt__scan_more(&scan, '}', &first) && igt__scan_key(&scan, &key)) {
    if (key.len == tag->name_len && memcmp(key.at, tag->name, key.len) == 0 &&
        igt__scan_peek(&scan) == '"') {
      if (igt__scan_string(&scan, &value))
        found = named_type(type, value.at, value.len);
    } else {
      igt__scan_skip(&scan);
    }
  }
  return found;
}

static bool decode_model(igt__decoder *d, const igt_type *type, igt_model **out) {
  igt__members members;
  igt_model *model;

  members.count = members.unknown_count = members.unknown_cap = 0;
  members.reordered = false;
  members.unknown = NULL;
  if (igt__scan_peek(&d->scan) != '{')
    return fail_type(d, "an object");
  type = concrete_type(d, type);
  if (type->field_count > IGT__MAX_FIELDS || d->steps + 1 >= sizeof d->path / sizeof d->path[0])
    return fail(d, IGT_E_LIMIT);
  model = get(d, 1, type->size);
  if (!model)
    return false;
  model->type = type;
  *out = model;
  return decode_members(d, type, (char *)model, &members) && keep_members(d, model, &members);
}

/* ---- the whole response ---- */

static bool decode_whole_text(igt__decoder *d, const igt_type *type, igt_model **out) {
  igt_text *text = get(d, 1, sizeof *text);

  if (!text)
    return false;
  text->model.type = type;
  *out = &text->model;
  return decode_text(d, &text->v, &text->len);
}

static bool decode_raw(igt__decoder *d, const igt_type *type, igt_model **out) {
  igt_text *text = get(d, 1, sizeof *text);
  size_t n = (size_t)(d->scan.end - d->scan.at);
  char *copy = text ? igt__arena_text(d->arena, n + 1) : NULL;

  if (!copy)
    return fail(d, IGT_E_NO_MEMORY);
  memcpy(copy, d->scan.at, n);
  copy[n] = '\0';
  d->scan.at = d->scan.end;
  *text = (igt_text){.model = {.type = type}, .v = copy, .len = n};
  *out = &text->model;
  return true;
}

static bool decode_strings(igt__decoder *d, const igt_type *type, igt_model **out) {
  igt_string_list *list = get(d, 1, sizeof *list);
  const char *const *v = NULL;

  if (!list || !decode_string_list(d, &list->count, &v))
    return false;
  list->model.type = type;
  igt__pointer_set(&list->v, (void *)(uintptr_t)v);
  *out = &list->model;
  return true;
}

static bool decode_list(igt__decoder *d, const igt_type *type, igt_model **out) {
  igt__model_list *list = get(d, 1, type->size);
  igt__step *step = &d->path[d->steps++];

  if (!list)
    return false;
  *step = (igt__step){"", SIZE_MAX};
  list->model.type = type;
  *out = &list->model;
  if (!decode_model_list(d, type->element, step, &list->count, &list->v))
    return false;
  d->steps--;
  return true;
}

static bool decode_any(igt__decoder *d, const igt_type *type, igt_model **out) {
  switch (type->kind) {
  case IGT__TYPE_OBJECT:
    return decode_model(d, type, out);
  case IGT__TYPE_LIST:
    return decode_list(d, type, out);
  case IGT__TYPE_STRINGS:
    return decode_strings(d, type, out);
  case IGT__TYPE_TEXT:
    return decode_whole_text(d, type, out);
  case IGT__TYPE_RAW:
    return decode_raw(d, type, out);
  }
  return fail(d, IGT_E_INTERNAL);
}

static igt_status decode(igt__decoder *d, const igt_type *type, const char *json, size_t n,
                         const char *what, igt_model **out, igt_error *err) {
  igt_model *model = NULL;
  igt_status status;

  igt__scan_init(&d->scan, json, n);
  if (decode_any(d, type, &model)) {
    igt__scan_space(&d->scan);
    if (d->scan.at < d->scan.end)
      fail_parse(d);
  }
  *out = d->status == IGT_OK ? model : NULL;
  status = explain(d, err);
  if (status != IGT_OK && what)
    igt__error_prefix(err, "%s", what);
  return status;
}

/* Makes the model the owner of the arena that contains it. */
static igt_status own(igt__arena *arena, igt_model **model, igt_error *err) {
  if (!(*model)->extras)
    (*model)->extras = igt__arena_calloc(arena, 1, sizeof *(*model)->extras);
  if ((*model)->extras) {
    (*model)->extras->arena = arena;
    return IGT_OK;
  }
  *model = NULL;
  return igt__fail_memory(err);
}

igt_status igt__model_decode_in(igt__arena *arena, const igt_type *type, const char *json, size_t n,
                                const char *what, igt_model **out, igt_error *err) {
  igt__decoder d = {.arena = arena};
  igt_status status = decode(&d, type, json, n, what, out, err);

  return status == IGT_OK ? own(arena, out, err) : status;
}

igt_status igt__model_decode_part(igt__arena *arena, igt__seen *seen, const igt_type *type,
                                  const char *json, size_t n, igt_model **out, igt_error *err) {
  igt__decoder d = {.arena = arena, .seen = seen};

  return decode(&d, type, json, n, NULL, out, err);
}

igt_status igt__model_decode(const igt_type *type, const char *json, size_t n, const char *what,
                             igt_model **out, igt_error *err) {
  igt__seen seen = {0};
  /* A file's entry takes 700 bytes, and a program may have a million. */
  igt__decoder d = {.arena = igt__arena_new(n < SMALL ? SMALL : 0), .seen = &seen};
  igt_status status;

  *out = NULL;
  if (!d.arena)
    return igt__fail_memory(err);
  igt__arena_bound(d.arena, IGT__MAX_LIST_MEMORY, NULL);
  status = decode(&d, type, json, n, what, out, err);
  if (status == IGT_OK)
    status = own(d.arena, out, err);
  if (status == IGT_OK)
    (*out)->extras->owns_arena = true;
  else
    igt__arena_free(d.arena);
  return status;
}
