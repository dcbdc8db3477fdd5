/* SPDX-License-Identifier: MIT */
/* JSON values as trees: a thin layer over json-c, which only this file includes. Reading checks the
 * text strictly with scan.c first, because json-c accepts more than RFC 8259; accessors and
 * builders forward to json-c; writing is implemented here, in a compact and in Python's style. For
 * small documents of any shape (claims, error responses, study.json); responses of described types
 * go through decode.c without a tree. */
#include "json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "scan.h"

/* An igt__json is json-c's own value under another name: nothing is copied. JSON null is NULL in
 * json-c, and therefore here, too. */
static json_object *jc(const igt__json *v) {
  union {
    const igt__json *ours;
    json_object *theirs; /* its readers take no const */
  } u = {v};
  return u.theirs;
}

static igt__json *ours(json_object *v) {
  return (igt__json *)v;
}

/* ---- reading ---- */

/* Counts commas and opening brackets outside of strings: every value follows one of them, or is the
 * only one. */
static size_t count_values(const char *text, size_t n) {
  size_t count = 1;
  bool in_string = false;

  for (size_t i = 0; i < n; i++) {
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string)
      count += text[i] == ',' || text[i] == '[' || text[i] == '{';
  }
  return count;
}

/* json-c accepts more than RFC 8259 (NaN, single quotes), so the text is checked first. A text that
 * fails at its very end was cut off. */
static igt_status check(const char *text, size_t n, bool extended, const char *what,
                        igt_error *err) {
  igt__scan scan;

  if (n > IGT__MAX_JSON_BODY)
    return igt__fail(err, IGT_E_LIMIT, "%s is larger than %u bytes", what, IGT__MAX_JSON_BODY);
  igt__scan_init(&scan, text, n);
  scan.extended = extended;
  bool whole = igt__scan_skip(&scan);
  igt__scan_space(&scan);
  if (whole && scan.at == scan.end)
    return IGT_OK;
  if (scan.too_deep)
    return igt__fail(err, IGT_E_LIMIT, "%s is nested deeper than %d levels", what,
                     extended ? IGT__MAX_JSON_FILE_DEPTH : IGT__MAX_JSON_DEPTH);
  if (n == 0)
    return igt__fail(err, IGT_E_PARSE, "%s is empty", what);
  return igt__fail(err, IGT_E_PARSE, "%s is not JSON (byte %zu: %s)", what,
                   (size_t)(scan.at - scan.begin),
                   whole ? "there is text after its end" : scan.problem);
}

igt_status igt__json_check(const char *text, size_t n, const char *what, igt_error *err) {
  return check(text, n, false, what, err);
}

igt_status igt__json_check_file(const char *text, size_t n, const char *what, igt_error *err) {
  return check(text, n, true, what, err);
}

/* Members are accessed by counting, so their number is limited. */
static bool has_few_members(json_object *v) {
  if (json_object_is_type(v, json_type_array)) {
    for (size_t i = 0; i < json_object_array_length(v); i++) {
      if (!has_few_members(json_object_array_get_idx(v, i)))
        return false;
    }
  } else if (json_object_is_type(v, json_type_object)) {
    for (struct lh_entry *e = json_object_get_object(v)->head; e; e = e->next) {
      if (!has_few_members((json_object *)lh_entry_v(e)))
        return false;
    }
    return json_object_object_length(v) <= IGT__MAX_JSON_MEMBERS;
  }
  return true;
}

igt_status igt__json_parse(const char *text, size_t n, const char *what, igt__json **out,
                           igt_error *err) {
  return igt__json_parse_small(text, n, IGT__MAX_JSON_VALUES, what, out, err);
}

igt_status igt__json_parse_small(const char *text, size_t n, size_t most, const char *what,
                                 igt__json **out, igt_error *err) {
  *out = NULL;
  igt_status status = igt__json_check(text, n, what, err);
  if (status != IGT_OK)
    return status;
  if (count_values(text, n) > most)
    return igt__fail(err, IGT_E_LIMIT, "%s has more than %zu values", what, most);
  json_tokener *tok = json_tokener_new_ex(IGT__MAX_JSON_DEPTH + 1);
  if (!tok)
    return igt__fail_memory(err);
  json_object *v = json_tokener_parse_ex(tok, text, (int)n);
  if (json_tokener_get_error(tok) == json_tokener_continue) /* a bare number ends with the text */
    v = json_tokener_parse_ex(tok, "\n", 1);
  enum json_tokener_error why = json_tokener_get_error(tok);
  json_tokener_free(tok);
  if (why != json_tokener_success)
    return igt__fail(err, IGT_E_PARSE, "%s is not JSON: %s", what, json_tokener_error_desc(why));
  if (!has_few_members(v)) {
    json_object_put(v);
    return igt__fail(err, IGT_E_LIMIT, "%s has an object of more than %d members", what,
                     IGT__MAX_JSON_MEMBERS);
  }
  *out = ours(v);
  return IGT_OK;
}

