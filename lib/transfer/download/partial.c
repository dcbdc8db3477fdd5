/* SPDX-License-Identifier: MIT */
/* The hidden file in which a download grows: created beside its destination, locked, and renamed
 * over it when complete. Only one process at a time may grow a partial file, and only a file that
 * igtcloud created for this user is continued: in a folder that others can write to, a file of this
 * name may be theirs, or a link to one of ours.
 *
 * Processes are kept apart by flock. On a file system without such locks (Lustre without -o flock,
 * NFS without lockd), processes that share a journal use its locks and a name that belongs to the
 * journal, so that an interrupted download can be resumed; all others use an unpredictable name,
 * which for that reason nobody else uses. Called by fetch_small.c, fetch_ranges.c and csv.c. */
#include "transfer/download/partial.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "crypto/crypto.h"

enum { ATTEMPTS = 8, SALT = 8 };

typedef enum lock { LOCK_MINE, LOCK_OTHERS, LOCK_NONE } lock;

static lock take_lock(int fd) {
  while (igt__os_lock(fd) != 0) {
    if (errno == EAGAIN || errno == EACCES)
      return LOCK_OTHERS;
    if (errno != EINTR)
      return LOCK_NONE;
  }
  return LOCK_MINE;
}

/* File systems without inode numbers of their own (FUSE, exFAT) may return a different one for each
 * call. */
static bool same_file(const igt__stat *a, const igt__stat *b) {
  if (a->st_dev != b->st_dev)
    return false;
  return a->st_ino == b->st_ino ||
         (a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
          a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
          a->st_ctim.tv_nsec == b->st_ctim.tv_nsec);
}

/* Whether it is still the file of that name: another process may have renamed it between our open
 * and our lock. */
static igt_status is_named(const igt__partial *partial, bool *named, igt_error *err) {
  igt__stat opened, now;
  igt_status status;

  *named = false;
  if (igt__os_fstat(partial->fd, &opened) != 0)
    return igt__fail_errno(err, errno, "cannot read '%s'", partial->name);
  status = igt__root_stat(partial->root, partial->name, &now, err);
  if (status == IGT_OK)
    *named = same_file(&opened, &now);
  return status == IGT_E_NO_FILE ? IGT_OK : status;
}

static void forget(igt__partial *partial) {
  if (partial->fd >= 0)
    (void)igt__os_close(partial->fd);
  partial->fd = -1;
}

static void discard(igt__partial *partial) {
  (void)igt__root_unlink(partial->root, partial->name, NULL);
  forget(partial);
}

/* A new file. IGT_E_COLLISION or another status with EEXIST in os_error: the name is taken. */
static igt_status create(igt__partial *partial, const char *salt, bool foreseen, igt_error *err) {
  igt__free(partial->name);
  partial->existed = false;
  partial->name = igt__path_partial(partial->path, salt);
  if (!partial->name)
    return igt__fail_memory(err);
  partial->salted = !foreseen;
  return igt__root_open_file(partial->root, partial->name, O_RDWR | O_CREAT | O_EXCL, 0666, true,
                             &partial->fd, err);
}

/* Under an unpredictable name. */
static igt_status create_unforeseen(igt__partial *partial, igt_error *err) {
  char salt[SALT + 1];
  igt_status status = IGT_E_COLLISION;

  for (int i = 0; i < ATTEMPTS && status != IGT_OK; i++) {
    if (!igt__random_token(salt, SALT))
      return igt__fail(err, IGT_E_IO, "cannot make a random name for the partial file of '%s'",
                       partial->path);
    status = create(partial, salt, false, err);
    if (status != IGT_OK && err->os_error != EEXIST)
      return status;
  }
  return status;
}

/* Whether the failure to open a file means that it is not one of ours. */
static bool is_foreign(const igt_error *err) {
  switch (err->os_error) {
  case EACCES:
  case EPERM:
  case ELOOP:
  case EISDIR:
  case ENXIO:
  case ETXTBSY:
    return true;
  default:
    return err->status == IGT_E_UNSAFE_NAME || err->status == IGT_E_COLLISION;
  }
}

static bool stat_with_owner(int fd, igt__stat *st) {
  return igt__os_fstat(fd, st) == 0 && igt__os_stat_owner(fd, st) == 0;
}

/* Opens the existing file of this name if it is what we would create now: a regular file with one
 * link, with the owner and mode that a new file gets on this file system. Else partial gets a new
 * file under another name. */
