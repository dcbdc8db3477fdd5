/* SPDX-License-Identifier: MIT */
/* Access to files below a root directory (igt__root, path.h), safe against links and special files
 * that others may have placed there.
 *
 * A path is opened component by component with openat and O_NOFOLLOW (walk_down); the last
 * component is opened relative to its parent folder (igt__root_parent). Open parent folders are
 * kept in a small cache, the least recently used being replaced. root_change.c writes, renames and
 * removes files relative to the same parents, root_probe.c finds out how the disk treats names.
 * Local files of transfers (lib/transfer) are accessed through this; walk.c enumerates a tree. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "os/os.h"
#include "path.h"
#include "root_internal.h"
#include "str.h"

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY)

void igt__root_follow_links(igt__root *root) {
  root->follows = true;
}

bool igt__root_follows(const igt__root *root) {
  return root->follows;
}

const char *igt__root_below(const igt__root *root, const char *path) {
  size_t n = strlen(root->path);

  while (n > 0 && root->path[n - 1] == '/')
    n--;
  if (!igt__os_is_absolute(path) || strncmp(path, root->path, n) != 0 ||
      (path[n] && path[n] != '/'))
    return path; /* an absolute path elsewhere is rejected as a name */
  path += n;
  return path + strspn(path, "/");
}

static int no_follow(const igt__root *root) {
  return root->follows ? 0 : O_NOFOLLOW;
}

/* ---- opening component by component ---- */

static igt_status not_a_folder(const igt__root *root, int parent, const char *name,
                               const char *path, igt_error *err) {
  igt__stat st;

  if (!root->follows && igt__os_statat(parent, name, &st, false) == 0 && S_ISLNK(st.st_mode))
    return igt__fail(err, IGT_E_UNSAFE_NAME,
                     "'%s' is not used: '%s' in its path is a link, and links are not followed",
                     path, name);
  return igt__fail(err, IGT_E_COLLISION,
                   "'%s' cannot be created: '%s' in its path is a file, not a folder", path, name);
}

static igt_status open_component(const igt__root *root, int parent, const char *name, bool make,
                                 const char *path, int *fd, igt_error *err) {
  int flags = FOLDER_FLAGS | no_follow(root);

  *fd = igt__os_openat(parent, name, flags, 0);
  if (*fd < 0 && errno == ENOENT && make) {
    if (igt__os_mkdirat(parent, name, 0777) != 0 && errno != EEXIST)
      return igt__fail_errno(err, errno, "cannot create the folder '%s' of '%s'", name, path);
    *fd = igt__os_openat(parent, name, flags, 0);
  }
  if (*fd >= 0)
    return IGT_OK;
  if (errno == ENOTDIR || (errno == ELOOP && !root->follows))
    return not_a_folder(root, parent, name, path, err);
  return igt__fail_errno(err, errno, "cannot open the folder '%s' of '%s'", name, path);
}

/* Copies the next component of *path to name and advances; false at the end. */
static bool next_component(const char **path, char name[IGT__MAX_NAME + 1], igt_status *status,
                           igt_error *err) {
  size_t n = strcspn(*path, "/");

  if (n == 0 && !**path)
    return false;
  bool dots = (n == 1 && **path == '.') || (n == 2 && (*path)[0] == '.' && (*path)[1] == '.');
  if (n == 0 || n > IGT__MAX_NAME || dots) {
    *status = igt__fail(err, IGT_E_UNSAFE_NAME, "'%s' cannot be used as a name", *path);
    return false;
  }
  memcpy(name, *path, n);
  name[n] = '\0';
  *path += n;
  if (**path == '/' && *++*path == '\0') {
    *status = igt__fail(err, IGT_E_UNSAFE_NAME, "'%s/' cannot be used as a name", name);
    return false;
  }
  return true;
}

