/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DIGEST_H
#define IGT_TRANSFER_DIGEST_H

/* A local file as it was planned, and its digests. */

#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/os/os.h"
#include "base/root.h"

/* A local file as it was planned; it must not change until it is sent. */
typedef struct igt__local {
  const char *path; /* absolute */
  /* path lies below it, and its folders may have been created by others (base/root.h). Borrowed.
   * NULL: a single file that the user named; all folders of its path are trusted. */
  igt__root *root;
  uint64_t size;
  int64_t mtime_ns, ctime_ns;
  uint64_t inode;
  bool follow_links; /* without a root: also a link as the file itself */
} igt__local;
void igt__local_take(igt__local *local, const igt__stat *st);
/* Opens it, and verifies that it is still the planned file. */
igt_status igt__local_open(const igt__local *local, int *fd, igt_error *err);
/* IGT_E_CHANGED unless size and modification time are as planned. *now, which may be NULL, is the
 * file as it is. */
igt_status igt__local_unchanged(const igt__local *local, int fd, igt__local *now, igt_error *err);
/* The failure of a file that has changed since it was planned. */
igt_status igt__local_fail_changed(igt_error *err);
/* Whether a write since it was planned could have left no trace in its times: it is so young that
 * another write may get the same ones. The coarsest clock of a file system (FAT) counts 2 s. */
bool igt__local_is_young(const igt__local *local);

/* Opens it and reads a byte: bad disks and some NFS servers let a file be opened, and refuse the
 * first read. What cannot be read must not be registered: it would stay in the cloud as a file that
 * never gets complete. */
igt_status igt__local_see_readable(const igt__local *local, igt_error *err);

/* Reads the first n bytes; IGT_E_CHANGED: there are fewer. */
igt_status igt__local_read(int fd, char *out, size_t n, igt_error *err);

/* SHA-256 and MD5 of n bytes from offset; md5 may be NULL. */
igt_status igt__digest_range(int fd, uint64_t offset, uint64_t n, unsigned char sha256[32],
                             unsigned char md5[16], const igt__cancel *cancel, igt_error *err);
/* "sha256:…", or for part_size > 0 "sha256-parts-N:…", the digest of the parts' digests. */
void igt__digest_text(const unsigned char sha256[32], uint64_t part_size, char out[128]);
/* *same: whether the file's content has this digest; IGT_E_INVALID: text is not a digest. */
igt_status igt__digest_compare(const igt__local *local, const char *text, const igt__cancel *cancel,
                               bool *same, igt_error *err);
/* Whether the file's content has this digest, as igt__digest_text or igt__check_final wrote it.
 * False also when it cannot be read. */
bool igt__digest_matches(const igt__local *local, const char *text, const igt__cancel *cancel);

#endif