static igt_status open_existing(igt__partial *partial, igt_error *err) {
  igt__partial old = *partial;
  igt__stat st, fresh;
  bool good;
  igt_status status =
      igt__root_open_file(old.root, old.name, O_RDWR | O_NONBLOCK, 0, false, &old.fd, err);

  if (status != IGT_OK && !is_foreign(err))
    return status;
  good =
      status == IGT_OK && stat_with_owner(old.fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1;
  partial->name = NULL;
  status = create_unforeseen(partial, err);
  if (status == IGT_OK && good && stat_with_owner(partial->fd, &fresh) &&
      st.st_uid == fresh.st_uid && st.st_mode == fresh.st_mode) {
    discard(partial);
    igt__free(partial->name);
    *partial = old;
    partial->existed = true;
    return IGT_OK;
  }
  forget(&old);
  if (status == IGT_OK)
    IGT__WARN(IGT_LOG_TRANSFER, "'%s' was not created by igtcloud, so it is left alone", old.name);
  igt__free(old.name);
  return status;
}

static igt_status open_named(igt__partial *partial, const char *salt, igt_error *err) {
  igt_status status = create(partial, salt, true, err);

  return status != IGT_OK && err->os_error == EEXIST ? open_existing(partial, err) : status;
}

static igt_status open_without_locks(igt__partial *partial, igt_error *err) {
  char salt[SALT + 1];
  bool named = false;
  igt_status status;

  if (!igt__journal_hold_partial(partial->journal, igt__root_path(partial->root), partial->path,
                                 salt))
    return create_unforeseen(partial, err);
  partial->claim = true;
  status = open_named(partial, salt, err);
  if (status == IGT_OK)
    status = is_named(partial, &named, err);
  if (status == IGT_OK && named)
    return IGT_OK;
  forget(partial);
  return status == IGT_OK || status == IGT_E_NO_FILE ? create_unforeseen(partial, err) : status;
}

/* Sets *mine. */
static igt_status open_with_lock(igt__partial *partial, bool first, bool *mine, igt_error *err) {
  igt_status status = first ? open_named(partial, "", err) : create_unforeseen(partial, err);
  lock got;

  *mine = false;
  if (status != IGT_OK)
    return status == IGT_E_NO_FILE && partial->fd < 0 ? IGT_OK
                                                      : status; /* it disappeared meanwhile */
  got = take_lock(partial->fd);
  if (got == LOCK_NONE) {
    igt__root_note_no_locks(partial->root, errno);
    if (!partial->existed)
      discard(partial);
    forget(partial);
    *mine = true;
    return open_without_locks(partial, err);
  }
  if (got == LOCK_MINE)
    status = is_named(partial, mine, err);
  if (!*mine)
    forget(partial);
  return status;
}

igt_status igt__partial_open(igt__partial *partial, igt__root *root, const char *path,
                             igt__journal *journal, igt_error *err) {
  igt_error mine = IGT_ERROR_INIT;
  igt_status status = IGT_OK;
  bool owned = false;

  if (!err)
    err = &mine;
  memset(partial, 0, sizeof *partial);
  partial->root = root;
  partial->path = path;
  partial->journal = journal;
  partial->fd = -1;
  if (igt__root_has_no_locks(root)) {
    status = open_without_locks(partial, err);
    owned = status == IGT_OK;
  }
  for (int i = 0; i < ATTEMPTS && status == IGT_OK && !owned; i++)
    status = open_with_lock(partial, i == 0, &owned, err);
  if (status == IGT_OK && owned) {
    igt__error_clear(err); /* of what was tried first */
    return IGT_OK;
  }
  igt__partial_close(partial, true);
  return status != IGT_OK ? status
                          : igt__fail(err, IGT_E_LOCKED, "another process is writing %s", path);
}

/* ---- one that nobody will continue ---- */

static const char suffix[] = ".igtpart";

bool igt__partial_is_name(const char *name) {
  return *name == '.' && igt__str_ends(name, suffix);
}

/* With or without a salt. */
bool igt__partial_is_of(const char *partial, const char *path) {
  char *usual = igt__path_partial(path, "");
  size_t n = usual ? strlen(usual) - strlen(suffix) : 0;
  bool is = usual &&
            (strcmp(partial, usual) == 0 || (strncmp(partial, usual, n) == 0 && partial[n] == '.' &&
                                             strcspn(partial + n + 1, "./") == SALT &&
                                             strcmp(partial + n + 1 + SALT, suffix) == 0));

  igt__free(usual);
  return is;
}

bool igt__partial_is_salted(const char *partial, const char *path) {
  return strlen(partial) > strlen(path) + strlen(".") + strlen(suffix);
}

bool igt__partial_remove(igt__root *root, const char *partial, const char *path) {
  igt__partial old = {.root = root, .path = path, .name = igt__strdup(partial), .fd = -1};
  igt_error err = IGT_ERROR_INIT;
  bool mine = false;

  if (old.name && !igt__root_has_no_locks(root) && open_existing(&old, &err) == IGT_OK) {
    if (old.existed && take_lock(old.fd) == LOCK_MINE)
      (void)is_named(&old, &mine, &err);
    if (mine || !old.existed) /* not ours: then this is the file that it was compared with */
      discard(&old);
    forget(&old);
  }
  igt__free(old.name);
  return mine;
}

/* ---- the end of a download ---- */

/* A file system that does not store times must not make us lose what was fetched and verified. */
static void set_time(igt__partial *partial, int64_t mtime) {
  if (mtime >= 0 && igt__os_set_mtime(partial->fd, mtime) != 0)
    partial->no_time = errno;
}

/* Some file systems report a failed write only on close (NFS, quota; close(2)): closing a duplicate
 * shows it before an existing file is replaced, and keeps the lock. */
static igt_status flush(const igt__partial *partial, igt_error *err) {
  if (igt__os_write_back(partial->fd) != 0)
    return igt__fail_errno(err, errno, "'%s' could not be written completely", partial->path);
  int copy = igt__root_tells_at_close(partial->root) ? igt__os_dup(partial->fd) : -1;

  if (copy >= 0 && igt__os_close(copy) != 0)
    return igt__fail_errno(err, errno, "'%s' could not be written completely", partial->path);
  return IGT_OK;
}

static void end(igt__partial *partial) {
  if (partial->claim)
    igt__journal_release_partial(partial->journal, igt__root_path(partial->root), partial->path);
  partial->claim = false;
  igt__free(partial->name);
  partial->name = NULL;
}

/* The file system refuses the name, but not for lack of space: then what was fetched and verified
 * is not discarded. */
static bool keeps(igt_status status, const igt_error *err) {
  if (status == IGT_E_COLLISION || status == IGT_E_NO_SPACE || !err)
    return false;
  switch (err->os_error) {
  case EACCES:
  case EBUSY:
  case EINVAL:
  case ENOSYS:
  case EOPNOTSUPP:
  case EPERM:
    return true;
  default:
    return false;
  }
}

static igt_status give_name(igt__partial *partial, bool only_new, bool *kept, igt_error *err) {
  igt_status status = only_new
                          ? igt__root_rename_new(partial->root, partial->name, partial->path, err)
                          : igt__root_rename(partial->root, partial->name, partial->path, err);

  *kept = status != IGT_OK && keeps(status, err);
  if (*kept)
    igt__error_append(err, "; the complete file is kept as '%s'", partial->name);
  return status;
}

igt_status igt__partial_commit(igt__partial *partial, int64_t mtime, bool only_new,
                               igt_error *err) {
  int fd = partial->fd;
  bool kept = false;
  igt_status status;
  igt__stat st;

  set_time(partial, mtime);
  status = flush(partial, err);
  if (status == IGT_OK)
    status = give_name(partial, only_new, &kept, err);
  partial->known = igt__os_fstat(fd, &st) == 0; /* the rename has set the change time */
  if (partial->known)
    igt__local_take(&partial->committed, &st);
  partial->fd = -1;
  /* The close releases the lock, so no other process took the name before the rename. A failed
   * write that is reported only now removes the file. */
  if (igt__os_close(fd) != 0 && status == IGT_OK) {
    status = igt__fail_errno(err, errno, "'%s' could not be written completely", partial->path);
    (void)igt__root_unlink(partial->root, partial->path, NULL);
  } else if (status != IGT_OK && !kept) {
    (void)igt__root_unlink(partial->root, partial->name, NULL);
  }
  end(partial);
  return status;
}

void igt__partial_close(igt__partial *partial, bool keep) {
  if (partial->fd >= 0) {
    if (!keep || (partial->salted && !partial->existed))
      (void)igt__root_unlink(partial->root, partial->name, NULL);
    (void)igt__os_close(partial->fd);
    partial->fd = -1;
  }
  end(partial);
}