void igt__json_free(igt__json *v) {
  json_object_put(jc(v));
}

static void wipe_strings(json_object *v) {
  union {
    const char *theirs; /* json-c frees its own memory */
    char *writable;
  } text = {NULL};

  if (json_object_is_type(v, json_type_string)) {
    text.theirs = json_object_get_string(v);
    igt__wipe(text.writable, (size_t)json_object_get_string_len(v));
  } else if (json_object_is_type(v, json_type_array)) {
    for (size_t i = 0; i < json_object_array_length(v); i++)
      wipe_strings(json_object_array_get_idx(v, i));
  } else if (json_object_is_type(v, json_type_object)) {
    for (struct lh_entry *e = json_object_get_object(v)->head; e; e = e->next)
      wipe_strings((json_object *)lh_entry_v(e));
  }
}

void igt__json_free_wipe(igt__json *v) {
  wipe_strings(jc(v));
  igt__json_free(v);
}

igt__json_type igt__json_typeof(const igt__json *v) {
  switch (json_object_get_type(jc(v))) {
  case json_type_boolean:
    return IGT__JSON_BOOL;
  case json_type_int:
    return json_object_get_uint64(jc(v)) > INT64_MAX && json_object_get_int64(jc(v)) > 0
               ? IGT__JSON_DOUBLE
               : IGT__JSON_INT;
  case json_type_double:
    return IGT__JSON_DOUBLE;
  case json_type_string:
    return IGT__JSON_STRING;
  case json_type_array:
    return IGT__JSON_ARRAY;
  case json_type_object:
    return IGT__JSON_OBJECT;
  default:
    return IGT__JSON_NULL;
  }
}

static bool is(const igt__json *v, json_type type) {
  return json_object_is_type(jc(v), type);
}

bool igt__json_bool(const igt__json *v) {
  return is(v, json_type_boolean) && json_object_get_boolean(jc(v));
}

int64_t igt__json_int(const igt__json *v) {
  if (is(v, json_type_double)) {
    double d = json_object_get_double(jc(v));
    return d >= -9.2e18 && d <= 9.2e18 ? (int64_t)d : 0;
  }
  return is(v, json_type_int) ? json_object_get_int64(jc(v)) : 0;
}

double igt__json_double(const igt__json *v) {
  return is(v, json_type_int) || is(v, json_type_double) ? json_object_get_double(jc(v)) : 0;
}

const char *igt__json_str(const igt__json *v) {
  return is(v, json_type_string) ? json_object_get_string(jc(v)) : NULL;
}

size_t igt__json_str_len(const igt__json *v) {
  return is(v, json_type_string) ? (size_t)json_object_get_string_len(jc(v)) : 0;
}

size_t igt__json_count(const igt__json *v) {
  if (is(v, json_type_array))
    return json_object_array_length(jc(v));
  return is(v, json_type_object) ? (size_t)json_object_object_length(jc(v)) : 0;
}

igt__json *igt__json_at(const igt__json *array, size_t i) {
  return is(array, json_type_array) ? ours(json_object_array_get_idx(jc(array), i)) : NULL;
}

igt__json *igt__json_get(const igt__json *object, const char *key) {
  json_object *v = NULL;

  if (!is(object, json_type_object) || !json_object_object_get_ex(jc(object), key, &v))
    return NULL;
  return ours(v);
}

bool igt__json_has(const igt__json *object, const char *key) {
  return is(object, json_type_object) && json_object_object_get_ex(jc(object), key, NULL);
}

const char *igt__json_get_str(const igt__json *object, const char *key) {
  return igt__json_str(igt__json_get(object, key));
}

