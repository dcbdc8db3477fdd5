/* SPDX-License-Identifier: MIT */
/* Who has a file of a study open for writing (os_is_written). Where the system cannot tell,
 * quietness alone decides (--settle). */
#include "station/station.h"

typedef struct place_of {
  const char *root, *path;
} place_of;

static int see_writer(void *payload, const tree_entry *e) {
  const place_of *p = payload;
  char full[3 * STATION_PATH];
  const os_file file = {full, e->dir, e->name, e->device, e->inode};

  if (!e->is_file)
    return 0;
  (void)snprintf(full, sizeof full, "%s/%s/%s", p->root, p->path, e->path);
  return os_is_written(&file);
}

bool tree_is_written(const char *root, const char *path) {
  place_of p = {root, path};
  int ended;

  return tree_walk(root, path, see_writer, &p, &ended) && ended;
}
