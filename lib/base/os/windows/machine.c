/* SPDX-License-Identifier: MIT */
#include "system.h"

#include <bcrypt.h>

/* Ctrl-C and the like come on a thread of their own. */
void igt__os_block_signals(igt__os_signals *before) {
  *before = 0;
}

void igt__os_unblock_signals(const igt__os_signals *before) {
  (void)before;
}

void igt__os_wipe(void *p, size_t n) {
  SecureZeroMemory(p, n);
}

bool igt__os_random(void *out, size_t n) {
  return BCryptGenRandom(NULL, out, (ULONG)n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}

/* The machine's, or less in a job with a limit (containers, batch systems). */
uint64_t igt__os_memory(void) {
  MEMORYSTATUSEX machine = {.dwLength = sizeof machine};
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
  uint64_t all = GlobalMemoryStatusEx(&machine) ? machine.ullTotalPhys : UINT64_MAX;
  const DWORD limited = JOB_OBJECT_LIMIT_PROCESS_MEMORY;

  if (QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL) &&
      (job.BasicLimitInformation.LimitFlags & limited) && job.ProcessMemoryLimit < all)
    all = job.ProcessMemoryLimit;
  return all;
}
