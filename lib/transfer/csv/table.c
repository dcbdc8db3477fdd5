/* SPDX-License-Identifier: MIT */
/* Studies as rows of a table. Columns are collected from the fields of a study or of all described
 * types; nested objects get columns prefixed with the object's field name. Once the header is
 * written the columns are fixed, a value without a column is counted as left out, and rows are
 * built without a lock by several threads. Called by csv.c. */
#include "transfer/csv/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "model/model.h"

#define MAX_COLUMNS 1000
#define MAX_VALUE ((size_t)64 * 1024 * 1024)

struct igt__table {
  igt__map *columns; /* name: the column's number + 1 */
  bool files;
};

igt__table *igt__table_new(bool files) {
  igt__table *t = igt__calloc(1, sizeof *t);

  if (!t)
    return NULL;
  t->files = files;
  t->columns = igt__map_new();
  if (!t->columns) {
    igt__free(t);
    return NULL;
  }
  return t;
}

void igt__table_free(igt__table *t) {
  if (!t)
    return;
  igt__map_free(t->columns);
  igt__free(t);
}

size_t igt__table_columns(const igt__table *t) {
  return igt__map_count(t->columns);
}

/* ---- columns ---- */

static bool is_left_out(const char *name) {
  return strcmp(name, "studyType") == 0 || strcmp(name, "s3Prefix") == 0;
}

static bool is_file_column(const igt__table *t, const char *name) {
  return t->files && (strcmp(name, "filename") == 0 || strcmp(name, "filesize") == 0);
}

/* patient + givenName is patientGivenname; patientId stays. */
static void nested_name(const char *prefix, const char *name, char *out, size_t cap) {
  size_t n = strlen(prefix);

  if (igt__str_starts(name, prefix)) {
    (void)snprintf(out, cap, "%s", name);
    return;
  }
  (void)snprintf(out, cap, "%s%s", prefix, name);
  for (size_t i = n; i < cap && out[i]; i++)
    out[i] = i == n ? (char)toupper((unsigned char)out[i]) : igt__ascii_lower(out[i]);
}

static bool add_column(igt__table *t, const char *name) {
  size_t n = igt__map_count(t->columns);

  if (igt__map_has(t->columns, name) || is_file_column(t, name))
    return true;
  return n < MAX_COLUMNS && igt__map_set(t->columns, name, (void *)(uintptr_t)(n + 1));
}

/* The value of an undescribed field if it is an object: it becomes columns like described objects.
 * NULL: not an object. igt__json_free. */
static igt__json *unknown_object(const igt__field_view *view) {
  const igt_json_field *field = view->field;
  igt__json *v = NULL;

  if (view->known || view->kind != IGT__KIND_JSON || !field || field->is != IGT_SET || !field->v ||
      field->v[strspn(field->v, " \t\r\n")] != '{' ||
      igt__json_parse(field->v, strlen(field->v), "a field", &v, NULL) != IGT_OK)
    return NULL;
  return v;
}

typedef struct column_walk {
  igt__table *table;
  const char *prefix; /* of a nested object; NULL: none */
  bool failed;
} column_walk;

static void add_object(column_walk *w, const char *prefix, igt__json *object) {
  char name[256];
  const char *key;
  igt__json *value;

  for (size_t i = 0; igt__json_member(object, i, &key, &value); i++) {
    if (is_left_out(key))
      continue;
    nested_name(prefix, key, name, sizeof name);
    w->failed |= !add_column(w->table, name);
  }
  igt__json_free(object);
}

static igt_status each_column(void *payload, const igt__field_view *view) {
  column_walk *w = payload;
  igt__json *object;
  char name[256];

  if (is_left_out(view->name))
    return IGT_OK;
  if (!w->prefix && (object = unknown_object(view)) != NULL) {
    add_object(w, view->name, object);
    return IGT_OK;
  }
  if (view->kind == IGT__KIND_MODEL && !w->prefix) {
    const igt__model_field *field = view->field;
    column_walk nested = {w->table, view->name, false};
    if (field && field->is == IGT_SET && field->v)
      (void)igt__model_each_field(field->v, each_column, &nested);
    else
      (void)igt__type_each_field(view->type, each_column, &nested);
    w->failed |= nested.failed;
    return IGT_OK;
  }
  if (w->prefix)
    nested_name(w->prefix, view->name, name, sizeof name);
  else
    (void)snprintf(name, sizeof name, "%s", view->name);
  w->failed |= !add_column(w->table, name);
  return IGT_OK;
}

bool igt__table_add_study(igt__table *t, const igt_root_study *study) {
  column_walk w = {t, NULL, false};

  (void)igt__model_each_field(&study->model, each_column, &w);
  return !w.failed;
}

