/* SPDX-License-Identifier: MIT */
/* Tries what downloads ask of a file system (partial.c, space.c, durable.c of lib/transfer) on a
 * hidden file in the folder: locks, reserved space, times, names that differ in case. What a file
 * system lacks is not an error: each has a substitute, which is slower or less safe. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/sized.h"
#include "crypto/crypto.h"
#include "igtcloud/probe.h"

#define RESERVED (1024 * 1024)
#define A_DATE 1000000000 /* 2001-09-09 */

static void take_type(int fd, igt_folder_info *out) {
  uint64_t available = igt__os_free_space(fd);

  igt__os_disk(fd, out->type, sizeof out->type, &out->total_bytes);
  out->is_local = igt__os_is_local_disk(fd);
  out->space_known = available != UINT64_MAX;
  out->free_bytes = out->space_known ? available : 0;
}

static bool keeps_times(int fd) {
  igt__stat st;

  return igt__os_set_mtime(fd, A_DATE) == 0 && igt__os_fstat(fd, &st) == 0 &&
         st.st_mtim.tv_sec == A_DATE;
}

static void try_file(int dir, int fd, const char *upper, igt_folder_info *out) {
  igt__stat st;

  out->has_locks = igt__os_lock(fd) == 0;
  out->can_reserve = igt__os_allocate(fd, RESERVED) == 0;
  out->keeps_times = keeps_times(fd);
  out->keeps_case = igt__os_statat(dir, upper, &st, false) != 0 && errno == ENOENT;
}

static igt_status write_file(int dir, const char *path, igt_folder_info *out, igt_error *err) {
  static const char text[] = "igtcloud doctor examines this folder, and removes this file.\n";
  char name[40], upper[40], random[9];
  igt_status status = IGT_OK;
  int fd;

  if (!igt__random_token(random, 8))
    return igt__fail(err, IGT_E_IO, "cannot make a random name for a file in '%s'", path);
  (void)snprintf(name, sizeof name, ".igtcloud-doctor-%s", random);
  (void)snprintf(upper, sizeof upper, ".IGTCLOUD-DOCTOR-%s", random);
  fd = igt__os_openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (fd < 0)
    return igt__fail_errno(err, errno, "cannot create a file in '%s'", path);
  errno = ENOSPC; /* of a write that is short */
  if (igt__os_write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1 || igt__os_sync(fd) != 0)
    status = igt__fail_errno(err, errno, "cannot write a file in '%s'", path);
  out->is_writable = status == IGT_OK;
  if (out->is_writable)
    try_file(dir, fd, upper, out);
  (void)igt__os_close(fd);
  igt__probe_remove(dir, path, name);
  return status;
}

igt_status igt_probe_folder(const char *path, igt_folder_info *out, igt_error *err) {
  igt_folder_info own = IGT_FOLDER_INFO_INIT;
  igt_status status = igt__result_check(out, "igt_folder_info", err);
  int dir;

  igt__error_clear(err);
  if (status == IGT_OK && !path)
    status = igt__fail(err, IGT_E_INVALID, "no folder was given");
  if (status != IGT_OK)
    return status;
  dir = igt__os_open(path, O_RDONLY | O_DIRECTORY, 0);
  if (dir < 0) {
    status = igt__fail_errno(err, errno, "cannot open the folder '%s'", path);
  } else {
    take_type(dir, &own);
    status = write_file(dir, path, &own, err);
    (void)igt__os_close(dir);
  }
  igt__result_write(out, &own, sizeof own);
  return status;
}

IGT__DEFINE_INIT(igt_folder_info)
