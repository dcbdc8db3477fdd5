/* SPDX-License-Identifier: MIT */
/* Space and durability.
 *
 * Windows has no syncfs for users. As git does for many new files: the data of each file is handed
 * to the disk when the file is complete (igt__os_write_back), and at the end one flush of any file
 * of the volume empties the disk's own cache (igt__os_sync_all). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

#include <winioctl.h>

#define FLUSH_DATA_ONLY 1 /* FLUSH_FLAGS_FILE_DATA_ONLY of <ntifs.h> */
#define FULL_SIZE 7       /* FileFsFullSizeInformation */

typedef struct full_size {
  int64_t total, callers, available; /* in units */
  ULONG sectors, bytes;              /* of a unit, of a sector */
} full_size;

NTSTATUS NTAPI NtFlushBuffersFileEx(HANDLE, ULONG, PVOID, ULONG, PIO_STATUS_BLOCK);
NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG,
                                            FS_INFORMATION_CLASS);

int igt__os_sync(int fd) {
  return FlushFileBuffers(igt__handle_of(fd)) ? 0 : igt__windows_fail(GetLastError());
}

/* wine 8 has a function of this name that ends the program which calls it. */
static bool has_half_flush(void) {
  return !GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version");
}

int igt__os_write_back(int fd) {
  enum { NOT_IMPLEMENTED = (int)0xC0000002, INVALID_PARAMETER = (int)0xC000000D };
  IO_STATUS_BLOCK io;
  NTSTATUS status;

  if (!has_half_flush())
    return igt__os_sync(fd);
  status = NtFlushBuffersFileEx(igt__handle_of(fd), FLUSH_DATA_ONLY, NULL, 0, &io);
  if (status == NOT_IMPLEMENTED || status == INVALID_PARAMETER) /* FAT knows no half flush */
    return igt__os_sync(fd);
  return status >= 0 ? 0 : igt__windows_fail_nt(status);
}

int igt__os_sync_all(int fd) {
  unsigned long long token = 0;
  igt__stat st;
  char name[48];
  bool written;
  int probe, failed, why;

  if (igt__os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
    return igt__os_sync(fd);
  (void)igt__os_random(&token, sizeof token);
  (void)snprintf(name, sizeof name, ".%016llx.igtpart", token);
  probe = igt__os_openat(fd, name, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (probe < 0)
    return -1;
  written = igt__os_write(probe, "", 1) == 1 || errno == ENOSPC; /* an empty one does, too */
  failed = written ? igt__os_sync(probe) : -1;
  why = errno;
  (void)igt__os_close(probe);
  (void)igt__os_unlinkat(fd, name);
  errno = why;
  return failed;
}

void igt__os_drop_cached(int fd) {
  (void)fd; /* there is no such call for a file that is open already */
}

uint64_t igt__os_free_space(int fd) {
  IO_STATUS_BLOCK io;
  full_size size;

  if (NtQueryVolumeInformationFile(igt__handle_of(fd), &io, &size, sizeof size, FULL_SIZE) != 0 ||
      size.total <= 0)
    return UINT64_MAX;
  return (uint64_t)size.callers * size.sectors * size.bytes;
}

void igt__os_disk(int fd, char *name, size_t cap, uint64_t *total) {
  wchar_t wide[64] = L"";
  IO_STATUS_BLOCK io;
  full_size size;

  *name = '\0';
  *total = 0;
  if (NtQueryVolumeInformationFile(igt__handle_of(fd), &io, &size, sizeof size, FULL_SIZE) == 0)
    *total = (uint64_t)size.total * size.sectors * size.bytes;
  if (GetVolumeInformationByHandleW(igt__handle_of(fd), NULL, 0, NULL, NULL, NULL, wide, 64))
    (void)igt__wide_to_utf8(wide, wcslen(wide), name, cap); /* "NTFS", "exFAT" */
}

int igt__os_allocate(int fd, int64_t size) {
  FILE_ALLOCATION_INFO info = {.AllocationSize.QuadPart = size};

  if (!SetFileInformationByHandle(igt__handle_of(fd), FileAllocationInfo, &info, sizeof info))
    return igt__windows_errno(GetLastError());
  return igt__os_truncate(fd, size) == 0 ? 0 : errno;
}

void igt__os_punch(int fd, int64_t at, int64_t n) {
  FILE_ZERO_DATA_INFORMATION hole = {.FileOffset.QuadPart = at, .BeyondFinalZero.QuadPart = at + n};
  DWORD ignored;

  (void)DeviceIoControl(igt__handle_of(fd), FSCTL_SET_ZERO_DATA, &hole, sizeof hole, NULL, 0,
                        &ignored, NULL);
}

/* A drive of this machine, not a share. */
bool igt__os_is_local_disk(int fd) {
  FILE_REMOTE_PROTOCOL_INFO remote;

  return !GetFileInformationByHandleEx(igt__handle_of(fd), FileRemoteProtocolInfo, &remote,
                                       sizeof remote);
}
