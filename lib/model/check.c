/* SPDX-License-Identifier: MIT */
/* Checks a model that a program filled in before it is encoded: fields have the described types,
 * required ones are set, strings are UTF-8, JSON fields are JSON, numbers are finite. Walks the
 * tables of type.h through nested models and lists, and reports the path of the first invalid
 * field. Called by api/request.c before a request is sent, and by igt_model_encode. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "model/model.h"
#include "model/scan.h"
#include "model/walk.h"

typedef struct igt__checker {
  const char *what;
  bool required;
  unsigned depth;
  igt_error *err;
} igt__checker;

static igt_status check_object(igt__checker *c, const igt_model *model, const igt_type *declared);

static igt_status refuse(const igt__checker *c, const char *field, const char *problem) {
  return igt__fail(c->err, IGT_E_INVALID, "%s: the field %s %s", c->what, field, problem);
}

static igt_status check_text(const igt__checker *c, const char *field, const char *text) {
  if (!text)
    return refuse(c, field, "is set but has no value");
  if (!igt__utf8_valid(text, strlen(text)))
    return refuse(c, field, "is not UTF-8");
  return IGT_OK;
}

static igt_status check_json(const igt__checker *c, const char *field, const char *text) {
  igt_status status = check_text(c, field, text);
  igt__scan scan;

  if (status != IGT_OK)
    return status;
  igt__scan_init(&scan, text, strlen(text));
  if (!igt__scan_skip(&scan) || igt__scan_peek(&scan) != '\0' || scan.at != scan.end)
    return refuse(c, field, "is not JSON");
  return IGT_OK;
}

static igt_status check_strings(const igt__checker *c, const char *field,
                                const igt_string_list_field *list) {
  igt_status status = IGT_OK;

  if (list->count && !list->v)
    return refuse(c, field, "is set but has no value");
  for (size_t i = 0; i < list->count && status == IGT_OK; i++)
    if (list->v[i])
      status = check_text(c, field, list->v[i]);
  return status;
}

static igt_status check_models(igt__checker *c, const igt__field *field, const void *at) {
  const igt__model_list_field *list = at;
  const char *v = igt__pointer_get((const char *)at + offsetof(igt__model_list_field, v));
  igt_status status = IGT_OK;

  if (list->count && !v)
    return refuse(c, field->name, "is set but has no value");
  for (size_t i = 0; i < list->count && status == IGT_OK; i++) {
    const igt_model *model = igt__pointer_get(v + i * sizeof(void *));

    status = model ? check_object(c, model, field->type)
                   : refuse(c, field->name, "contains a NULL element");
  }
  return status;
}

static igt_status check_value(igt__checker *c, const igt__field *field, const void *at) {
  switch ((igt__kind)field->kind) {
  case IGT__KIND_STRING:
    return check_text(c, field->name, ((const igt_string_field *)at)->v);
  case IGT__KIND_TIME:
    if (((const igt_time_field *)at)->text)
      return check_text(c, field->name, ((const igt_time_field *)at)->text);
    return IGT_OK;
  case IGT__KIND_JSON:
    return check_json(c, field->name, ((const igt_json_field *)at)->v);
  case IGT__KIND_STRING_LIST:
    return check_strings(c, field->name, at);
  case IGT__KIND_INTEGER_LIST:
    if (((const igt_integer_list_field *)at)->count && !((const igt_integer_list_field *)at)->v)
      return refuse(c, field->name, "is set but has no value");
    return IGT_OK;
  case IGT__KIND_NUMBER: {
    double v = ((const igt_number_field *)at)->v;

    /* JSON has no infinities and no NaN. */
    return v - v == 0 ? IGT_OK : refuse(c, field->name, "is not a finite number");
  }
  case IGT__KIND_MODEL: {
    const igt_model *model = igt__pointer_get((const char *)at + offsetof(igt__model_field, v));

    if (!model)
      return refuse(c, field->name, "is set but has no value");
    return check_object(c, model, field->type);
  }
  case IGT__KIND_MODEL_LIST:
    return check_models(c, field, at);
  case IGT__KIND_INTEGER:
  case IGT__KIND_BOOLEAN:
    return IGT_OK;
  }
  return igt__fail(c->err, IGT_E_INTERNAL, "%s: a field of unknown kind", c->what);
}

static igt_status check_field(igt__checker *c, const igt_model *model, const igt_type *type,
                              size_t i) {
  const igt__field *field = &type->fields[i];
  igt_presence is = igt__field_presence(model, field);
  bool is_named = type->discriminator == (int)i && type->base;

  if (c->required && field->flags & IGT__FIELD_READ_ONLY)
    return IGT_OK; /* it is not sent */
  if (is == IGT_SET)
    return check_value(c, field, igt__field_at(model, field));
  if (c->required && field->flags & IGT__FIELD_REQUIRED && !is_named)
    return igt__fail(c->err, IGT_E_REQUIRED, "%s: the field %s is required", c->what, field->name);
  return IGT_OK;
}

static igt_status check_object(igt__checker *c, const igt_model *model, const igt_type *declared) {
  const igt_type *type = model->type ? model->type : declared;
  igt_status status = IGT_OK;

  if (model->type && !igt_model_is(model, declared))
    return igt__fail(c->err, IGT_E_INVALID, "%s: a %s is expected but this is a %s", c->what,
                     declared->name, model->type->name);
  if (++c->depth > IGT__MAX_JSON_DEPTH)
    return igt__fail(c->err, IGT_E_LIMIT, "%s: models are nested deeper than %d levels", c->what,
                     IGT__MAX_JSON_DEPTH);
  for (size_t i = 0; i < type->field_count && status == IGT_OK; i++)
    status = check_field(c, model, type, i);
  c->depth--;
  return status;
}

igt_status igt__model_check(const igt_model *model, const igt_type *type, const char *what,
                            igt_error *err) {
  igt__checker c = {.what = what, .required = true, .err = err};

  return check_object(&c, model, type);
}

igt_status igt__model_check_values(const igt_model *model, const igt_type *type, const char *what,
                                   igt_error *err) {
  igt__checker c = {.what = what, .err = err};

  return check_object(&c, model, type);
}
