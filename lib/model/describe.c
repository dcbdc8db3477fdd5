/* SPDX-License-Identifier: MIT */
#include "model/describe.h"

#include <string.h>

static const igt__description *const api = &igt__description_of_api;

const igt_operation_info *igt_operation_at(size_t i) {
  return i < api->operation_count ? &api->operations[i] : NULL;
}

const igt_operation_info *igt_operation_named(const char *id) {
  for (size_t i = 0; id && i < api->operation_count; i++)
    if (strcmp(api->operations[i].id, id) == 0)
      return &api->operations[i];
  return NULL;
}

/* The number of literal bytes of a described path that matches path, plus one; 0: it does not
 * match. */
static size_t fits(const char *described, const char *path) {
  size_t literal = 1;

  while (*described && *path) {
    if (*described == '{') {
      size_t n = strcspn(path, "/?");
      if (n == 0)
        return 0;
      described += strcspn(described, "}") + 1;
      path += n;
    } else if (*described++ == *path++) {
      literal++;
    } else {
      return 0;
    }
  }
  return !*described && (!*path || *path == '?') ? literal : 0;
}

const igt_operation_info *igt_operation_called(const char *method, const char *path) {
  const igt_operation_info *best = NULL;
  size_t most = 0;

  /* "/users/me" is not the user with the id "me": the path with more literal bytes wins. */
  for (size_t i = 0; method && path && i < api->operation_count; i++) {
    size_t literal = fits(api->operations[i].path, path);
    if (literal > most && strcmp(api->operations[i].method, method) == 0) {
      best = &api->operations[i];
      most = literal;
    }
  }
  return best;
}

const igt_model_info *igt_model_info_at(size_t i) {
  return i < api->model_count ? &api->models[i] : NULL;
}

const igt_model_info *igt_model_info_named(const char *name) {
  for (size_t i = 0; name && i < api->model_count; i++)
    if (strcmp(api->models[i].name, name) == 0)
      return &api->models[i];
  return NULL;
}
