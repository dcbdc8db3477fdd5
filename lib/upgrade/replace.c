/* SPDX-License-Identifier: MIT */
/* Replaces a program file: creates a hidden file beside it, locked while an upgrade writes it,
 * gives it the mode and owner of the old one, syncs it, and renames it over the old one. Files left
 * behind by killed upgrades are recognised by their missing lock and removed. Called by
 * upgrade.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "upgrade/upgrade.h"

#define PREFIX ".igtcloud-upgrade-"
#define ADVICE                                                                                     \
  "; upgrade as a user who may write to its folder, or with the package manager that installed it"

static igt_status refuse(igt_error *err, int os_error, const char *target) {
  igt_status status = igt__fail_errno(err, os_error, "%s cannot be replaced", target);

  if (status == IGT_E_PERMISSION || status == IGT_E_READ_ONLY)
    igt__error_append(err, ADVICE);
  return status;
}

static igt_status stat_target(const char *target, igt__stat *st, igt_error *err) {
  if (igt__os_lstat(target, st) != 0)
    return refuse(err, errno, target);
  if (!S_ISREG(st->st_mode))
    return igt__fail(err, IGT_E_INVALID, "%s cannot be replaced: it is not a regular file", target);
  return IGT_OK;
}

/* A name that nobody can predict: in a shared folder another user could place a file of that
 * name. */
static char *name_beside(const char *target) {
  char token[17];
  size_t folder = (size_t)(igt__path_base(target) - target), n = folder + 64;
  char *path = igt__random_token(token, 16) ? igt__malloc(n) : NULL;

  if (path)
    snprintf(path, n, "%.*s" PREFIX "%s", (int)folder, target, token);
  return path;
}

/* A running upgrade locks its own file; a killed one no longer does. If the file system has no
 * locks, age decides: no upgrade takes a day. */
static bool is_abandoned(int folder, const char *name) {
  int fd = igt__os_openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
  igt__stat st;
  bool abandoned = false;

  if (fd < 0)
    return false;
  if (igt__os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == igt__os_user())
    abandoned = igt__os_lock(fd) == 0 ||
                (errno != EAGAIN && igt__wall_seconds() - st.st_mtim.tv_sec > 24 * 3600);
  igt__os_close(fd);
  return abandoned;
}

void igt__replacement_sweep(const char *target) {
  size_t n = (size_t)(igt__path_base(target) - target);
  char *path = n ? igt__strndup(target, n) : igt__strdup(".");
  int fd = path ? igt__os_open(path, O_RDONLY | O_DIRECTORY, 0) : -1, ignored;
  igt__os_dir *folder = fd >= 0 ? igt__os_dir_open(fd) : NULL;

  for (const char *name; folder && (name = igt__os_dir_next(folder, NULL, &ignored)) != NULL;)
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && is_abandoned(fd, name) &&
        igt__os_unlinkat(fd, name) == 0)
      IGT__DEBUG(IGT_LOG_GENERAL, "removing %s%s, left behind by an interrupted upgrade", path,
                 name);
  if (folder)
    igt__os_dir_close(folder);
  if (fd >= 0)
    igt__os_close(fd);
  igt__free(path);
}

/* Another upgrade may have removed it between its creation and its lock. */
static int open_locked(const char *path) {
  int fd = igt__os_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  igt__stat st;

  if (fd < 0)
    return fd;
  (void)igt__os_lock(fd);
  if (igt__os_fstat(fd, &st) == 0 && st.st_nlink == 1)
    return fd;
  igt__os_close(fd);
  errno = EAGAIN;
  return -1;
}

igt_status igt__replacement_begin(const char *target, igt__replacement *out, igt_error *err) {
  igt__stat st;
  igt_status status = stat_target(target, &st, err);

  *out = (igt__replacement){.target = target, .fd = -1};
  if (status != IGT_OK)
    return status;
  out->path = name_beside(target);
  if (!out->path)
    return igt__fail_memory(err);
  out->fd = open_locked(out->path);
  if (out->fd >= 0)
    return IGT_OK;
  status = refuse(err, errno, target);
  igt__free(out->path);
  out->path = NULL;
  return status;
}

/* Also syncs the rename to the disk. A failure here is no reason to report that it was not done. */
static void sync_folder(const char *target) {
  size_t n = (size_t)(igt__path_base(target) - target);
  char *folder = n ? igt__strndup(target, n) : igt__strdup(".");
  int fd = folder ? igt__os_open(folder, O_RDONLY | O_DIRECTORY, 0) : -1;

  if (fd >= 0) {
    (void)igt__os_sync(fd);
    igt__os_close(fd);
  }
  igt__free(folder);
}

igt_status igt__replacement_commit(igt__replacement *r, igt_error *err) {
  igt__stat st;
  igt_status status = stat_target(r->target, &st, err);
  int fd = r->fd;
  bool good;

  if (status != IGT_OK)
    return status;
  good = igt__os_take_after(fd, &st) == 0 && igt__os_sync(fd) == 0;
  r->fd = -1;
  if (!good) {
    status = refuse(err, errno, r->target);
    igt__os_close(fd);
    return status;
  }
  if (igt__os_close(fd) != 0 || igt__os_replace_program(r->path, r->target) != 0)
    return refuse(err, errno, r->target);
  igt__free(r->path);
  r->path = NULL;
  sync_folder(r->target);
  return IGT_OK;
}

void igt__replacement_finish(igt__replacement *r) {
  if (r->fd >= 0)
    igt__os_close(r->fd);
  if (r->path)
    (void)igt__os_unlink(r->path);
  igt__free(r->path);
  *r = (igt__replacement){.fd = -1};
}
