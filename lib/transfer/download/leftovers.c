/* SPDX-License-Identifier: MIT */
/* Removes partial files that no run continues (leftovers.h). The name of one may have a salt that
 * nothing records, so each folder that existed before is read once. Called by download_file.c. */
#include "transfer/download/leftovers.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "transfer/download/partial.h"

#define FOLDERS_MOST 10000 /* of one study; what is in others stays */
#define PARTIALS_MOST 1000

void igt__leftovers_finish(igt__leftovers *leftovers) {
  for (size_t i = 0; i < leftovers->count; i++)
    igt__free(leftovers->v[i]);
  igt__free(leftovers->v);
  igt__map_free(leftovers->folders);
  memset(leftovers, 0, sizeof *leftovers);
}

/* Takes ownership of path. */
static void add(igt__leftovers *leftovers, char *path) {
  char **v = NULL;

  if (path && leftovers->count < PARTIALS_MOST)
    v = igt__realloc(leftovers->v, (leftovers->count + 1) * sizeof *v);
  if (!v) {
    igt__free(path);
    return;
  }
  leftovers->v = v;
  v[leftovers->count++] = path;
}

static void read_folder(igt__leftovers *leftovers, igt__root *root, const char *folder) {
  const char *name;
  int fd, ignored;
  igt__os_dir *dir;

  if (igt__root_open_folder(root, folder, &fd, NULL) != IGT_OK)
    return;
  if (!(dir = igt__os_dir_take(fd)))
    return;
  while ((name = igt__os_dir_next(dir, NULL, &ignored)) != NULL)
    if (igt__partial_is_name(name))
      add(leftovers, igt__path_join(folder, name));
  igt__os_dir_close(dir);
}

/* Reads the file's folder, unless that was done. False: no memory, or too many. */
static bool look(igt__leftovers *leftovers, igt__root *root, const char *path) {
  const char *base = igt__path_base(path);
  char *folder = igt__strndup(path, base > path ? (size_t)(base - path) - 1 : 0);
  bool good = folder && (leftovers->folders || (leftovers->folders = igt__map_new()));

  if (good && !igt__map_has(leftovers->folders, folder)) {
    good = igt__map_count(leftovers->folders) < FOLDERS_MOST &&
           igt__map_set(leftovers->folders, folder, NULL);
    if (good)
      read_folder(leftovers, root, folder);
  }
  igt__free(folder);
  return good;
}

static void forget(igt__root *root, igt__journal *journal, const char *path) {
  char *local =
      igt__journal_has_downloads(journal) ? igt__path_join(igt__root_path(root), path) : NULL;

  if (local)
    igt__journal_drop_download(journal, local);
  igt__free(local);
}

void igt__leftovers_remove(igt__leftovers *leftovers, igt__root *root, igt__journal *journal,
                           const char *path) {
  if (!look(leftovers, root, path))
    return;
  for (size_t i = 0; i < leftovers->count; i++) {
    if (!igt__partial_is_of(leftovers->v[i], path) ||
        !igt__partial_remove(root, leftovers->v[i], path))
      continue;
    IGT__INFO(IGT_LOG_TRANSFER, "removed '%s', the rest of another run: the file is complete",
              leftovers->v[i]);
    forget(root, journal, path);
  }
}

void igt__leftovers_remove_salted(igt__leftovers *leftovers, igt__root *root, const char *path) {
  if (!look(leftovers, root, path))
    return;
  for (size_t i = 0; i < leftovers->count; i++)
    if (igt__partial_is_of(leftovers->v[i], path) &&
        igt__partial_is_salted(leftovers->v[i], path) &&
        igt__partial_remove(root, leftovers->v[i], path))
      IGT__INFO(IGT_LOG_TRANSFER, "removed '%s', the rest of another run: nothing continues it",
                leftovers->v[i]);
}
