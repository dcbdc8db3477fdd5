/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

igt__json *rest_find(rest_call *call, const char *kind, const char *id, const char *what) {
  igt__json *doc = sbx_doc_get(call->server->store, kind, id);

  if (!doc)
    rest_fail(call, 404, "%s %.100s does not exist", what, id);
  return doc;
}

bool rest_exists(rest_call *call, const char *kind, const char *id, const char *what) {
  if (sbx_doc_has(call->server->store, kind, id))
    return true;
  rest_fail(call, 404, "%s %.100s does not exist", what, id);
  return false;
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

bool rest_query_bool(const rest_call *call, const char *name, bool otherwise) {
  const char *value = sbx_query(call->req, name, 0);

  if (!value)
    return otherwise;
  return igt__str_eq_nocase(value, "true") || igt__str_eq(value, "1");
}

int64_t rest_next_number(sbx_server *server, const char *kind) {
  char text[24];
  int64_t number = 0;
  bool own = sbx_store_begin(server->store); /* else the caller's transaction keeps others out */
  char *last = sbx_kv_get(server->store, "number", kind);

  if (last && !igt__str_to_int64(last, &number))
    number = 0;
  snprintf(text, sizeof text, "%lld", (long long)++number);
  bool ok = sbx_kv_put(server->store, "number", kind, text, 0);
  if (own && ok)
    ok = sbx_store_commit(server->store);
  else if (own)
    sbx_store_rollback(server->store);
  igt__free(last);
  return ok ? number : 0;
}

const char *rest_keep(rest_call *call, const char *text) {
  return text ? igt__arena_strdup(call->arena, text) : NULL;
}