bool igt__json_member(const igt__json *object, size_t i, const char **key, igt__json **value) {
  if (!is(object, json_type_object))
    return false;
  struct lh_entry *e = json_object_get_object(jc(object))->head;
  for (; e && i > 0; i--)
    e = e->next;
  if (!e)
    return false;
  *key = (const char *)lh_entry_k(e);
  *value = ours((json_object *)lh_entry_v(e));
  return true;
}

/* ---- building ---- */

igt__json *igt__json_new_object(void) {
  return ours(json_object_new_object());
}

igt__json *igt__json_new_array(void) {
  return ours(json_object_new_array());
}

igt__json *igt__json_new_str(const char *s) {
  return s ? igt__json_new_strn(s, strlen(s)) : NULL;
}

igt__json *igt__json_new_strn(const char *s, size_t n) {
  return n > INT32_MAX ? NULL : ours(json_object_new_string_len(s, (int)n));
}

igt__json *igt__json_new_int(int64_t v) {
  return ours(json_object_new_int64(v));
}

/* The shortest text that reads back as the same number. */
igt__json *igt__json_new_double(double v) {
  char text[40];

  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, v);
    double back = strtod(text, NULL);
    if (back == v)
      break;
  }
  if (!strpbrk(text, ".en"))
    igt__str_copy(text + strlen(text), sizeof text - strlen(text), ".0");
  return ours(json_object_new_double_s(v, text));
}

igt__json *igt__json_new_bool(bool v) {
  return ours(json_object_new_boolean(v));
}

igt__json *igt__json_new_null(void) {
  return NULL;
}

igt__json *igt__json_copy(const igt__json *v) {
  json_object *copy = NULL;

  if (v && json_object_deep_copy(jc(v), &copy, NULL) != 0)
    return NULL;
  return ours(copy);
}

bool igt__json_set(igt__json *object, const char *key, igt__json *value) {
  if (is(object, json_type_object) && json_object_object_add(jc(object), key, jc(value)) == 0)
    return true;
  json_object_put(jc(value));
  return false;
}

bool igt__json_set_str(igt__json *object, const char *key, const char *s) {
  igt__json *v = igt__json_new_str(s);

  return (v || !s) && igt__json_set(object, key, v);
}

bool igt__json_set_int(igt__json *object, const char *key, int64_t v) {
  igt__json *value = igt__json_new_int(v);

  return value && igt__json_set(object, key, value);
}

bool igt__json_set_bool(igt__json *object, const char *key, bool v) {
  igt__json *value = igt__json_new_bool(v);

  return value && igt__json_set(object, key, value);
}

bool igt__json_push(igt__json *array, igt__json *value) {
  if (is(array, json_type_array) && json_object_array_add(jc(array), jc(value)) == 0)
    return true;
  json_object_put(jc(value));
  return false;
}

void igt__json_remove(igt__json *object, const char *key) {
  if (is(object, json_type_object))
    json_object_object_del(jc(object), key);
}

/* ---- writing ---- */

typedef struct writer {
  igt__buf *out;
  bool indent;  /* and ASCII only */
  bool visible; /* without characters that act on a terminal */
} writer;

static void new_line(writer *w, unsigned depth) {
  if (!w->indent)
    return;
  igt__buf_putc(w->out, '\n');
  for (unsigned i = 0; i < depth; i++)
    igt__buf_puts(w->out, "    ");
}

/* The code point at *s, which is valid UTF-8 (the parser checked it) or is copied bytewise. */
static uint32_t code_point(const unsigned char *s, size_t left, size_t *len) {
  *len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
  if (*len > left || *len == 1) {
    *len = 1;
    return s[0];
  }
  uint32_t v = s[0] & (0xffu >> (*len + 1));
  for (size_t i = 1; i < *len; i++)
    v = v << 6 | (s[i] & 0x3fu);
  return v;
}

static void write_escape(igt__buf *out, uint32_t v) {
  if (v > 0xffff) {
    v -= 0x10000;
    igt__buf_printf(out, "\\u%04x\\u%04x", 0xd800 + (v >> 10), 0xdc00 + (v & 0x3ff));
  } else {
    igt__buf_printf(out, "\\u%04x", v);
  }
}

static char short_escape(unsigned char c) {
  switch (c) {
  case '"':
  case '\\':
    return (char)c;
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return 0;
  }
}

