/* SPDX-License-Identifier: MIT */
/* The order in which a model's fields are written and shown: the discriminator first, then the
 * server's order, then as described; and a visitor that calls a function for each field. Called by
 * encode.c, fields.c and check.c. */
#include "model/walk.h"

#include "model/model.h"

const void *igt__field_at(const igt_model *model, const igt__field *field) {
  return (const char *)model + field->offset;
}

/* All field structs start with it. */
igt_presence igt__field_presence(const igt_model *model, const igt__field *field) {
  return *(const igt_presence *)igt__field_at(model, field);
}

typedef struct igt__order {
  unsigned short *at;
  size_t count;
  bool seen[IGT__MAX_FIELDS];
} igt__order;

static void add(igt__order *order, const igt_model *model, const igt_type *type, size_t i) {
  if (i >= type->field_count || i >= IGT__MAX_FIELDS || order->seen[i] ||
      igt__field_presence(model, &type->fields[i]) == IGT_ABSENT)
    return;
  order->seen[i] = true;
  order->at[order->count++] = (unsigned short)i;
}

size_t igt__present_fields(const igt_model *model, const igt_type *type,
                           unsigned short order[IGT__MAX_FIELDS]) {
  const struct igt__extras *extras = model->extras;
  igt__order list = {.at = order};

  if (type->discriminator >= 0)
    add(&list, model, type, (size_t)type->discriminator);
  for (size_t i = 0; extras && i < extras->order_count; i++)
    add(&list, model, type, extras->order[i]);
  for (size_t i = 0; i < type->field_count; i++)
    add(&list, model, type, i);
  return list.count;
}

static igt__field_view view_of(const igt__field *field) {
  return (igt__field_view){.name = field->name,
                           .kind = (igt__kind)field->kind,
                           .type = field->type,
                           .known = true,
                           .read_only = field->flags & IGT__FIELD_READ_ONLY};
}

static igt_status show_absent(const igt_model *model, igt__field_fn fn, void *payload) {
  const igt_type *type = model->type;
  igt_status status = IGT_OK;

  for (size_t i = 0; i < type->field_count && status == IGT_OK; i++) {
    igt__field_view view = view_of(&type->fields[i]);

    view.field = igt__field_at(model, &type->fields[i]);
    if (igt__field_presence(model, &type->fields[i]) == IGT_ABSENT)
      status = fn(payload, &view);
  }
  return status;
}

static igt_status show_unknown(const struct igt__extras *extras, igt__field_fn fn, void *payload) {
  igt_status status = IGT_OK;

  for (size_t i = 0; extras && i < extras->unknown_count && status == IGT_OK; i++) {
    igt_json_field field = {IGT_SET, extras->unknown[i].json};
    igt__field_view view = {
        .name = extras->unknown[i].name, .is = IGT_SET, .kind = IGT__KIND_JSON, .field = &field};

    status = fn(payload, &view);
  }
  return status;
}

igt_status igt__model_each_field(const igt_model *model, igt__field_fn fn, void *payload) {
  unsigned short order[IGT__MAX_FIELDS];
  size_t count = igt__present_fields(model, model->type, order);
  igt_status status = IGT_OK;

  for (size_t i = 0; i < count && status == IGT_OK; i++) {
    const igt__field *field = &model->type->fields[order[i]];
    igt__field_view view = view_of(field);

    view.is = igt__field_presence(model, field);
    view.field = igt__field_at(model, field);
    status = fn(payload, &view);
  }
  if (status == IGT_OK)
    status = show_absent(model, fn, payload);
  if (status == IGT_OK)
    status = show_unknown(model->extras, fn, payload);
  return status;
}

igt_status igt__type_each_field(const igt_type *type, igt__field_fn fn, void *payload) {
  igt_status status = IGT_OK;

  for (size_t i = 0; i < type->field_count && status == IGT_OK; i++) {
    igt__field_view view = view_of(&type->fields[i]);

    status = fn(payload, &view);
  }
  return status;
}
