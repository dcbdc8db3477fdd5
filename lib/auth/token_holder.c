/* SPDX-License-Identifier: MIT */
/* Writes the token file (token_file.h): creates it or takes over one that nobody holds, keeps it
 * locked, rewrites all five pages at once, and wipes and removes it at the end. Only a file that is
 * empty or contains what a login writes is overwritten. Called by hold.c, and by the signal handler
 * of `igtcloud login`. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "auth/token_internal.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"

/* Two logins that start and end at the same moment may remove the file from under one another. */
#define OPEN_TRIES 8

static igt__json *token_json(const char *user, const char *jwt, const igt__json *claims,
                             const char *csrf, const char *domain) {
  igt__json *root = igt__json_new_object();

  if (root && igt__json_set_str(root, "sub", user) && igt__json_set_str(root, "jwt", jwt) &&
      igt__json_set(root, "jwt_data", igt__json_copy(claims)) &&
      igt__json_set_str(root, "csrf", csrf) && igt__json_set_str(root, "domain", domain))
    return root;
  igt__json_free_wipe(root);
  return NULL;
}

igt_status igt__token_encode(const char *user, const char *jwt, const igt__json *claims,
                             const char *csrf, const char *domain, char *page, igt_error *err) {
  igt__json *root = token_json(user, jwt, claims, csrf, domain);
  igt_status status = IGT_OK;
  igt__buf text, encoded;

  igt__buf_init(&text, 4 * IGT__MAX_TOKEN);
  igt__buf_init(&encoded, 8 * IGT__MAX_TOKEN);
  if (root && igt__json_write(&text, root, IGT__JSON_COMPACT))
    igt__base64_encode(&encoded, text.data, text.len);
  if (!root || ((text.failed || encoded.failed) && !text.too_long && !encoded.too_long))
    status = igt__fail_memory(err);
  else if (text.too_long || encoded.too_long || encoded.len >= IGT__TOKEN_FILE_SIZE)
    status = igt__fail(
        err, IGT_E_LIMIT,
        "the server's token is too large for the token file, which has space for %u bytes",
        IGT__TOKEN_FILE_SIZE);
  if (status == IGT_OK) {
    memcpy(page, encoded.data, encoded.len);
    memset(page + encoded.len, 0, IGT__TOKEN_FILE_SIZE - encoded.len);
  }
  igt__buf_finish_wipe(&encoded);
  igt__buf_finish_wipe(&text);
  igt__json_free_wipe(root);
  return status;
}

struct igt__token_holder {
  int fd;
  igt__stat st; /* identifies the file */
  bool theirs;  /* contains a live token of somebody else, not yet overwritten */
  char path[IGT__OS_PATH_MAX];
};

/* The one that this process holds: for a signal handler. */
static igt__token_holder *_Atomic held;

/* A single write: head and tail of the old token disappear together, and a concurrent reader sees
 * as little of a mixture as the system allows. */
igt_status igt__token_holder_write(igt__token_holder *holder, const char *page, igt_error *err) {
  holder->theirs = false;
  if (igt__fd_write_at(holder->fd, page, IGT__TOKEN_FILE_SIZE, 0))
    return IGT_OK;
  return igt__fail_errno(err, errno, "the token file %s cannot be written", holder->path);
}

static igt_status empty_file(igt__token_holder *holder, igt_error *err) {
  static const char zeros[IGT__TOKEN_FILE_SIZE];

  return igt__token_holder_write(holder, zeros, err);
}

/* Creates missing folders of a path that the user chose. */
static void make_folder(const char *path) {
  size_t n = (size_t)(igt__path_local_base(path) - path);
  char *dir = n > 1 ? igt__strndup(path, n - 1) : NULL;
  igt__root *root = NULL;

  if (dir && igt__root_open(dir, true, &root, NULL) == IGT_OK)
    igt__root_close(root);
  igt__free(dir);
}

static igt_status open_own(const char *path, int *fd, igt__stat *st, igt_error *err) {
  *fd = igt__os_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (*fd < 0 && errno == ENOENT) {
    make_folder(path);
    *fd = igt__os_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  }
  if (*fd < 0 && errno == EEXIST)
    return igt__token_open(path, O_RDWR, fd, st, err);
  if (*fd < 0)
    return igt__fail_errno(err, errno, "the token file %s cannot be created", path);
  if (igt__os_fstat(*fd, st) != 0) {
    igt__fail_errno(err, errno, "the token file %s", path);
    igt__os_close(*fd);
    *fd = -1;
    return IGT_E_IO;
  }
  return IGT_OK;
}

static igt_status lock_file(int fd, const char *path, igt_error *err) {
  if (igt__os_lock(fd) != 0) {
    int os_error = errno;
    long long holder = (long long)igt__os_holder(fd);
    char process[40] = "";

    if (os_error != EAGAIN)
      return igt__fail_errno(err, os_error, "the token file %s cannot be locked", path);
    if (holder > 0)
      (void)snprintf(process, sizeof process, " (process %lld)", holder);
    return igt__fail(err, IGT_E_LOCKED,
                     "a login is already running%s; it has locked the token file %s; "
                     "`igtcloud logout` ends it",
                     process, path);
  }
  if (igt__os_show_holder(fd) != 0)
    IGT__DEBUG(IGT_LOG_AUTH,
               "the lock on %s does not name its holder: others cannot see this process's id",
               path);
  return IGT_OK;
}

