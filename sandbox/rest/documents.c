/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"

igt__json *rest_find(rest_call *call, const char *kind, const char *id, const char *what) {
  igt__json *doc = sbx_doc_get(call->server->store, kind, id);
  if (!doc)
    rest_fail(call, 404, "%s %.100s does not exist", what, id);
  return doc;
}

bool rest_exists(rest_call *call, const char *kind, const char *id, const char *what) {
  igt__json *doc = rest_find(call, kind, id, what);
  igt__json_free(doc);
  return doc != NULL;
}

bool rest_store(rest_call *call, const char *kind, const char *id, const char *parent,
                const igt__json *doc) {
  if (doc && id && sbx_doc_put(call->server->store, kind, id, parent, doc))
    return true;
  rest_fail(call, 500, "The sandbox could not store the %s", kind);
  return false;
}

void rest_now(char *out) {
  int64_t now = igt__wall_us();
  igt_time t = {
      .seconds = now / 1000000, .microseconds = (int32_t)(now % 1000000), .has_offset = true};
  igt__time_format(&t, 'T', out, 40);
}

bool rest_query_bool(const rest_call *call, const char *name) {
  const char *value = sbx_query(call->req, name, 0);
  return value && (igt__str_eq_nocase(value, "true") || igt__str_eq(value, "1"));
}

const char *rest_keep(rest_call *call, const char *text) {
  return text ? igt__arena_strdup(call->arena, text) : NULL;
}