bool igt__table_add_type(igt__table *t, const char *study_type) {
  column_walk w = {t, NULL, false};
  const igt_type *root = igt_root_study_type();

  for (size_t i = 0; i < root->derived_count; i++)
    if (strcmp(igt_type_name(root->derived[i]), study_type) == 0)
      (void)igt__type_each_field(root->derived[i], each_column, &w);
  return !w.failed;
}

bool igt__table_add_header(igt__table *t, const char *line, size_t n) {
  char name[256];
  size_t at = 0;

  for (size_t i = 0; i <= n; i++) {
    if (i < n && line[i] != ',' && line[i] != '\r' && line[i] != '\n') {
      if (line[i] != '"' && at + 1 < sizeof name)
        name[at++] = line[i];
      continue;
    }
    name[at] = '\0';
    if (at && !add_column(t, name))
      return false;
    at = 0;
    if (i < n && line[i] != ',')
      break;
  }
  return true;
}

/* ---- values ---- */

static void put_json_value(igt__buf *out, const igt__json *v) {
  size_t n;

  switch (igt__json_typeof(v)) {
  case IGT__JSON_NULL:
    break;
  case IGT__JSON_BOOL:
    igt__buf_puts(out, igt__json_bool(v) ? "True" : "False");
    break;
  case IGT__JSON_STRING:
    igt__buf_append(out, igt__json_str(v), igt__json_str_len(v));
    break;
  case IGT__JSON_ARRAY:
    n = igt__json_count(v);
    for (size_t i = 0; i < n; i++) {
      const igt__json *e = igt__json_at(v, i);
      if (i)
        igt__buf_puts(out, ", ");
      if (igt__json_str(e))
        igt__buf_append(out, igt__json_str(e), igt__json_str_len(e));
      else
        (void)igt__json_write(out, e, IGT__JSON_COMPACT);
    }
    break;
  default:
    (void)igt__json_write(out, v, IGT__JSON_COMPACT);
    break;
  }
}

static void put_json(igt__buf *out, const char *text) {
  igt__json *v = NULL;

  if (igt__json_parse(text, strlen(text), "a field", &v, NULL) == IGT_OK)
    put_json_value(out, v);
  else
    igt__buf_puts(out, text);
  igt__json_free(v);
}

static void put_time(igt__buf *out, const igt_time_field *field) {
  char text[64];

  if (!field->valid) {
    igt__buf_puts(out, field->text ? field->text : "");
    return;
  }
  igt__time_format(&field->v, ' ', text, sizeof text);
  igt__buf_puts(out, text);
}

static void put_models(igt__buf *out, const igt__model_list_field *list) {
  for (size_t i = 0; i < list->count; i++) {
    if (i)
      igt__buf_puts(out, ", ");
    if (list->v[i])
      (void)igt__model_write(out, list->v[i], IGT__JSON_COMPACT, IGT__WRITE_ALL);
  }
}

static void put_number(igt__buf *out, double v) {
  igt__json *number = igt__json_new_double(v);

  (void)igt__json_write(out, number, IGT__JSON_COMPACT);
  igt__json_free(number);
}

static void put_value(igt__buf *out, const igt__field_view *view) {
  const void *f = view->field;

  switch (view->kind) {
  case IGT__KIND_STRING:
    igt__buf_puts(out, ((const igt_string_field *)f)->v);
    break;
  case IGT__KIND_INTEGER:
    igt__buf_printf(out, "%" PRId64, ((const igt_integer_field *)f)->v);
    break;
  case IGT__KIND_NUMBER:
    put_number(out, ((const igt_number_field *)f)->v);
    break;
  case IGT__KIND_BOOLEAN:
    igt__buf_puts(out, ((const igt_boolean_field *)f)->v ? "True" : "False");
    break;
  case IGT__KIND_TIME:
    put_time(out, f);
    break;
  case IGT__KIND_JSON:
    put_json(out, ((const igt_json_field *)f)->v);
    break;
  case IGT__KIND_STRING_LIST:
    for (size_t i = 0; i < ((const igt_string_list_field *)f)->count; i++)
      igt__buf_printf(
          out, "%s%s", i ? ", " : "",
          ((const igt_string_list_field *)f)->v[i] ? ((const igt_string_list_field *)f)->v[i] : "");
    break;
  case IGT__KIND_INTEGER_LIST:
    for (size_t i = 0; i < ((const igt_integer_list_field *)f)->count; i++)
      igt__buf_printf(out, "%s%" PRId64, i ? ", " : "", ((const igt_integer_list_field *)f)->v[i]);
    break;
  case IGT__KIND_MODEL:
    (void)igt__model_write(out, ((const igt__model_field *)f)->v, IGT__JSON_COMPACT,
                           IGT__WRITE_ALL);
    break;
  case IGT__KIND_MODEL_LIST:
    put_models(out, f);
    break;
  }
}

/* ---- rows ---- */

typedef struct span {
  size_t at, len;
} span;