/* DEL and C1, and the marks, embeddings, overrides, isolates and separators of UAX #9. */
static bool acts_on_a_screen(uint32_t v) {
  return (v >= 0x7f && v < 0xa0) || v == 0x61c || v == 0x200e || v == 0x200f ||
         (v >= 0x2028 && v <= 0x202e) || (v >= 0x2066 && v <= 0x2069);
}

/* A character above ASCII is looked at as a whole (write_special) if any is to be escaped. */
static bool is_plain(const writer *w, unsigned char c) {
  return c >= 0x20 && (c < 0x7f || !(w->indent || w->visible)) && !short_escape(c);
}

/* The number of bytes written. */
static size_t write_special(writer *w, const char *s, size_t n) {
  char escape = short_escape((unsigned char)*s);
  size_t len = 1;
  uint32_t v;

  if (escape) {
    igt__buf_append(w->out, (char[]){'\\', escape}, 2);
    return 1;
  }
  v = code_point((const unsigned char *)s, n, &len);
  if (v < 0x20 || (v >= 0x80 && w->indent) || (w->visible && acts_on_a_screen(v)))
    write_escape(w->out, v);
  else
    igt__buf_append(w->out, s, len);
  return len;
}

/* Writes runs of plain bytes in one go: most strings are a single run. */
static void write_string(writer *w, const char *s, size_t n) {
  igt__buf_putc(w->out, '"');
  for (size_t i = 0; i < n;) {
    size_t run = i;
    while (i < n && is_plain(w, (unsigned char)s[i]))
      i++;
    igt__buf_append(w->out, s + run, i - run);
    if (i == n)
      break;
    i += write_special(w, s + i, n - i);
  }
  igt__buf_putc(w->out, '"');
}

static void write_value(writer *w, json_object *v, unsigned depth);

static void write_array(writer *w, json_object *v, unsigned depth) {
  size_t n = json_object_array_length(v);

  igt__buf_putc(w->out, '[');
  for (size_t i = 0; i < n; i++) {
    if (i)
      igt__buf_putc(w->out, ',');
    new_line(w, depth + 1);
    write_value(w, json_object_array_get_idx(v, i), depth + 1);
  }
  if (n)
    new_line(w, depth);
  igt__buf_putc(w->out, ']');
}

static void write_object(writer *w, json_object *v, unsigned depth) {
  struct lh_entry *first = json_object_get_object(v)->head;

  igt__buf_putc(w->out, '{');
  for (struct lh_entry *e = first; e; e = e->next) {
    const char *key = (const char *)lh_entry_k(e);
    if (e != first)
      igt__buf_putc(w->out, ',');
    new_line(w, depth + 1);
    write_string(w, key, strlen(key));
    igt__buf_puts(w->out, w->indent ? ": " : ":");
    write_value(w, (json_object *)lh_entry_v(e), depth + 1);
  }
  if (first)
    new_line(w, depth);
  igt__buf_putc(w->out, '}');
}

/* Implemented here, as json-c would allocate a buffer for each. */
static void write_int(igt__buf *out, int64_t value) {
  char text[24];
  char *at = text + sizeof text;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0)
    *--at = '-';
  igt__buf_append(out, at, (size_t)(text + sizeof text - at));
}

/* json-c also has numbers from 2^63 up. */
static bool fits_int64(json_object *v) {
  return json_object_get_int64(v) != INT64_MAX;
}

static void write_value(writer *w, json_object *v, unsigned depth) {
  switch (json_object_get_type(v)) {
  case json_type_string:
    write_string(w, json_object_get_string(v), (size_t)json_object_get_string_len(v));
    break;
  case json_type_array:
    write_array(w, v, depth);
    break;
  case json_type_object:
    write_object(w, v, depth);
    break;
  case json_type_boolean:
    igt__buf_puts(w->out, json_object_get_boolean(v) ? "true" : "false");
    break;
  case json_type_int:
    if (fits_int64(v)) {
      write_int(w->out, json_object_get_int64(v));
      break;
    }
    /* fallthrough */
  default: /* a number that was read from text is written unchanged */
    igt__buf_puts(w->out, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
    break;
  }
}

bool igt__json_write(igt__buf *out, const igt__json *v, igt__json_style style) {
  writer w = {out, style == IGT__JSON_INDENT4, style == IGT__JSON_VISIBLE};

  write_value(&w, jc(v), 0);
  return !out->failed;
}

const char *igt__json_library(void) {
  return json_c_version();
}
