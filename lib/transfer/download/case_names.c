/* SPDX-License-Identifier: MIT */
/* Case collisions in one folder: a set of all names as they are written, those that exist and those
 * claimed by this run. Each claim looks up every component of its path, after reading the folder
 * that contains it for the first time. A component that is not in the set, but that the file system
 * finds, exists under another variant, and the claim fails. Called by download_study.c, on file
 * systems that may treat two names as one. */
#include "transfer/download/case_names.h"

#include <errno.h>
#include <string.h>

#include "base/fingerprints.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"

struct igt__case_names {
  igt__root *root;
  const char *folder;
  igt__fingerprints *folders; /* folders that were read */
  igt__fingerprints *names;   /* paths as written: existing ones and those of this run */
};

igt__case_names *igt__case_names_new(igt__root *root, const char *folder, igt__quota *lists) {
  igt__case_names *s = igt__calloc(1, sizeof *s);

  if (!s)
    return NULL;
  s->root = root;
  s->folder = folder;
  s->folders = igt__fingerprints_new(false, lists);
  s->names = igt__fingerprints_new(false, lists);
  if (!s->folders || !s->names) {
    igt__case_names_free(s);
    return NULL;
  }
  return s;
}

void igt__case_names_free(igt__case_names *s) {
  if (!s)
    return;
  igt__fingerprints_free(s->folders);
  igt__fingerprints_free(s->names);
  igt__free(s);
}

static igt_status note_names(igt__case_names *s, const char *folder, igt__os_dir *dir,
                             igt_error *err) {
  const char *name;
  int os_error;

  while ((name = igt__os_dir_next(dir, NULL, &os_error)) != NULL) {
    char *path = igt__path_join(folder, name);
    bool set = path && igt__fingerprints_set(s->names, path, 0);
    igt__free(path);
    if (!set)
      return igt__fail_memory(err);
  }
  return os_error ? igt__fail_errno(err, os_error, "cannot read the folder '%s'", folder) : IGT_OK;
}

/* Once, before this run writes anything but a study.json into it. */
static igt_status read_folder(igt__case_names *s, const char *folder, igt_error *err) {
  igt_status status;
  igt__os_dir *dir;
  int fd;

  if (igt__fingerprints_has(s->folders, folder))
    return IGT_OK;
  if (!igt__fingerprints_set(s->folders, folder, 0))
    return igt__fail_memory(err);
  status = igt__root_open_file(s->root, folder, O_RDONLY | O_DIRECTORY, 0, false, &fd, err);
  if (status != IGT_OK)
    return status == IGT_E_NO_FILE ? IGT_OK : status;
  dir = igt__os_dir_take(fd);
  if (!dir)
    return igt__fail_errno(err, errno, "cannot read the folder '%s'", folder);
  status = note_names(s, folder, dir, err);
  igt__os_dir_close(dir);
  return status;
}

/* One component of the path; the path to it is claimed already. */
static igt_status claim_step(igt__case_names *s, const char *path, igt_error *err) {
  const char *base = igt__path_base(path);
  char *folder = igt__strndup(path, (size_t)(base - path) - 1);
  igt__stat st;
  igt_status status = folder ? read_folder(s, folder, err) : igt__fail_memory(err);

  igt__free(folder);
  if (status != IGT_OK || igt__fingerprints_has(s->names, path))
    return status;
  status = igt__root_stat(s->root, path, &st, NULL);
  /* Not in the folder when it was read: under a variant, or another process has made it since. */
  if (status == IGT_OK && !igt__root_is_stored_as(s->root, path))
    return igt__fail(err, IGT_E_COLLISION,
                     "'%s' exists under a name that this file system treats as the same", path);
  if (status != IGT_OK && status != IGT_E_NO_FILE)
    return igt__root_stat(s->root, path, &st, err);
  return igt__fingerprints_set(s->names, path, 0) ? IGT_OK : igt__fail_memory(err);
}

igt_status igt__case_names_claim(igt__case_names *s, const char *path, igt_error *err) {
  char *steps = igt__strdup(path);
  igt_status status = steps ? IGT_OK : igt__fail_memory(err);

  for (char *p = steps ? steps + strlen(s->folder) + 1 : NULL; status == IGT_OK && *p; p++) {
    if (*p != '/')
      continue;
    *p = '\0';
    status = claim_step(s, steps, err);
    *p = '/';
  }
  if (status == IGT_OK)
    status = claim_step(s, path, err);
  igt__free(steps);
  return status;
}
