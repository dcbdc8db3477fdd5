/* SPDX-License-Identifier: MIT */
/* Finds out how the disk of a root treats names, once per root: whether two names can be one file
 * (igt__root_folds), and which characters it can store (igt__root_names). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "os/os.h"
#include "root_internal.h"

#define PROBE_TRIES 100

void igt__probe_remove(int folder, const char *path, const char *name) {
  if (igt__os_unlinkat(folder, name) != 0 && errno != ENOENT)
    IGT__WARN(IGT_LOG_GENERAL,
              "cannot remove '%s/%s', a file that shows how the disk treats names: "
              "%s; it can be deleted",
              path, name, strerror(errno));
}

static bool is_here(const igt__root *root, const char *name) {
  igt__stat st;
  char path[64];

  snprintf(path, sizeof path, ".igtcloud-probe-%s", name);
  return igt__os_statat(root->fd, path, &st, false) == 0;
}

/* Creates a hidden file of this name and checks whether it is found under the other names. The name
 * is constant, so that the next run removes what a killed one left. Another process may be probing:
 * the absence of the other names counts only while the file itself exists. */
static bool probe(const igt__root *root, const char *name, const char *const *others, bool *made) {
  char path[64];
  bool found = false, there = false;

  *made = false;
  snprintf(path, sizeof path, ".igtcloud-probe-%s", name);
  for (int i = 0; i < PROBE_TRIES && !found && !there; i++) {
    int fd = igt__os_openat(root->fd, path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0 && errno != EEXIST)
      return false;
    if (fd >= 0)
      igt__os_close(fd);
    *made = true;
    for (const char *const *other = others; *other; other++)
      found = found || is_here(root, *other);
    there = is_here(root, name);
  }
  igt__probe_remove(root->fd, igt__root_path(root), path);
  return found;
}

static int probe_folds(const igt__root *root) {
  static const char *const others[] = {"A\xc3\xa9", "ae\xcc\x81", NULL};
  bool made;

  return probe(root, "a\xc3\xa9", others, &made);
}

static int probe_names(const igt__root *root) {
  static const char *const others[] = {"x:", NULL}, *const none[] = {NULL};
  bool made;

  if (probe(root, "x:.", others, &made))
    return IGT__NAMES_PORTABLE; /* the trailing dot was dropped */
  if (made)
    return IGT__NAMES_POSIX;
  /* Rejecting this name is significant only if another name is accepted. */
  (void)probe(root, "x", none, &made);
  return made ? IGT__NAMES_PORTABLE : IGT__NAMES_POSIX;
}

bool igt__root_folds(igt__root *root) {
  pthread_mutex_lock(&root->lock);
  if (root->folds < 0)
    root->folds = probe_folds(root);
  int folds = root->folds;
  pthread_mutex_unlock(&root->lock);
  return folds > 0;
}

igt__name_rules igt__root_names(igt__root *root) {
  pthread_mutex_lock(&root->lock);
  if (root->names < 0)
    root->names = igt__os_has_portable_names() ? IGT__NAMES_PORTABLE : probe_names(root);
  int names = root->names;
  pthread_mutex_unlock(&root->lock);
  return (igt__name_rules)names;
}
