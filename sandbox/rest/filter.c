/* SPDX-License-Identifier: MIT */
/* The query parameter $filter. rest_filter_parse turns the text into a list of conditions, all of
 * which must hold; rest_filter_fits checks the field names against a model (fields.c), and
 * rest_filter_matches evaluates the conditions for a document. list.c uses it for all filtered
 * lists. */
#include "filter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "fields.h"

#define MAX_CONDITIONS 16

typedef enum filter_op {
  OP_EQ,
  OP_NE,
  OP_LT,
  OP_LE,
  OP_GT,
  OP_GE,
  OP_CONTAINS,
  OP_STARTSWITH,
  OP_ENDSWITH
} filter_op;

static const struct {
  const char *name;
  bool function;
} ops[] = {[OP_EQ] = {"eq", false},
           [OP_NE] = {"ne", false},
           [OP_LT] = {"lt", false},
           [OP_LE] = {"le", false},
           [OP_GT] = {"gt", false},
           [OP_GE] = {"ge", false},
           [OP_CONTAINS] = {"contains", true},
           [OP_STARTSWITH] = {"startswith", true},
           [OP_ENDSWITH] = {"endswith", true}};
#define OPS (sizeof ops / sizeof ops[0])

typedef struct condition {
  char *field; /* "patient/patientName" */
  filter_op op;
  char *value;
  bool null;
} condition;

struct rest_filter {
  condition conditions[MAX_CONDITIONS];
  size_t count;
};

typedef struct reader {
  const char *s;
} reader;

static void space(reader *r) {
  while (isspace((unsigned char)*r->s))
    r->s++;
}

static bool punctuation(reader *r, char c) {
  space(r);
  if (*r->s != c)
    return false;
  r->s++;
  return true;
}

static char *word(reader *r) {
  space(r);
  const char *begin = r->s;
  while (isalnum((unsigned char)*r->s) || (*r->s && strchr("_$/.:+-", *r->s)))
    r->s++;
  return r->s > begin ? igt__strndup(begin, (size_t)(r->s - begin)) : NULL;
}

static char *quoted(reader *r) {
  igt__buf out;

  igt__buf_init(&out, 64 * 1024);
  for (r->s++; *r->s; r->s++) {
    if (*r->s == '\'' && r->s[1] != '\'')
      break;
    r->s += *r->s == '\'';
    igt__buf_putc(&out, *r->s);
  }
  if (*r->s != '\'') {
    igt__buf_finish(&out);
    return NULL;
  }
  r->s++;
  return igt__buf_take(&out);
}

static bool value(reader *r, condition *c) {
  space(r);
  if (*r->s == '\'')
    return (c->value = quoted(r)) != NULL;
  c->value = word(r);
  c->null = igt__str_eq(c->value, "null");
  return c->value != NULL;
}

static bool op_find(const char *name, bool function, filter_op *op) {
  for (size_t i = 0; i < OPS; i++) {
    if (ops[i].function == function && igt__str_eq_nocase(ops[i].name, name)) {
      *op = (filter_op)i;
      return true;
    }
  }
  return false;
}

static bool condition_parse(reader *r, condition *c) {
  char *first = word(r), *op = NULL;
  bool ok;

  if (first && punctuation(r, '(')) {
    ok = op_find(first, true, &c->op) && (c->field = word(r)) && punctuation(r, ',') &&
         value(r, c) && punctuation(r, ')');
  } else {
    c->field = first;
    first = NULL;
    op = word(r);
    ok = c->field && op_find(op, false, &c->op) && value(r, c);
  }
  igt__free(first);
  igt__free(op);
  return ok;
}

rest_filter *rest_filter_parse(const char *text, char *why, size_t cap) {
  rest_filter *filter = igt__calloc(1, sizeof *filter);
  reader r = {text};

  while (filter && filter->count < MAX_CONDITIONS) {
    bool ok = condition_parse(&r, &filter->conditions[filter->count++]);
    space(&r);
    if (ok && *r.s == '\0')
      return filter;
    char *joint = ok ? word(&r) : NULL;
    ok = igt__str_eq_nocase(joint, "and");
    igt__free(joint);
    if (!ok)
      break;
  }
  snprintf(why, cap, "$filter: syntax error at \"%.40s\"", r.s);
  rest_filter_free(filter);
  return NULL;
}

void rest_filter_free(rest_filter *filter) {
  for (size_t i = 0; filter && i < filter->count; i++) {
    igt__free(filter->conditions[i].field);
    igt__free(filter->conditions[i].value);
  }
  igt__free(filter);
}

/* ---- fields ---- */

bool rest_filter_fits(const rest_filter *filter, const char *model, char *why, size_t cap) {
  for (size_t i = 0; i < filter->count; i++) {
    if (!rest_model_has(model, filter->conditions[i].field)) {
      snprintf(why, cap, "$filter: %.60s is not a field of %s", filter->conditions[i].field, model);
      return false;
    }
  }
  return true;
}

/* ---- matching ---- */

static const igt__json *lookup(const igt__json *doc, const char *path) {
  char name[64];

  for (;;) {
    size_t n = strcspn(path, "/");
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    doc = igt__json_get(doc, name);
    if (path[n] == '\0')
      return doc;
    path += n + 1;
  }
}

/* The value as text, for comparisons; NULL for null, lists and objects. */
static const char *text_of(const igt__json *v, char *number, size_t cap) {
  switch (igt__json_typeof(v)) {
  case IGT__JSON_STRING:
    return igt__json_str(v);
  case IGT__JSON_BOOL:
    return igt__json_bool(v) ? "true" : "false";
  case IGT__JSON_INT:
    snprintf(number, cap, "%lld", (long long)igt__json_int(v));
    return number;
  case IGT__JSON_DOUBLE:
    snprintf(number, cap, "%.17g", igt__json_double(v));
    return number;
  case IGT__JSON_NULL:
  case IGT__JSON_ARRAY:
  case IGT__JSON_OBJECT:
    break;
  }
  return NULL;
}

/* Numbers by value; everything else bytewise, which is also the order of ISO dates. */
static int compare(const igt__json *v, const char *text, const char *value) {
  int64_t a, b;

  if (igt__json_typeof(v) == IGT__JSON_INT && igt__str_to_int64(text, &a) &&
      igt__str_to_int64(value, &b))
    return a < b ? -1 : a > b;
  return strcmp(text, value);
}

static bool condition_matches(const condition *c, const igt__json *doc) {
  char number[40];
  const igt__json *v = lookup(doc, c->field);
  const char *text = text_of(v, number, sizeof number);

  if (c->null || !text)
    return (c->op == OP_NE) != (c->null && !text);
  switch (c->op) {
  case OP_EQ:
    return compare(v, text, c->value) == 0;
  case OP_NE:
    return compare(v, text, c->value) != 0;
  case OP_LT:
    return compare(v, text, c->value) < 0;
  case OP_LE:
    return compare(v, text, c->value) <= 0;
  case OP_GT:
    return compare(v, text, c->value) > 0;
  case OP_GE:
    return compare(v, text, c->value) >= 0;
  case OP_CONTAINS:
    return strstr(text, c->value) != NULL;
  case OP_STARTSWITH:
    return igt__str_starts(text, c->value);
  case OP_ENDSWITH:
    return igt__str_ends(text, c->value);
  }
  return false;
}

bool rest_filter_matches(const rest_filter *filter, const igt__json *doc) {
  for (size_t i = 0; i < filter->count; i++) {
    if (!condition_matches(&filter->conditions[i], doc))
      return false;
  }
  return true;
}
