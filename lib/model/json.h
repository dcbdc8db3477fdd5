/* SPDX-License-Identifier: MIT */
#ifndef IGT_MODEL_JSON_H
#define IGT_MODEL_JSON_H

/* JSON values. The JSON library is named in this room alone; everyone else uses this.
 * Values are trees owned by their root: igt__json_free of the root frees all of it. */

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

/* Strict RFC 8259, UTF-8 checked, IGT__MAX_JSON_DEPTH, nothing behind the value but space,
 * duplicate keys: the last wins. what names the thing in the sentence. */
igt_status igt__json_parse(const char *text, size_t n, const char *what, igt__json **out,
                           igt_error *err);
/* The same for a document of so many values at most; igt__json_parse takes IGT__MAX_JSON_VALUES. */
igt_status igt__json_parse_small(const char *text, size_t n, size_t most, const char *what,
                                 igt__json **out, igt_error *err);
/* Only whether it is JSON: nothing is built. */
igt_status igt__json_check(const char *text, size_t n, const char *what, igt_error *err);
/* The same for a file that is sent as it is: with NaN and the infinities, which Python's json reads
 * and writes (numpy's data has them), and the existing client therefore lets pass. */
igt_status igt__json_check_file(const char *text, size_t n, const char *what, igt_error *err);
void igt__json_free(igt__json *v);
/* For trees with secrets: strings are overwritten before they are freed. Not for one that shares
 * values with another (igt__json_copy shares none). */
void igt__json_free_wipe(igt__json *v);

/* All accessors accept NULL (it reads as JSON null). */
igt__json_type igt__json_typeof(const igt__json *v);
bool igt__json_bool(const igt__json *v);   /* false unless true */
int64_t igt__json_int(const igt__json *v); /* 0 unless a number */
double igt__json_double(const igt__json *v);
const char *igt__json_str(const igt__json *v); /* NULL unless a string */
size_t igt__json_str_len(const igt__json *v);  /* may hold NUL: compare with strlen */
size_t igt__json_count(const igt__json *v);    /* of an array or object */
igt__json *igt__json_at(const igt__json *array, size_t i);
igt__json *igt__json_get(const igt__json *object, const char *key);      /* NULL when absent */
bool igt__json_has(const igt__json *object, const char *key);            /* true for null, too */
const char *igt__json_get_str(const igt__json *object, const char *key); /* NULL unless string */
/* Members in their order. */
bool igt__json_member(const igt__json *object, size_t i, const char **key, igt__json **value);

/* Builders; NULL when no memory. A value that is added belongs to its parent from then on, also
 * when adding fails (it is freed). */
igt__json *igt__json_new_object(void);
igt__json *igt__json_new_array(void);
igt__json *igt__json_new_str(const char *s); /* NULL makes null */
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
  IGT__JSON_COMPACT, /* no spaces, UTF-8 as it is */
  IGT__JSON_INDENT4  /* Python's json.dump(indent=4): ASCII only, ": ", no end newline */
} igt__json_style;
bool igt__json_write(igt__buf *out, const igt__json *v, igt__json_style style);

#endif
