/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/str.h"
#include "model/json.h"
#include "model/scan.h"

bool igt__slice_to_int64(const igt__slice *number, int64_t *out) {
  char text[32];
  double v;
  igt__json *json = NULL;

  if (number->len < sizeof text) {
    memcpy(text, number->at, number->len);
    text[number->len] = '\0';
    if (igt__str_to_int64(text, out))
      return true;
  }
  if (igt__json_parse(number->at, number->len, "a number", &json, NULL) != IGT_OK)
    return false;
  v = igt__json_typeof(json) == IGT__JSON_DOUBLE ? igt__json_double(json) : 0.5;
  igt__json_free(json);
  /* -2^63 and 2^63 are exact as doubles; the range check also excludes NaN. */
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0) || v != (double)(int64_t)v)
    return false;
  *out = (int64_t)v;
  return true;
}
