/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_JSON_H
#define IGT_MODEL_JSON_H

/* JSON values. Only json.c includes the JSON library; everyone else uses this interface. Values are
 * trees owned by their root: igt__json_free of the root frees all of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct igt__json igt__json;

typedef enum igt__json_type {
  IGT__JSON_NULL,
  IGT__JSON_BOOL,
  IGT__JSON_INT,    /* fits int64 */
  IGT__JSON_DOUBLE, /* every other number */
  IGT__JSON_STRING,
  IGT__JSON_ARRAY,
  IGT__JSON_OBJECT
} igt__json_type;

/* Strict RFC 8259: UTF-8 checked, depth limited to IGT__MAX_JSON_DEPTH, nothing but white space
 * after the value; of duplicate keys the last wins. what names the document in the message. */
igt_status igt__json_parse(const char *text, size_t n, const char *what, igt__json **out,
                           igt_error *err);
/* The same for a document of at most this many values; igt__json_parse accepts
 * IGT__MAX_JSON_VALUES. */
igt_status igt__json_parse_small(const char *text, size_t n, size_t most, const char *what,
                                 igt__json **out, igt_error *err);
/* Only checks whether it is JSON: builds nothing. */
igt_status igt__json_check(const char *text, size_t n, const char *what, igt_error *err);
/* The same for a file that is sent unchanged: accepts NaN and the infinities, which Python's json
 * module reads and writes (numpy data contains them), and which the existing client therefore
 * accepts. */
igt_status igt__json_check_file(const char *text, size_t n, const char *what, igt_error *err);
void igt__json_free(igt__json *v);
/* For trees with secrets: overwrites strings before they are freed. Not for a tree that shares
 * values with another (igt__json_copy shares none). */
void igt__json_free_wipe(igt__json *v);

/* All accessors accept NULL (it reads as JSON null). */
igt__json_type igt__json_typeof(const igt__json *v);
bool igt__json_bool(const igt__json *v);   /* false unless true */
int64_t igt__json_int(const igt__json *v); /* 0 unless a number */
double igt__json_double(const igt__json *v);
const char *igt__json_str(const igt__json *v); /* NULL unless a string */
size_t igt__json_str_len(const igt__json *v);  /* may contain NUL: compare with strlen */
size_t igt__json_count(const igt__json *v);    /* of an array or object */
igt__json *igt__json_at(const igt__json *array, size_t i);
igt__json *igt__json_get(const igt__json *object, const char *key);      /* NULL if absent */
bool igt__json_has(const igt__json *object, const char *key);            /* true for null, too */
const char *igt__json_get_str(const igt__json *object, const char *key); /* NULL unless string */
/* Members in their order. */
bool igt__json_member(const igt__json *object, size_t i, const char **key, igt__json **value);

/* Builders; NULL if out of memory. An added value belongs to its parent from then on, also if
 * adding fails (it is freed). */
igt__json *igt__json_new_object(void);
igt__json *igt__json_new_array(void);
igt__json *igt__json_new_str(const char *s); /* NULL creates null */
igt__json *igt__json_new_strn(const char *s, size_t n);
igt__json *igt__json_new_int(int64_t v);
igt__json *igt__json_new_double(double v);
igt__json *igt__json_new_bool(bool v);
igt__json *igt__json_new_null(void);
igt__json *igt__json_copy(const igt__json *v);
bool igt__json_set(igt__json *object, const char *key, igt__json *value); /* adds or replaces */
bool igt__json_set_str(igt__json *object, const char *key, const char *s);
bool igt__json_set_int(igt__json *object, const char *key, int64_t v);
bool igt__json_set_bool(igt__json *object, const char *key, bool v);
bool igt__json_push(igt__json *array, igt__json *value);
void igt__json_remove(igt__json *object, const char *key);

typedef enum igt__json_style {
  IGT__JSON_COMPACT, /* no spaces, UTF-8 unchanged */
  /* The same, but what controls a terminal or reorders text is escaped: for what people look at. */
  IGT__JSON_VISIBLE,
  IGT__JSON_INDENT4 /* Python's json.dump(indent=4): ASCII only, ": ", no newline at the end */
} igt__json_style;
bool igt__json_write(igt__buf *out, const igt__json *v, igt__json_style style);

/* "0.16", of json-c */
const char *igt__json_library(void);

#endif