typedef struct row_walk {
  const igt__table *table;
  const char *prefix;
  igt__buf *values;
  span *spans;
  uint64_t left_out;
} row_walk;

static span *find_cell(row_walk *w, const char *name) {
  uintptr_t column = (uintptr_t)igt__map_get(w->table->columns, name);

  if (!column)
    w->left_out++;
  return column ? &w->spans[column - 1] : NULL;
}

/* The value that was written from begin on. Two fields may share a column (a member of an object,
 * and a field called like it); the last one has it, as in the existing client, and the other
 * counts. */
static void set_cell(row_walk *w, span *cell, size_t begin) {
  size_t n = w->values->len - begin;

  if (cell->len && !w->values->failed &&
      (cell->len != n || memcmp(w->values->data + cell->at, w->values->data + begin, n) != 0))
    w->left_out++;
  *cell = (span){begin, n};
}

static void put_object(row_walk *w, const char *prefix, igt__json *object) {
  char name[256];
  const char *key;
  igt__json *value;
  span *cell;

  for (size_t i = 0; igt__json_member(object, i, &key, &value); i++) {
    size_t begin = w->values->len;

    nested_name(prefix, key, name, sizeof name);
    if (is_left_out(key) || igt__json_typeof(value) == IGT__JSON_NULL ||
        !(cell = find_cell(w, name)))
      continue;
    put_json_value(w->values, value);
    set_cell(w, cell, begin);
  }
  igt__json_free(object);
}

static igt_status each_value(void *payload, const igt__field_view *view) {
  row_walk *w = payload;
  igt__json *object;
  char name[256];
  span *cell;
  size_t begin;

  if (is_left_out(view->name) || view->is != IGT_SET)
    return IGT_OK;
  if (!w->prefix && (object = unknown_object(view)) != NULL) {
    put_object(w, view->name, object);
    return IGT_OK;
  }
  if (view->kind == IGT__KIND_MODEL && !w->prefix) {
    const igt__model_field *field = view->field;
    w->prefix = view->name;
    if (field->v)
      (void)igt__model_each_field(field->v, each_value, w);
    w->prefix = NULL;
    return IGT_OK;
  }
  if (w->prefix)
    nested_name(w->prefix, view->name, name, sizeof name);
  cell = find_cell(w, w->prefix ? name : view->name);
  if (!cell)
    return IGT_OK;
  begin = w->values->len;
  put_value(w->values, view);
  set_cell(w, cell, begin);
  return IGT_OK;
}

static void put_cell(igt__buf *out, const char *s, size_t n, bool first) {
  if (!first)
    igt__buf_putc(out, ',');
  if (!memchr(s, ',', n) && !memchr(s, '"', n) && !memchr(s, '\r', n) && !memchr(s, '\n', n)) {
    igt__buf_append(out, s, n);
    return;
  }
  igt__buf_putc(out, '"');
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '"')
      igt__buf_putc(out, '"');
    igt__buf_putc(out, s[i]);
  }
  igt__buf_putc(out, '"');
}

bool igt__table_header(const igt__table *t, igt__buf *out) {
  const char *name;

  for (size_t i = 0; igt__map_at(t->columns, i, &name, NULL); i++)
    put_cell(out, name, strlen(name), i == 0);
  if (t->files) {
    put_cell(out, "filename", 8, igt__map_count(t->columns) == 0);
    put_cell(out, "filesize", 8, false);
  }
  return igt__buf_puts(out, "\r\n");
}

bool igt__table_study_cells(const igt__table *t, const igt_root_study *study, igt__buf *out,
                            uint64_t *left_out) {
  span spans[MAX_COLUMNS] = {{0, 0}};
  size_t n = igt__map_count(t->columns);
  igt__buf values;
  row_walk w = {t, NULL, &values, spans, 0};
  bool good;

  igt__buf_init(&values, MAX_VALUE);
  (void)igt__model_each_field(&study->model, each_value, &w);
  for (size_t i = 0; i < n; i++)
    put_cell(out, values.data + spans[i].at, spans[i].len, i == 0);
  good = !values.failed && !out->failed;
  *left_out += w.left_out;
  igt__buf_finish(&values);
  return good;
}

bool igt__table_end_row(const igt__table *t, const char *name, int64_t size, igt__buf *out) {
  char number[32] = "";

  if (t->files) {
    if (name && size >= 0)
      (void)snprintf(number, sizeof number, "%" PRId64, size);
    put_cell(out, name ? name : "", name ? strlen(name) : 0, igt__map_count(t->columns) == 0);
    put_cell(out, number, strlen(number), false);
  }
  return igt__buf_puts(out, "\r\n");
}

bool igt__table_row(const igt__table *t, const igt_root_study *study, const char *name,
                    int64_t size, igt__buf *out, uint64_t *left_out) {
  return igt__table_study_cells(t, study, out, left_out) && igt__table_end_row(t, name, size, out);
}
