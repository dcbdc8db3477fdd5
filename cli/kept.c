/* SPDX-License-Identifier: MIT */
/* Whether a study in the cloud has the values that were sent: a cloud may respond 200 to a change
 * that it does not make. Each field that was sent is compared with the study's, those of an object
 * such as the patient one by one. Other forms of the same value are equal: of times, numbers and
 * empty values, and lists of strings in another order. cmd_study.c calls it after each change. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "igtcloud/describe.h"

/* ---- equal values, as JSON ---- */

static bool is_empty(const char *json) {
  return strcmp(json, "null") == 0 || strcmp(json, "\"\"") == 0 || strcmp(json, "[]") == 0 ||
         strcmp(json, "{}") == 0;
}

typedef struct moment {
  int64_t local, utc; /* seconds; without a zone both are the same */
  bool has_time, has_zone;
} moment;

/* "2024-01-15T10:15:00.5+01:00" or "2024-01-15", with quotes. */
static bool read_moment(const char *json, moment *out) {
  struct tm tm = {0};
  int64_t offset = 0;
  const char *p = *json == '"' ? strptime(json + 1, "%Y-%m-%d", &tm) : NULL;

  *out = (moment){.has_time = p && (*p == 'T' || *p == ' ')};
  if (out->has_time)
    p = strptime(p + 1, "%H:%M:%S", &tm);
  if (!p)
    return false;
  if (*p == '.')
    p += 1 + strspn(p + 1, "0123456789");
  out->has_zone = *p != '"';
  if (out->has_zone && *p != 'Z' && !parse_offset(p, &offset))
    return false;
  out->local = (int64_t)timegm(&tm);
  out->utc = out->local - offset;
  return true;
}

/* A cloud may keep dates alone, or times without their zone. */
static bool is_same_moment(const char *a, const char *b) {
  moment x, y;

  if (!read_moment(a, &x) || !read_moment(b, &y))
    return false;
  return x.utc == y.utc || (!(x.has_zone && y.has_zone) && x.local == y.local) ||
         (!(x.has_time && y.has_time) && strncmp(a, b, strlen("\"2024-01-15")) == 0);
}

static bool is_same_number(const char *a, const char *b) {
  char *end_a, *end_b;
  double x = strtod(a, &end_a), y = strtod(b, &end_b);

  return end_a != a && end_b != b && !*end_a && !*end_b && x >= y && x <= y;
}

/* The next string of a JSON list, with its quotes; NULL: something else is next. */
static const char *next_string(const char *p, size_t *n) {
  p += strspn(p, "[, ");
  *n = 1;
  if (*p != '"')
    return NULL;
  while (p[*n] && p[*n] != '"')
    *n += p[*n] == '\\' && p[*n + 1] ? 2 : 1;
  *n += p[*n] == '"';
  return p;
}

static bool has_string(const char *list, const char *text, size_t n) {
  size_t m;

  while ((list = next_string(list, &m)) != NULL) {
    if (m == n && memcmp(list, text, n) == 0)
      return true;
    list += m;
  }
  return false;
}

/* a consists of strings that are in b, too. */
static bool is_within(const char *a, const char *b) {
  const char *end = a;
  size_t n;

  while ((a = next_string(end, &n)) != NULL) {
    if (!has_string(b, a, n))
      return false;
    end = a + n;
  }
  return strcmp(end + strspn(end, " "), "]") == 0;
}

/* The order of labels has no meaning. */
static bool is_same_list(const char *a, const char *b) {
  return *a == '[' && *b == '[' && is_within(a, b) && is_within(b, a);
}

static bool is_same(const char *sent, const char *there) {
  return strcmp(sent, there) == 0 || (is_empty(sent) && is_empty(there)) ||
         is_same_number(sent, there) || is_same_list(sent, there) || is_same_moment(sent, there);
}

/* ---- fields ---- */

typedef struct comparison {
  const igt_model *there;
  const igt_field_text *sent; /* is looked for in there */
  const char *above;          /* "patient." */
  bool quiet;                 /* absent fields count as different */
  bool found;
  unsigned count; /* fields with other values */
} comparison;

static void compare_model(const igt_model *sent, comparison *c);

/* The field, an object, as a model of its own; NULL if its type is not described. */
static igt_model *model_of(const igt_model *parent, const igt_field_text *field) {
  const igt_model_info *info = igt_model_info_named(igt_type_name(parent->type));
  igt_model *model = NULL;

  for (size_t i = 0; info && i < info->field_count; i++) {
    const igt_model_info *type = igt_model_info_named(info->fields[i]->type);
    if (type && strcmp(info->fields[i]->name, field->name) == 0 &&
        igt_model_parse(type->type, field->json, strlen(field->json), &model, NULL) != IGT_OK)
      return NULL;
  }
  return model;
}

static bool compare_objects(comparison *c, const igt_field_text *there) {
  igt_model *a = model_of(c->there, c->sent), *b = model_of(c->there, there);
  char above[128];
  comparison below = {.there = b, .above = above, .quiet = c->quiet};
  bool comparable = a && b;

  snprintf(above, sizeof above, "%s%s.", c->above, c->sent->name);
  if (comparable)
    compare_model(a, &below);
  c->count += below.count;
  igt_model_free(a);
  igt_model_free(b);
  return comparable;
}

static void compare_values(comparison *c, const igt_field_text *there) {
  if (*c->sent->json == '{' && *there->json == '{' && compare_objects(c, there))
    return;
  if (is_same(c->sent->json, there->json) && !(c->quiet && there->is == IGT_ABSENT))
    return;
  c->count++;
  if (!c->quiet)
    complain(IGT_E_CONFLICT,
             "the cloud accepted the change, but did not make it: %s%s is still %s, not %s",
             c->above, c->sent->name, there->json, c->sent->json);
}

static igt_status compare_field(void *payload, const igt_field_text *there) {
  comparison *c = payload;

  if (strcmp(there->name, c->sent->name) == 0) {
    c->found = true;
    compare_values(c, there);
  }
  return IGT_OK;
}

static igt_status each_sent(void *payload, const igt_field_text *sent) {
  static const igt_field_text absent = {.is = IGT_ABSENT, .json = "null"};
  comparison *c = payload;
  igt_status status;

  if (sent->is == IGT_ABSENT || sent->read_only || strcmp(sent->name, "studyType") == 0)
    return IGT_OK;
  c->sent = sent;
  c->found = false;
  status = igt_model_each_field(c->there, compare_field, c, NULL);
  if (status == IGT_OK && !c->found)
    compare_values(c, &absent);
  return status;
}

static void compare_model(const igt_model *sent, comparison *c) {
  if (igt_model_each_field(sent, each_sent, c, NULL) != IGT_OK)
    c->count++; /* out of memory */
}

bool is_kept(const igt_model *sent, const igt_model *study, bool quiet) {
  comparison c = {.there = study, .above = "", .quiet = quiet};

  compare_model(sent, &c);
  return c.count == 0;
}
