/* SPDX-License-Identifier: MIT */
/* A file that is opened without allowing others to write cannot be opened while somebody writes to
 * it, whoever that is. It is closed at once: somebody who opens it for writing within these
 * microseconds is refused, as by a virus scanner, so only files that were quiet are asked about. */
#include <stdlib.h>

#include "os/os.h"

#include "os/windows/system.h"

bool os_is_written(const os_file *file) {
  wchar_t *wide = wide_path(file->path);
  HANDLE handle = wide ? CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                                     OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL)
                       : INVALID_HANDLE_VALUE;
  bool written =
      wide && handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION;

  if (handle != INVALID_HANDLE_VALUE)
    CloseHandle(handle);
  else
    free(wide), wide = NULL;
  free(wide);
  return written;
}
