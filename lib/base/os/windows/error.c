/* SPDX-License-Identifier: MIT */
/* One table from Windows' errors to errno, by which everything above decides. */
#include <errno.h>

#include "system.h"

static const struct {
  DWORD windows;
  int posix;
} errors[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_DELETE_PENDING, ENOENT},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_NETWORK_ACCESS_DENIED, EACCES},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_LOCK_VIOLATION, EAGAIN},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {1295, EDQUOT}, /* ERROR_DISK_QUOTA_EXCEEDED */
    {ERROR_FILE_TOO_LARGE, EFBIG},
    {ERROR_INVALID_NAME, EINVAL},
    {ERROR_BAD_PATHNAME, EINVAL},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_BUFFER_OVERFLOW, ENAMETOOLONG},
    {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_NO_DATA, EPIPE},
    {ERROR_PIPE_NOT_CONNECTED, EPIPE},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_NOT_SUPPORTED, ENOSYS},
    {ERROR_INVALID_FUNCTION, ENOSYS},
    {ERROR_CALL_NOT_IMPLEMENTED, ENOSYS},
    {ERROR_PRIVILEGE_NOT_HELD, EPERM},
    {ERROR_INVALID_OWNER, EPERM},
    {WSAENOTSOCK, EBADF},
    {WSAENOBUFS, ENOMEM},
    {WSAEACCES, EACCES},
};

int igt__windows_errno(DWORD error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (errors[i].windows == error)
      return errors[i].posix;
  return EIO;
}

int igt__windows_fail(DWORD error) {
  errno = igt__windows_errno(error);
  return -1;
}

int igt__windows_fail_nt(NTSTATUS status) {
  enum { IS_A_DIRECTORY = (int)0xC00000BA, NOT_A_DIRECTORY = (int)0xC0000103 };

  if (status == IS_A_DIRECTORY) /* RtlNtStatusToDosError makes "access denied" of it */
    errno = EISDIR;
  else if (status == NOT_A_DIRECTORY)
    errno = ENOTDIR;
  else
    errno = igt__windows_errno(RtlNtStatusToDosError(status));
  return -1;
}