static igt_status walk_down(igt__root *root, const char *path, bool make, int *out,
                            igt_error *err) {
  char name[IGT__MAX_NAME + 1];
  const char *rest = path;
  igt_status status = IGT_OK;
  int fd = igt__os_openat(root->fd, ".", FOLDER_FLAGS, 0);

  if (fd < 0)
    return igt__fail_errno(err, errno, "cannot open the folder '%s'", root->path);
  while (next_component(&rest, name, &status, err)) {
    int next;
    status = open_component(root, fd, name, make, path, &next, err);
    igt__os_close(fd);
    if (status != IGT_OK)
      return status;
    fd = next;
  }
  if (status != IGT_OK) {
    igt__os_close(fd);
    return status;
  }
  *out = fd;
  return IGT_OK;
}

/* ---- the cache of open folders ---- */

static void folder_free(igt__root_folder *f) {
  igt__os_close(f->fd);
  igt__free(f->path);
  igt__free(f);
}

/* FNV-1a: paths of studies differ only in their last bytes, and are compared several times a
 * file. */
static uint64_t hash_path(const char *path) {
  uint64_t hash = 0xcbf29ce484222325u;

  for (; *path; path++)
    hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
  return hash;
}

static igt__root_folder *cache_find(igt__root *root, const char *path, uint64_t hash) {
  for (size_t i = 0; i < CACHED_FOLDERS; i++) {
    igt__root_folder *f = root->hashes[i] == hash ? root->cache[i] : NULL;
    if (f && strcmp(f->path, path) == 0) {
      f->users++;
      f->used_at = ++root->clock;
      return f;
    }
  }
  return NULL;
}

/* Replaces the least recently used folder; not cached if all are in use. */
static void cache_add(igt__root *root, igt__root_folder *f) {
  size_t best = CACHED_FOLDERS;

  for (size_t i = 0; i < CACHED_FOLDERS; i++) {
    igt__root_folder *c = root->cache[i];
    if (c && c->users)
      continue;
    if (best == CACHED_FOLDERS || !c ||
        (root->cache[best] && c->used_at < root->cache[best]->used_at))
      best = i;
    if (!c)
      break;
  }
  if (best == CACHED_FOLDERS)
    return;
  if (root->cache[best])
    folder_free(root->cache[best]);
  root->cache[best] = f;
  root->hashes[best] = f->hash;
  f->cached = true;
  f->used_at = ++root->clock;
}

static void cache_remove(igt__root *root, const igt__root_folder *f) {
  for (size_t i = 0; i < CACHED_FOLDERS; i++) {
    if (root->cache[i] == f) {
      root->cache[i]->cached = false;
      root->cache[i] = NULL;
    }
  }
}

void igt__root_release(igt__root *root, igt__root_folder *f, bool forget) {
  pthread_mutex_lock(&root->lock);
  if (forget)
    cache_remove(root, f);
  bool last = --f->users == 0 && !f->cached;
  pthread_mutex_unlock(&root->lock);
  if (last)
    folder_free(f);
}

static igt_status folder_get(igt__root *root, const char *path, bool make, igt__root_folder **out,
                             igt_error *err) {
  path = igt__root_below(root, path);
  uint64_t hash = hash_path(path);
  pthread_mutex_lock(&root->lock);
  igt__root_folder *f = cache_find(root, path, hash);
  pthread_mutex_unlock(&root->lock);
  if (f) {
    *out = f;
    return IGT_OK;
  }
  int fd = -1;
  igt_status status = walk_down(root, path, make, &fd, err);
  if (status != IGT_OK)
    return status;
  f = igt__calloc(1, sizeof *f);
  char *copy = f ? igt__strdup(path) : NULL;
  if (!copy) {
    igt__free(f);
    igt__os_close(fd);
    return igt__fail_memory(err);
  }
  *f = (igt__root_folder){.path = copy, .hash = hash, .fd = fd, .users = 1};
  pthread_mutex_lock(&root->lock);
  cache_add(root, f);
  pthread_mutex_unlock(&root->lock);
  *out = f;
  return IGT_OK;
}

