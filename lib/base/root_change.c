/* SPDX-License-Identifier: MIT */
/* Changes below a root: renames and removes files, and replaces whole small ones. Renaming copes
 * with file systems that cannot rename over a file, and with those that treat two names as one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "os/os.h"
#include "path.h"
#include "root_internal.h"

/* Errors of file systems that cannot rename over a file: some of FUSE, and foreign ones. */
static bool may_not_replace(int os_error) {
  return os_error == EEXIST || os_error == EPERM || os_error == EACCES || os_error == EINVAL ||
         os_error == ENOSYS || os_error == EOPNOTSUPP;
}

/* Keeps the old file under another name until the new one is in place. */
static int rename_aside(int from_fd, const char *from, int to_fd, const char *to) {
  int why = errno;
  igt__stat st;
  char aside[48];

  if (!may_not_replace(why) || igt__os_statat(to_fd, to, &st, false) != 0 || S_ISDIR(st.st_mode)) {
    errno = why;
    return -1;
  }
  snprintf(aside, sizeof aside, ".%016llx.igtpart", (unsigned long long)igt__jitter());
  if (igt__os_renameat(to_fd, to, to_fd, aside) != 0) {
    errno = why;
    return -1;
  }
  if (igt__os_renameat(from_fd, from, to_fd, to) == 0) {
    (void)igt__os_unlinkat(to_fd, aside);
    return 0;
  }
  why = errno;
  (void)igt__os_renameat(to_fd, aside, to_fd, to);
  errno = why;
  return -1;
}

static int rename_over(int from_fd, const char *from, int to_fd, const char *to) {
  if (igt__os_renameat(from_fd, from, to_fd, to) == 0)
    return 0;
  return rename_aside(from_fd, from, to_fd, to);
}

static bool has_entry(int fd, const char *name) {
  igt__os_dir *dir = igt__os_dir_open(fd);
  const char *entry = NULL;
  int ignored;

  while (dir && (entry = igt__os_dir_next(dir, NULL, &ignored)) != NULL && strcmp(entry, name) != 0)
    ;
  if (dir)
    igt__os_dir_close(dir);
  return entry != NULL;
}

bool igt__root_is_stored_as(igt__root *root, const char *path) {
  igt__root_folder *f;
  const char *base;
  bool found;

  if (igt__root_parent(root, path, false, &f, &base, NULL) != IGT_OK)
    return false;
  found = has_entry(f->fd, base);
  igt__root_release(root, f, false);
  return found;
}

/* Another process that downloads the same may have come first. */
static int rename_new(int from_fd, const char *from, int to_fd, const char *to) {
  if (igt__os_rename_new(from_fd, from, to_fd, to) == 0)
    return 0;
  if (errno != EEXIST)
    return -1;
  if (has_entry(to_fd, to))
    return rename_over(from_fd, from, to_fd, to);
  errno = EEXIST;
  return -1;
}

static igt_status rename_failed(const char *from, const char *to, bool only_new, int os_error,
                                igt_error *err) {
  if (os_error == EEXIST && only_new)
    return igt__fail(err, IGT_E_COLLISION,
                     "'%s' already exists under a name that this file system treats as the same",
                     to);
  if (os_error == EISDIR || os_error == ENOTEMPTY)
    return igt__fail(err, IGT_E_COLLISION, "'%s' is a folder, not a file", to);
  return igt__fail_errno(err, os_error, "cannot rename '%s' to '%s'", from, to);
}

static igt_status move(igt__root *root, const char *from, const char *to, bool only_new,
                       igt_error *err) {
  igt__root_folder *f = NULL, *t = NULL;
  const char *from_base, *to_base;
  igt_status status = igt__root_parent(root, from, false, &f, &from_base, err);

  if (status != IGT_OK)
    return status;
  status = igt__root_parent(root, to, true, &t, &to_base, err);
  if (status == IGT_OK) {
    int failed = only_new ? rename_new(f->fd, from_base, t->fd, to_base)
                          : rename_over(f->fd, from_base, t->fd, to_base);
    if (failed)
      status = rename_failed(from, to, only_new, errno, err);
    igt__root_release(root, t, status != IGT_OK);
  }
  igt__root_release(root, f, status != IGT_OK);
  return status;
}

igt_status igt__root_rename(igt__root *root, const char *from, const char *to, igt_error *err) {
  return move(root, from, to, false, err);
}

igt_status igt__root_rename_new(igt__root *root, const char *from, const char *to, igt_error *err) {
  return move(root, from, to, true, err);
}

igt_status igt__root_unlink(igt__root *root, const char *path, igt_error *err) {
  igt__root_folder *f;
  const char *base;
  igt_status status = igt__root_parent(root, path, false, &f, &base, err);

  if (status != IGT_OK)
    return status;
  if (igt__os_unlinkat(f->fd, base) != 0)
    status = igt__fail_errno(err, errno, "cannot remove '%s'", path);
  igt__root_release(root, f, false);
  return status;
}

igt_status igt__root_write_file(igt__root *root, const char *path, const void *data, size_t len,
                                mode_t mode, igt_error *err) {
  char salt[24];

  snprintf(salt, sizeof salt, "%016llx", (unsigned long long)igt__jitter());
  char *temporary = igt__path_partial(path, salt);
  if (!temporary)
    return igt__fail_memory(err);
  int fd;
  igt_status status =
      igt__root_open_file(root, temporary, O_CREAT | O_EXCL | O_WRONLY, mode, true, &fd, err);
  if (status == IGT_OK) {
    if (!igt__fd_write(fd, data, len))
      status = igt__fail_errno(err, errno, "cannot write '%s' below '%s'", path, root->path);
    if (igt__os_close(fd) != 0 && status == IGT_OK)
      status = igt__fail_errno(err, errno, "cannot write '%s' below '%s'", path, root->path);
    if (status == IGT_OK)
      status = igt__root_rename(root, temporary, path, err);
    if (status != IGT_OK)
      (void)igt__root_unlink(root, temporary, NULL);
  }
  igt__free(temporary);
  return status;
}
