/* SPDX-License-Identifier: MIT */
/* Field masks (X-Fields): parses a mask such as "name,patient{patientId}" into a tree of names, and
 * copies the members of a response that it names. rest.c parses a request's mask, reply.c applies
 * it. */
#include "mask.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 8

static void space(const char **s) {
  while (isspace((unsigned char)**s))
    ++*s;
}

static bool punctuation(const char **s, char c) {
  space(s);
  if (**s != c)
    return false;
  ++*s;
  return true;
}

static bool list_parse(const char **s, igt__json *out, unsigned depth);

/* A name, optionally followed by the mask of its members in braces. */
static bool item_parse(const char **s, igt__json *out, unsigned depth) {
  char name[64];

  space(s);
  size_t n = strcspn(*s, "{}, \t");
  if (n == 0 || n >= sizeof name)
    return false;
  snprintf(name, sizeof name, "%.*s", (int)n, *s);
  *s += n;
  if (!punctuation(s, '{'))
    return igt__json_set_bool(out, name, true);
  igt__json *inner = igt__json_new_object();
  bool ok = depth < MAX_DEPTH && list_parse(s, inner, depth + 1) && punctuation(s, '}');
  return igt__json_set(out, name, inner) && ok;
}

static bool list_parse(const char **s, igt__json *out, unsigned depth) {
  do {
    if (!item_parse(s, out, depth))
      return false;
  } while (punctuation(s, ','));
  return true;
}

igt__json *rest_mask_parse(const char *text, char *why, size_t cap) {
  igt__json *mask = igt__json_new_object();
  const char *s = text;
  bool braces = punctuation(&s, '{');
  bool ok = mask && list_parse(&s, mask, 0) && (!braces || punctuation(&s, '}'));

  space(&s);
  if (ok && *s == '\0')
    return mask;
  snprintf(why, cap, "X-Fields: syntax error at \"%.40s\"", s);
  igt__json_free(mask);
  return NULL;
}

static igt__json *apply_list(const igt__json *mask, const igt__json *list) {
  igt__json *out = igt__json_new_array();

  for (size_t i = 0; i < igt__json_count(list); i++)
    igt__json_push(out, rest_mask_apply(mask, igt__json_at(list, i)));
  return out;
}

static igt__json *apply_object(const igt__json *mask, const igt__json *object) {
  igt__json *out = igt__json_new_object(), *value;
  bool all = igt__json_has(mask, "*");
  const char *name;

  for (size_t i = 0; igt__json_member(object, i, &name, &value); i++) {
    const igt__json *inner = igt__json_get(mask, name);
    if (inner && igt__json_typeof(inner) == IGT__JSON_OBJECT)
      igt__json_set(out, name, rest_mask_apply(inner, value));
    else if (inner || all)
      igt__json_set(out, name, igt__json_copy(value));
  }
  return out;
}

igt__json *rest_mask_apply(const igt__json *mask, const igt__json *value) {
  switch (igt__json_typeof(value)) {
  case IGT__JSON_ARRAY:
    return apply_list(mask, value);
  case IGT__JSON_OBJECT:
    return apply_object(mask, value);
  case IGT__JSON_NULL:
  case IGT__JSON_BOOL:
  case IGT__JSON_INT:
  case IGT__JSON_DOUBLE:
  case IGT__JSON_STRING:
    break;
  }
  return igt__json_copy(value);
}