igt_status igt__root_parent(igt__root *root, const char *path, bool make, igt__root_folder **out,
                            const char **base, igt_error *err) {
  path = igt__root_below(root, path);
  *base = igt__path_base(path);
  if (!**base || strcmp(*base, ".") == 0 || strcmp(*base, "..") == 0)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "'%s' cannot be used as a name", path);
  if (*base == path)
    return folder_get(root, "", make, out, err);
  /* No allocation if the folder is already open, so that files created there can be removed without
   * memory. */
  char parent[IGT__MAX_PATH + 1];
  size_t n = (size_t)(*base - path) - 1;
  if (n > IGT__MAX_PATH)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "a path of %zu bytes is too long", n);
  memcpy(parent, path, n);
  parent[n] = '\0';
  return folder_get(root, parent, make, out, err);
}

/* ---- the root ---- */

/* From the end, as not everything before a separator can be made or looked at: "//server" is no
 * folder of Windows. path is changed meanwhile. 0 or an error number. */
static int make_folders(char *path) {
  char *end = path + strlen(path), separator;
  int failed;

  if (igt__os_mkdir(path, 0777) == 0 || errno == EEXIST || errno == EISDIR)
    return 0;
  if (errno != ENOENT)
    return errno;
  do
    if (end <= path + 1)
      return ENOENT;
  while (!igt__os_is_separator(*--end));
  separator = *end;
  *end = '\0';
  failed = make_folders(path);
  *end = separator;
  if (failed)
    return failed;
  return igt__os_mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
}

static igt_status make_root(const char *path, igt_error *err) {
  igt__stat st;
  char *copy = igt__strdup(path);
  int failed;

  if (!copy)
    return igt__fail_memory(err);
  failed = make_folders(copy);
  igt__free(copy);
  /* A parent folder may exist and not be writable. */
  if (failed && igt__os_stat(path, &st) != 0)
    return igt__fail_errno(err, failed, "cannot create the folder '%s'", path);
  return IGT_OK;
}

igt_status igt__root_open(const char *path, bool create, igt__root **out, igt_error *err) {
  *out = NULL;
  igt__root *root = igt__calloc(1, sizeof *root);
  if (!root)
    return igt__fail_memory(err);
  root->fd = -1;
  root->folds = root->names = -1;
  pthread_mutex_init(&root->lock, NULL);
  igt_status status = create ? make_root(path, err) : IGT_OK;
  root->path = igt__path_absolute(path);
  if (status == IGT_OK && !root->path)
    status = igt__fail_memory(err);
  if (status == IGT_OK) {
    root->fd = igt__os_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (root->fd < 0 && errno == ENOTDIR)
      status = igt__fail(err, IGT_E_COLLISION, "'%s' is not a folder", path);
    else if (root->fd < 0)
      status = igt__fail_errno(err, errno, "cannot open the folder '%s'", path);
  }
  if (status != IGT_OK) {
    igt__root_close(root);
    return status;
  }
  root->tells_at_close = !igt__os_is_local_disk(root->fd);
  *out = root;
  return IGT_OK;
}

void igt__root_close(igt__root *root) {
  if (!root)
    return;
  for (size_t i = 0; i < CACHED_FOLDERS; i++) {
    if (root->cache[i])
      folder_free(root->cache[i]);
  }
  if (root->fd >= 0)
    igt__os_close(root->fd);
  pthread_mutex_destroy(&root->lock);
  igt__free(root->path);
  igt__free(root);
}

const char *igt__root_path(const igt__root *root) {
  return root->path;
}

int igt__root_fd(const igt__root *root) {
  return root->fd;
}

bool igt__root_tells_at_close(const igt__root *root) {
  return root->tells_at_close;
}