static bool is_same_file(const char *path, const igt__stat *st) {
  igt__stat now;

  return igt__os_lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* A live token in a file that nobody holds was left by a killed login, or belongs to a Python
 * client, which takes no locks. It stays until there is a new one to replace it. Read through our
 * own descriptor: closing another one of this file would drop the lock that shows the holder. */
static bool holds_live_token(const igt__token_holder *holder) {
  char *page = igt__calloc(1, IGT__TOKEN_FILE_SIZE);
  igt_token *token = NULL;
  bool live;
  size_t n = 0;

  live = page && igt__token_read_page(holder->fd, page, &n, NULL) == IGT_OK &&
         igt__token_parse(page, n, &token, NULL) == IGT_OK && igt__token_is_live(token);
  if (live)
    IGT__WARN(IGT_LOG_AUTH,
              "taking over the token file %s, whose token is still valid but not in use by a login",
              holder->path);
  igt_token_free(token);
  if (page)
    igt__wipe(page, IGT__TOKEN_FILE_SIZE);
  igt__free(page);
  return live;
}

/* Base64 of {"sub": with or without a space after it, which is how each client's file starts. */
#define BEGINNING "eyJzdWIiOi"

static bool is_token_page(const char *page, size_t n) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
                                 "\r\n"; /* and the NUL after it, which pads the file */

  if (n > 0 && page[0] != '\0' &&
      (n < sizeof BEGINNING - 1 || memcmp(page, BEGINNING, sizeof BEGINNING - 1) != 0))
    return false;
  for (size_t i = 0; i < n; i++)
    if (!memchr(page[0] ? alphabet : "", page[i], page[0] ? sizeof alphabet : 1))
      return false;
  return true;
}

/* CLOUD_TOKEN_MMAP may be a typo away from a file that somebody needs: only a file that is empty,
 * or contains what a login writes (also an old or half-written token), is overwritten. */
static igt_status check_content(const igt__token_holder *holder, igt_error *err) {
  char *page = NULL;
  size_t n = 0;
  igt_status status = IGT_OK;
  bool ours = holder->st.st_size == 0;

  if (!ours && holder->st.st_size <= IGT__TOKEN_FILE_SIZE) {
    page = igt__calloc(1, IGT__TOKEN_FILE_SIZE);
    status = page ? igt__token_read_page(holder->fd, page, &n, err) : igt__fail_memory(err);
    ours = status == IGT_OK && is_token_page(page, n);
    if (page)
      igt__wipe(page, IGT__TOKEN_FILE_SIZE);
    igt__free(page);
  }
  if (status != IGT_OK || ours)
    return status;
  return igt__fail(err, IGT_E_TOKEN_FILE,
                   "%s is not a token file, so it is left alone: set CLOUD_TOKEN_MMAP to a path "
                   "that does not exist yet, or remove the file if it is not needed",
                   holder->path);
}

static igt_status open_locked(igt__token_holder *holder, igt_error *err) {
  igt_status status = IGT_OK;

  for (int try = 0; try < OPEN_TRIES; try++) {
    status = open_own(holder->path, &holder->fd, &holder->st, err);
    if (status == IGT_E_NO_SESSION) /* removed since it was found */
      continue;
    if (status == IGT_OK)
      status = lock_file(holder->fd, holder->path, err);
    if (status != IGT_OK)
      return status;
    if (is_same_file(holder->path, &holder->st))
      return IGT_OK;
    igt__os_close(holder->fd); /* its former holder removed it while we waited for its lock */
    holder->fd = -1;
  }
  return igt__fail(err, IGT_E_LOCKED, "the token file %s keeps being created and removed",
                   holder->path);
}

igt_status igt__token_holder_open(const char *path, igt__token_holder **out, igt_error *err) {
  igt__token_holder *holder = igt__calloc(1, sizeof *holder);
  igt_status status;

  *out = NULL;
  if (!holder)
    return igt__fail_memory(err);
  holder->fd = -1;
  status = igt__token_path(path, holder->path, sizeof holder->path, err);
  if (status == IGT_OK)
    status = open_locked(holder, err);
  if (status == IGT_OK)
    status = check_content(holder, err);
  if (status == IGT_OK) {
    holder->theirs = holder->st.st_size > 0 && holds_live_token(holder);
    if (!holder->theirs)
      status = empty_file(holder, err);
    if (status != IGT_OK)
      igt__os_unlink(holder->path);
  }
  if (status != IGT_OK) {
    if (holder->fd >= 0)
      igt__os_close(holder->fd);
    igt__free(holder);
    return status;
  }
  atomic_store(&held, holder);
  *out = holder;
  return IGT_OK;
}

/* Programs that still map it must not continue with a token that was signed out. */
static void remove_file(igt__token_holder *holder) {
  if (empty_file(holder, NULL) != IGT_OK)
    IGT__WARN(IGT_LOG_AUTH, "the token file %s could not be emptied", holder->path);
  if (is_same_file(holder->path, &holder->st) && igt__os_unlink(holder->path) != 0)
    IGT__WARN(IGT_LOG_AUTH, "the token file %s could not be removed", holder->path);
}

/* Uses only what is safe in a signal handler. A token that is not ours yet stays. */
void igt_login_abandon(void) {
  static const char zeros[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = atomic_load(&held);

  if (!holder || holder->theirs)
    return;
  (void)!igt__os_pwrite(holder->fd, zeros, sizeof zeros, 0);
  if (is_same_file(holder->path, &holder->st))
    (void)igt__os_unlink(holder->path);
}

void igt__token_holder_close(igt__token_holder *holder) {
  if (!holder)
    return;
  if (!holder->theirs)
    remove_file(holder);
  atomic_store(&held, NULL);
  igt__os_close(holder->fd);
  igt__free(holder);
}
