/* SPDX-License-Identifier: MIT */
/* A model's fields as text, for programs that display any model. */
#include "base/error.h"
#include "base/limits.h"
#include "model/model.h"

typedef struct showing {
  igt_field_fn fn;
  void *payload;
  igt__buf json, text;
  bool absent; /* the second pass */
  bool ended;  /* by the program */
} showing;

static void join(igt__buf *out, const igt_string_list_field *list) {
  for (size_t i = 0; i < list->count; i++) {
    if (i)
      igt__buf_puts(out, ", ");
    igt__buf_puts(out, list->v[i] ? list->v[i] : "");
  }
}

/* A set value as users read it. */
static const char *text_of(showing *s, const igt__field_view *view) {
  const igt_string_field *string = view->field;
  const igt_time_field *time = view->field;

  if (view->kind == IGT__KIND_STRING)
    return string->v;
  if (view->kind == IGT__KIND_TIME && time->text)
    return time->text;
  if (view->kind == IGT__KIND_STRING_LIST) {
    join(&s->text, view->field);
    return s->text.data;
  }
  if (s->json.len > 1 &&
      s->json.data[0] == '"') { /* a date that a program set, or an unknown field */
    igt__json *value = NULL;
    if (igt__json_parse(s->json.data, s->json.len, view->name, &value, NULL) == IGT_OK)
      igt__buf_puts(&s->text, igt__json_str(value));
    igt__json_free(value);
    return s->text.data;
  }
  return s->json.data;
}

static igt_status show(void *payload, const igt__field_view *view) {
  showing *s = payload;
  igt_field_text field = {view->name, view->is, "", "null", view->known, view->read_only};
  igt_status status;

  if (s->absent != (view->is == IGT_ABSENT))
    return IGT_OK;
  igt__buf_clear(&s->json);
  igt__buf_clear(&s->text);
  if (view->is == IGT_SET) {
    if (!igt__field_write(&s->json, view))
      return IGT_E_NO_MEMORY;
    field.json = s->json.data;
    field.text = text_of(s, view);
    if (s->text.failed)
      return IGT_E_NO_MEMORY;
  }
  status = s->fn(s->payload, &field);
  s->ended = status != IGT_OK;
  return status;
}

igt_status igt_model_each_field(const igt_model *model, igt_field_fn fn, void *payload,
                                igt_error *err) {
  showing s = {.fn = fn, .payload = payload};
  igt_status status;

  igt__error_clear(err);
  if (!model || !model->type || model->type->kind != IGT__TYPE_OBJECT || !fn)
    return igt__fail(err, IGT_E_INVALID, "only a model has fields");
  igt__buf_init(&s.json, IGT__MAX_JSON_BODY);
  igt__buf_init(&s.text, IGT__MAX_JSON_BODY);
  status = igt__model_each_field(model, show, &s);
  s.absent = true;
  if (status == IGT_OK)
    status = igt__model_each_field(model, show, &s);
  igt__buf_finish(&s.json);
  igt__buf_finish(&s.text);
  if (status == IGT_OK)
    return IGT_OK;
  return s.ended ? igt__fail(err, status, "stopped by the callback") : igt__fail_memory(err);
}