bool igt__file_sync(int fd) {
  return igt__os_sync(fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
         errno == ENOTTY;
}

static bool write_all(int fd, const char *data, size_t n, bool at_offset, uint64_t at) {
  while (n > 0) {
    ssize_t done =
        at_offset ? igt__os_pwrite(fd, data, n, (int64_t)at) : igt__os_write(fd, data, n);
    if (done < 0 && errno == EINTR)
      continue;
    if (done == 0)
      errno = ENOSPC;
    if (done <= 0)
      return false;
    data += done;
    at += (uint64_t)done;
    n -= (size_t)done;
  }
  return true;
}

bool igt__fd_write(int fd, const void *data, size_t n) {
  return write_all(fd, data, n, false, 0);
}

bool igt__fd_write_at(int fd, const void *data, size_t n, uint64_t at) {
  return write_all(fd, data, n, true, at);
}

void igt__root_note_no_locks(igt__root *root, int why) {
  if (!__atomic_exchange_n(&root->no_locks, true, __ATOMIC_RELAXED))
    IGT__INFO(IGT_LOG_TRANSFER, "files below '%s' cannot be locked: %s", root->path, strerror(why));
}

bool igt__root_has_no_locks(const igt__root *root) {
  return __atomic_load_n(&root->no_locks, __ATOMIC_RELAXED);
}

/* ---- access below the root ---- */

static igt_status open_failed(const igt__root *root, const char *path, int os_error,
                              igt_error *err) {
  if (os_error == ELOOP && !root->follows)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "'%s' is a link, and links are not followed", path);
  if (os_error == EISDIR)
    return igt__fail(err, IGT_E_COLLISION, "'%s' is a folder, not a file", path);
  if (os_error == ENXIO || os_error == ENODEV) /* a socket; a FIFO without a reader; a device */
    return igt__fail(err, IGT_E_UNSAFE_NAME, "'%s' is not a regular file", path);
  return igt__fail_errno(err, os_error, "cannot open '%s'", path);
}

static igt_status open_below(igt__root *root, const char *path, int flags, mode_t mode,
                             bool make_dirs, int *fd, igt_error *err) {
  *fd = -1;
  for (int attempt = 0;; attempt++) {
    igt__root_folder *f;
    const char *base;
    igt_status status = igt__root_parent(root, path, make_dirs, &f, &base, err);
    if (status != IGT_OK)
      return status;
    *fd = igt__os_openat(f->fd, base, flags | no_follow(root) | O_NOCTTY | O_NONBLOCK, mode);
    int os_error = *fd < 0 ? errno : 0;
    /* Another process may have removed and recreated a cached folder. */
    bool stale = os_error == ENOENT && (flags & O_CREAT);
    igt__root_release(root, f, stale);
    if (*fd >= 0)
      return IGT_OK;
    if (!stale || attempt > 0)
      return open_failed(root, path, os_error, err);
  }
}

/* Closes *fd unless it is a regular file. */
static igt_status check_regular(const char *path, int *fd, igt__stat *st, igt_error *err) {
  igt_status status = IGT_OK;

  if (igt__os_fstat(*fd, st) != 0)
    status = igt__fail_errno(err, errno, "cannot read '%s'", path);
  else if (S_ISDIR(st->st_mode))
    status = igt__fail(err, IGT_E_COLLISION, "'%s' is a folder, not a file", path);
  else if (!S_ISREG(st->st_mode))
    status = igt__fail(err, IGT_E_UNSAFE_NAME, "'%s' is not a regular file", path);
  if (status != IGT_OK) {
    igt__os_close(*fd);
    *fd = -1;
  }
  return status;
}

igt_status igt__root_open_file(igt__root *root, const char *path, int flags, mode_t mode,
                               bool make_dirs, int *fd, igt_error *err) {
  igt__stat st;
  igt_status status = open_below(root, path, flags, mode, make_dirs, fd, err);

  /* A newly created file is regular. */
  if (status != IGT_OK || (flags & (O_EXCL | O_DIRECTORY)))
    return status;
  return check_regular(path, fd, &st, err);
}

igt_status igt__root_open_read(igt__root *root, const char *path, int *fd, igt__stat *st,
                               igt_error *err) {
  igt_status status = open_below(root, path, O_RDONLY, 0, false, fd, err);

  return status == IGT_OK ? check_regular(path, fd, st, err) : status;
}

