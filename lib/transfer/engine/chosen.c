/* SPDX-License-Identifier: MIT */
#include "transfer/engine/chosen.h"

#include <string.h>

/* No component is empty, "." or "..". */
static bool is_below_root(const char *path) {
  const char *at = path;

  if (!path || !*path)
    return false;
  for (;;) {
    size_t n = strcspn(at, "/");
    if (n == 0 || (n <= 2 && strncmp(at, "..", n) == 0))
      return false;
    if (!at[n])
      return true;
    at += n + 1;
  }
}

igt_status igt__chosen_check(const igt__chosen *chosen, igt_error *err) {
  if (chosen->count && !chosen->v)
    return igt__fail(err, IGT_E_INVALID, "no list of folders was given");
  for (size_t i = 0; i < chosen->count; i++)
    if (!is_below_root(chosen->v[i]))
      return igt__fail(err, IGT_E_INVALID,
                       "'%s' is not a path below the folder to transfer, such as "
                       "INSTITUTE/STUDY",
                       chosen->v[i] ? chosen->v[i] : "");
  return IGT_OK;
}

static bool contains(const char *folder, const char *path) {
  size_t n = strlen(folder);

  return strncmp(folder, path, n) == 0 && (!path[n] || path[n] == '/');
}

bool igt__is_chosen(const igt__chosen *chosen, const char *path) {
  if (chosen->count == 0)
    return true;
  for (size_t i = 0; i < chosen->count; i++)
    if (contains(chosen->v[i], path) || contains(path, chosen->v[i]))
      return true;
  return false;
}

bool igt__is_chosen_at(const igt__chosen *chosen, const char *root, const char *path) {
  path += strlen(root);
  return igt__is_chosen(chosen, path + strspn(path, "/"));
}
