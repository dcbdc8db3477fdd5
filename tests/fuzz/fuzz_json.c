/* SPDX-License-Identifier: MIT */
/* JSON as a tree: what is parsed can be written and parsed again with the same result, in both
 * styles, and rewriting the text without a tree gives the same as writing the tree. */
#include "base/limits.h"
#include "demand.h"
#include "model/json.h"
#include "model/scan.h"

static void walk(const igt__json *v) {
  const char *key = NULL;
  igt__json *member = NULL;

  demand(igt__json_str_len(v) == 0 || igt__json_str(v));
  (void)igt__json_int(v);
  (void)igt__json_double(v);
  (void)igt__json_bool(v);
  for (size_t i = 0; i < igt__json_count(v); i++) {
    if (igt__json_typeof(v) == IGT__JSON_ARRAY) {
      walk(igt__json_at(v, i));
      continue;
    }
    demand(igt__json_member(v, i, &key, &member) && key);
    demand(strlen(key) == 0 || igt__json_has(v, key));
    walk(member);
  }
}

/* Without a tree numbers keep their text, so only values that both wrote are compared. */
static void again(const igt__json *tree, igt__json_style style) {
  igt__json *second = NULL;
  igt__buf one, two;

  igt__buf_init(&one, SIZE_MAX / 2);
  igt__buf_init(&two, SIZE_MAX / 2);
  demand(igt__json_write(&one, tree, style));
  demand(igt__json_parse(one.data, one.len, "fuzz", &second, NULL) == IGT_OK);
  demand(igt__json_write(&two, second, style));
  demand(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
  igt__json_free(second);
  igt__buf_finish(&one);
  igt__buf_finish(&two);
}

static void rewrite(const char *json, size_t n) {
  igt__buf out;
  igt__scan scan;

  igt__buf_init(&out, SIZE_MAX / 2);
  demand(igt__scan_rewrite(&out, json, n, IGT__JSON_INDENT4, 0));
  igt__scan_init(&scan, out.data, out.len);
  demand(igt__scan_skip(&scan) && igt__scan_peek(&scan) == '\0');
  for (size_t i = 0; i < out.len; i++)
    demand((unsigned char)out.data[i] < 0x80);
  igt__buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *json = (const char *)data;
  igt__json *tree = NULL, *copy;

  if (igt__json_parse(json, size, "fuzz", &tree, NULL) != IGT_OK)
    return 0;
  walk(tree);
  again(tree, IGT__JSON_COMPACT);
  again(tree, IGT__JSON_INDENT4);
  rewrite(json, size);
  copy = igt__json_copy(tree);
  demand(copy || igt__json_typeof(tree) == IGT__JSON_NULL);
  igt__json_free(copy);
  igt__json_free(tree);
  return 0;
}
