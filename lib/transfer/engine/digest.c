/* SPDX-License-Identifier: MIT */
/* Local files and their digests: opens a file below its root, detects that it is no longer the one
 * that was planned (size, times, inode), reads ranges of it, and computes or compares the digests
 * that the journal and the store use. Called on the hashers' threads by uploads, and by everything
 * that compares a local file. */
#include "transfer/engine/digest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "crypto/crypto.h"

#define PART ((size_t)128 * 1024)
#define PARTS_PREFIX "sha256-parts-"

void igt__local_take(igt__local *local, const igt__stat *st) {
  local->size = (uint64_t)st->st_size;
  local->mtime_ns = igt__mtime_ns(st);
  local->ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
  local->inode = st->st_ino;
}

/* FUSE, exFAT and FAT assign a new inode number whenever they forget the file, and chmod changes
 * the change time: only both mean another file for sure. One of them is a doubt, which the callers
 * resolve by comparing the content (send.c, upload_existing.c). */
static bool is_another(const igt__local *local, const igt__local *now) {
  return now->size != local->size || now->mtime_ns != local->mtime_ns ||
         (now->inode != local->inode && now->ctime_ns != local->ctime_ns);
}

igt_status igt__local_fail_changed(igt_error *err) {
  return igt__fail(
      err, IGT_E_CHANGED,
      "the file was changed while it was uploaded; retry once the file no longer changes");
}

static igt_status compare_stat(const igt__local *local, const igt__stat *st, igt_error *err) {
  igt__local now;

  igt__local_take(&now, st);
  return is_another(local, &now) ? igt__local_fail_changed(err) : IGT_OK;
}

igt_status igt__local_unchanged(const igt__local *local, int fd, igt__local *now, igt_error *err) {
  igt__stat st;

  if (igt__os_fstat(fd, &st) != 0)
    return igt__fail_errno(err, errno, "cannot read the file");
  if (now)
    igt__local_take(now, &st);
  return compare_stat(local, &st, err);
}

#define CLOCK_NS ((int64_t)2000000000)

static bool is_recent(int64_t at, int64_t now) {
  return at > now - CLOCK_NS && at < now + CLOCK_NS;
}

bool igt__local_is_young(const igt__local *local) {
  int64_t now = igt__wall_us() * 1000;

  return is_recent(local->mtime_ns, now) || is_recent(local->ctime_ns, now);
}

static igt_status open_trusted(const igt__local *local, int *fd, igt__stat *st, igt_error *err) {
  int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | (local->follow_links ? 0 : O_NOFOLLOW);

  *fd = igt__os_open(local->path, flags, 0);
  if (*fd < 0)
    return igt__fail_errno(err, errno, "cannot read the file");
  return igt__os_fstat(*fd, st) == 0 ? IGT_OK : igt__fail_errno(err, errno, "cannot read the file");
}

igt_status igt__local_open(const igt__local *local, int *fd, igt_error *err) {
  igt__stat st;
  /* Since the walk a folder of the path may have become a link to somewhere else. */
  igt_status status = local->root ? igt__root_open_read(local->root, local->path, fd, &st, err)
                                  : open_trusted(local, fd, &st, err);

  if (status == IGT_OK)
    status = compare_stat(local, &st, err);
  if (status != IGT_OK && *fd >= 0) {
    igt__os_close(*fd);
    *fd = -1;
  }
  return status;
}

/* *got: as many as one read returns, at least one. */
static igt_status read_some(int fd, uint64_t offset, char *out, size_t n, size_t *got,
                            igt_error *err) {
  ssize_t done;

  do
    done = igt__os_pread(fd, out, n, (int64_t)offset);
  while (done < 0 && errno == EINTR);
  if (done < 0)
    return igt__fail_errno(err, errno, "cannot read the file");
  if (done == 0)
    return igt__fail(err, IGT_E_CHANGED, "the file became shorter while it was uploaded");
  *got = (size_t)done;
  return IGT_OK;
}

igt_status igt__local_read(int fd, char *out, size_t n, igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t at = 0, got = 0; at < n && status == IGT_OK; at += got)
    status = read_some(fd, at, out + at, n - at, &got, err);
  return status;
}

igt_status igt__local_see_readable(const igt__local *local, igt_error *err) {
  char first;
  int fd;
  igt_status status = igt__local_open(local, &fd, err);

  if (status != IGT_OK)
    return status;
  if (local->size > 0)
    status = igt__local_read(fd, &first, 1, err);
  igt__os_close(fd);
  return status;
}

