/* SPDX-License-Identifier: MIT */
#include "transfer/digest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"

#define PIECE ((size_t)128 * 1024)
#define PARTS_PREFIX "sha256-parts-"

static int64_t mtime_of(const struct stat *st) {
  return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

void igt__local_take(igt__local *local, const struct stat *st) {
  local->size = (uint64_t)st->st_size;
  local->mtime_ns = mtime_of(st);
  local->inode = st->st_ino;
}

igt_status igt__local_unchanged(const igt__local *local, int fd, igt_error *err) {
  struct stat st;

  if (fstat(fd, &st) != 0)
    return igt__fail_errno(err, errno, "cannot look at the file");
  if ((uint64_t)st.st_size != local->size || mtime_of(&st) != local->mtime_ns ||
      st.st_ino != local->inode)
    return igt__fail(err, IGT_E_CHANGED,
                     "the file was changed while it was uploaded; upload it again when it rests");
  return IGT_OK;
}

/* Between the walk and now a folder on the way may have become a link to somewhere else. */
static igt_status open_below(const igt__local *local, int *fd, igt_error *err) {
  const char *root = igt__root_path(local->root), *below = local->path + strlen(root);

  assert(igt__str_starts(local->path, root));
  while (*below == '/')
    below++;
  return igt__root_open_file(local->root, below, O_RDONLY | O_NONBLOCK, 0, false, fd, err);
}

static igt_status open_trusted(const igt__local *local, int *fd, igt_error *err) {
  int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (local->follow_links ? 0 : O_NOFOLLOW);

  *fd = open(local->path, flags);
  return *fd < 0 ? igt__fail_errno(err, errno, "cannot read the file") : IGT_OK;
}

igt_status igt__local_open(const igt__local *local, int *fd, igt_error *err) {
  igt_status status = local->root ? open_below(local, fd, err) : open_trusted(local, fd, err);

  if (status != IGT_OK)
    return status;
  status = igt__local_unchanged(local, *fd, err);
  if (status != IGT_OK) {
    close(*fd);
    *fd = -1;
  }
  return status;
}

static igt_status read_into(int fd, uint64_t offset, uint64_t n, char *piece, igt__digest *sha,
                            igt__digest *md5, const igt__cancel *cancel, igt_error *err) {
  while (n > 0) {
    ssize_t got = pread(fd, piece, n < PIECE ? (size_t)n : PIECE, (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return igt__fail_errno(err, errno, "cannot read the file");
    if (got == 0)
      return igt__fail(err, IGT_E_CHANGED, "the file became shorter while it was uploaded");
    if (igt__cancel_is_set(cancel))
      return igt__fail(err, IGT_E_CANCELLED, "interrupted");
    igt__digest_update(sha, piece, (size_t)got);
    if (md5)
      igt__digest_update(md5, piece, (size_t)got);
    offset += (uint64_t)got;
    n -= (uint64_t)got;
  }
  return IGT_OK;
}

igt_status igt__digest_range(int fd, uint64_t offset, uint64_t n, unsigned char sha256[32],
                             unsigned char md5[16], const igt__cancel *cancel, igt_error *err) {
  char *piece = igt__malloc(PIECE);
  igt__digest *sha = igt__digest_new(IGT__SHA256), *other = md5 ? igt__digest_new(IGT__MD5) : NULL;
  igt_status status = IGT_OK;

  if (!piece || !sha || (md5 && !other))
    status = igt__fail_memory(err);
  else
    status = read_into(fd, offset, n, piece, sha, other, cancel, err);
  if (status == IGT_OK) {
    igt__digest_final(sha, sha256);
    if (md5)
      igt__digest_final(other, md5);
  }
  igt__digest_free(sha);
  igt__digest_free(other);
  igt__free(piece);
  return status;
}

void igt__digest_text(const unsigned char sha256[32], uint64_t part_size, char out[128]) {
  char hex[65];

  igt__hex(sha256, 32, hex);
  if (part_size)
    (void)snprintf(out, 128, PARTS_PREFIX "%" PRIu64 ":%s", part_size, hex);
  else
    (void)snprintf(out, 128, "sha256:%s", hex);
}

static igt_status digest_parts(int fd, uint64_t size, uint64_t part_size, unsigned char out[32],
                               const igt__cancel *cancel) {
  igt__digest *whole = igt__digest_new(IGT__SHA256);
  igt_status status = whole ? IGT_OK : IGT_E_NO_MEMORY;

  for (uint64_t at = 0; at < size && status == IGT_OK; at += part_size) {
    uint64_t n = size - at < part_size ? size - at : part_size;
    unsigned char part[32];
    status = igt__digest_range(fd, at, n, part, NULL, cancel, NULL);
    if (status == IGT_OK)
      igt__digest_update(whole, part, sizeof part);
  }
  if (status == IGT_OK)
    igt__digest_final(whole, out);
  igt__digest_free(whole);
  return status;
}

bool igt__digest_matches(const igt__local *local, const char *text, const igt__cancel *cancel) {
  unsigned char sha256[32];
  uint64_t part_size = 0;
  char mine[128];
  igt_status status;
  int fd;

  if (igt__str_starts(text, PARTS_PREFIX))
    part_size = strtoull(text + strlen(PARTS_PREFIX), NULL, 10);
  else if (!igt__str_starts(text, "sha256:"))
    return false;
  if (igt__local_open(local, &fd, NULL) != IGT_OK)
    return false;
  if (part_size)
    status = digest_parts(fd, local->size, part_size, sha256, cancel);
  else
    status = igt__digest_range(fd, 0, local->size, sha256, NULL, cancel, NULL);
  close(fd);
  if (status != IGT_OK)
    return false;
  igt__digest_text(sha256, part_size, mine);
  return strcmp(mine, text) == 0;
}
