/* SPDX-License-Identifier: MIT */
/* FIELD=VALUE on the command line, as JSON. assignments() writes one object from all arguments:
 * each value is converted to its field's type as the model describes it, dotted names become nested
 * objects, and FIELD:=JSON passes any value through. The study, user and api commands use it for
 * request bodies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "igtcloud/describe.h"

void put_json_string(FILE *out, const char *text) {
  putc('"', out);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(out, "\\u%04x", c);
    else
      putc(c, out);
  }
  putc('"', out);
}

/* ---- converting a value ---- */

static const igt_field_info *field_named(const igt_model_info *model, const char *name, size_t n) {
  for (size_t i = 0; model && i < model->field_count; i++)
    if (strlen(model->fields[i]->name) == n && strncmp(model->fields[i]->name, name, n) == 0)
      return model->fields[i];
  return NULL;
}

static void no_field(const igt_model_info *model, const char *name, size_t n) {
  char *names = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&names, &size);

  for (size_t i = 0; out && i < model->field_count; i++)
    if (!model->fields[i]->read_only)
      fprintf(out, " %s", model->fields[i]->name);
  if (out)
    fclose(out);
  usage_error("%s has no field '%.*s'; its fields are%s", model->name, (int)n, name,
              names ? names : "");
  free(names);
}

static bool put_number(FILE *out, const char *value, bool integer) {
  char *end;

  errno = 0;
  if (integer)
    (void)strtoll(value, &end, 10);
  else
    (void)strtod(value, &end);
  if (errno || end == value || *end || strspn(value, "-0123456789.eE+") != strlen(value))
    return false;
  fputs(value, out);
  return true;
}

static void put_list(FILE *out, const char *value, bool quoted) {
  const char *space = "";

  putc('[', out);
  while (*value) {
    size_t n = strcspn(value, ",");
    char *piece = strndup(value, n);
    fputs(space, out);
    if (piece && quoted)
      put_json_string(out, piece);
    else if (piece)
      fputs(piece, out);
    free(piece);
    space = ",";
    value += n + (value[n] == ',');
  }
  putc(']', out);
}

/* NULL, or a description of the expected value. */
static const char *put_value(FILE *out, const char *type, const char *value) {
  if (strcmp(type, "integer") == 0)
    return put_number(out, value, true) ? NULL : "a whole number";
  if (strcmp(type, "number") == 0)
    return put_number(out, value, false) ? NULL : "a number";
  if (strcmp(type, "boolean") == 0) {
    if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
      return "true or false";
    fputs(strcasecmp(value, "true") == 0 ? "true" : "false", out);
    return NULL;
  }
  if (strcmp(type, "string[]") == 0 || strcmp(type, "integer[]") == 0) {
    put_list(out, value, type[0] == 's');
    return NULL;
  }
  if (strcmp(type, "any") == 0) {
    fputs(value, out);
    return NULL;
  }
  if (strcmp(type, "string") != 0 && strcmp(type, "date-time") != 0)
    return "an object: use FIELD.FIELD=VALUE or FIELD:=JSON";
  put_json_string(out, value);
  return NULL;
}

/* ---- one assignment ---- */

typedef struct assignment {
  const char *name;
  size_t n;     /* length up to the '.', ':' or '=' */
  size_t whole; /* length up to the ':' or '=' */
  const char *value;
  bool raw;
} assignment;

static bool read_assignment(const char *text, assignment *a) {
  size_t equals = strcspn(text, "=");

  if (!text[equals] || equals == 0) {
    usage_error("'%s' must have the form FIELD=VALUE", text);
    return false;
  }
  a->name = text;
  a->raw = text[equals - 1] == ':';
  a->whole = equals - a->raw;
  a->value = text + equals + 1;
  a->n = strcspn(text, ".");
  if (a->n > a->whole)
    a->n = a->whole;
  return a->whole > 0;
}

static bool put_assignment(FILE *out, const igt_model_info *model, const char *name, size_t n,
                           const assignment *a) {
  const igt_field_info *field = field_named(model, name, n);
  const char *wanted = NULL;

  if (model && !field) {
    no_field(model, name, n);
    return false;
  }
  if (field && field->read_only) {
    usage_error("the field '%s' is read-only", field->name);
    return false;
  }
  fprintf(out, "\"%.*s\":", (int)n, name);
  if (a->raw)
    fputs(a->value, out);
  else
    wanted = put_value(out, field ? field->type : "string", a->value);
  if (wanted)
    usage_error("the field '%.*s' must be %s, not '%s'", (int)n, name, wanted, a->value);
  return !wanted;
}

/* Writes all of "patient.x=1 patient.y=2" as one object, in the place of the first. */
static bool put_nested(FILE *out, const igt_model_info *model, const assignment *first,
                       const char *const *given, size_t count) {
  const igt_field_info *field = field_named(model, first->name, first->n);
  const igt_model_info *inner = field ? igt_model_info_named(field->type) : NULL;
  bool any = false;

  if (!inner) {
    if (!field)
      no_field(model, first->name, first->n);
    else
      usage_error("the field '%s' is not an object", field->name);
    return false;
  }
  fprintf(out, "\"%s\":{", field->name);
  for (size_t i = 0; i < count; i++) {
    assignment a;
    if (!read_assignment(given[i], &a))
      return false;
    if (a.n != first->n || a.n == a.whole || strncmp(a.name, first->name, a.n) != 0)
      continue;
    fputs(any ? "," : "", out);
    any = true;
    if (!put_assignment(out, inner, a.name + a.n + 1, a.whole - a.n - 1, &a))
      return false;
  }
  putc('}', out);
  return true;
}

/* Whether an earlier argument had the same first part of the name. */
static bool was_nested(const char *const *given, size_t i, const assignment *a) {
  for (size_t k = 0; k < i; k++)
    if (strncmp(given[k], a->name, a->n + 1) == 0)
      return true;
  return false;
}

static bool put_all(FILE *out, const igt_model_info *model, const char *const *given, size_t count,
                    const char *tag) {
  const char *comma = "";

  putc('{', out);
  if (tag && model) {
    fprintf(out, "\"%s\":\"%s\"", tag, model->name);
    comma = ",";
  }
  for (size_t i = 0; i < count; i++) {
    assignment a;
    if (!read_assignment(given[i], &a))
      return false;
    bool nested = model && a.n < a.whole;
    if (nested && was_nested(given, i, &a))
      continue;
    fputs(comma, out);
    comma = ",";
    if (nested ? !put_nested(out, model, &a, given, count)
               : !put_assignment(out, model, a.name, a.whole, &a))
      return false;
  }
  putc('}', out);
  return true;
}

char *assignments(const char *type_name, const char *const *given, size_t count,
                  const char *tag_name) {
  const igt_model_info *model = type_name ? igt_model_info_named(type_name) : NULL;
  char *json = NULL;
  size_t n = 0;
  FILE *out;

  if (type_name && !model) {
    usage_error("unknown type %s", type_name);
    return NULL;
  }
  out = open_memstream(&json, &n);
  if (!out) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    return NULL;
  }
  bool good = put_all(out, model, given, count, tag_name);
  if (fclose(out) != 0 || !good) {
    free(json);
    return NULL;
  }
  return json;
}