static igt_status read_into(int fd, uint64_t offset, uint64_t n, char *part, igt__digest *sha,
                            igt__digest *md5, const igt__cancel *cancel, igt_error *err) {
  size_t got;

  for (; n > 0; offset += got, n -= got) {
    igt_status status = read_some(fd, offset, part, n < PART ? (size_t)n : PART, &got, err);
    if (status != IGT_OK)
      return status;
    if (igt__cancel_is_set(cancel))
      return igt__fail(err, IGT_E_CANCELLED, "interrupted");
    igt__digest_update(sha, part, got);
    if (md5)
      igt__digest_update(md5, part, got);
  }
  return IGT_OK;
}

igt_status igt__digest_range(int fd, uint64_t offset, uint64_t n, unsigned char sha256[32],
                             unsigned char md5[16], const igt__cancel *cancel, igt_error *err) {
  char *part = igt__malloc(PART);
  igt__digest *sha = igt__digest_new(IGT__SHA256), *other = md5 ? igt__digest_new(IGT__MD5) : NULL;
  igt_status status = IGT_OK;

  if (!part || !sha || (md5 && !other))
    status = igt__fail_memory(err);
  else
    status = read_into(fd, offset, n, part, sha, other, cancel, err);
  if (status == IGT_OK) {
    igt__digest_final(sha, sha256);
    if (md5)
      igt__digest_final(other, md5);
  }
  igt__digest_free(sha);
  igt__digest_free(other);
  igt__free(part);
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

/* "ALG:HEX" or "ALG-parts-N:HEX"; *part_size 0: the former. */
static bool parse_digest(const char *text, igt__digest_alg *alg, uint64_t *part_size,
                         const char **hex) {
  static const igt__digest_alg all[] = {IGT__MD5,   IGT__SHA1,   IGT__SHA256,
                                        IGT__CRC32, IGT__CRC32C, IGT__CRC64NVME};

  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const char *name = igt__digest_name(all[i]), *rest = text + strlen(name);
    char *end;
    if (!igt__str_starts(text, name))
      continue;
    *alg = all[i];
    *part_size = 0;
    *hex = rest + 1;
    if (*rest == ':')
      return true;
    if (!igt__str_starts(rest, "-parts-"))
      continue; /* crc32 of crc32c */
    *part_size = strtoull(rest + strlen("-parts-"), &end, 10);
    *hex = end + 1;
    return *part_size && *end == ':';
  }
  return false;
}

/* Digest of the whole file, or of the digests of its parts. */
static igt_status digest_as(int fd, uint64_t size, igt__digest_alg alg, uint64_t part_size,
                            const igt__cancel *cancel, unsigned char *out, igt_error *err) {
  igt__digest *digest = igt__digest_new(alg), *whole = igt__digest_new(alg);
  char *part = igt__malloc(PART);
  igt_status status = digest && whole && part ? IGT_OK : igt__fail_memory(err);

  for (uint64_t at = 0; part_size && at < size && status == IGT_OK; at += part_size) {
    uint64_t n = size - at < part_size ? size - at : part_size;
    status = read_into(fd, at, n, part, digest, NULL, cancel, err);
    if (status == IGT_OK) {
      igt__digest_final(digest, out);
      igt__digest_update(whole, out, igt__digest_size(alg));
    }
  }
  if (!part_size && status == IGT_OK)
    status = read_into(fd, 0, size, part, whole, NULL, cancel, err);
  if (status == IGT_OK)
    igt__digest_final(whole, out);
  igt__digest_free(digest);
  igt__digest_free(whole);
  igt__free(part);
  return status;
}

igt_status igt__digest_compare(const igt__local *local, const char *text, const igt__cancel *cancel,
                               bool *same, igt_error *err) {
  unsigned char out[IGT__DIGEST_MAX];
  char mine[2 * IGT__DIGEST_MAX + 1];
  const char *hex;
  igt__digest_alg alg;
  uint64_t part_size;
  igt_status status;
  int fd;

  *same = false;
  if (!parse_digest(text, &alg, &part_size, &hex))
    return igt__fail(err, IGT_E_INVALID, "'%s' is not a digest", text);
  status = igt__local_open(local, &fd, err);
  if (status != IGT_OK)
    return status;
  status = digest_as(fd, local->size, alg, part_size, cancel, out, err);
  igt__os_close(fd);
  if (status != IGT_OK)
    return status;
  igt__hex(out, igt__digest_size(alg), mine);
  *same = strcmp(mine, hex) == 0;
  return IGT_OK;
}

bool igt__digest_matches(const igt__local *local, const char *text, const igt__cancel *cancel) {
  bool same;

  return igt__digest_compare(local, text, cancel, &same, NULL) == IGT_OK && same;
}