igt_status igt__root_open_folder(igt__root *root, const char *path, int *fd, igt_error *err) {
  igt__root_folder *f;
  igt_status status = folder_get(root, path, false, &f, err);

  *fd = -1;
  if (status != IGT_OK)
    return status;
  *fd = igt__os_openat(f->fd, ".", O_RDONLY | O_DIRECTORY, 0);
  int os_error = errno;
  igt__root_release(root, f, false);
  return *fd >= 0 ? IGT_OK : igt__fail_errno(err, os_error, "cannot read the folder '%s'", path);
}

igt_status igt__root_read_file(igt__root *root, const char *path, size_t max, char **data,
                               size_t *len, igt_error *err) {
  igt__stat st;
  int fd;
  igt_status status = igt__root_open_read(root, path, &fd, &st, err);

  *data = NULL;
  *len = 0;
  if (status == IGT_OK) {
    status = igt__fd_read(fd, path, max, data, len, err);
    igt__os_close(fd);
  }
  return status;
}

igt_status igt__root_mkdirs(igt__root *root, const char *path, igt_error *err) {
  igt__root_folder *f;
  igt_status status = folder_get(root, path, true, &f, err);

  if (status == IGT_OK)
    igt__root_release(root, f, false);
  return status;
}

igt_status igt__root_stat(igt__root *root, const char *path, igt__stat *st, igt_error *err) {
  igt__root_folder *f;
  const char *base;
  igt_status status = igt__root_parent(root, path, false, &f, &base, err);

  if (status != IGT_OK)
    return status;
  int os_error = igt__os_statat(f->fd, base, st, root->follows) == 0 ? 0 : errno;
  igt__root_release(root, f, false); /* a missing file does not mean a stale folder */
  return os_error ? igt__fail_errno(err, os_error, "cannot read '%s'", path) : IGT_OK;
}

/* A broken link exists, but cannot be examined. */
static igt_status look_failed(const igt__root *root, const igt__root_folder *f, const char *base,
                              const char *path, int os_error, bool *found, igt_error *err) {
  igt__stat st;

  /* No name that is too long for the file system exists on it. */
  if (os_error != ENOENT && os_error != ENOTDIR && os_error != ENAMETOOLONG)
    return igt__fail_errno(err, os_error, "cannot read '%s'", path);
  if (root->follows && igt__os_statat(f->fd, base, &st, false) == 0)
    return igt__fail(err, IGT_E_NO_FILE, "'%s' is a broken link", path);
  *found = false;
  return IGT_OK;
}

igt_status igt__root_look(igt__root *root, const char *path, bool *found, igt__stat *st,
                          igt_error *err) {
  igt_error own = IGT_ERROR_INIT;
  igt__root_folder *f;
  const char *base;
  igt_status status;

  *found = true;
  memset(st, 0, sizeof *st);
  if (!*igt__root_below(root, path))
    return igt__os_fstat(root->fd, st) == 0 ? IGT_OK
                                            : igt__fail_errno(err, errno, "cannot read '%s'", path);
  status = igt__root_parent(root, path, false, &f, &base, &own);
  if (status == IGT_E_COLLISION || own.os_error == ENOENT || own.os_error == ENOTDIR) {
    *found = false;
    return IGT_OK;
  }
  if (status != IGT_OK) {
    if (err)
      igt__error_copy(err, &own);
    return status;
  }
  if (igt__os_statat(f->fd, base, st, root->follows) != 0)
    status = look_failed(root, f, base, path, errno, found, err);
  igt__root_release(root, f, false);
  return status;
}

int igt__root_look_beyond(igt__root *root, const char *path, igt__stat *st) {
  igt__root_folder *f;
  const char *base;
  igt_error err = IGT_ERROR_INIT;
  int why;

  if (igt__root_parent(root, path, false, &f, &base, &err) != IGT_OK)
    return err.os_error ? err.os_error : ENOENT;
  why = igt__os_statat(f->fd, base, st, true) == 0 ? 0 : errno;
  igt__root_release(root, f, false);
  return why;
}
